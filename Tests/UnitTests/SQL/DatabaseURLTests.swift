import SQL
import Testing

struct DatabaseURLTests {
    private func server(_ text: String) throws -> DatabaseURL.Server {
        let url = try DatabaseURL(parsing: text)
        let server: DatabaseURL.Server? = if case .mysql(let server) = url { server } else { nil }
        return try #require(server)
    }

    @Test func `a full URL is taken apart and percent-decoded`() throws {
        let server = try server(
            "mysql://us%40er:p%3Aa%2Fs%3Fs%E4%BB%A4@db.example:3307/na%20me?tls=require&ca=%2Fetc%2Fca.pem")
        #expect(server.user == "us@er")
        #expect(server.password.reveal() == "p:a/s?s令")
        #expect(server.host == "db.example")
        #expect(server.port == 3307)
        #expect(server.database == "na me")
        #expect(server.tls == .require)
        #expect(server.certificateAuthorities == "/etc/ca.pem")
        #expect(server.socket == nil)
    }

    @Test(arguments: [
        ("mysql://u@db.example/n", DatabaseURL.TLS.verify), ("mysql://u@10.0.0.1/n", .verify),
        ("mysql://u@127.example.com/n", .verify), ("mysql://u@127.0.0.1.example.com/n", .verify),
        ("mysql://u@localhost/n", .off), ("mysql://u@127.0.0.1:1/n", .off), ("mysql://u@[::1]/n", .off),
        ("mysql://u@/n?socket=/s", .off), ("mysql://u@db.example/n?socket=/s&tls=verify", .verify),
        ("mysql://u@localhost/n?tls=require", .require), ("mysql://u@db.example/n?tls=off", .off),
    ])
    func `TLS is verified unless the server is on this machine or the URL says otherwise`(
        text: String, tls: DatabaseURL.TLS
    ) throws {
        #expect(try server(text).tls == tls)
    }

    @Test(arguments: [
        ("mysql://u@h/n", "h", UInt16(3306)), ("mysql://u@[fe80::1]:99/n", "fe80::1", 99),
        ("mysql://u@[::1]/n", "::1", 3306),
        ("mysql://u:p@ss@h:65535/n", "h", 65535),
    ])
    func `host and port are found`(text: String, host: String, port: UInt16) throws {
        let server = try server(text)
        #expect(server.host == host)
        #expect(server.port == port)
    }

    @Test(arguments: [
        ("sqlite:data/tokens.db", "data/tokens.db"), ("sqlite:/var/t.db", "/var/t.db"),
        ("sqlite:///var/t.db", "/var/t.db"),
    ])
    func `a file is taken as it is written`(text: String, file: String) throws {
        #expect(try DatabaseURL(parsing: text) == .sqlite(file: file))
    }

    static let canary = "c4n4ry"

    @Test(arguments: [
        "", "postgres://u:c4n4ry@h/n", "mysql://", "mysql://c4n4ry", "mysql://u:c4n4ry@h", "mysql://u:c4n4ry@h/",
        "mysql://h/c4n4ry", "mysql://:c4n4ry@h/n", "mysql://u:c4n4ry@/n", "mysql://u:c4n4ry@h:/n",
        "mysql://u:c4n4ry@h:0/n",
        "mysql://u:c4n4ry@h:65536/n", "mysql://u:c4n4ry@h:+1/n", "mysql://u:c4n4ry@h:c4n4ry/n",
        "mysql://u:c4n4ry@[::1/n",
        "mysql://u:c4n4ry@[::1]x/n", "mysql://u:c4n4ry%@h/n", "mysql://u:c4n4ry%4@h/n", "mysql://u:c4n4ry%zz@h/n",
        "mysql://u:c4n4ry%FF@h/n", "mysql://u:c4n4ry%00@h/n", "mysql://u:c4n4ry@h/n?tls=c4n4ry",
        "mysql://u@h/n?c4n4ry=1",
        "mysql://u@h/n?tls", "mysql://u@h/n?tls=", "mysql://u@h/n?tls=off&tls=verify",
        "mysql://u@h/n?tls=off&ca=c4n4ry",
        "sqlite:", "sqlite::memory:", "c4n4ry",
    ])
    func `what cannot be used is one line that names the variable and not its value`(text: String) {
        let error = #expect(throws: DatabaseURL.Invalid.self) { try DatabaseURL(parsing: text) }
        let description = error?.description ?? ""
        #expect(description.hasPrefix("DATABASE_URL: "))
        #expect(!description.contains(Self.canary))
        #expect(!description.contains("\n"))
    }

    @Test func `DATABASE_URL comes before the predecessor's names, which come before nothing`() throws {
        var environment = [
            "MYSQL_HOST": "old.example", "MYSQL_USERNAME": "u", "MYSQL_PASSWORD": "p%41", "MYSQL_DATABASE": "d",
        ]
        let old = DatabaseURL.Server(host: "old.example", user: "u", password: .init("p%41"), database: "d")
        #expect(try DatabaseURL(environment: { environment[$0] }) == .mysql(old))
        environment["MYSQL_PORT"] = "3310"
        let other = DatabaseURL.Server(
            host: "old.example", port: 3310, user: "u", password: .init("p%41"), database: "d")
        #expect(try DatabaseURL(environment: { environment[$0] }) == .mysql(other))
        environment["DATABASE_URL"] = "sqlite:x"
        #expect(try DatabaseURL(environment: { environment[$0] }) == .sqlite(file: "x"))
        environment["DATABASE_URL"] = ""
        #expect(try DatabaseURL(environment: { environment[$0] }) == .mysql(other))
    }

    @Test(arguments: [
        ([:], "DATABASE_URL"), (["MYSQL_HOST": "h"], "MYSQL_USERNAME"),
        (["MYSQL_HOST": "h", "MYSQL_USERNAME": "u"], "MYSQL_DATABASE"),
        (["MYSQL_HOST": "h", "MYSQL_USERNAME": "u", "MYSQL_DATABASE": "d", "MYSQL_PORT": "c4n4ry"], "MYSQL_PORT"),
    ])
    func `the variable that is missing or wrong is named`(environment: [String: String], variable: String) {
        let error = #expect(throws: DatabaseURL.Invalid.self) { try DatabaseURL(environment: { environment[$0] }) }
        #expect(error?.variable == variable)
        #expect(error?.description.contains(Self.canary) == false)
    }

    @Test func `a password is shown by nothing`() throws {
        let url = try DatabaseURL(parsing: "mysql://u:c4n4ry@h/n")
        var dumped = ""
        dump(url, to: &dumped)
        for text in ["\(url)", String(reflecting: url), dumped] { #expect(!text.contains(Self.canary)) }
    }
}
