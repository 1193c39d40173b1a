import Foundation
import MariaDB
import SQL
import Testing

/// What becomes of statements when the server or the connection goes away under them.
@Suite(.timeLimit(.minutes(5)))
struct OutageTests {
    private func counter(_ server: MariaDBServer) throws -> (url: String, connection: MariaDBConnection) {
        let url = try server.freshDatabase()
        let connection = try server.connection(to: url)
        try connection.execute("CREATE TABLE counter (n bigint NOT NULL) ENGINE = InnoDB")
        try connection.execute("INSERT INTO counter (n) VALUES (\(0))")
        return (url, connection)
    }

    private func value(_ connection: any Connection) throws -> Int64 {
        try #require(try connection.rows("SELECT n FROM counter WHERE 1 = \(1)").first).integer(0)
    }

    private func identity(_ connection: any Connection) throws -> Int64 {
        try #require(try connection.rows("SELECT CONNECTION_ID()").first).integer(0)
    }

    @Test(arguments: [false, true])
    func `a server restarted between statements is not noticed, and nothing runs twice`(usesTCP: Bool) throws {
        let server = try MariaDBServer(.init(isDurable: true, usesTCP: usesTCP))
        let connection = try counter(server).connection
        for _ in 0..<2 {
            try connection.execute("UPDATE counter SET n = n + \(1)")
            server.kill9()
            try server.restart()
        }
        try connection.execute("UPDATE counter SET n = n + \(1)")
        #expect(try value(connection) == 3)
    }

    @Test func `a server that is away is unavailable, until it is back`() throws {
        let server = try MariaDBServer(.init(isDurable: true))
        let connection = try counter(server).connection
        server.kill9()
        usleep(MariaDBServer.lookedAtAfter)
        for _ in 0..<2 {
            let error = #expect(throws: DatabaseError.self) { try value(connection) }
            #expect(error?.code == .unavailable)
        }
        try server.restart()
        #expect(try value(connection) == 0)
    }

    @Test func `a connection killed while idle is opened again`() throws {
        let server = try MariaDBServer.shared()
        let connection = try counter(server).connection
        for index in 1...3 {
            let id = try identity(connection)
            try server.kill(connection: id)
            try connection.execute("UPDATE counter SET n = n + \(1)")
            #expect(try identity(connection) != id)
            #expect(try value(connection) == Int64(index))
        }
    }

    @Test func `a connection killed under a statement is reported, and the next statement opens another`() throws {
        let server = try MariaDBServer.shared()
        let connection = try counter(server).connection
        let id = try identity(connection)
        Thread.detachNewThread {
            _ = try? server.waitUntilAsleep(id)
            _ = try? server.kill(connection: id)
        }
        let error = #expect(throws: DatabaseError.self) { try connection.rows("SELECT SLEEP(\(150))") }
        #expect(error?.code == .lost)
        #expect(try identity(connection) != id)
    }

