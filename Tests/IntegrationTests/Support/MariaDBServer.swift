import Foundation
import HTTPServer
import Locks
import MariaDB
import SQL
import Synchronization

/// A real MariaDB in a folder of its own, thrown away at the end.
///
/// Its process and its folder are gone when it is released, and also when the test process dies in any way: a small shell
/// guards both.
final class MariaDBServer: Sendable {
    struct Options: Sendable {
        /// What was committed survives `kill9()`.
        var isDurable = false
        /// Listens on a port of 127.0.0.1 too, and `url(…)` uses that.
        var usesTCP = false
        /// Offers TLS by a certificate for `certificateNames`; implies `usesTCP`.
        var usesTLS = false
        var certificateNames = "DNS:localhost,IP:127.0.0.1"
        /// The zone that sessions get unless they ask for another.
        var timeZone = "+05:30"
        var extraArguments: [String] = []
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    private struct Process {
        let guardian: ProcessLeash
        let server: pid_t
    }

    private static let databaseCount = Atomic<Int>(0)
    private static let runningServer = Result { try MariaDBServer() }

    let options: Options
    let folder: String
    /// The port on 127.0.0.1; 0 without TCP.
    var port: UInt16 { reserved?.number ?? 0 }
    private let reserved: ReservedPort?
    private let process = Lock<Process?>(nil)

    /// One server for all suites that only need databases; it lives as long as the test process.
    static func shared() throws -> MariaDBServer {
        try runningServer.get()
    }

    init(_ options: Options = Options()) throws {
        self.options = options
        folder = try MariaDBTemplate.copy()
        reserved = options.usesTCP || options.usesTLS ? try ReservedPort() : nil
        if options.usesTLS { try MariaDBTemplate.makeCertificates(in: folder, names: options.certificateNames) }
        try start()
    }

    deinit {
        stop(keepingFolder: false)
    }

    var socket: String { folder + "/s.sock" }
    /// The certificate of the authority that signed the server's.
    var certificateAuthority: String { folder + "/ca.pem" }

    /// The `DATABASE_URL` of a database; `options` such as `tls=require` are added to its query.
    func url(database: String = "mysql", options more: String = "") -> String {
        let query = port == 0 ? ["socket=\(socket)", more] : [more]
        let text = query.filter { !$0.isEmpty }.joined(separator: "&")
        let host = port == 0 ? "localhost" : "127.0.0.1:\(port)"
        return "mysql://root@\(host)/\(database)" + (text.isEmpty ? "" : "?" + text)
    }

    /// Makes a new, empty database and answers its `DATABASE_URL`.
    func freshDatabase() throws -> String {
        let name = "test_\(Self.databaseCount.add(1, ordering: .relaxed).newValue)"
        let connection = try connection()
        try connection.execute(Query(unsafeSQL: "CREATE DATABASE \(name) CHARACTER SET utf8mb4"))
        connection.close()
        return url(database: name)
    }

    /// A connection to one of this server's URLs, as root on the database `mysql` unless told otherwise.
    ///
    /// It waits as long as a busy machine may take, unless `configure` says how long.
    func connection(
        to url: String? = nil, _ configure: (inout MariaDBConfiguration) -> Void = { _ in }
    ) throws -> MariaDBConnection {
        guard case .mysql(let server) = try DatabaseURL(parsing: url ?? self.url()) else {
            throw Failure(description: "not a URL of a server")
        }
        var configuration = MariaDBConfiguration.patient(server)
        configure(&configuration)
        return MariaDBConnection(configuration)
    }

    /// How long a connection must have been idle for a client to look whether it still stands, and a little more.
    static let lookedAtAfter: UInt32 = 40_000

    /// Ends a connection; returns when the server has closed it, and its client has been idle for long enough to notice.
    func kill(connection id: Int64) throws {
        let killer = try connection()
        defer { killer.close() }
        try killer.execute(Query(unsafeSQL: "KILL CONNECTION \(id)"))
        try waitUntilClosed(id, watching: killer)
        usleep(Self.lookedAtAfter)
    }

    /// Waits until the server has closed a connection: it closes first, then takes it off its list.
    func waitUntilClosed(_ id: Int64, watching observer: any SQL.Connection) throws {
        let isClosed = try wait {
            try observer.rows("SELECT id FROM information_schema.PROCESSLIST WHERE id = \(id)").isEmpty
        }
        if !isClosed { throw Failure(description: "connection \(id) is not closed") }
    }

