import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// What hit other systems of this kind, each by the name of its advisory: what a request costs, and what its cost tells.
@Suite struct AdvisoryCostTests {
    @Test
    func `CVE-2025-59043, CVE-2025-6203 (Vault, OpenBao): no JSON is so intricate that it costs more than its bytes`()
        throws
    {
        let world = try World.withKeys()
        let deep = String(repeating: "[", count: 10_000) + String(repeating: "]", count: 10_000)
        let objects = String(repeating: "{\"a\":", count: 10_000) + "1" + String(repeating: "}", count: 10_000)
        let wide = "{" + (0..<60_000).map { "\"\($0)\":1" }.joined(separator: ",") + "}"
        let flat = "[" + String(repeating: "1,", count: 400_000) + "1]"
        let many = "{" + (0..<1_000_000).map { "\"\($0)\":1" }.joined(separator: ",") + "}"
        let twice = #"{"role":"reader","role":"admin"}"#
        // How far each is read: to the thirty-third bracket, the twenty-thousandth value, the second name.
        for (body, status, read) in [
            (deep, 400, 0...32), (#"{"role":\#(deep)}"#, 400, 0...48), (objects, 400, 0...200),
            (wide, 400, 0...120_000),
            (flat, 400, 0...40_010), (twice, 400, 0...17),
        ] {
            let answer = try world.send(.post, "/api/key", body, as: World.key)
            #expect(answer.status == status)
            let offset = answer.json["detail"]?.string?.split(separator: " ").last.flatMap { Int($0) }
            #expect(read.contains(try #require(offset, "\(answer.text)")), "\(answer.text)")
            #expect(try world.send(.post, "/api/key", body).status == 401)
        }
        // Not read at all.
        #expect(try world.send(.post, "/api/key", many, as: World.key).status == 413)
        #expect(try world.send(.post, "/api/key", many).status == 401)
    }

    @Test func `CVE-2025-6011, CVE-2025-54999 (OpenBao): an unknown key and a wrong one are refused alike`() throws {
        let world = try World.withKeys()
        try world.registerAsAdministrator("a")
        let made = try world.makeKey(#"{"role":"operator","ip":["203.0.113.9"]}"#)
        let secret = String(repeating: "0", count: 64)
        for target in ["/api/secret", "/api/realm", "/api/key", "/api/token?realm=a&key=app", "/readyz"] {
            let wrong = try world.send(.get, target, as: "ts_\(made.id)_\(secret)")
            let unknown = try world.send(.get, target, as: "ts_0123456789abcdef_\(secret)")
            #expect(wrong.status == 401)
            #expect(wrong.response.body == unknown.response.body)
            #expect(wrong.response.fields == unknown.response.fields)
        }
    }
}
