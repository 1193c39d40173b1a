import Foundation
import Testing

/// `cost-benchmark paste`: one whole run in the place of the last, in README.md and docs/cost.md.
@Suite struct PastedReportTests {
    /// A folder with texts that have marks, and with reports; all reports where none is left out.
    private func project(without missing: String = "", readme: String? = nil) throws -> String {
        let folder = try ScratchFolder.make()
        let readme = readme ?? "# Title\n\n<!-- bench: summary -->\nold\n<!-- end of summary -->\n\nafter\n"
        try Program.write(readme, to: folder + "/README.md")
        try Program.write(
            "before\n<!-- bench: calls -->\n\nold\n\n<!-- end of calls -->\nafter\n", to: folder + "/docs/cost.md")
        let calls = [
            "AWS Lambda, 20 instances at most", "Function Compute, 1 at once", "Function Compute, 100 at once",
        ]
        .map { ($0, "no") }
        let others = [
            ("AWS Lambda, 20 instances at most", "yes"), ("Function Compute, 200 at once", "yes"),
            ("the predecessor, as its README printed it", "no"),
            ("the predecessor, recomputed from the same run", "no"),
            ("the predecessor, recomputed, by today's tariff", "no"),
        ]
        let rows = (calls + others).map {
            #"{"where":"\#($0)","through the cache":"\#($1)","instances":7,"GB-s":1.5,"yuan":0.01472,"dollars":0.00202}"#
        }
        func measured(_ names: [String]) -> String {
            let ratio = #""ratio (least – most)":{"median":0.81,"least":0.70,"most":0.90},"aim":"≥ 0.7""#
            return "{\(names.map { #""\#($0)":"\#($0)""# }.joined(separator: ",")),\"ours\":5,\"theirs\":6,\(ratio)}"
        }
        func hits(_ measure: String) -> String {
            #"{"connections":"keep-alive","measure":"\#(measure)","ours":5,"theirs":6,"#
                + #""ratio (least – most)":{"median":0.81,"least":0.70,"most":0.90},"aim":"≥ 0.7"}"#
        }
        func table(_ rows: [String]) -> String { #"{"title":"t","rows":[\#(rows.joined(separator: ","))]}"# }
        let memory = table([hits("requests/s"), hits("CPU µs per request")])
        let reports = [
            "calls": table(rows), "memory-hits": memory + "," + memory,
            "database-hits": table([measured(["per second"])]),
            "hung-provider": table([measured(["p99 ms"])]),
        ]
        for (name, tables) in reports where name != missing {
            try Program.write("[\(tables)]", to: "\(folder)/build/bench/\(name).json")
            try Program.write("### new \(name)\n", to: "\(folder)/build/bench/\(name).md")
        }
        return folder
    }

    private func paste(in folder: String) throws -> Program {
        try Program.run(
            "/bin/sh",
            [
                "-c", #"cd "$1" && exec "$2" paste"#, "sh", folder,
                LocalPlatform.products.appending(path: "cost-benchmark").path(),
            ])
    }

    private func texts(of folder: String) throws -> [String] {
        try ["README.md", "docs/cost.md"].map { try String(contentsOfFile: "\(folder)/\($0)", encoding: .utf8) }
    }

    @Test func `a run is pasted between the marks, as often as one likes`() throws {
        let folder = try project()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for _ in 0..<2 {
            let run = try paste(in: folder)
            #expect(run.status == 0, "\(run.errors)")
            let found = try texts(of: folder)
            #expect(found[1] == "before\n<!-- bench: calls -->\n\n### new calls\n\n<!-- end of calls -->\nafter\n")
            #expect(found[0].hasPrefix("# Title\n\n<!-- bench: summary -->\n\n### "))
            #expect(found[0].hasSuffix("\n\n<!-- end of summary -->\n\nafter\n"))
            #expect(found[0].contains("| Function Compute, 200 at once | yes | 7 | 0.01472 | 0.00202 |"))
            #expect(found[0].contains("per second | 5 | 6 | 0.81 (0.70 – 0.90) | ≥ 0.7 |"))
            #expect(found[0].contains("old") == false)
        }
    }

    @Test(arguments: ["calls", "memory-hits", "database-hits", "hung-provider"])
    func `where a report is missing, it is named and no text changes`(missing: String) throws {
        let folder = try project(without: missing)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let before = try texts(of: folder)
        let run = try paste(in: folder)
        #expect(run.status == 1)
        #expect(run.errors == "cost-benchmark: build/bench/\(missing).json is missing: make bench writes it\n")
        #expect(try texts(of: folder) == before)
    }

    @Test func `a mark without an end changes no text`() throws {
        let folder = try project(readme: "<!-- bench: summary -->\nall that follows\n")
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let before = try texts(of: folder)
        let run = try paste(in: folder)
        #expect(run.status == 1)
        #expect(run.errors == "cost-benchmark: README.md lacks <!-- end of summary -->\n")
        #expect(try texts(of: folder) == before)
    }
}
