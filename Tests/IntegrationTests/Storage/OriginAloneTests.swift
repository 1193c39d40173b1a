import Clocks
import Crypto
import HTTP
import Log
import Recipes
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// Rows as the version before wrote them: confirmed and sealed for scheme, host and port, and for no place there.
@Suite struct OriginAloneTests {
    private static let id = SecretID(realm: "crm", key: "app")
    private static let origin = "https://a.example"
    private static let here = config("https://a.example/token")
    private static let elsewhereThere = config("https://a.example/gists")
    private static let evil = config("https://evil.example/token")

    private static func config(_ url: String) -> String {
        #"{"url":"\#(url)","method":"POST","token_path":"t","refresh_token_path":"r","expires_in":7200,"#
            + #""arguments":[{"name":"refresh","place":"body","value":"$refresh_token"}]}"#
    }

    private static func destination(_ config: String) throws -> Destination {
        try Destination(config: config, logicCode: "")
    }

    /// A realm that leads to `here`, and one secret, whose provider has issued `R1`.
    private final class World {
        let database: TestDatabase
        let connection: any Connection
        let store: DatabaseStore

        init(_ driver: Driver, confirmedFor origin: String = origin) throws {
            database = try driver.migratedDatabase()
            connection = try database.connection()
            store = DatabaseStore(connection, keys: MasterKeys.text("old"))
            let policy = #"{"class":"G","gap":0}"#
            _ = try store.write("crm", RealmChange(config: .set(here), policy: .set(policy)))
            let credentials: [String: Change<Redacted<String>>] = ["refresh_token": .set(Redacted("R0"))]
            _ = try store.write(id, credentials, discardsToken: false, destination: try destination(here))
            #expect(try refresh() == .sent("R0"))
            let secret = try connection.rows("SELECT version FROM secret")[0].integer(0)
            let credentialText = try seal(#"{"refresh_token":"R0"}"#, in: ["secret", "credentials"], secret, origin)
            try connection.execute(
                "UPDATE secret SET confirmed_for = \(origin), credentials = \(credentialText), sealed_with = 'old'")
            try putRefreshToken("R1", origin)
        }

        func putRefreshToken(_ value: String, _ origin: String) throws {
            let generation = try connection.rows("SELECT refresh_token_generation FROM token")[0].integer(0)
            let text = try seal(value, in: ["token", "refresh_token"], generation, origin)
            try connection.execute("UPDATE token SET refresh_token = \(text), refresh_token_sealed_with = 'old'")
        }

        private func seal(_ value: String, in column: [String], _ version: Int64, _ origin: String) throws -> String {
            try SealedText.make(
                value, mark: 2, place: [column[0], "crm", "app", column[1]], version: version, destination: origin)
        }

        enum Call: Equatable {
            case sent(String)
            case refused(UpstreamFailure.Kind)
            case other(String)
        }

        /// Asks the provider for another token, and says what it was sent.
        func refresh() throws -> Call {
            try connection.execute("UPDATE token SET retry_at = NULL, retry_class = NULL, failure = NULL")
            try connection.execute("UPDATE token SET token = NULL, sealed_with = NULL, expires_at = NULL")
            try connection.execute("UPDATE token SET minted_at = 1, next_mint_at = 1, lease_until = NULL")
            let client = ScriptedClient(200, #"{"t":"T","r":"R1"}"#)
            let decision = Broker(
                store: store, upstream: RecipeUpstream(client: client, egress: EgressPolicy()), clock: SystemClock()
            ).decide(id, wish: .flush, deadline: nil)
            if let body = client.requests.first?.body {
                let words = String(decoding: body, as: UTF8.self).split(separator: "\"")
                return .sent(words.dropLast().last.map { String($0) } ?? "")
            }
            switch decision {
            case .refuse(.upstream(let failure, _)): return .refused(failure.kind)
            default: return .other("\(decision)")
            }
        }

        /// The realm's row, as whoever can write to the database changes it.
        func lead(to config: String) throws {
            try connection.execute("UPDATE realm SET config = \(config)")
        }

        func confirmedFor() throws -> String {
            try connection.rows("SELECT confirmed_for FROM secret")[0].text(0)
        }

        func marks() throws -> [String] {
            let row = try connection.rows(
                "SELECT credentials, (SELECT refresh_token FROM token) FROM secret")[0]
            return [String(try row.text(0).prefix(2)), String(try row.text(1).prefix(2))]
        }

        func admin(_ arguments: String...) throws -> Program {
            try Program.admin(arguments, ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("old")])
        }
    }

    @Test(arguments: Driver.allCases)
    func `it is sent to any place at its origin, and to no other, until rekey binds it to where the realm leads`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        #expect(try world.refresh() == .sent("R1"))
        try world.putRefreshToken("R1", Self.origin)
        try world.lead(to: Self.elsewhereThere)
        #expect(try world.refresh() == .sent("R1"))
        try world.putRefreshToken("R1", Self.origin)
        try world.lead(to: Self.evil)
        #expect(try world.refresh() == .refused(.unconfirmed))

