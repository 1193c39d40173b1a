internal import Glibc
internal import Simulation
internal import Synchronization
internal import TestKit

/// Runs histories of the refresh protocol by the thousand, on every core; prints the first that breaks a rule.
enum Simulate {
    private static let usage = """
        usage: simulate [--seeds N] [--from SEED] [--threads N] [--mutation NAME]
               simulate --mutations [--seeds N]   every planted mistake must be found within N seeds
               simulate --seed SEED [--mutation NAME]   one history, step by step
        """

    static func run(_ arguments: [String]) -> Int32 {
        guard let options = Options(arguments) else {
            print(usage)
            return 2
        }
        if let seed = options.seed { return show(seed, options.mutation) }
        if options.isOfMutations { return checkMutations(options) }
        return check(options)
    }

    private struct Options {
        var seeds: UInt64 = 10_000
        var from: UInt64 = 1
        var threads = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        var mutation: Mutation?
        var isOfMutations = false
        var seed: UInt64?

        init?(_ arguments: [String]) {
            var arguments = arguments[...]
            while let name = arguments.popFirst() {
                if name == "--mutations" {
                    isOfMutations = true
                    continue
                }
                guard let value = arguments.popFirst() else { return nil }
                switch name {
                case "--seeds":
                    guard let number = UInt64(value), number > 0 else { return nil }
                    seeds = number
                case "--from":
                    guard let number = UInt64(value) else { return nil }
                    from = number
                case "--threads":
                    guard let number = Int(value), (1...256).contains(number) else { return nil }
                    threads = number
                case "--seed":
                    guard let number = UInt64(value) else { return nil }
                    seed = number
                case "--mutation":
                    guard let known = Mutation(rawValue: value) else { return nil }
                    mutation = known
                default: return nil
                }
            }
        }
    }

    // MARK: One history

    private static func show(_ seed: UInt64, _ mutation: Mutation?) -> Int32 {
        let result: Simulation.Result
        do {
            result = try Simulation(seed: seed, mutation: mutation, keepsHistory: true).run()
        } catch {
            print("seed \(seed) could not be run: \(error)")
            return 1
        }
        for line in result.history { print(line) }
        print("seed \(seed): \(result.violation ?? "every rule holds"), \(result.steps) steps, \(result.mints) mints")
        return result.violation == nil ? 0 : 1
    }

    // MARK: Many

    private struct Total: Sendable {
        var next: UInt64
        var done: UInt64 = 0
        var steps = 0
        var answers = 0
        var mints = 0
        var counts = [Int](repeating: 0, count: Event.allCases.count)
        /// The smallest seed that breaks a rule.
        var broken: (seed: UInt64, rule: String)?
        /// A history that could not be run at all.
        var failure: (seed: UInt64, error: String)?
    }

    private static func simulate(_ options: Options, _ mutation: Mutation?) -> Total {
        let end = options.from + options.seeds
        let total = Mutex(Total(next: options.from))
        onThreads(options.threads) {
            while true {
                let seed: UInt64? = total.withLock { total in
                    guard total.next < end, total.broken == nil, total.failure == nil else { return nil }
                    total.next += 1
                    return total.next - 1
                }
                guard let seed else { return }
                let result: Simulation.Result
                do {
                    result = try Simulation(seed: seed, mutation: mutation).run()
                } catch {
                    total.withLock { $0.failure = (seed: seed, error: "\(error)") }
                    return
                }
                total.withLock { total in
                    total.done += 1
                    total.steps += result.steps
                    total.answers += result.answers
                    total.mints += result.mints
                    for index in total.counts.indices { total.counts[index] += result.counts[index] }
                    if let rule = result.violation, total.broken.map({ seed < $0.seed }) ?? true {
                        total.broken = (seed: seed, rule: rule)
                    }
                }
            }
        }
        return total.withLock { $0 }
    }

    /// Whether fewer histories were run than were asked for; says so.
    private static func isShort(_ total: Total, _ options: Options) -> Bool {
        if let failure = total.failure { print("seed \(failure.seed) could not be run: \(failure.error)") }
        guard total.broken == nil, total.done != options.seeds else { return false }
        print("\(total.done) histories were run, \(options.seeds) were asked for")
        return true
    }

    private static func check(_ options: Options) -> Int32 {
        let total = simulate(options, options.mutation)
        if let broken = total.broken {
            _ = show(broken.seed, options.mutation)
            return 1
        }
        if isShort(total, options) { return 1 }
        print(
            "\(total.done) histories, \(total.steps) steps, \(total.answers) answers, \(total.mints) mints: every rule holds"
        )
        var isCovered = true
        for (event, count) in zip(Event.allCases, total.counts) {
            print("  \(event.rawValue) \(count)")
            if count == 0 { isCovered = false }
        }
        // A few seeds need not meet everything.
        if !isCovered, options.seeds >= 1_000 {
            print("an event never came: the histories prove less than they say")
            return 1
        }
        return 0
    }

    private static func checkMutations(_ options: Options) -> Int32 {
        var missed = 0
        for mutation in Mutation.allCases {
            let total = simulate(options, mutation)
            if let broken = total.broken {
                print("\(mutation.rawValue): found by seed \(broken.seed): \(broken.rule)")
            } else {
                _ = isShort(total, options)
                print("\(mutation.rawValue): NOT FOUND in \(options.seeds) seeds")
                missed += 1
            }
        }
        return missed == 0 ? 0 : 1
    }
}
