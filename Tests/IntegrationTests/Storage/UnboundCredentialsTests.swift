import Clocks
import Crypto
import HTTP
import JSON
import Log
import Recipes
import SQL
import Storage
import TestKit
import Testing
import TokenAPI
import Tokens

/// Credentials beside which nobody has written down where they may be sent: none are made any more, and those that are bound to
/// no destination by their seal go nowhere.
@Suite struct UnboundCredentialsTests {
    private static let id = SecretID(realm: "wx", key: "app")
    private static let here = config("https://a.example/token")
    private static let there = config("https://evil.example/token")

    private static func config(_ url: String) -> String {
        #"{"url":"\#(url)","method":"POST","token_path":"t","arguments":[{"name":"s","place":"body","value":"$key_1"}]}"#
    }

    private static func destination(_ config: String) throws -> Destination {
        try Destination(config: config, logicCode: "")
    }

    private final class World {
        let database: TestDatabase
        let connection: any Connection
        let store: DatabaseStore
        let client = ScriptedClient(200, #"{"t":"T"}"#)

        init(_ driver: Driver) throws {
            database = try driver.migratedDatabase()
            connection = try database.connection()
            store = DatabaseStore(connection, keys: MasterKeys.text("old"))
        }

        /// A secret as it was written while its realm was being made: sealed for a destination, but for none.
        func putSealedForNone() throws {
            _ = try store.write("wx", RealmChange(config: .set(here)))
            _ = try store.write(id, ["key_1": .set(Redacted("canary"))])
            let version = try connection.rows("SELECT version FROM secret")[0].integer(0)
            let text = try SealedText.make(
                #"{"key_1":"canary"}"#, mark: 3, place: ["secret", "wx", "app", "credentials"], version: version,
                destination: nil)
            try connection.execute("UPDATE secret SET credentials = \(text)")
        }

        /// A secret in clear that the predecessor left behind: it deleted realms alone.
        func putInClearWithoutRealm() throws {
            try putSealedForNone()
            try connection.execute("DELETE FROM realm")
            try connection.execute(
                #"UPDATE secret SET credentials = '{"key_1":"canary"}', sealed_with = NULL, confirmed_for = NULL"#)
        }

        /// What the provider is sent; the failure where nothing is.
        func call() throws -> (sent: String?, refusal: UpstreamFailure.Kind?) {
            try connection.execute("UPDATE token SET retry_at = NULL, retry_class = NULL, failure = NULL")
            let before = client.requests.count
            let decision = Broker(
                store: store, upstream: RecipeUpstream(client: client, egress: EgressPolicy()), clock: SystemClock()
            ).decide(id, wish: .flush, deadline: nil)
            if client.requests.count > before {
                return (client.requests.last.map { String(decoding: $0.body, as: UTF8.self) }, nil)
            }
            guard case .refuse(.upstream(let failure, _)) = decision else { return (nil, nil) }
            return (nil, failure.kind)
        }

        /// The API over a connection of its own, which tells of every statement that it has read by.
        func service(afterReading hook: @escaping (Query) -> Void) throws -> TokenService {
            let hooked = HookedConnection(try database.connection())
            hooked.afterReading = hook
            let environment = ["AUTH": "none"]
            let settings = try Settings(environment: { environment[$0] })
            return TokenService(
                store: DatabaseStore(hooked, keys: MasterKeys.text("old")),
                upstream: RecipeUpstream(client: client, egress: settings.egress), noticeClient: client,
                settings: settings, clock: SystemClock(), logger: Logger(level: .error, write: { _ in }))
        }

        func admin(_ arguments: String...) throws -> Program {
            try Program.admin(arguments, ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("old")])
        }

        func confirmedFor() throws -> String? {
            try connection.rows("SELECT confirmed_for FROM secret")[0].optionalText(0)
        }
    }

    private static func post(_ path: String, _ body: String, to service: TokenService) throws -> Response {
        var request = Request(.post, path: path, query: "", body: Array(body.utf8), id: "1")
        request.fields[.contentType] = "application/json"
        guard case .respond(let response) = service.respond(to: request, resuming: nil) else {
            throw Waiting()
        }
        return response
    }

    private struct Waiting: Error {}

    // MARK: While a realm is being made

    @Test(arguments: Driver.allCases)
    func `credentials for a realm that somebody makes meanwhile are not stored, for nobody knows where they would go`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        var made = 0
        let service = try world.service { query in
            guard made == 0, query.text.contains("FROM realm WHERE realm.id") else { return }
            made += 1
            _ = try? world.store.write("wx", RealmChange(config: .set(Self.there)))
        }
        let body = #"{"realm":"wx","key":"app","key_1":"canary"}"#
        let refused = try Self.post("/api/secret", body, to: service)
        #expect(made == 1)
        #expect(try world.store.realm("wx") != nil)
        #expect(refused.status == .notFound)
        #expect(try world.connection.rows("SELECT COUNT(*) FROM secret")[0].integer(0) == 0)
        let stored = try Self.post("/api/secret", body, to: service)
        #expect(stored.status == .ok)
        #expect(try world.confirmedFor() == Self.destination(Self.there).text)
    }