        try world.lead(to: Self.here)
        let before = try world.connection.rows("SELECT * FROM secret")
        let dry = try world.admin("rekey", "--dry-run")
        #expect(dry.output.contains("secret.credentials: 1 would be resealed"))
        #expect(try world.connection.rows("SELECT * FROM secret") == before)
        let run = try world.admin("rekey")
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.output.contains("secret.credentials: 1 resealed, 0 in clear sealed, 0 quarantined\n"))
        #expect(run.output.contains("token.refresh_token: 1 resealed, 0 in clear sealed, 0 quarantined\n"))
        #expect(try world.confirmedFor() == Self.destination(Self.here).text)
        #expect(try world.marks() == ["3:", "3:"])
        #expect(try world.refresh() == .sent("R1"))
        // Now a realm that leads to another path is refused, and so is a row that says it was confirmed for that.
        try world.lead(to: Self.elsewhereThere)
        #expect(try world.refresh() == .refused(.unconfirmed))
        for forged in [try Self.destination(Self.elsewhereThere).text, Self.origin] {
            try world.connection.execute("UPDATE secret SET confirmed_for = \(forged)")
            #expect(try world.refresh() == .refused(.quarantined))
        }
        try world.connection.execute("UPDATE secret SET confirmed_for = \(Self.destination(Self.here).text)")
        let again = try world.admin("rekey")
        #expect(again.status == 0)
        #expect(again.output.contains("secret.credentials: 0 resealed"))
        #expect(again.output.contains("token.refresh_token: 0 resealed"))
    }

    @Test(arguments: Driver.allCases)
    func `a refresh token that was asked for before its credentials were bound is not lost`(_ driver: Driver) throws {
        let world = try World(driver)
        #expect(try world.admin("rekey").status == 0)
        // Who has read the row before seals what comes back for what the row said then.
        try world.putRefreshToken("late", Self.origin)
        #expect(try world.marks() == ["3:", "2:"])
        #expect(try world.refresh() == .sent("late"))
        try world.putRefreshToken("late", Self.origin)
        let run = try world.admin("rekey")
        #expect(run.status == 0)
        #expect(run.output.contains("token.refresh_token: 1 resealed"))
        #expect(try world.marks() == ["3:", "3:"])
        #expect(try world.refresh() == .sent("late"))
        // It opens at the origin that it is sealed for alone.
        try world.putRefreshToken("stolen", "https://evil.example")
        #expect(try world.refresh() == .refused(.quarantined))
    }

    @Test(arguments: Driver.allCases)
    func `rekey binds what was confirmed for another origin to no place there, until somebody confirms`(
        _ driver: Driver
    ) throws {
        let world = try World(driver, confirmedFor: "https://before.example")
        #expect(try world.refresh() == .refused(.unconfirmed))
        let run = try world.admin("rekey")
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(try world.confirmedFor() == "https://before.example#unknown")
        let before = Self.config("https://before.example/token")
        for config in [Self.here, before] {
            try world.lead(to: config)
            #expect(try world.refresh() == .refused(.unconfirmed))
        }
        #expect(try world.store.confirmSecrets(of: "crm", try Self.destination(before)) == 1)
        #expect(try world.refresh() == .sent("R1"))
        #expect(try world.admin("rekey").status == 0)
    }

    @Test(arguments: Driver.allCases)
    func `migrate binds what lies in clear, and a realm that is written binds what is sealed`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute(
            #"UPDATE secret SET credentials = '{"refresh_token":"R0"}', sealed_with = NULL"#)
        #expect(try world.admin("migrate").output.contains("secret.credentials: 1 sealed that were in clear\n"))
        #expect(try world.confirmedFor() == Self.destination(Self.here).text)
        #expect(try world.refresh() == .sent("R1"))

        let other = try World(driver)
        let change = RealmChange(
            config: .set(Self.elsewhereThere), formerDestination: try Self.destination(Self.here))
        _ = try other.store.write("crm", change)
        #expect(try other.confirmedFor() == Self.destination(Self.here).text)
        #expect(try other.marks() == ["3:", "3:"])
        #expect(try other.refresh() == .refused(.unconfirmed))
        #expect(try other.store.confirmSecrets(of: "crm", try Self.destination(Self.elsewhereThere)) == 1)
        #expect(try other.refresh() == .sent("R1"))
    }

    @Test(arguments: Driver.allCases)
    func `a realm that is written binds credentials whose key is away, and they go there alone when it is back`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        let blind = DatabaseStore(world.connection, keys: MasterKeys.text("new"))
        let change = RealmChange(
            config: .set(Self.elsewhereThere), formerDestination: try Self.destination(Self.here))
        _ = try blind.write("crm", change)
        #expect(try world.confirmedFor() == Self.destination(Self.here).text)
        #expect(try world.refresh() == .refused(.unconfirmed))
        // Nobody confirms what does not open.
        #expect(try blind.confirmSecrets(of: "crm", try Self.destination(Self.elsewhereThere)) == 0)
        #expect(try world.refresh() == .refused(.unconfirmed))
        try world.lead(to: Self.here)
        #expect(try world.refresh() == .sent("R1"))
        #expect(try world.admin("rekey").status == 0)
        #expect(try world.marks() == ["3:", "3:"])
        #expect(try world.refresh() == .sent("R1"))
    }

    @Test(arguments: Driver.allCases)
    func `what does not open stays as it is, and rekey says so and nothing else`(_ driver: Driver) throws {
        let world = try World(driver)
        try world.connection.execute("UPDATE secret SET credentials = '2:canary'")
        let run = try world.admin("rekey")
        #expect(run.status == 1)
        #expect(run.output.contains("secret.credentials of realm \"crm\", key \"app\", sealed with \"old\": not auth"))
        #expect(!run.output.contains("meanwhile"))
        #expect(try world.confirmedFor() == Self.origin)
        #expect(try world.marks() == ["2:", "2:"])
    }
}
