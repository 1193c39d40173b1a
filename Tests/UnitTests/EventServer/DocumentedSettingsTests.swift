import Foundation
import Testing

/// README's table of settings, against the variables that the functions' sources read.
@Suite struct DocumentedSettingsTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL

    /// What is in no function.
    private static let tools: Set<String> = [
        "event-server", "EventServer", "Schedules", "YAML", "FakeProvider", "fake-provider", "token-server-admin",
        "cost-benchmark", "Costs", "Simulation", "simulate", "fuzz", "TestKit",
    ]
    /// What a cloud sets.
    private static let platforms = ["AWS_", "FC_", "ALIBABA_CLOUD_"]
    /// What `make run` and the platform read, and no function.
    private static let local: Set<String> = ["PLATFORM", "DATA"]

    private func text(_ path: String) throws -> String {
        try String(contentsOf: Self.root.appending(path: path), encoding: .utf8)
    }

    /// Names in capitals, in files that have to do with the environment; not where an error names one.
    private func variablesRead() throws -> Set<String> {
        var names: Set<String> = []
        let sources = Self.root.appending(path: "Sources")
        for module in try FileManager.default.contentsOfDirectory(atPath: sources.path())
        where !Self.tools.contains(module) {
            let files = FileManager.default.enumerator(atPath: sources.appending(path: module).path())
            while let file = files?.nextObject() as? String {
                guard file.hasSuffix(".swift") else { continue }
                let text = try text("Sources/\(module)/\(file)")
                guard text.contains("environment") else { continue }
                for match in text.matches(of: /(variable: )?"([A-Z][A-Z0-9]*(_[A-Z0-9]+)+|AUTH|PORT)"/)
                where match.1 == nil {
                    names.insert(String(match.2))
                }
            }
        }
        return names.filter { name in !Self.platforms.contains { name.hasPrefix($0) } }
    }

    private func variablesInTable() throws -> Set<String> {
        let section = try #require(try text("README.md").split(separator: "### Settings of the local platform").last)
        let table = section.split(separator: "\n").drop { !$0.hasPrefix("|---") }.dropFirst().prefix {
            $0.hasPrefix("|")
        }
        let names = table.compactMap { $0.split(separator: "|").first }.flatMap { $0.matches(of: /`([A-Z0-9_]+)`/) }
        return Set(names.map { String($0.1) })
    }

    @Test func `every variable that a function reads is in README's table, and no other`() throws {
        let read = try variablesRead()
        #expect(read.isSuperset(of: ["AUTH", "MASTER_KEYS", "MYSQL_PORT", "TRUSTED_PROXIES", "LOG_LEVEL"]))
        #expect(try variablesInTable() == read.union(Self.local))
    }

    @Test func `make run hands each of them on`() throws {
        let platform = try text("Sources/event-server/LocalPlatform.swift")
        for name in try variablesRead().subtracting(["PORT"]) {
            #expect(platform.contains("\"\(name)\""), "\(name)")
        }
    }
}
