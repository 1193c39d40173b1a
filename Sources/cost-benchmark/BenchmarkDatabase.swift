internal import DatabaseDrivers
internal import Glibc
internal import SQL

/// A MariaDB of the benchmark's own, with an empty schema of this version.
final class BenchmarkDatabase {
    let url: String
    let socket: String
    static let name = "bench"
    private let process: Child

    init(programs: String, scratch: String) throws {
        let folder = scratch + "/mariadb"
        let user = getuid() == 0 ? ["--user=root"] : []
        progress("MariaDB is set up …")
        try Child.run(
            Tool.mariadbInstaller,
            ["--no-defaults"] + user + [
                "--auth-root-authentication-method=normal", "--skip-test-db", "--datadir=\(folder)",
            ])
        socket = folder + "/s.sock"
        process = try Child(
            Tool.mariadb,
            ["--no-defaults"] + user + [
                "--datadir=\(folder)", "--socket=\(socket)", "--tmpdir=\(folder)", "--pid-file=\(folder)/pid",
                "--skip-networking", "--skip-log-bin", "--performance-schema=off",
            ], file: scratch + "/mariadb.log")
        let server = "mysql://root@localhost/mysql?socket=\(socket)"
        let connection = try DatabaseURL(parsing: server).connection()
        for attempt in 0... {
            if (try? connection.rows("SELECT 1")) != nil { break }
            guard attempt < 1_000 else { throw BenchmarkFailure(description: "MariaDB does not start") }
            usleep(10_000)
        }
        try connection.execute(
            Query(unsafeSQL: "CREATE DATABASE \(BenchmarkDatabase.name) CHARACTER SET utf8mb4"))
        connection.close()
        url = "mysql://root@localhost/\(BenchmarkDatabase.name)?socket=\(socket)"
        try Child.run("\(programs)/token-server-admin", ["migrate"], environment: ["DATABASE_URL=\(url)"])
    }

    func stop() { process.stop() }

    /// The server's own counters: prepared statements that were run, and statements of any kind.
    struct Counters {
        var executed: Int64
        var all: Int64
    }

    /// Its own statement is counted too.
    static func counters(_ connection: any Connection) throws -> Counters {
        let rows = try connection.rows(
            "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_stmt_execute', 'Questions')")
        var values: [String: Int64] = [:]
        for row in rows {
            values[try row.text(0)] = Int64(try row.text(1))
        }
        guard let executed = values["Com_stmt_execute"], let all = values["Questions"] else {
            throw BenchmarkFailure(description: "MariaDB does not tell how many statements it ran")
        }
        return Counters(executed: executed, all: all)
    }
}
