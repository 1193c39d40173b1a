import Foundation

/// The folder of a server that was never started, made once per test process and copied for each server.
enum MariaDBTemplate {
    private static let template = Result { try make() }

    static func copy() throws -> String {
        let folder = try ScratchFolder.make()
        try run(["/bin/cp", "-r", try template.get() + "/.", folder])
        return folder
    }

    /// An authority, and a certificate signed by it for `names`.
    static func makeCertificates(in folder: String, names: String) throws {
        let script = """
            set -e; cd "$1"
            openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=authority -keyout ca.key -out ca.pem
            openssl req -newkey rsa:2048 -nodes -subj /CN=server -keyout server.key -out server.csr
            printf "subjectAltName=%s" "$2" > san
            openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile san -out server.pem
            """
        try run(["/bin/sh", "-c", script, "sh", folder, names])
    }

    private static func make() throws -> String {
        let folder = try ScratchFolder.make()
        try run([
            "/usr/bin/mariadb-install-db", "--no-defaults", "--user=root", "--auth-root-authentication-method=normal",
            "--skip-test-db", "--datadir=\(folder)", "--tmpdir=\(folder)",
            "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M",
        ])
        return folder
    }

    private static func run(_ arguments: [String]) throws {
        let program = try Program.run(arguments[0], Array(arguments.dropFirst()))
        guard program.status == 0 else {
            throw MariaDBServer.Failure(description: "\(arguments[0]) failed: \(program.errors)")
        }
    }
}
