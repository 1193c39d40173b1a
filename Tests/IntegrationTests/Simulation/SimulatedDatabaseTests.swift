import Clocks
import SQL
import Simulation
import Storage
import TestKit
import Testing

/// The simulator's histories on the real statements: the database's clock is an argument of them, all else is as it is.
///
/// The thread sanitizer does not know of stacks that change hands.
@Suite(.serialized, .enabled(if: !isUnderThreadSanitizer))
struct SimulatedDatabaseTests {
    @Test(arguments: Driver.allCases)
    func `every rule holds on the real statements`(_ driver: Driver) throws {
        let seeds: ClosedRange<UInt64> = driver == .sqlite ? 1...24 : 101...108
        var steps = 0
        for seed in seeds {
            let database = try driver.migratedDatabase()
            let connection = try database.connection()
            let result = try Simulation(seed: seed).run(on: { DatabaseStore(connection, clock: $0) })
            #expect(result.violation == nil, "seed \(seed)")
            steps += result.steps
        }
        // Few histories are quiet, and a quiet one has few steps.
        #expect(steps > 500 * seeds.count)
    }

    @Test(arguments: Driver.allCases)
    func `a history is the same in memory and on a database`(_ driver: Driver) throws {
        let database = try driver.migratedDatabase()
        let connection = try database.connection()
        let simulation = Simulation(seed: 17, keepsHistory: true)
        let stored = try simulation.run(on: { DatabaseStore(connection, clock: $0) })
        let kept = try simulation.run()
        #expect(stored.history == kept.history)
        #expect(kept.history.count > 50)
    }
}
