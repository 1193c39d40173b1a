import Foundation

/// `openssl s_server` with a certificate of its own for `localhost`, answering any GET with a page.
final class TLSServer {
    let certificate: String
    let url: String
    private let folder: URL
    private let process: ProcessSession
    private let port: ReservedPort

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        certificate = folder.appendingPathComponent("cert.pem").path
        let key = folder.appendingPathComponent("key.pem").path
        let request = try Program.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ])
        guard request.status == 0 else { throw ProcessSession.Failure(description: request.errors) }

        port = try ReservedPort()
        url = "https://localhost:\(port.number)/"
        process = try ProcessSession(
            "/usr/bin/openssl",
            ["s_server", "-4", "-accept", "127.0.0.1:\(port.number)", "-cert", certificate, "-key", key, "-www"],
            environment: [:], output: folder.appendingPathComponent("output").path)
        // What `s_server` says when it listens.
        guard process.waitForLine(beginning: "ACCEPT", within: 60) else {
            throw ProcessSession.Failure(description: process.output)
        }
    }

    func stop() {
        _ = process.stop()
        try? FileManager.default.removeItem(at: folder)
    }
}
