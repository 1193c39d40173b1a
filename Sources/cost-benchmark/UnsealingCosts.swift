internal import Clocks
internal import DatabaseDrivers
internal import Log
internal import SQL
internal import Storage
internal import TestKit
internal import Tokens

/// What opening a sealed token adds to a hit: the same reading of the same row, sealed and in clear, in turn.
enum UnsealingCosts {
    private static let readings = 20_000

    static func row(scratch: String, _ rounds: Rounds) throws -> [String] {
        let url = try DatabaseURL(parsing: "sqlite:\(scratch)/unsealing")
        let connection = url.connection()
        try MigrationRunner(connection).run(try Schema.migrations(for: connection.dialect))
        let store = DatabaseStore(connection, sealer: Sealer(try BenchmarkKeys.keys()))
        let noting = NotingConnection(connection)
        let noted = DatabaseStore(noting, sealer: Sealer(try BenchmarkKeys.keys()))
        _ = try store.write("bench", RealmChange(config: .set("{}")))
        let token = String(repeating: "t", count: SecurityCosts.tokenBytes)
        let sealed = SecretID(realm: "bench", key: "sealed")
        let clear = SecretID(realm: "bench", key: "clear")
        for id in [sealed, clear] {
            _ = try store.write(id, ["key_1": .set(Redacted("a"))])
            let upstream = ScriptedUpstream { _ in .minted(Redacted(token), life: .seconds(7_200)) }
            _ = Broker(store: store, upstream: upstream, clock: SystemClock())
                .decide(id, wish: .token(minimumLife: nil), deadline: nil)
        }
        try connection.execute("UPDATE token SET token = \(token), sealed_with = NULL WHERE `key` = \(clear.key)")
        var pair = Pair()
        for _ in 0..<rounds.count { pair.add(try time(store, sealed, token), try time(store, clear, token)) }
        let statements = try [sealed, clear].map { id in
            noting.forget()
            _ = try noted.read(id, clock: SystemClock())
            return noting.queries.count
        }
        return SecurityCosts.row("opening the sealed token", (statements[0], statements[1]), pair)
    }

    /// Microseconds of one reading.
    private static func time(_ store: DatabaseStore, _ id: SecretID, _ token: String) throws -> Double {
        let clock = SystemClock()
        let start = clock.now()
        for _ in 0..<readings {
            guard case .found(let snapshot) = try store.read(id, clock: clock), snapshot.row.token?.reveal() == token
            else { throw BenchmarkFailure(description: "the token is not there") }
        }
        return start.elapsed(to: clock.now()) / .microseconds(1) / Double(readings)
    }
}