    /// Waits until a connection is in the middle of `SELECT SLEEP(…)`.
    func waitUntilAsleep(_ id: Int64) throws {
        let observer = try connection()
        defer { observer.close() }
        let isAsleep = try wait {
            try !observer.rows(
                "SELECT id FROM information_schema.PROCESSLIST WHERE id = \(id) AND state = 'User sleep'"
            ).isEmpty
        }
        if !isAsleep { throw Failure(description: "connection \(id) does not sleep") }
    }

    /// Ends the server as a crash would.
    func kill9() {
        stop(keepingFolder: true)
    }

    /// Starts the server again after `kill9()`, on the same folder, socket and port.
    func restart() throws {
        stop(keepingFolder: true)
        try start()
    }

    /// Freezes the server: connections stay open and nothing answers; returns when all its threads have stopped.
    func sigstop() {
        process.withLock { process in
            guard let server = process?.server else { return }
            Glibc.kill(server, SIGSTOP)
            wait { Self.isStopped(server) }
        }
    }

    private static func isStopped(_ process: pid_t) -> Bool {
        let folder = "/proc/\(process)/task/"
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return threads.allSatisfy { thread in
            let status = (try? String(contentsOfFile: folder + thread + "/stat", encoding: .utf8)) ?? ""
            return status.split(separator: ")").last?.hasPrefix(" T") ?? true
        }
    }

    func sigcont() {
        process.withLock { _ = $0.map { Glibc.kill($0.server, SIGCONT) } }
    }

    private var arguments: [String] {
        var arguments = [
            "/usr/sbin/mariadbd", "--no-defaults", "--user=root", "--datadir=\(folder)", "--socket=\(socket)",
            // Its own: a server that starts deletes whatever temporary tables it finds there, other servers' too.
            "--tmpdir=\(folder)",
            "--pid-file=\(folder)/pid", "--log-error=\(folder)/log", "--skip-name-resolve", "--skip-log-bin",
            "--performance-schema=off", "--innodb-log-file-size=4M", "--innodb-buffer-pool-size=32M",
            "--default-time-zone=\(options.timeZone)",
        ]
        arguments += port == 0 ? ["--skip-networking"] : ["--bind-address=127.0.0.1", "--port=\(port)"]
        if options.usesTLS {
            arguments += [
                "--ssl-ca=\(folder)/ca.pem", "--ssl-cert=\(folder)/server.pem", "--ssl-key=\(folder)/server.key",
            ]
        }
        arguments +=
            options.isDurable
            ? ["--innodb-flush-log-at-trx-commit=1"]
            : ["--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-doublewrite=0"]
        return arguments + options.extraArguments
    }

    private func start() throws {
        let started = try Self.spawn(arguments, folder: folder)
        process.withLock { $0 = started }
        let deadline = ContinuousClock.now + .seconds(180)
        while ContinuousClock.now < deadline {
            let probe = try connection()
            if (try? probe.rows("SELECT 1")) != nil { return }
            usleep(10_000)
        }
        stop(keepingFolder: true)
        let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
        throw Failure(description: "the server did not start: \(log.suffix(500))")
    }

    private func stop(keepingFolder: Bool) {
        process.withLock { process in
            if let running = process {
                Glibc.kill(running.server, SIGKILL)
                running.guardian.release(saying: keepingFolder ? "keep" : "")
            }
            process = nil
        }
    }

    /// Starts the guardian, which starts the server and says its process id.
    private static func spawn(_ arguments: [String], folder: String) throws -> Process {
        let script = """
            folder=$1; shift
            "$@" </dev/null 3>&- & server=$!
            echo $server >&3; exec 3>&-
            read -r order
            kill -9 $server; wait $server
            [ "$order" = keep ] || rm -rf "$folder"
            """
        let guardian = try ProcessLeash(script: script, arguments: [folder] + arguments)
        guard let server = pid_t(guardian.readLine()) else {
            guardian.release()
            throw Failure(description: "the server's guardian did not start")
        }
        return Process(guardian: guardian, server: server)
    }
}

extension MariaDBConfiguration {
    /// For tests that are not about time: what a busy machine takes is none of their business.
    static func patient(_ server: DatabaseURL.Server) -> MariaDBConfiguration {
        var configuration = MariaDBConfiguration(server)
        configuration.connectTimeout = .seconds(180)
        configuration.readTimeout = .seconds(180)
        configuration.writeTimeout = .seconds(180)
        return configuration
    }
}
