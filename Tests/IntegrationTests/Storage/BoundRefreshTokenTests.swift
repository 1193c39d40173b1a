import Clocks
import Crypto
import Curl
import HTTP
import Log
import Recipes
import SQL
import Storage
import TestKit
import Testing
import Tokens

/// A refresh token that a provider issued goes where its credentials may go, whatever is written into the database.
@Suite struct BoundRefreshTokenTests {
    private static let id = SecretID(realm: "crm", key: "app")

    /// A realm at a provider that issued `R1`, and another host that must never be spoken to.
    private final class World {
        let database: TestDatabase
        let connection: any Connection
        let provider: SocketServer
        let elsewhere: SocketServer
        private(set) var faults: [SealFault] = []

        init(_ driver: Driver) throws {
            database = try driver.migratedDatabase()
            connection = try database.connection()
            func server() throws -> SocketServer {
                try SocketServer { connection in
                    connection.read()
                    connection.answer(#"{"t":"T","r":"R1"}"#)
                }
            }
            provider = try server()
            elsewhere = try server()
            let store = try self.store()
            _ = try store.write(
                "crm",
                RealmChange(config: .set(Self.config(provider)), policy: .set(#"{"class":"G","gap":0}"#)))
            let credentials: [String: Change<Redacted<String>>] = ["refresh_token": .set(Redacted("R0"))]
            _ = try store.write(id, credentials, discardsToken: false, destination: Self.destination(provider))
        }

        deinit {
            provider.stop()
            elsewhere.stop()
        }

        static func config(_ server: SocketServer) -> String {
            #"{"url":"\#(server.url)","method":"POST","token_path":"t","refresh_token_path":"r","expires_in":7200,"#
                + #""arguments":[{"name":"refresh","place":"body","value":"$refresh_token"}]}"#
        }

        static func destination(_ server: SocketServer) throws -> Destination {
            try Destination(config: config(server), logicCode: "")
        }

        func store(_ keys: String = "old") throws -> DatabaseStore {
            let sealer = Sealer(try MasterKeys(parsing: MasterKeys.text(keys))) { [unowned self] in faults.append($0) }
            return DatabaseStore(connection, sealer: sealer)
        }

        /// Asks the provider for another token; the failure where none came.
        func refresh() throws -> UpstreamFailure? {
            // What an earlier failure has put off is asked for again at once.
            try connection.execute("UPDATE token SET retry_at = NULL, retry_class = NULL, failure = NULL")
            try connection.execute("UPDATE token SET token = NULL, sealed_with = NULL, expires_at = NULL")
            try connection.execute("UPDATE token SET minted_at = 1, next_mint_at = 1, lease_until = NULL")
            let upstream = RecipeUpstream(client: CurlClient(), egress: try EgressPolicy(parsing: "127.0.0.1"))
            let decision = Broker(store: try store(), upstream: upstream, clock: SystemClock())
                .decide(id, wish: .flush, deadline: nil)
            switch decision {
            case .refuse(.upstream(let failure, _)): return failure
            case .answer: return nil
            default:
                Issue.record("\(decision)")
                return nil
            }
        }

        /// The refresh tokens that the provider was sent, in order.
        var sent: [String] {
            provider.requests.compactMap { $0.split(separator: "\"").dropLast().last.map { String($0) } }
        }

        /// Puts the refresh token there as a version before sealed it: bound to the row and its generation alone.
        func sealRefreshTokenAsBefore(_ value: String) throws {
            let row = try connection.rows("SELECT refresh_token_generation FROM token")[0]
            var context: [UInt8] = []
            func append(_ number: Int64) {
                for shift in stride(from: Int64(56), through: 0, by: -8) {
                    context.append(UInt8(truncatingIfNeeded: number >> shift))
                }
            }
            for part in ["token-server 1", "token", "crm", "app", "refresh_token"] {
                append(Int64(part.utf8.count))
                context += Array(part.utf8)
            }
            append(try row.integer(0))
            let ring = KeyRing(try MasterKeys(parsing: MasterKeys.text("old")))
            let text = try ring.seal(Redacted(value), context: context)
            try connection.execute("UPDATE token SET refresh_token = \(text), refresh_token_sealed_with = 'old'")
        }

        /// What would be sent; nil where nothing is.
        func opened() throws -> String? {
            do {
                return try store().material(id)?.refreshToken?.reveal()
            } catch StoreError.quarantined {
                return nil
            }
        }

        func rekey() throws -> Program {
            try Program.admin(["rekey"], ["DATABASE_URL": database.url, "MASTER_KEYS": MasterKeys.text("old")])
        }
    }

    @Test(arguments: Driver.allCases)
    func `a sealed refresh token is sent nowhere beside credentials that somebody put there in clear`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        #expect(try world.refresh() == nil)
        #expect(try world.refresh() == nil)
        #expect(world.sent == ["R0", "R1"])
        let evil = try World.destination(world.elsewhere).text
        let sealed = try world.connection.rows("SELECT refresh_token FROM token")[0].text(0)
        for refreshToken in [sealed, String(sealed.dropFirst(2))] {
            for confirmed in ["'\(evil)'", "NULL", "''"] {
                try world.connection.execute("UPDATE realm SET config = \(World.config(world.elsewhere))")
                try world.connection.execute("UPDATE token SET refresh_token = \(refreshToken)")
                try world.connection.execute(
                    """
                    UPDATE secret SET credentials = '{"refresh_token":"mine"}', sealed_with = NULL, quarantined_at = NULL,
                        confirmed_for = \(unsafeSQL: confirmed)
                    """)
                #expect(try world.refresh()?.kind == .quarantined, "\(confirmed)")
            }
        }
        #expect(world.elsewhere.connections == 0)
        #expect(world.faults.contains { $0.column == "token.refresh_token" && $0.reason == .besideClear })
        let isQuarantined = "SELECT COUNT(*) FROM secret WHERE quarantined_at IS NOT NULL" as Query
        #expect(try world.connection.rows(isQuarantined)[0].integer(0) == 1)
        // An operator who then seals and binds what lies there sends it nowhere either.
        try world.connection.execute("UPDATE token SET refresh_token = \(sealed)")
        try world.connection.execute("UPDATE secret SET confirmed_for = \(evil)")
        #expect(try world.rekey().output.contains("secret.credentials: 0 resealed, 1 in clear sealed"))
        #expect(try world.refresh()?.kind == .quarantined)
        #expect(world.elsewhere.connections == 0)
    }

    /// Whoever writes to the database puts credentials in clear there, and an administrator confirms where they go.
    @Test(arguments: Driver.allCases)
    func `a confirmation of credentials in clear takes no sealed refresh token along`(_ driver: Driver) throws {
        let world = try World(driver)
        #expect(try world.refresh() == nil)
        let sealed = try world.connection.rows("SELECT refresh_token FROM token")
        try world.connection.execute("UPDATE realm SET config = \(World.config(world.elsewhere))")
        try world.connection.execute(#"UPDATE secret SET credentials = '{"refresh_token":"mine"}', sealed_with = NULL"#)
        let evil = try World.destination(world.elsewhere)
        #expect(try world.store().confirmSecrets(of: "crm", evil) == 1)
        #expect(try world.connection.rows("SELECT refresh_token FROM token") == sealed)
        #expect(try world.refresh()?.kind == .quarantined)
        #expect(world.elsewhere.connections == 0)
    }

    @Test(arguments: Driver.allCases)
    func `a refresh token is not sent where its credentials might go once, when their old row is put back`(
        _ driver: Driver
    ) throws {
        let world = try World(driver)
        let evil = try World.destination(world.elsewhere)
        #expect(try world.store().confirmSecrets(of: "crm", evil) == 1)
        let old = try world.connection.rows("SELECT credentials, confirmed_for FROM secret")[0]
        let here = try World.destination(world.provider)
        #expect(try world.store().confirmSecrets(of: "crm", here) == 1)
        #expect(try world.refresh() == nil)
        try world.connection.execute("UPDATE realm SET config = \(World.config(world.elsewhere))")
        try world.connection.execute(
            "UPDATE secret SET credentials = \(try old.text(0)), confirmed_for = \(try old.text(1))")
        #expect(try world.refresh()?.kind == .quarantined)
        #expect(world.elsewhere.connections == 0)
    }

    @Test(arguments: Driver.allCases)
    func `a confirmation lets the refresh token go to the new place, and takes the old one away`(_ driver: Driver)
        throws
    {
        let world = try World(driver)
        #expect(try world.refresh() == nil)
        let evil = try World.destination(world.elsewhere)
        #expect(try world.store().confirmSecrets(of: "crm", evil) == 1)
        #expect(try world.opened() == "R1")
        let text = try world.connection.rows("SELECT refresh_token FROM token")[0].text(0)
        let here = try World.destination(world.provider)
        #expect(try world.store().confirmSecrets(of: "crm", here) == 1)
        #expect(try world.opened() == "R1")
        try world.connection.execute("UPDATE token SET refresh_token = \(text)")
        #expect(try world.opened() == nil)
    }

    /// The refresh token came from where the credentials were confirmed for when it was asked for.
    @Test(arguments: Driver.allCases)
    func `a refresh token that arrives after a confirmation opens again where it came from`(_ driver: Driver) throws {
        let world = try World(driver)
        #expect(try world.refresh() == nil)
        let before = try world.connection.rows("SELECT refresh_token FROM token")[0].text(0)
        let evil = try World.destination(world.elsewhere)
        #expect(try world.store().confirmSecrets(of: "crm", evil) == 1)
        try world.connection.execute("UPDATE token SET refresh_token = \(before)")
        #expect(try world.opened() == nil)
        #expect(try world.store().confirmSecrets(of: "crm", try World.destination(world.provider)) == 1)
        #expect(try world.opened() == "R1")
    }

    // MARK: Refresh tokens from before

    @Test(arguments: Driver.allCases)
    func `what a version before has sealed is used, and rekey binds it`(_ driver: Driver) throws {
        let world = try World(driver)
        #expect(try world.refresh() == nil)
        try world.sealRefreshTokenAsBefore("before")
        #expect(try world.opened() == "before")
        let run = try world.rekey()
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(run.output.contains("token.refresh_token: 1 resealed, 0 in clear sealed, 0 quarantined\n"))
        #expect(try world.opened() == "before")
        let bound = try world.connection.rows("SELECT refresh_token FROM token")[0].text(0)
        #expect(bound.hasPrefix("3:"))
        try world.connection.execute("UPDATE token SET refresh_token = \(String(bound.dropFirst(2)))")
        #expect(try world.opened() == nil)
        try world.connection.execute("UPDATE token SET refresh_token = \(bound)")
        #expect(try world.rekey().output.contains("token.refresh_token: 0 resealed"))
    }

    /// Credentials that nobody has sealed yet: the refresh token that came meanwhile waits for `rekey` and is not lost.
    @Test(arguments: Driver.allCases)
    func `a refresh token that came while credentials lay in clear is used once they are sealed`(_ driver: Driver)
        throws
    {
        let world = try World(driver)
        try world.connection.execute(
            """
            UPDATE secret SET credentials = '{"refresh_token":"R0"}', sealed_with = NULL, confirmed_for = NULL
            """)
        #expect(try world.refresh() == nil)
        #expect(try world.refresh()?.kind == .quarantined)
        let run = try world.rekey()
        #expect(run.status == 0, "\(run.output) \(run.errors)")
        #expect(try world.refresh() == nil)
        #expect(world.sent == ["R0", "R1"])
        #expect(try world.connection.rows("SELECT refresh_token FROM token")[0].text(0).hasPrefix("3:"))
    }
}
