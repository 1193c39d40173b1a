internal import Glibc

/// Where images keep the file of certification authorities.
///
/// The libraries know the place of the system that they were built on alone, which is another than the function's image.
package enum CertificateFile {
    private static let candidates = [
        "/etc/ssl/certs/ca-certificates.crt",  // Debian, Ubuntu, Alpine, Alibaba FC
        "/etc/pki/tls/certs/ca-bundle.crt",  // Amazon Linux, Fedora
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",  // RHEL
        "/etc/ssl/ca-bundle.pem",  // openSUSE
        "/etc/ssl/cert.pem",  // Alpine
    ]

    /// The first that can be read; nil leaves the library's own default.
    package static func found() -> String? {
        candidates.first { unsafe access($0, R_OK) == 0 }
    }
}
