import Foundation
import HTTP
import JSON
import Locks
import SQL
import Testing
import TokenAPI

/// Pushes canaries through a platform, and keeps what comes out.
final class LeakRun {
    private(set) var search: LeakSearch
    private let platform: LocalPlatform
    private let canaries: Canaries
    private let administrator: String
    /// By what it may; nil shows no key at all.
    private var callers: [(name: String, key: String?)] = []
    /// Realms whose provider does not give a token.
    private var failing: [String] = []

    init(_ platform: LocalPlatform, _ search: LeakSearch, administrator: String) throws {
        self.platform = platform
        self.search = search
        self.administrator = administrator
        canaries = search.canaries
        let wrong = canaries["unknown key"]
        callers = [("nobody", nil), ("unknown", wrong), ("administrator", administrator)]
        for role in ["reader", "operator"] {
            let made = try ask("POST", "/api/key", #"{"role": "\#(role)"}"#, as: administrator)
            try #require(made.status == 200, "\(made.text)")
            callers.append((role, try made.json()["key"]?.string))
        }
    }

    // MARK: Requests

    /// Sends a request, and keeps the answer; a token that is asked for and a new key may be in it.
    @discardableResult
    private func ask(
        _ method: String, _ target: String, _ body: String = "", as key: String?,
        fields: [(name: String, value: String)] = [], cache: Bool = false
    ) throws -> Answer {
        var fields = fields
        if let key { fields.append((name: "Authorization", value: "Bearer \(key)")) }
        if !body.isEmpty, !fields.contains(where: { $0.name == "Content-Type" }) {
            fields.append((name: "Content-Type", value: "application/json"))
        }
        let url = (cache ? platform.cache : platform.url) + target
        let answer = try OneShotHTTP.send(method, url, fields: fields, body: Array(body.utf8))
        var except: Set<String> = []
        if answer.status == 200, let json = try? answer.json() {
            if target.hasPrefix("/api/token"), let token = json["token"]?.string {
                except = [try canaries.name(of: token)]
            }
            if method == "POST", target.hasPrefix("/api/key"), let key = json["key"]?.string {
                // What of it is secret: its beginning is its public name.
                except = [try canaries.name(of: String(try #require(key.split(separator: "_").last)))]
            }
        }
        search.take(answer, from: "\(method) \(target.prefix(200))", except: except)
        return answer
    }

    private func write(_ path: String, _ json: String, _ method: String = "POST") throws {
        let answer = try ask(method, path, json, as: administrator)
        try #require(answer.status == 200, "\(answer.text) for \(path) \(json)")
    }

    // MARK: What is stored

    private static let arguments = """
        "arguments": [{"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "$key_2"},
            {"name": "grant_type", "place": "url", "value": "client_credential"}], \
        "token_path": "access_token", "expires_in_path": "expires_in"
        """
    private static let posted = """
        "method": "POST", "content_type": "form", "arguments": [{"name": "grant_type", "place": "body", "value": "refresh_token"},
            {"name": "client_id", "place": "body", "value": "$client_id"},
            {"name": "client_secret", "place": "body", "value": "$client_secret"},
            {"name": "x-api-key", "place": "header", "value": "$api_key"},
            {"name": "refresh_token", "place": "body", "value": "$refresh_token"}], \
        "token_path": "access_token", "expires_in_path": "expires_in", "refresh_token_path": "refresh_token"
        """

    func store(_ provider: TalkativeProvider) throws {
        let notice = #""policy": {"notice_url": "http://\#(provider.address)/notice"}"#
        try write(
            "/api/realm",
            """
            {"id": "wx", \(notice), "notice_key": "\(canaries["notice key"])",
             "config": {"url": "\(platform.provider)/cgi-bin/token", \(Self.arguments)}}
            """)
        try write(
            "/api/secret",
            """
            {"realm": "wx", "key": "app", "key_1": "\(canaries["application"])",
             "key_2": "\(canaries["hard"])\\" \\\\/%26+\\u00e9<&>", "credentials": {"private_key": "\(canaries["private key"])"}}
            """)
        try write(
            "/api/realm",
            """
            {"id": "crm", "policy": {"class": "G", "gap": 0}, "config": {"url": "\(platform.provider)/oauth2/token", \(Self.posted)}}
            """)
        try write(
            "/api/secret",
            """
            {"realm": "crm", "key": "app", "credentials": {"client_id": "a", "client_secret": "\(canaries["client secret"])",
             "api_key": "\(canaries["providers api key"])", "refresh_token": "\(canaries["refresh token"])"}}
            """)
        try write("/api/realm", #"{"id": "hand"}"#)
        try write("/api/secret", #"{"realm": "hand", "key": "app"}"#)
        try write("/api/secret/hand/app/token", #"{"token": "\#(canaries["placed token"])"}"#, "PUT")
        for target in ["realm=wx", "realm=crm", "realm=hand", "realm=wx", "realm=crm"] {
            for cache in [false, true] {
                let answer = try ask("GET", "/api/token?\(target)&key=app", as: callers[3].key, cache: cache)
                #expect(answer.status == 200, "\(answer.text)")
            }
        }
        try storeFailing(provider)
    }

    private func storeFailing(_ provider: TalkativeProvider) throws {
        let urls = TalkativeProvider.ways.map { ($0, "http://\(provider.address)/\($0)") }
        for (name, url) in urls + [
            ("unreachable", "http://127.0.0.1:1/x"), ("refusing", platform.provider + "/cgi-bin/token"),
        ] {
            for (form, rest) in [("get", Self.arguments), ("post", Self.posted)] {
                let realm = "\(name)-\(form)"
                failing.append(realm)
                let policy = #""policy": {"class": "G", "gap": 0, "notice_url": "http://\#(provider.address)/notice"}"#
                try write(
                    "/api/realm",
                    """
                    {"id": "\(realm)", \(policy), "notice_key": "\(canaries["notice key of \(realm)"])", \
                    "config": {"url": "\(url)", \(rest)}}
                    """)
                let bad = name == "refusing" ? "bad-" : ""
                try write(
                    "/api/secret",
                    """
                    {"realm": "\(realm)", "key": "app", "credentials": {"client_id": "a",
                     "key_1": "\(bad)\(canaries["key_1 of \(realm)"])", "key_2": "\(canaries["key_2 of \(realm)"])/+\\"\\u00e9",
                     "client_secret": "\(canaries["client secret of \(realm)"])", "api_key": "\(canaries["api key of \(realm)"])",
                     "refresh_token": "\(canaries["refresh token of \(realm)"])"}}
                    """)
            }
        }
    }

    // MARK: Every route

    /// Every route, with whatever somebody could send by mistake, by every kind of caller.
    func askEveryRoute() throws {
        let stray = canaries["stray value"]
        let queries = [
            "", "?secret=\(stray)&client_secret=\(stray)&key_1=\(stray)&token=\(stray)",
            "?realm=wx&key=app&secret=\(stray)",
            "?realm=wx&key=app&min_ttl=\(stray)", "?realm=wx&key=app&flush=\(stray)", "?page=\(stray)",
            "?pageSize=\(stray)",
            "?realm=%zz\(stray)", "%3Fsecret=\(stray)", ";secret=\(stray)",
        ]
        let bodies = [
            #"{"realm": "wx", "id": "wx", "key": "app", "role": "reader", "key_1": "\#(stray)""#,
            #"{"realm": "wx", "id": "wx", "key": "app", "role": "reader", "unknown": "\#(stray)", "now_token": "\#(stray)"}"#,
            #"{"key_1": "\#(stray)", "key_1": "\#(stray)"}"#, #"["\#(stray)"]"#, #""\#(stray)""#, stray,
            #"{"realm": ["\#(stray)"], "id": ["\#(stray)"], "role": "\#(stray)", "token": ["\#(stray)"], "now_token": ["\#(stray)"]}"#,
            #"{"realm": "wx", "id": "wx", "key": "app", "credentials": {"\#(stray)!": "x"}, "notice_key": ["\#(stray)"]}"#,
            #"{"realm": "wx", "key": "app", "credentials": "\#(stray)", "expires_at": "\#(stray)", "role": "reader"}"#,
            #"{"id": "wx", "config": "\#(stray)"}"#, #"{"id": "wx", "config": {"url": "https://u:\#(stray)@h/"}}"#,
            #"{"id": "wx", "config": {"url": "https://10.0.0.1/?secret=\#(stray)"}}"#,
            #"{"id": "wx", "logic_code": "\#(stray)", "policy": {"class": "\#(stray)"}}"#,
            #"{"role": "reader", "ip": ["\#(stray)"], "realms": ["\#(stray)!"]}"#,
            #"{"destination": "https://\#(stray)"}"#,
        ]
        let fields = [
            (name: "Cookie", value: "session=\(stray)"), (name: "X-Api-Key", value: stray),
            (name: "If-None-Match", value: "\"\(stray)\""), (name: "User-Agent", value: stray),
            (name: "Referer", value: "https://h/?secret=\(stray)"), (name: "X-Forwarded-For", value: stray),
        ]
        for route in Endpoint.router.routes {
            let path = route.pattern.replacing(":realm", with: "wx").replacing(
                ":key", with: route.method == .delete ? "none" : "app"
            ).replacing(":id", with: route.method == .delete ? "none" : "wx")
            let method = route.method.rawValue
            for (name, key) in callers {
                // Who may not ask is refused before anything is read of it.
                let queries = name == "administrator" ? queries[...] : queries.prefix(4)
                let bodies = name == "administrator" ? bodies[...] : bodies.prefix(2)
                for query in queries { try ask(method, path + query, as: key, fields: fields) }
                if route.method == .post || route.method == .put {
                    for body in bodies { try ask(method, path, body, as: key) }
                    let form = [(name: "Content-Type", value: "application/x-www-form-urlencoded")]
                    try ask(method, path, "secret=\(stray)&realm=wx", as: key, fields: form)
                }
            }
            for authorization in [
                "Basic \(stray)", "Bearer \(stray) \(stray)", stray, "Bearer ts_0123456789abcdef_\(stray)",
            ] {
                try ask(method, path, as: nil, fields: [(name: "Authorization", value: authorization)])
            }
            try ask("PATCH", path + "?secret=\(stray)", as: administrator)
            try ask("GET", path + "?realm=wx&key=app&secret=\(stray)", as: callers[3].key, cache: true)
        }
        try askWhatIsNoRoute(stray)
        let large = #"{"realm": "wx", "key_1": "\#(stray)", "x": ""# + String(repeating: "x", count: 1 << 20) + "\"}"
        try ask("POST", "/api/secret", large, as: administrator)
    }

    /// Paths and methods that nobody has thought of, and names of what is not there.
    private func askWhatIsNoRoute(_ stray: String) throws {
        let encoded = stray.utf8.map { "%" + String($0, radix: 16) }.joined()
        let paths = [
            "/none?secret=\(stray)", "/none%3Fsecret=\(stray)", "/%2e%2e/?secret=\(stray)", "/none;secret=\(stray)",
            "/\(stray)", "/\(encoded)", "/\(stray)/", "//\(stray)", "/\(stray)?\(stray)", "/x/../\(stray)",
            "/%zz\(stray)",
            "/api/\(stray)", "/api/token/\(stray)", "/api/token\(stray)", "/api/secret/wx/app/\(stray)",
            "/api/secret/wx/app/token/\(encoded)", "/api/realm/\(stray)", "/api/realm/wx/\(stray)", "/api/key/\(stray)",
            "/api/secret/wx/\(stray)", "/api/secret/\(stray)", "/invoke/\(stray)", "/pong/\(stray)", "/readyz\(stray)",
            "/2015-03-31/functions/\(stray)/x", "/_event-server/\(stray)", "/" + String(repeating: stray, count: 100),
        ]
        for path in paths {
            for cache in [false, true] {
                for method in ["GET", "POST", stray] { try ask(method, path, as: administrator, cache: cache) }
                try ask("GET", path, as: nil, cache: cache)
            }
        }
    }

    // MARK: Failures

    /// Providers that repeat what they were sent, break off, or are not there.
    func fail(_ provider: TalkativeProvider) throws {
        let answers = Lock<[Answer]>([])
        let (realms, url) = (failing, platform.url)
        let fields = [(name: "Authorization", value: "Bearer \(administrator)")]
        // At once, because each waits for seconds where nobody knows what its provider did.
        concurrently(realms.count) { index in
            for more in ["", "&flush=true", ""] {
                let target = "/api/token?realm=\(realms[index])&key=app\(more)"
                guard let answer = try? OneShotHTTP.send("GET", url + target, fields: fields) else { continue }
                answers.withLock { $0.append(answer) }
            }
        }
        let all = answers.withLock { $0 }
        #expect(all.count == 3 * realms.count)
        for answer in all {
            #expect(answer.status >= 400, "\(answer.text)")
            search.take(answer, from: "a failing provider's realm")
        }
        for _ in 0..<2 { try ask("POST", "/_event-server/fire", as: nil) }
        try ask(
            "POST", "/api/realm", #"{"id": "crm", "config": {"url": "http://\#(provider.address)/text"}}"#,
            as: administrator)
        try ask("GET", "/api/token?realm=crm&key=app&flush=true", as: administrator)
    }

    /// A database that answers with words of its own, and rows that cannot be read.
    func fail(_ database: CanaryLeakTests.Database) throws {
        let root = database.root
        let words = canaries["databases own words"]
        for (table, event) in [("token", "UPDATE"), ("secret", "INSERT"), ("secret", "UPDATE"), ("realm", "UPDATE")] {
            try root.execute(
                Query(
                    unsafeSQL: """
                        CREATE TRIGGER refuse BEFORE \(event) ON \(table) FOR EACH ROW
                            SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = '\(words)'
                        """))
            let answers = [
                try ask("GET", "/api/token?realm=refused-get&key=app&flush=true", as: administrator),
                try ask(
                    "POST", "/api/secret", #"{"realm": "wx", "key": "new", "key_1": "\#(words)"}"#, as: administrator),
                try ask(
                    "POST", "/api/secret", #"{"realm": "wx", "key": "app", "key_1": "\#(words)"}"#, as: administrator),
                try ask("POST", "/api/realm", #"{"id": "wx", "notice_key": "\#(words)"}"#, as: administrator),
            ]
            #expect(answers.contains { $0.status >= 500 }, "\(event) \(table): \(answers.map(\.status))")
            try root.execute(Query(unsafeSQL: "DROP TRIGGER refuse"))
        }
        let garbage = canaries["unreadable row"]
        try root.execute("UPDATE secret SET credentials = \(garbage) WHERE realm = 'errcode-get'")
        try root.execute("UPDATE token SET token = \(garbage) WHERE realm = 'wx'")
        try root.execute("UPDATE realm SET notice_key = \(garbage) WHERE id = 'oauth-get'")
        try root.execute("UPDATE realm SET policy = 'unreadable' WHERE id = 'text-get'")
        try root.execute("UPDATE realm SET config = 'unreadable' WHERE id = 'page-get'")
        try root.execute("UPDATE token SET retry_at = NULL, failure = \(garbage)")
        for realm in ["errcode-get", "wx", "oauth-get", "text-get", "page-get", "crm"] {
            for key in [administrator, callers[3].key] {
                try ask("GET", "/api/token?realm=\(realm)&key=app&flush=true", as: key)
            }
        }
        try ask("POST", "/_event-server/fire", as: nil)
    }

    // MARK: Lists

    func listEverything() throws {
        for (_, key) in callers {
            for list in ["/api/realm", "/api/secret", "/api/key", "/api/audit"] {
                for page in 1...5 { try ask("GET", "\(list)?pageSize=100&page=\(page)", as: key) }
            }
            for realm in failing + ["wx", "crm", "hand"] {
                try ask("GET", "/api/realm/\(realm)", as: key)
                try ask("GET", "/api/secret/\(realm)/app", as: key)
            }
            try ask("GET", "/readyz", as: key)
        }
        try ask("GET", "/_event-server/invocations", as: nil)
        let audit = try ask("GET", "/api/audit", as: administrator)
        #expect((try audit.json()["data"]?["total"]?.number?.integer ?? 0) > 50)
        for realm in failing {
            try ask("DELETE", "/api/secret/\(realm)/app", as: administrator)
            try ask("DELETE", "/api/realm/\(realm)", as: administrator)
        }
    }
}