    @Test func `a connection lost inside a transaction undoes it whole, even if the body does not mind`() throws {
        let server = try MariaDBServer.shared()
        let connection = try counter(server).connection
        let error = #expect(throws: DatabaseError.self) {
            try connection.transaction {
                try connection.execute("UPDATE counter SET n = n + \(1)")
                try server.kill(connection: try identity(connection))
                for _ in 0..<2 {
                    let inner = failure(of: { try connection.execute("UPDATE counter SET n = n + \(10)") })
                    #expect(inner?.code == .lost)
                }
            }
        }
        #expect(error?.code == .lost)
        #expect(try value(connection) == 0)
    }

    @Test func `a transaction begun on a dead connection is begun on a new one`() throws {
        let server = try MariaDBServer.shared()
        let connection = try counter(server).connection
        try server.kill(connection: try identity(connection))
        try connection.transaction { try connection.execute("UPDATE counter SET n = n + \(1)") }
        #expect(try value(connection) == 1)
    }

    @Test func `a server that stops answering is a timeout, and one that answers again is used again`() throws {
        let server = try MariaDBServer()
        let connection = try server.connection(to: counter(server).url) {
            $0.connectTimeout = .seconds(1)
            $0.readTimeout = .seconds(1)
        }
        // On a busy machine the first answers may come too late as well.
        #expect(wait { (try? value(connection)) == 0 })
        server.sigstop()
        let error = #expect(throws: DatabaseError.self) { try value(connection) }
        #expect(error?.code == .timeout)
        let unreachable = #expect(throws: DatabaseError.self) { try value(connection) }
        #expect(unreachable?.code == .unavailable)
        server.sigcont()
        #expect(wait { (try? value(connection)) == 0 })
    }

    @Test func `an idle connection that the server gave up is opened again`() throws {
        let server = try MariaDBServer.shared()
        let connection = try counter(server).connection
        let id = try identity(connection)
        try connection.execute("SET SESSION wait_timeout = 1")
        try server.waitUntilClosed(id, watching: server.connection())
        try connection.execute("UPDATE counter SET n = n + \(1)")
        #expect(try identity(connection) != id)
        #expect(try value(connection) == 1)
    }

    @Test func `a wrong password is refused without being shown`() throws {
        let server = try MariaDBServer.shared()
        let root = try server.connection()
        try root.execute("CREATE OR REPLACE USER guarded@localhost IDENTIFIED BY 'right'")
        let url = server.url().replacing("root@", with: "guarded:c4n4ry@")
        let error = #expect(throws: DatabaseError.self) { try server.connection(to: url).rows("SELECT 1") }
        #expect(error?.code == .accessDenied)
        #expect(error?.description.contains("c4n4ry") == false)
        let right = try server.connection(
            to: server.url().replacing("root@", with: "guarded:right@").replacing(
                "/mysql?", with: "/information_schema?"))
        #expect(try right.rows("SELECT 1").count == 1)
    }

    @Test func `a database that does not exist is named by its code`() throws {
        let server = try MariaDBServer.shared()
        let error = #expect(throws: DatabaseError.self) {
            try server.connection(to: server.url(database: "c4n4ry")).rows("SELECT 1")
        }
        #expect(error?.code == .schema)
    }

    @Test func `the server cannot ask for files`() throws {
        let (_, connection) = try counter(try MariaDBServer.shared())
        #expect(throws: DatabaseError.self) {
            try connection.execute("LOAD DATA LOCAL INFILE '/etc/hostname' INTO TABLE counter")
        }
    }

    @Test func `TLS is proven, demanded, or left out, as the URL says`() throws {
        let server = try MariaDBServer(.init(usesTLS: true))
        func cipher(_ options: String, host: String = "127.0.0.1") throws -> String {
            let url = server.url(options: options).replacing("127.0.0.1", with: host)
            return try #require(try server.connection(to: url).rows("SHOW STATUS LIKE 'Ssl_cipher'").first).text(1)
        }
        let authority = "ca=" + server.certificateAuthority
        #expect(try cipher("tls=verify&" + authority) != "")
        #expect(try cipher("tls=verify&" + authority, host: "localhost") != "")
        #expect(try cipher("tls=require") != "")
        #expect(try cipher("tls=off") == "")
        let unknown = failure(of: { try cipher("tls=verify") })
        #expect(unknown?.code == .tls)
        let other = try MariaDBServer(.init(usesTLS: true, certificateNames: "DNS:other.example"))
        let url = other.url(options: "tls=verify&ca=" + other.certificateAuthority)
        let misnamed = failure(of: { try other.connection(to: url).rows("SELECT 1") })
        #expect(misnamed?.code == .tls)
        let plain = try MariaDBServer(.init(usesTCP: true, extraArguments: ["--skip-ssl"]))
        for options in ["tls=require", "tls=verify&" + authority] {
            let error = #expect(throws: DatabaseError.self) {
                try plain.connection(to: plain.url(options: options)).rows("SELECT 1")
            }
            #expect(error?.code == .tls)
        }
    }

    @Test(arguments: ["tls=off", "tls=require"])
    func `a server that dies under a statement is a lost connection, over TLS too`(options: String) throws {
        let server = try MariaDBServer(.init(usesTLS: true))
        let connection = try server.connection(to: server.url(options: options))
        #expect(try connection.rows("SELECT \(1)").count == 1)
        let id = try identity(connection)
        Thread.detachNewThread {
            _ = try? server.waitUntilAsleep(id)
            server.kill9()
        }
        let error = #expect(throws: DatabaseError.self) { try connection.rows("SELECT SLEEP(\(150))") }
        #expect(error?.code == .lost, "\(error.map { "\($0) \($0.serverMessage)" } ?? "")")
        let next = #expect(throws: DatabaseError.self) { try connection.rows("SELECT \(1)") }
        #expect(next?.code == .unavailable)
    }

    @Test func `rows that nobody reads may still end in an error`() throws {
        let connection = try MariaDBServer.shared().connection(to: MariaDBServer.shared().freshDatabase())
        let error = #expect(throws: DatabaseError.self) {
            try connection.execute(
                """
                SELECT seq, (SELECT other.seq FROM seq_1_to_2 AS other WHERE many.seq > 100000)
                FROM seq_1_to_200000 AS many
                """)
        }
        #expect(error?.number == 1242)
        #expect(try connection.rows("SELECT \(1)").first?.integer(0) == 1)
    }

    @Test func `a connection over TLS that was idle for a while is kept`() throws {
        let server = try MariaDBServer(.init(usesTLS: true))
        let connection = try server.connection(to: server.url(options: "tls=require"))
        let id = try identity(connection)
        usleep(200_000)
        #expect(try identity(connection) == id)
    }
}
