internal import Glibc
internal import JSON

/// Tables for people and the same figures for programs.
struct Report {
    struct Table {
        let title: String
        let columns: [String]
        var rows: [[String]]
    }

    struct Failure: Error, CustomStringConvertible {
        let description: String
    }

    var tables: [Table]

    var markdown: String {
        tables.map { table in
            var lines = ["### \(table.title)", ""]
            lines.append("| " + table.columns.joined(separator: " | ") + " |")
            lines.append("|" + String(repeating: " --- |", count: table.columns.count))
            lines += table.rows.map { "| " + $0.joined(separator: " | ") + " |" }
            return lines.joined(separator: "\n") + "\n"
        }.joined(separator: "\n")
    }

    private var json: JSON.Value {
        .array(
            tables.map { table in
                .object([
                    "title": .string(table.title),
                    "rows": .array(
                        table.rows.map { row in
                            .object(
                                JSON.Object(zip(table.columns, row).map { (name: $0, value: Report.value(of: $1)) }))
                        }),
                ])
            })
    }

    /// A cell for programs: a number as one, a median with the least and the most as its three numbers, `–` as null, else the text.
    private static func value(of cell: String) -> JSON.Value {
        func number(_ text: Substring) -> JSON.Value? {
            (try? JSON.Value(parsing: text.utf8)).flatMap { $0.number == nil ? nil : $0 }
        }
        if cell == "–" { return .null }
        if let number = number(cell[...]) { return number }
        let words = cell.split(separator: " ")
        guard words.count == 4, words[1].hasPrefix("("), words[2] == "–", words[3].hasSuffix(")"),
            let median = number(words[0]), let least = number(words[1].dropFirst()),
            let most = number(words[3].dropLast())
        else { return .string(cell) }
        return ["median": median, "least": least, "most": most]
    }

    /// The cell that such a value was made of.
    static func cell(of value: JSON.Value) -> String {
        if case .string(let text) = value { return text }
        if let number = value.number { return number.text }
        let parts = ["median", "least", "most"].compactMap { value[$0]?.number?.text }
        return parts.count == 3 ? "\(parts[0]) (\(parts[1]) – \(parts[2]))" : "–"
    }

    /// Tries whether `NAME.md` and `NAME.json` can be written: a report that cannot be is not worth waiting for.
    ///
    /// It leaves what it found, so that a run without a result leaves nothing.
    static func tryPlace(_ folder: String, name: String) throws(Failure) {
        let made = makeFolders(folder)
        defer { for folder in made.reversed() { unsafe rmdir(folder) } }
        for file in ["md", "json"] {
            let path = "\(folder)/\(name).\(file)"
            let isNew = unsafe access(path, F_OK) != 0
            try write([], to: path, mode: "a")
            if isNew { unsafe unlink(path) }
        }
    }

    /// Writes `NAME.md` and `NAME.json` into a folder, which is made where it is missing.
    func write(to folder: String, name: String) throws(Failure) {
        _ = Report.makeFolders(folder)
        try Report.write(Array(markdown.utf8), to: "\(folder)/\(name).md")
        try Report.write(json.encoded, to: "\(folder)/\(name).json")
    }

    /// Answers those that were missing, the outer ones first.
    private static func makeFolders(_ folder: String) -> [String] {
        var made: [String] = []
        var path = ""
        for part in folder.split(separator: "/", omittingEmptySubsequences: false) {
            path += path.isEmpty && part.isEmpty ? "/" : (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if !part.isEmpty, unsafe mkdir(path, 0o755) == 0 { made.append(path) }
        }
        return made
    }

    private static func write(_ bytes: [UInt8], to path: String, mode: String = "w") throws(Failure) {
        guard let file = unsafe fopen(path, mode) else { throw Failure(description: "cannot write \(path)") }
        let count = unsafe fwrite(bytes, 1, bytes.count, file)
        if unsafe fclose(file) != 0 || count != bytes.count { throw Failure(description: "cannot write \(path)") }
    }
}
