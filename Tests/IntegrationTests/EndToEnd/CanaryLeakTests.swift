import Crypto
import Foundation
import Glibc
import HTTP
import JSON
import SQL
import Testing
import TokenAPI

/// Secrets are pushed through every route, every failure and every program; then all that came out is searched for them.
@Suite(.serialized) struct CanaryLeakTests {
    @Test(arguments: [["--platform", "lambda"], ["--platform", "fc"]])
    func `CVE-2025-62513, CVE-2025-62705 (OpenBao): no answer, no log and no audit of a whole platform shows a secret`(
        options: [String]
    ) throws {
        let canaries = Canaries()
        let database = try Database(canaries)
        let administrator = canaries["administrators key"]
        // The 32 bytes of a master key, of which the variable has the base64.
        let master = "canary-master-\(UInt64.random(in: 100_000_000_000_000_000...999_999_999_999_999_999))"
        try canaries.note(master, "master key")
        let environment = [
            "AUTH": "keys", "ADMIN_KEY_SHA256": try SHA256.hexDigest(Array(administrator.utf8)),
            "MASTER_KEYS": "canary:" + Data(master.utf8).base64EncodedString(), "DATABASE_URL": database.url,
            "UPSTREAM_ALLOW": "127.0.0.1", "LOG_LEVEL": "debug",
        ]
        let provider = try TalkativeProvider(canaries["providers own words"])
        defer { provider.stop() }
        var spill = LeakSearch(canaries)
        try LocalPlatform.run(environment: environment, options: options) { platform in
            let run = try LeakRun(platform, spill, administrator: administrator)
            try run.store(provider)
            try run.askEveryRoute()
            try run.fail(provider)
            try run.fail(database)
            try run.listEverything()
            for command in [
                ["migrate"], ["rekey", "--dry-run"], ["rekey"], ["audit", "verify"], ["rekey", "--batch", "x"],
            ] {
                spill.take(try Program.admin(command, environment))
            }
            spill = run.search
            spill.take(platform.process.output, from: "output")
        }
        // It was really there: requests were answered and refused, and lines were written.
        let log = spill.outputs.last?.text ?? ""
        #expect(log.contains(#""event":"invocation""#))
        #expect(log.contains(#""event":"store""#))
        #expect(log.contains(#""event":"quarantine""#))
        #expect(spill.statuses.isSuperset(of: [200, 204, 400, 401, 403, 404, 405, 409, 502, 503]))
        #expect(canaries.values.count >= 25)
        spill.expectNothing()
    }

