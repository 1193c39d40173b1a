import Foundation
import JSON
import Locks
import Testing

/// What the functions cost in memory: the smallest instance of either cloud has 128 MB.
///
/// The thread sanitizer keeps books of its own on every byte.
@Suite(.enabled(if: !isUnderThreadSanitizer))
struct FootprintTests {
    @Test func `a thousand tokens and 200 connections leave the cache under 8 MiB of its own, the server 12`() throws {
        let database = try Driver.mariaDB.migratedDatabase()
        try ServingFunction.withServer(database: database.url) { server, _ in
            try ServingFunction.run("token-server-cache", ["TOKEN_SERVER_URL": server.url]) { cache in
                let sources = Lock<[String: Int]>([:])
                // Every worker of both has had work, and with it its connections.
                concurrently(20) { caller in
                    for number in 0..<50 {
                        let key = "k\(caller)-\(number)"
                        let secret = #"{"realm": "wx", "key": "\#(key)", "key_1": "\#(key)"}"#
                        // A machine that is wanted elsewhere may be late with one of them.
                        for _ in 0..<5 where (try? cache.send("POST", "/api/secret", json: secret).status) != 200 {}
                    }
                }
                concurrently(20) { caller in
                    for number in 0..<50 {
                        let path = "/api/token?realm=wx&key=k\(caller)-\(number)"
                        func source() -> String? { try? cache.send("GET", path).json()["source"]?.string }
                        for _ in 0..<5 where source() == nil {}
                        // At once, while it stands: the cache knows it for a minute.
                        let again = source()
                        sources.withLock { $0[again ?? "none", default: 0] += 1 }
                    }
                }
                #expect(sources.withLock { $0 } == ["memory": 1_000])
                // As many connections as the platform has to an instance, kept open and then each for one request.
                for kept in [["-k"], []] {
                    let load = [
                        "-q", "-s", "300", "-c", "200", "-n", "5000", "\(cache.url)/api/token?realm=wx&key=k0-0",
                    ]
                    let text = try Program.run("/usr/bin/ab", kept + load).output
                    #expect(text.contains("Complete requests:      5000"), "\(text)")
                }
                // Their buffers, three megabytes and more, are given back within a second or so.
                try wait { try cache.ownMemory < 7 << 10 }
                print("RssAnon: cache \(try cache.ownMemory) KiB, server \(try server.ownMemory) KiB")
                #expect(try cache.ownMemory < 8 << 10)
                #expect(try server.ownMemory < 12 << 10)
            }
        }
    }
}
