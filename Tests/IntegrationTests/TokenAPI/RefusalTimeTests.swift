import Crypto
import Foundation
import JSON
import Testing

/// What the time of a refusal tells, over HTTP, from a real function on a real database.
@Suite(.serialized, .enabled(if: !isUnderThreadSanitizer))
struct RefusalTimeTests {
    private static let administrator = "an administrator's key"

    @Test(arguments: Driver.allCases)
    func `CVE-2025-6011, CVE-2025-54999 (OpenBao): the time of a refusal does not tell whether a key exists`(
        _ driver: Driver
    ) throws {
        let database = try driver.migratedDatabase()
        let environment = [
            "DATABASE_URL": database.url, "AUTH": "keys", "TRUSTED_PROXIES": "127.0.0.1",
            "ADMIN_KEY_SHA256": try SHA256.hexDigest(Array(Self.administrator.utf8)),
        ]
        try ServingFunction.run("token-server", environment) { function in
            let made = try function.send(
                "POST", "/api/key",
                fields: [
                    (name: "Authorization", value: "Bearer \(Self.administrator)"),
                    // Bad keys are counted by address: no two come from the same.
                    (name: "X-Forwarded-For", value: "192.0.2.1"),
                ],
                json: #"{"role": "operator"}"#)
            let id = try #require(try made.json()["id"]?.string, "\(made.text)")
            let zeros = String(repeating: "0", count: 64)
            let keys = ["ts_\(id)_\(zeros)", "ts_0123456789abcdef_\(zeros)"]
            let connection = try RawHTTPConnection(port: function.port)
            var times: [[Duration]] = [[], []]
            for turn in -100..<1_500 {
                // Each comes first as often as the other.
                for which in turn % 2 == 0 ? [0, 1] : [1, 0] {
                    let number = 2 * (turn + 100) + which
                    let fields = [
                        "Authorization: Bearer \(keys[which])",
                        "X-Forwarded-For: 10.\(which).\(number / 256).\(number % 256)",
                    ]
                    let start = ContinuousClock.now
                    let status = try connection.request("GET", "/api/realm", fields: fields).status
                    let took = ContinuousClock.now - start
                    try #require(status == 401)
                    if turn >= 0 { times[which].append(took) }
                }
            }
            let share = Self.shareOfGreater(times[0], than: times[1])
            #expect((0.25...0.75).contains(share))
        }
    }

    /// How often one of the first is greater than one of the second, of all pairs: a half where they are alike, 0 or 1 where they
    /// do not overlap.
    private static func shareOfGreater(_ first: [Duration], than second: [Duration]) -> Double {
        let greater = first.map { value in second.count { $0 < value } }.reduce(0, +)
        return Double(greater) / Double(first.count * second.count)
    }
}
