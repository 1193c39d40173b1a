internal import Crypto
internal import DatabaseDrivers
internal import Recipes
internal import SQL
internal import Storage
internal import Tokens

/// The options of `token-server-admin rekey`.
struct RekeyOptions {
    private(set) var isDry = false
    private(set) var batch = 200

    /// Nil where they are not understood.
    init?(_ arguments: some Sequence<String>) {
        var words = arguments.makeIterator()
        while let word = words.next() {
            switch word {
            case "--dry-run": isDry = true
            case "--batch":
                guard let number = words.next().flatMap({ Int($0) }), (1...10_000).contains(number) else { return nil }
                batch = number
            default: return nil
            }
        }
    }
}

extension AdminCommand {
    /// Answers the exit status: 0 where every value is under the first key, or would be after a run; else 1.
    func rekey(_ chosen: RekeyOptions) throws -> Int32 {
        let keys = try MasterKeys(environment: Self.environment)
        let connection = try DatabaseURL(environment: Self.environment).connection(patience: .seconds(60))
        var options = Rekeying.Options()
        options.isDry = chosen.isDry
        options.destination = { try Destination(config: $0, logicCode: $1) }
        options.batch = chosen.batch
        let counts = try Rekeying(connection, keys, options).run()
        let would = chosen.isDry ? "would be " : ""
        for count in counts {
            let done =
                count.isSignature
                ? "\(count.resealed) \(would)signed anew"
                : "\(count.resealed) \(would)resealed, \(count.sealed) in clear \(would)sealed"
            print("\(count.column): \(done), \(count.unopened.count) quarantined")
        }
        for value in counts.flatMap(\.unopened) {
            print("quarantined: \(value)")
        }
        let unopened = counts.reduce(0) { $0 + $1.unopened.count }
        if chosen.isDry { return unopened == 0 ? 0 : 1 }
        let remaining = counts.reduce(0) { $0 + $1.remaining }
        if remaining == 0 {
            print("every sealed value is under \(keys.sealingID)")
            return 0
        }
        if remaining > unopened {
            print(
                "\(remaining - unopened) values were written under another key meanwhile: is \(keys.sealingID) the first key of every server? then run this again"
            )
        }
        print("\(remaining) values are not under \(keys.sealingID)")
        return 1
    }
}