    @Test func `GHSA-444v-8vxr-p36h: a database that refuses the password does not make anything show it`() throws {
        let canaries = Canaries()
        let database = try Database(canaries)
        let wrong = database.url.replacing(
            try #require(canaries.values["database password"]), with: canaries["wrong password"])
        var spill = LeakSearch(canaries)
        let environment = ["DATABASE_URL": wrong, "MASTER_KEYS": MasterKeys.text("test")]
        try ServingFunction.run("token-server", environment) { function in
            for target in ["/readyz", "/api/token?realm=a&key=b", "/api/realm"] {
                let answer = try function.send("GET", target)
                #expect(answer.status >= 500)
                spill.take(answer, from: target)
            }
            spill.take(function.process.output, from: "output")
        }
        for command in [["migrate"], ["rekey"], ["audit", "verify"]] {
            let run = try Program.admin(command, environment)
            #expect(run.status == 1)
            spill.take(run)
        }
        spill.expectNothing()
    }

    @Test(arguments: ["token-server", "token-server-cache", "token-server-admin", "event-server"])
    func `GHSA-444v-8vxr-p36h: what a program prints when it crashes shows nothing of its memory`(program: String)
        throws
    {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let database = try SocketServer { $0.read() }
        defer { database.stop() }
        let canaries = Canaries()
        let environment = [
            "DATABASE_URL": "mysql://u:\(canaries["password"])@127.0.0.1:\(database.port)/d?tls=off", "AUTH": "none",
            "MASTER_KEYS": MasterKeys.text("test"), "FC_FUNCTION_NAME": program, "FC_CUSTOM_LISTEN_PORT": "0",
            "TOKEN_SERVER_URL": "http://127.0.0.1:1",
        ]
        let arguments = [
            "token-server-admin": ["migrate"],
            "event-server": [
                "run", "--port", "0", "--programs", LocalPlatform.products.path(), "--bootstrap",
                LocalPlatform.bootstrap.path(), "--data", folder + "/data",
            ],
        ]
        let session = try ProcessSession(
            LocalPlatform.products.appending(path: program).path(), arguments[program] ?? [], environment: environment,
            output: folder + "/output")
        // It has begun its work: a function says so, the others wait for a database that never speaks.
        wait { database.connections > 0 || session.output.contains("serving") }
        kill(session.pid, SIGSEGV)
        #expect(wait { !session.isRunning })
        let output = session.output
        _ = session.stop()
        #expect(!output.contains("rsp") && !output.contains("Backtrac"), "\(output)")
        #expect(canaries.found(in: output).isEmpty)
    }

    // MARK: Start

    /// Settings that cannot be used; `*` stands for a canary.
    private static let bad = [
        "token-server": [
            ("DATABASE_URL", "*"), ("DATABASE_URL", "postgres://u:*@h/d"), ("DATABASE_URL", "mysql://u:*@h:port/d"),
            ("DATABASE_URL", "mysql://u:*%zz@h/d"), ("DATABASE_URL", "mysql://u:*@h"),
            ("DATABASE_URL", "mysql://u:p@h/d?*=1"), ("DATABASE_URL", "mysql://u:*@h/d?tls=*"),
            ("MYSQL_PORT", "*"), ("MASTER_KEYS", "*"), ("MASTER_KEYS", "one:*"), ("MASTER_KEYS", "*!:AAAA"),
            ("MASTER_KEYS", "one:*,two:*"), ("ADMIN_KEY_SHA256", "*"), ("AUTH", "*"),
            ("UPSTREAM_ALLOW", "https://u:*@h/"),
            ("TRUSTED_PROXIES", "*"), ("LOG_LEVEL", "*"), ("AUDIT_RETENTION_DAYS", "*"), ("FUNCTION_TIMEOUT_MS", "*"),
        ],
        "token-server-cache": [
            ("TOKEN_SERVER_URL", "*"), ("TOKEN_SERVER_URL", "ftp://u:*@h"), ("TOKEN_SERVER_URL", "http://u:*@h/?x=*"),
            ("LOG_LEVEL", "*"),
        ],
        "token-server-admin": [
            ("DATABASE_URL", "*"), ("DATABASE_URL", "mysql://u:*@h:port/d"), ("DATABASE_URL", "mysql://u:*@h/d?tls=*"),
            ("MYSQL_PORT", "*"), ("MASTER_KEYS", "*"), ("MASTER_KEYS", "one:*"),
        ],
        "event-server": [
            ("DATABASE_URL", "mysql://u:*@h:port/d"), ("MASTER_KEYS", "one:*"), ("ADMIN_KEY_SHA256", "*"),
            ("AUTH", "*"),
            ("PORT", "*"),
        ],
    ]

    @Test(arguments: bad.keys.sorted())
    func `GHSA-444v-8vxr-p36h: a setting that cannot be used ends a program at its start, and is not shown`(
        program: String
    ) throws {
        let canaries = Canaries()
        var spill = LeakSearch(canaries)
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let programs = LocalPlatform.products
        let arguments = [
            "token-server-admin": ["rekey"],
            "event-server": [
                "run", "--port", "0", "--programs", programs.path(), "--bootstrap", LocalPlatform.bootstrap.path(),
                "--data", folder + "/data",
            ],
        ]
        for (number, (variable, value)) in (Self.bad[program] ?? []).enumerated() {
            var environment = [
                "PATH": "/usr/bin:/bin", "DATABASE_URL": "sqlite:\(folder)/database", "AUTH": "keys",
                "MASTER_KEYS": MasterKeys.text("test"), "TOKEN_SERVER_URL": "http://127.0.0.1:1",
            ]
            if program.hasPrefix("token-server"), program != "token-server-admin" {
                environment["FC_FUNCTION_NAME"] = program
                environment["FC_CUSTOM_LISTEN_PORT"] = "0"
            }
            if variable == "MYSQL_PORT" {
                environment["DATABASE_URL"] = nil
                environment.merge(["MYSQL_HOST": "h", "MYSQL_USERNAME": "u", "MYSQL_DATABASE": "d"]) { $1 }
            }
            if variable == "PORT" { environment["PORT"] = "" }
            environment[variable] = value.replacing("*", with: canaries["\(variable) \(number)"])
            var options = arguments[program] ?? []
            if variable == "PORT" { options.removeAll { $0 == "--port" || $0 == "0" } }
            let session = try ProcessSession(
                programs.appending(path: program).path(), options, environment: environment,
                output: "\(folder)/output-\(number)")
            // One that starts all the same is ended.
            #expect(wait { !session.isRunning }, "\(variable) is \(value)")
            let status = session.stop().status
            #expect(status != 0, "\(variable) is \(value)")
            #expect(session.output.contains(variable), "\(variable) is named: \(session.output)")
            spill.take(session.output, from: "\(program) with \(variable)")
        }
        spill.expectNothing()
    }

    /// A MariaDB database whose account has a canary for its password.
    struct Database {
        let url: String
        let root: any SQL.Connection

        init(_ canaries: Canaries) throws {
            let server = try MariaDBServer.shared()
            let fresh = try server.freshDatabase()
            root = try server.connection(to: fresh)
            let name = try #require(try root.rows("SELECT DATABASE()").first).text(0)
            let password = canaries["database password"]
            try root.execute(Query(unsafeSQL: "CREATE USER \(name)@localhost IDENTIFIED BY '\(password)'"))
            try root.execute(Query(unsafeSQL: "GRANT ALL ON \(name).* TO \(name)@localhost"))
            url = fresh.replacing("root@", with: "\(name):\(password)@")
        }
    }
}

/// What came out, and the search in it.
struct LeakSearch {
    let canaries: Canaries
    private(set) var statuses: Set<Int> = []
    /// `except` names what is meant to be there: the token in an answer that gives it.
    private(set) var outputs: [(text: String, from: String, except: Set<String>)] = []

    init(_ canaries: Canaries) {
        self.canaries = canaries
    }

    mutating func take(_ text: String, from: String, except: Set<String> = []) {
        outputs.append((text, from, except))
    }

    mutating func take(_ answer: Answer, from: String, except: Set<String> = []) {
        statuses.insert(answer.status)
        let fields = answer.fields.map { "\($0.name): \($0.value)\n" }.joined()
        take("\(answer.status)\n\(fields)\n\(answer.text)", from: from, except: except)
    }

    mutating func take(_ program: Program) {
        take(program.output + program.errors, from: "a program's output")
    }

    /// Only now, so that what was said before a secret came into being is searched for it too.
    func expectNothing() {
        for output in outputs {
            let found = canaries.found(in: output.text, except: output.except)
            if found.isEmpty { continue }
            let line = output.text.split(separator: "\n").first { !canaries.found(in: String($0)).isEmpty } ?? ""
            Issue.record("\(found) in \(output.from): \(line.prefix(500))")
        }
    }
}
