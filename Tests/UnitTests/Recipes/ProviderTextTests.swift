import Foundation
import HTTP
import Recipes
import TestKit
import Testing
import Tokens

/// What of a provider's words may be shown: nothing of a credential, however the provider writes it.
@Suite struct ProviderTextTests {
    /// Both texts of a failure that this answer leads to.
    private func shown(_ message: String, _ credentials: [String: String]) throws -> String {
        let text = try String(
            decoding: JSONEncoder().encode(["error": "e", "error_description": message]), as: UTF8.self)
        let client = ScriptedClient(400, text)
        let outcome = try MintFixture.mint(client, MintFixture.material(MintFixture.recipe(""), credentials))
        let failure = try #require(MintFixture.failure(outcome))
        return try #require(failure.message) + failure.detail
    }

    // MARK: Ways to write a text

    private static func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
    private static func escaped(_ text: String, _ escape: (UInt8) -> String) -> String {
        text.utf8.map { escape($0) }.joined()
    }
    private static func hex(_ byte: UInt8) -> String { (byte < 16 ? "0" : "") + String(byte, radix: 16) }

    private static func inForm(_ text: String) -> String {
        let allowed = CharacterSet(charactersIn: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-._")
        return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
    }

    private static let ways: [(name: String, write: @Sendable (String) -> String)] = [
        ("as it is", { $0 }), ("upper case", { $0.uppercased() }), ("lower case", { $0.lowercased() }),
        ("base64", base64), ("base64 behind one byte", { base64("x" + $0 + "tail") }),
        ("base64 behind two bytes", { base64("xy" + $0 + "tail") }), ("a password", { base64("id:" + $0) }),
        ("an encoded password", { base64("client:" + inForm($0)) }),
        ("base64url", { base64($0).replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "") }),
        ("hexadecimal", { escaped($0, hex) }), ("upper hexadecimal", { escaped($0, hex).uppercased() }),
        ("in URLs", { escaped($0) { "%" + hex($0) } }),
        ("in URLs, twice", { escaped($0) { "%25" + hex($0).uppercased() } }), ("in forms", inForm),
        ("in JSON", { escaped($0) { "\\u00" + hex($0) } }), ("in C", { escaped($0) { "\\x" + hex($0) } }),
        ("in PHP", { $0.replacing("\\", with: "\\\\").replacing("/", with: "\\/").replacing("\"", with: "\\\"") }),
        ("in HTML", { escaped($0) { "&#\($0);" } }), ("in HTML, hexadecimal", { escaped($0) { "&#x\(hex($0));" } }),
        ("base64 in URLs", { escaped(base64($0)) { "%" + hex($0) } }),
    ]

    private static let alphabets = [
        (0x21...0x7E).map { UInt8($0) }, Array("0123456789abcdef".utf8),
        Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789".utf8),
    ]

    @Test(arguments: ways.indices)
    func `no form of a credential is shown, whole or in part`(way: Int) throws {
        let write = Self.ways[way].write
        var random = Random(seed: UInt64(way))
        for turn in 0..<150 {
            let alphabet = random.pick(Self.alphabets)
            let length = Int(random.within(turn % 2 == 0 ? 8...15 : 12...80))
            let secret = String(decoding: (0..<length).map { _ in random.pick(alphabet) }, as: UTF8.self)
            // A part that is shorter than twelve says little, and may be a word.
            let part =
                length < 16 || random.chance(0.5)
                ? secret : String(secret.suffix(Int(random.within(16...Int64(length)))))
            let written = write(part)
            let (before, after) = random.pick([
                ("wrong ", " given"), ("secret=", "&x=1"), ("(", ")"), ("'", "'"), ("", ""),
            ])
            let text = try shown(before + written + after, ["secret": secret, "app": "an-application"])
            let least = min(12, written.utf8.count)
            let windows = (0...written.count - least).map { String(written.dropFirst($0).prefix(least)) }
            let found = windows.first { text.contains($0) }
            #expect(found == nil, "\(Self.ways[way].name): \(secret) in \(before + written + after): \(text)")
            #expect(text.hasPrefix(before.dropLast()), "\(text)")
        }
    }

    @Test func `a secret of letters that are not ASCII is not shown either`() throws {
        let secret = "pässwörd-密码"
        for written in [
            secret, "p%C3%A4ssw%C3%B6rd-%E5%AF%86%E7%A0%81", "p\\u00e4ssw\\u00f6rd-\\u5bc6\\u7801",
            "p&#228;ssw&#246;rd-&#x5bc6;&#x7801;", Self.base64(secret),
        ] {
            #expect(try shown("bad \(written)", ["secret": secret]).hasPrefix("bad ***"), "\(written)")
        }
    }

    @Test func `what says nothing of a credential is shown as it is`() throws {
        var random = Random(seed: 1)
        for message in [
            "invalid credential, access_token is invalid or not latest, rid: 5f3c1e2a-6b7d8e9f",
            "not allow to access from your ip, hint: [1563952432_1]",
            "The client is not authorised: 100% of 5 & more \\o/",
            "appid missing, hints: [ req_id: abc12 ]",
        ] {
            for _ in 0..<50 {
                let alphabet = random.pick(Self.alphabets)
                let secrets = (0..<5).map { number in
                    (
                        "key_\(number)",
                        String(
                            decoding: (0..<random.pick([8, 32, 43])).map { _ in random.pick(alphabet) }, as: UTF8.self)
                    )
                }
                let text = try shown(message, Dictionary(uniqueKeysWithValues: secrets))
                #expect(text.hasPrefix(message), "\(text)")
            }
        }
    }

    @Test func `a text of a provider that means ill costs little more than its bytes`() throws {
        let same = String(repeating: "a", count: 16_000)
        let text = try shown(same, ["secret": same, "other": String(same.dropLast())])
        #expect(text.hasPrefix("***"))
        let escapes = String(repeating: "%25", count: 5_000)
        #expect(try shown(escapes, ["secret": same]).count < 500)
    }
}
