import Foundation
import Testing

/// A developer builds the functions anew while the local platform runs.
@Suite struct ReplacedProgramTests {
    /// The processes of `token-server`; one that is being ended counts.
    private func servers(_ platform: LocalPlatform) -> [pid_t] {
        platform.process.members.filter { member in
            (try? String(contentsOfFile: "/proc/\(member)/comm", encoding: .utf8)) == "token-server\n"
        }
    }

    @Test(arguments: ["lambda", "fc"])
    func `the program behind the bootstrap is replaced, and its instances with it`(cloud: String) throws {
        let folder = try ScratchFolder.make()
        let products = LocalPlatform.products.path()
        let names = "event-server token-server token-server-cache token-server-admin fake-provider"
        let copied = try Program.run(
            "/bin/sh", ["-c", "cd \(products) && cp -l \(names) \(folder) || cp \(names) \(folder)"])
        try #require(copied.status == 0, "\(copied.errors)")
        let options = ["--platform", cloud, "--concurrency", "1"]
        try LocalPlatform.run(options: options, programs: URL(filePath: folder)) { platform in
            func pong() throws { #expect(try OneShotHTTP.send("GET", platform.url + "/pong").status == 200) }
            try pong()
            let before = servers(platform)
            #expect(before.count == 1)
            try pong()
            #expect(servers(platform) == before)
            // As a linker does it: made beside the old one, then put in its place.
            let replace = "cd \(folder) && cp token-server new && sleep 0.3 && mv new token-server"
            let replaced = try Program.run("/bin/sh", ["-c", replace])
            #expect(replaced.status == 0)
            try pong()
            #expect(servers(platform).contains { !before.contains($0) })
            // The old one is gone in a moment.
            wait { Set(servers(platform)).isDisjoint(with: before) }
            #expect(servers(platform).count == 1)
            #expect(Set(servers(platform)).isDisjoint(with: before))
        }
    }
}
