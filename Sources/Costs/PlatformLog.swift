internal import Clocks
package import JSON

/// What the local platform wrote line by line as invocations ended: the proof of its account.
package struct PlatformLog: Sendable {
    private struct Invocation: Sendable {
        /// As it was written.
        var duration: Substring
        /// Lambda alone bills every invocation by itself.
        var billed: Int64?
    }

    private var invocations: [Substring: Invocation] = [:]
    /// Milliseconds in which an instance of a function had requests, by function; Function Compute alone.
    private var busy: [Substring: Int64] = [:]
    /// A request that ended twice.
    private var repeated: Substring?

    package init() {}

    package var count: Int { invocations.count }

    /// Whether a line tells of an end, so that the others need not become text.
    package static func tellsOfAnEnd(_ line: ArraySlice<UInt8>) -> Bool {
        line.starts(with: "REPORT RequestId: ".utf8) || line.starts(with: "FC In".utf8)
    }

    /// Reads one line; one that tells of no end counts for nothing.
    package mutating func read(_ line: Substring) {
        let words = line.split { $0 == " " || $0 == "\t" }
        if line.hasPrefix("REPORT RequestId: "), words.count > 8 {
            // REPORT RequestId: ID Duration: 1.23 ms Billed Duration: 2 ms …
            add(words[2], Invocation(duration: words[4], billed: Int64(words[8])))
        } else if line.hasPrefix("FC Invoke End RequestId: "), words.count > 6 {
            // FC Invoke End RequestId: ID[, Error: …] Duration: 1.23 ms[ Price: …]
            guard let label = words.lastIndex(of: "Duration:"), label + 1 < words.count else { return }
            add(words[4].prefix { $0 != "," }, Invocation(duration: words[label + 1]))
        } else if line.hasPrefix("FC Instance Idle "), words.count > 6 {
            // FC Instance Idle FUNCTION/NUMBER Billed Duration: 12 ms
            busy[words[3].prefix { $0 != "/" }, default: 0] += Int64(words[6]) ?? 0
        }
    }

    private mutating func add(_ id: Substring, _ invocation: Invocation) {
        if invocations.updateValue(invocation, forKey: id) != nil { repeated = id }
    }

    /// What the accounts of all functions behind this log say differently; nil where they agree.
    ///
    /// Every line counts in the sums; the invocations that an account lists are compared one by one.
    /// - Parameter accounts: `/_event-server/invocations`, by function.
    package func disagreement(with accounts: [String: JSON.Value]) -> String? {
        if let repeated { return "the log ends \(repeated) twice" }
        var total: Int64 = 0
        var billed: Int64 = 0
        var listed: Set<String> = []
        for (function, text) in accounts {
            guard let account = FunctionAccount(text) else { return "there is no account of \(function)" }
            total += account.invocations
            billed += account.billed.wholeMilliseconds
            let spent = busy[Substring(function)] ?? 0
            if account.busy != .milliseconds(spent) {
                return
                    "\(function) was busy for \(account.busy.wholeMilliseconds) ms by its account, \(spent) by the log"
            }
            for entry in text["invocations"]?.array ?? [] {
                guard let id = entry["request_id"]?.string, let line = invocations[Substring(id)] else {
                    return "the log lacks an invocation that the account of \(function) lists"
                }
                if !listed.insert(id).inserted { return "two accounts list \(id)" }
                let duration = entry["duration_ms"]?.number?.text ?? "nothing"
                if duration != line.duration {
                    return "\(id) took \(duration) ms by its account, \(line.duration) by the log"
                }
                if let sum = line.billed, entry["billed_ms"]?.number?.integer != sum {
                    return "\(id) is billed differently by its account and by the log, \(sum) ms"
                }
            }
        }
        if total != invocations.count {
            return "the accounts have \(total) invocations, the log has \(invocations.count)"
        }
        let sum = invocations.values.reduce(Int64(0)) { $0 + ($1.billed ?? 0) }
        let isLambda = invocations.values.contains { $0.billed != nil }
        return isLambda && sum != billed ? "the accounts bill \(billed) ms, the log \(sum)" : nil
    }
}
