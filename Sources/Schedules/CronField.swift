/// One field of a cron expression: the values at which it is met.
struct CronField: Sendable {
    /// What a field may hold, by its name in messages.
    struct Rules: Sendable {
        let name: String
        let range: ClosedRange<Int>
        /// Words for the values from the first on, in capitals.
        var words: [String] = []
        var takesQuestionMark = false
        var takesSteps = true
    }

    let values: Set<Int>
    /// Written as `*` or `?`: it asks for nothing.
    let isOpen: Bool

    init(_ text: Substring, _ rules: Rules) throws(ScheduleError) {
        if text == "*" || (text == "?" && rules.takesQuestionMark) {
            values = Set(rules.range)
            isOpen = true
            return
        }
        var values: Set<Int> = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            values.formUnion(try CronField.part(part, rules))
        }
        self.values = values
        isOpen = false
    }

    /// `5`, `MON`, `1-5`, `*/15`, `0/15` or `10-40/5`.
    private static func part(_ text: Substring, _ rules: Rules) throws(ScheduleError) -> Set<Int> {
        let pieces = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        let ends = pieces[0].split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
        var range: ClosedRange<Int>
        if pieces[0] == "*" {
            range = rules.range
        } else {
            let first = try value(ends[0], of: text, rules)
            let last = ends.count > 1 ? try value(ends[1], of: text, rules) : first
            guard first <= last else { throw unreadable(text, rules, "the range runs backwards") }
            range = first...last
        }
        guard pieces.count > 1 else { return Set(range) }
        guard rules.takesSteps else { throw unreadable(text, rules, "steps are not supported there") }
        guard let step = Int(pieces[1]), step > 0 else { throw unreadable(text, rules, "the step is no number") }
        // From one value on, a step runs to the end of the field.
        if ends.count == 1, pieces[0] != "*" { range = range.lowerBound...rules.range.upperBound }
        return Set(stride(from: range.lowerBound, through: range.upperBound, by: step))
    }

    private static func value(
        _ text: Substring, of part: Substring, _ rules: Rules
    ) throws(ScheduleError) -> Int {
        if let index = rules.words.firstIndex(of: text.uppercased()) { return rules.range.lowerBound + index }
        guard let number = Int(text), text.allSatisfy(\.isNumber), rules.range.contains(number) else {
            let bounds = "\(rules.range.lowerBound) to \(rules.range.upperBound)"
            throw unreadable(part, rules, "values are \(bounds)")
        }
        return number
    }

    static func unreadable(_ text: Substring, _ rules: Rules, _ reason: String) -> ScheduleError {
        ScheduleError("\(text.isEmpty ? "nothing" : String(text)) is no \(rules.name): \(reason)")
    }
}

/// Why a schedule cannot be read.
package struct ScheduleError: Error, Equatable, Sendable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
