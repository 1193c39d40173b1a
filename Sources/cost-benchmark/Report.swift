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
                            .object(JSON.Object(zip(table.columns, row).map { (name: $0, value: .string($1)) }))
                        }),
                ])
            })
    }

    /// Writes `NAME.md` and `NAME.json`.
    func write(to folder: String, name: String) throws(Failure) {
        var path = ""
        for part in folder.split(separator: "/", omittingEmptySubsequences: false) {
            path += path.isEmpty && part.isEmpty ? "/" : (path.isEmpty || path.hasSuffix("/") ? "" : "/") + part
            if !part.isEmpty { unsafe mkdir(path, 0o755) }
        }
        try Report.write(Array(markdown.utf8), to: "\(folder)/\(name).md")
        try Report.write(json.encoded, to: "\(folder)/\(name).json")
    }

    private static func write(_ bytes: [UInt8], to path: String) throws(Failure) {
        guard let file = unsafe fopen(path, "w") else { throw Failure(description: "cannot write \(path)") }
        let count = unsafe fwrite(bytes, 1, bytes.count, file)
        if unsafe fclose(file) != 0 || count != bytes.count { throw Failure(description: "cannot write \(path)") }
    }
}
