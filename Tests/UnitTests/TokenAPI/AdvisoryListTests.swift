import Foundation
import Testing

/// That every advisory of `docs/advisories.md` has a test of its name, and every such test its row.
@Suite struct AdvisoryListTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
    private static var id: Regex<Substring> { /CVE-\d{4}-\d{4,}|GHSA(?:-[0-9a-z]{4}){3}|[a-z]+(?:\/[a-z]+)?#\d+/ }

    private static func ids(_ text: some StringProtocol) -> [String] {
        String(text).matches(of: id).map { String($0.output) }
    }

    /// The ids of each row, with what is in its last column.
    private static func rows() throws -> [(ids: [String], suites: [String])] {
        let text = try String(contentsOf: root.appending(path: "docs/advisories.md"), encoding: .utf8)
        return text.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|")
            guard cells.count == 3, let last = cells.last else { return nil }
            let found = ids(cells[0])
            let suites = last.split(separator: "`").map { String($0) }.filter { $0.hasSuffix("Tests") }
            return found.isEmpty ? nil : (found, suites)
        }
    }

    /// The ids in the names of a suite's tests.
    private static func named() throws -> [String: Set<String>] {
        var named: [String: Set<String>] = [:]
        let tests = FileManager.default.enumerator(at: root.appending(path: "Tests"), includingPropertiesForKeys: nil)
        while let file = tests?.nextObject() as? URL {
            guard file.pathExtension == "swift" else { continue }
            let text = try String(contentsOf: file, encoding: .utf8)
            for name in text.matches(of: /func\s+`([^`]+)`/) {
                let found = ids(name.output.1)
                if !found.isEmpty {
                    named[file.deletingPathExtension().lastPathComponent, default: []].formUnion(found)
                }
            }
        }
        return named
    }

    @Test func `every advisory has a test of its name where the table says`() throws {
        let rows = try Self.rows()
        let named = try Self.named()
        #expect(Set(rows.flatMap(\.ids)).count == rows.flatMap(\.ids).count, "an advisory is in two rows")
        #expect(rows.flatMap(\.ids).count == 47)
        for row in rows {
            #expect(!row.suites.isEmpty, "\(row.ids)")
            for suite in row.suites {
                for id in row.ids { #expect(named[suite]?.contains(id) == true, "\(suite) has no test of \(id)") }
            }
        }
    }

    @Test func `every test that is named after an advisory has its row`() throws {
        let rows = try Self.rows()
        for (suite, ids) in try Self.named() {
            for id in ids {
                let row = rows.first { $0.ids.contains(id) }
                #expect(row?.suites.contains(suite) == true, "\(id) of \(suite) is not in the table")
            }
        }
    }
}