    @Test(arguments: Driver.allCases)
    func `a recipe for a realm that somebody makes meanwhile gets none of the credentials that are in it by then`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        var made = 0
        let service = try world.service { query in
            guard made == 0, query.text.contains("FROM realm WHERE realm.id") else { return }
            made += 1
            _ = try? world.store.write("wx", RealmChange(config: .set(Self.here)))
            // As a version before stores it.
            _ = try? world.store.write(Self.id, ["key_1": .set(Redacted("canary"))])
        }
        let answer = try Self.post("/api/realm", #"{"id":"wx","config":\#(Self.there)}"#, to: service)
        #expect(made == 1)
        #expect(answer.status == .ok)
        #expect(try world.store.realm("wx")?.config == Self.there)
        #expect(try world.call() == (nil, .unconfirmed))
        #expect(try world.store.unconfirmedSecrets(of: "wx", try Self.destination(Self.there)) == 1)
    }

    // MARK: Sealed for no destination

    @Test(arguments: Driver.allCases)
    func `what is sealed for no destination is bound to none by rekey, and sent nowhere until it is confirmed`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.putSealedForNone()
        #expect(try world.call() == (nil, .unconfirmed))
        #expect(try world.admin("rekey", "--dry-run").output.contains("secret.credentials: 1 would be resealed"))
        #expect(try world.confirmedFor() == nil)
        let run = try world.admin("rekey")
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.output.contains("secret.credentials: 1 resealed, 0 in clear sealed, 0 quarantined\n"))
        #expect(try world.confirmedFor() == "")
        #expect(try world.call() == (nil, .unconfirmed))
        #expect(try world.admin("rekey").output.contains("secret.credentials: 0 resealed"))
        #expect(try world.store.confirmSecrets(of: "wx", try Self.destination(Self.here)) == 1)
        #expect(try world.call() == (#"{"s":"canary"}"#, nil))
    }

    @Test(arguments: Driver.allCases)
    func `what is sealed for no destination counts as unconfirmed, and a confirmation binds it`(_ driver: Driver) throws
    {
        let world = try World(driver)
        try world.putSealedForNone()
        let here = try Self.destination(Self.here)
        #expect(try world.store.unconfirmedSecrets(of: "wx", here) == 1)
        #expect(try world.store.confirmSecrets(of: "wx", here) == 1)
        #expect(try world.store.unconfirmedSecrets(of: "wx", here) == 0)
        #expect(try world.call() == (#"{"s":"canary"}"#, nil))
    }

    @Test(arguments: Driver.allCases)
    func `what is sealed for no destination is confirmed by no write of some of it`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.putSealedForNone()
        let here = try Self.destination(Self.here)
        let written = try world.store.write(
            Self.id, ["key_2": .set(Redacted("more"))], discardsToken: false, destination: here)
        #expect(written?.confirmedFor == .nowhere)
        #expect(try world.call() == (nil, .unconfirmed))
        let all: [String: Change<Redacted<String>>] = ["key_1": .set(Redacted("again")), "key_2": .clear]
        _ = try world.store.write(Self.id, all, discardsToken: false, destination: here)
        #expect(try world.call() == (#"{"s":"again"}"#, nil))
    }

    @Test(arguments: Driver.allCases)
    func `what is sealed for no destination follows no recipe that was changed while its key was away`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.putSealedForNone()
        let blind = DatabaseStore(world.connection, keys: MasterKeys.text("new"))
        let change = RealmChange(config: .set(Self.there), formerDestination: try Self.destination(Self.here))
        _ = try blind.write("wx", change)
        #expect(try world.call() == (nil, .unconfirmed))
        // Nor does rekey bind it to the other, once the key is back.
        let run = try world.admin("rekey")
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(try world.confirmedFor() == "")
        #expect(try world.call() == (nil, .unconfirmed))
    }

    @Test(arguments: Driver.allCases)
    func `credentials whose realm is gone go nowhere when somebody makes it again`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.putInClearWithoutRealm()
        #expect(try world.admin("migrate").output.contains("secret.credentials: 1 sealed that were in clear\n"))
        #expect(try world.confirmedFor() == "")
        _ = try world.store.write("wx", RealmChange(config: .set(Self.there)))
        #expect(try world.call() == (nil, .unconfirmed))
    }

    /// Whoever leads a realm away and back confirms nothing by it.
    @Test(arguments: Driver.allCases)
    func `what is sealed for no destination is bound to none by a change of the recipe and one back`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        try world.putSealedForNone()
        let service = try world.service(afterReading: { _ in })
        for config in [Self.there, Self.here] {
            #expect(try Self.post("/api/realm", #"{"id":"wx","config":\#(config)}"#, to: service).status == .ok)
            #expect(try world.call() == (nil, .unconfirmed))
        }
        #expect(try world.confirmedFor() == "")
    }

    @Test(arguments: Driver.allCases)
    func `credentials in clear whose realm is gone go nowhere when the API makes it again`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.putInClearWithoutRealm()
        let service = try world.service(afterReading: { _ in })
        #expect(try Self.post("/api/realm", #"{"id":"wx","config":\#(Self.there)}"#, to: service).status == .ok)
        #expect(try world.call() == (nil, .unconfirmed))
    }

    /// Whoever writes it: where a realm led that was not there needs nobody's word.
    @Test(arguments: Driver.allCases)
    func `credentials in clear whose realm is gone are bound to nowhere by every write that makes it with a recipe`(
        _ driver: Driver
    ) throws {
        for former in [nil, try Self.destination(Self.here)] {
            let world = try World(driver)
            try world.putInClearWithoutRealm()
            _ = try world.store.write("wx", RealmChange(config: .set(Self.there), formerDestination: former))
            #expect(try world.confirmedFor() == "")
            #expect(try world.call() == (nil, .unconfirmed))
        }
    }
}
