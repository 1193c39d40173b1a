/// One numbered change of the schema, made of steps that may each be run again.
package struct Migration: Sendable, Equatable {
    /// A statement, and when it is still wanted.
    package struct Step: Sendable, Equatable {
        package var statement: String
        /// All must hold for the step to run.
        package var guards: [Guard]

        package init(_ statement: String, guards: [Guard] = []) {
            self.statement = statement
            self.guards = guards
        }
    }

    /// A condition on the schema as it is.
    package enum Guard: Sendable, Equatable {
        case when(SchemaObject)
        case unless(SchemaObject)
    }

    /// A text that is not a migration; `line` counts from 1.
    package struct Malformed: Error, Sendable, Equatable, CustomStringConvertible {
        package let migration: String
        package let line: Int
        package let reason: String

        package var description: String { "\(migration), line \(line): \(reason)" }
    }

    package var number: Int
    package var name: String
    package var steps: [Step]

    package init(number: Int, name: String, steps: [Step]) {
        self.number = number
        self.name = name
        self.steps = steps
    }
}

extension Migration {
    /// Reads the text of a migration file.
    ///
    /// A statement ends with a `;` at the end of a line. Comment lines directly before it may be its guards:
    /// `-- unless table NAME`, `-- when column TABLE.NAME`, `-- unless index TABLE.NAME`,
    /// `-- unless columnType TABLE.NAME PREFIX OF THE TYPE`. Other comment lines say nothing to the runner.
    package init(number: Int, name: String, parsing text: String) throws(Malformed) {
        var steps: [Step] = []
        var guards: [Guard] = []
        var statement: [Substring] = []
        var lineNumber = 0
        func malformed(_ reason: String) -> Malformed {
            Malformed(migration: "migration \(number) \(name)", line: lineNumber, reason: reason)
        }
        for line in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
            lineNumber += 1
            let trimmed = line.trimmed
            if trimmed.hasPrefix("--") {
                guard let condition = try Self.guard(trimmed.dropFirst(2).trimmed, malformed) else { continue }
                if !statement.isEmpty { throw malformed("a guard inside a statement") }
                guards.append(condition)
            } else if trimmed.isEmpty {
                if !guards.isEmpty && statement.isEmpty { throw malformed("a guard without a statement below it") }
            } else if trimmed.hasSuffix(";") {
                statement.append(trimmed.dropLast())
                steps.append(Step(statement.joined(separator: "\n"), guards: guards))
                (guards, statement) = ([], [])
            } else {
                statement.append(line.withoutTrailingSpace)
            }
        }
        if !statement.isEmpty { throw malformed("the last statement has no ; at the end of its line") }
        if !guards.isEmpty { throw malformed("a guard without a statement below it") }
        self.init(number: number, name: name, steps: steps)
    }

    /// The guard that a comment is; nil for a comment of another kind.
    private static func `guard`(
        _ comment: Substring, _ malformed: (String) -> Malformed
    ) throws(Malformed) -> Guard? {
        let words = comment.split(separator: " ", maxSplits: 3)
        guard words.count >= 2, words[0] == "when" || words[0] == "unless",
            ["table", "column", "index", "columnType"].contains(words[1])
        else { return nil }
        guard words.count >= 3 else { throw malformed("a guard without a name") }
        let names = words[2].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let hasNames = names.count == (words[1] == "table" ? 1 : 2) && !names.contains("")
        guard hasNames, (words.count == 4) == (words[1] == "columnType") else {
            throw malformed("a guard of another shape than known")
        }
        let object: SchemaObject =
            switch words[1] {
            case "table": .table(names[0])
            case "column": .column(table: names[0], name: names[1])
            case "index": .index(table: names[0], name: names[1])
            default: .columnType(table: names[0], name: names[1], prefix: String(words[3].trimmed))
            }
        return words[0] == "when" ? .when(object) : .unless(object)
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        drop { $0 == " " || $0 == "\t" || $0 == "\r" }.withoutTrailingSpace
    }

    fileprivate var withoutTrailingSpace: Substring {
        var text = self
        while let last = text.last, last == " " || last == "\t" || last == "\r" { text.removeLast() }
        return text
    }
}
