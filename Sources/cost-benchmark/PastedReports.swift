/// Reports in the project's own texts, between marks, so that one command puts a new run in the place of the last.
///
/// `<!-- bench: NAME -->` begins one, `<!-- end of NAME -->` ends it; each on a line of its own.
enum PastedReports {
    static let files = ["README.md", "docs/cost.md"]

    /// - Parameter folder: has the reports as Markdown.
    /// - Throws: `BenchmarkFailure` where a report or an end is not there; no file is changed then.
    static func paste(from folder: String) throws {
        try Summary.read(from: folder).write(to: folder, name: "summary")
        let texts = try files.map { file in
            let text = TextFile.read(file)
            if text.isEmpty {
                throw BenchmarkFailure(description: "\(file) is missing: paste at the top of the project")
            }
            return try pasted(text, of: file) { name in
                let path = "\(folder)/\(name).md"
                let report = TextFile.read(path)
                if report.isEmpty { throw BenchmarkFailure(description: "\(path) is missing: make bench writes it") }
                return report
            }
        }
        for (file, text) in zip(files, texts) { try TextFile.write(text, to: file) }
    }

    private static func pasted(_ text: String, of file: String, report: (Substring) throws -> String) throws -> String {
        let start = "<!-- bench: "
        var lines: [String] = []
        var end: String?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if let mark = end {
                if line != mark { continue }
                end = nil
            } else if line.hasPrefix(start), line.hasSuffix(" -->") {
                let name = line.dropFirst(start.count).dropLast(4)
                end = "<!-- end of \(name) -->"
                lines += [String(line), "", try report(name)]
                continue
            }
            lines.append(String(line))
        }
        if let end { throw BenchmarkFailure(description: "\(file) lacks \(end)") }
        return lines.joined(separator: "\n")
    }
}
