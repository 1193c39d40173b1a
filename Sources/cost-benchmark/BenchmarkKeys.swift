internal import Crypto

/// The master key of everything that is stored here: new in every run, for nobody else reads it.
enum BenchmarkKeys {
    private static let bytes = (0..<32).map { _ in UInt8.random(in: 0...255) }

    /// The value of `MASTER_KEYS`.
    static func text() throws -> String {
        "benchmark:" + (try Base64.encode(bytes))
    }

    /// Those that the environment names, for a database of the user's own.
    static func keys(environment: (String) -> String? = { _ in nil }) throws -> MasterKeys {
        let isGiven = environment(MasterKeys.variable).map { !$0.isEmpty } ?? false
        return isGiven ? try MasterKeys(environment: environment) : try MasterKeys(parsing: try text())
    }
}
