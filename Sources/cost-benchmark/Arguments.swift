struct UsageError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

/// The measure that is asked for, and its options.
struct Arguments {
    enum Measure: String {
        case refresh, calls
        case memoryHits = "memory-hits"
        case databaseHits = "database-hits"
        case hungProvider = "hung-provider"
        case strangers, security
        /// No measure: what the others have written goes into the project's texts.
        case paste

        /// What it cannot do without, told before anything is started.
        var tools: [String] {
            switch self {
            case .calls: [Tool.ab]
            case .memoryHits: [Tool.ab, Tool.nginx]
            case .databaseHits, .hungProvider: [Tool.ab, Tool.mariadb, Tool.mariadbInstaller]
            case .refresh, .strangers, .security, .paste: []
            }
        }

        /// Those that are of any use to it.
        fileprivate var options: Set<String> {
            let own: Set<String> =
                switch self {
                case .refresh, .paste: []
                case .calls: ["--calls", "--seconds", "--platform", "--concurrency", "--instance-concurrency"]
                case .memoryHits, .databaseHits: ["--rounds", "--seconds"]
                case .hungProvider: ["--rounds"]
                case .strangers: []
                case .security: ["--rounds"]
                }
            let runsPrograms = ![.refresh, .paste, .security].contains(self)
            return own.union(runsPrograms ? ["--output", "--programs"] : ["--output"])
        }
    }

    let measure: Measure
    private(set) var folder = "build/bench"
    private(set) var programs = "build/bin"
    private(set) var rounds = Rounds()
    private(set) var calls = CallCosts.Wish()

    init(_ arguments: [String]) throws(UsageError) {
        guard let name = arguments.first else { throw UsageError("a measure is missing") }
        guard let measure = Measure(rawValue: name) else { throw UsageError("\(name) is no measure") }
        self.measure = measure
        var given: [String: String] = [:]
        var rest = arguments.dropFirst()
        while let option = rest.popFirst() {
            guard measure.options.contains(option) else { throw UsageError("\(name) has no option \(option)") }
            guard let value = rest.popFirst() else { throw UsageError("\(option) needs a value") }
            if given.updateValue(value, forKey: option) != nil { throw UsageError("\(option) is given twice") }
        }
        func number(_ option: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
            guard let text = given[option] else { return nil }
            guard let number = Int(text), range.contains(number) else {
                throw UsageError(
                    "\(option) must be a whole number from \(range.lowerBound) to \(range.upperBound), not \(text)")
            }
            return number
        }
        folder = given["--output"] ?? folder
        programs = given["--programs"] ?? programs
        rounds.count = try number("--rounds", in: 1...100) ?? rounds.count
        rounds.seconds = try number("--seconds", in: 1...600) ?? rounds.seconds
        calls.seconds = rounds.seconds
        calls.calls = try number("--calls", in: 1...10_000_000) ?? calls.calls
        if let instances = try number("--concurrency", in: 1...1_000) { calls.instances = [instances] }
        if let most = try number("--instance-concurrency", in: 1...200) { calls.instanceConcurrencies = [most] }
        switch given["--platform"] {
        case nil: break
        case "lambda" where given["--instance-concurrency"] == nil: calls.instanceConcurrencies = []
        case "fc" where given["--concurrency"] == nil: calls.instances = []
        case "lambda": throw UsageError("--instance-concurrency is of no use with --platform lambda")
        case "fc": throw UsageError("--concurrency is of no use with --platform fc")
        case let name?: throw UsageError("--platform must be lambda or fc, not \(name)")
        }
    }
}
