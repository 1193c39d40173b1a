import Foundation
import JSON
import Testing

/// `cost-benchmark` as a user meets it: the built program, short measures, and what it says when it cannot go on.
@Suite(.serialized) struct CostBenchmarkTests {
    private static let program = LocalPlatform.products.appending(path: "cost-benchmark").path()

    /// - Parameter folder: takes the report.
    private func calls(_ options: [String], to folder: String) -> [String] {
        ["calls", "--programs", LocalPlatform.products.path(), "--output", folder] + options
    }

    @Test(arguments: [
        ("", "a measure is missing"), ("everything", "everything is no measure"),
        ("calls --rounds 3", "calls has no option --rounds"),
        ("refresh --seconds 3", "refresh has no option --seconds"),
        ("calls --calls", "--calls needs a value"), ("calls --calls 1 --calls 2", "--calls is given twice"),
        ("memory-hits --seconds soon", "--seconds must be a whole number from 1 to 600, not soon"),
        ("calls --platform aws", "--platform must be lambda or fc, not aws"),
        ("calls --platform fc --concurrency 4", "--concurrency is of no use with --platform fc"),
    ])
    func `a bad command is one line that says what is wrong`(command: String, message: String) throws {
        let run = try Program.run(Self.program, command.split(separator: " ").map { String($0) })
        #expect(run.status == 2)
        #expect(run.output == "")
        #expect(run.errors == "cost-benchmark: \(message); try cost-benchmark help\n")
    }

    @Test(arguments: ["calls", "memory-hits", "strangers"])
    func `a program that is missing is named, with what brings it, and no report is begun`(measure: String) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let output = folder + "/build/bench"
        let run = try Program.run(Self.program, [measure, "--programs", folder + "/bin", "--output", output])
        #expect(run.status == 1)
        let last = try #require(run.errors.split(separator: "\n").last)
        #expect(last.hasPrefix("cost-benchmark: \(folder)/bin/"))
        #expect(last.hasSuffix(" is missing: make bench builds it"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    }

    @Test func `a database that is of no use is told in one line, without its URL`() throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try Data("earlier".utf8).write(to: URL(filePath: folder + "/refresh.md"))
        for (url, message) in [
            (
                "sqlite:\(folder)/empty.db",
                "the schema is not the expected one (error 1): token-server-admin migrate makes it so"
            ),
            ("mysql://root:hidden@127.0.0.1:1/x", "the database does not answer"),
        ] {
            let run = try Program.run(
                Self.program, ["refresh", "--output", folder], environment: ["DATABASE_URL": url])
            #expect(run.status == 1)
            #expect(run.errors.hasSuffix("…\ncost-benchmark: DATABASE_URL: \(message)\n"))
            #expect(run.errors.contains("hidden") == false)
        }
        // The report of an earlier run is still there.
        #expect(try String(contentsOfFile: folder + "/refresh.md", encoding: .utf8) == "earlier")
        #expect(FileManager.default.fileExists(atPath: folder + "/refresh.json") == false)
    }

    @Test func `whoever is not at the top of the project is told so`() throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let run = try Program.run(
            "/bin/sh",
            ["-c", #"cd "$1" && shift && exec "$@""#, "sh", folder, Self.program] + calls([], to: folder))
        #expect(run.status == 1)
        #expect(run.errors.hasSuffix("\ncost-benchmark: ./bootstrap is missing: this runs at the top of the project\n"))
    }

    @Test func `a report that cannot be written is told before anything is measured`() throws {
        let run = try Program.run(Self.program, ["refresh", "--output", "/proc/nowhere"])
        #expect(run.status == 1)
        #expect(run.errors == "cost-benchmark: cannot write /proc/nowhere/refresh.md\n")
    }

    @Test(arguments: ["lambda", "fc"])
    func `the cost of calls is told in tables, and in numbers that add up`(cloud: String) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let concurrency = cloud == "fc" ? ["--instance-concurrency", "20"] : ["--concurrency", "4"]
        // Fewer descriptors than there are connections: a shell's limit is no reason to fail.
        let command =
            [Self.program] + calls(["--platform", cloud, "--calls", "500", "--seconds", "1"] + concurrency, to: folder)
        let run = try Program.run(
            "/bin/sh", ["-c", #"ulimit -Sn 256 && exec "$@""#, "sh"] + command, environment: ["PATH": "/usr/bin:/bin"])
        #expect(run.status == 0, "\(run.errors)")
        // Whoever waits sees how far it is: four loads, each told before and after.
        #expect(run.errors.split(separator: "\n").count { $0.contains(" of 4: ") } == 4)
        #expect(run.output.contains("| where | through the cache |"))
        #expect(run.output == (try String(contentsOfFile: folder + "/calls.md", encoding: .utf8)) + "\n")

        let tables = try JSON.Value(parsing: Data(contentsOf: URL(filePath: folder + "/calls.json"))).array ?? []
        let counted = try #require(tables.first?["rows"]?.array)
        #expect(counted.count == 2 + 3)
        for row in counted {
            for column in ["instances", "invocations", "failures", "billed ms", "GB-s", "yuan", "dollars"] {
                #expect(row[column]?.number != nil, "\(column)")
            }
        }
        for row in counted.prefix(2) {
            func number(_ column: String) throws -> Double { try #require(row[column]?.number?.double) }
            #expect(try number("invocations") >= 500)
            #expect(try number("failures") == 0)
            #expect(abs(try number("GB-s") - number("billed ms") / 8_000) < 0.000_1)
            if cloud == "lambda" {
                let sum = try number("invocations") * 0.000_000_2 + number("GB-s") * 0.000_016_666_7
                #expect(abs(try number("dollars") - sum) < 0.000_02)
            } else {
                // So few calls are under what an hour costs at least, each function for itself.
                #expect(try number("yuan") == (row["through the cache"] == "yes" ? 0.02 : 0.01))
                #expect(try number("idle s") == 60 * number("instances"))
            }
        }
        let predecessor = counted.suffix(3).compactMap { $0["yuan"]?.number?.text }
        #expect(predecessor == ["1.39570", "0.02733", "0.05247"])
        let timed = try #require(tables.dropFirst().first?["rows"]?.array)
        #expect(timed.count == 2 + 1)
        #expect(timed.last?["yuan per 10,000"]?.number?.text == "0.02733")
        #expect(timed.allSatisfy { $0["failed calls"] == 0 })
        // A busy machine may complete none in a second.
        #expect(timed.contains { ($0["calls"]?.number?.integer ?? 0) > 0 })
    }

    @Test(arguments: [SIGINT, SIGTERM]) func `one that is interrupted leaves neither process nor file`(
        signal: Int32
    ) throws {
        let folder = try ScratchFolder.make()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let run = try ProcessSession(
            Self.program, calls(["--calls", "300", "--seconds", "600"], to: folder),
            environment: ["PATH": "/usr/bin:/bin"],
            output: folder + "/output")
        let scratch = "/tmp/cost-benchmark-\(run.pid)"
        #expect(run.waitForLine(beginning: "cost-benchmark: calls 2 of 24", within: 120))
        // The load, the platform, its provider and at least one instance, beside itself.
        #expect(wait { run.members.count >= 5 })
        #expect(FileManager.default.fileExists(atPath: scratch))
        kill(run.pid, signal)
        let end = run.stop()
        #expect(end.status == 128 + signal)
        #expect(end.survivors == [])
        #expect(FileManager.default.fileExists(atPath: scratch) == false)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["output"])
        #expect(run.output.hasSuffix(" …\n"), "nothing is told of what it ended itself: \(run.output)")
    }
}
