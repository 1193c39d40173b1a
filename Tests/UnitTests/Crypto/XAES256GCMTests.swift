import Crypto
import Log
import Testing

@Suite struct XAES256GCMTests {
    private static let nonce = Array("ABCDEFGHIJKLMNOPQRSTUVWX".utf8)

    /// The vectors of https://c2sp.org/XAES-256-GCM: one for each way that the subkey's doubling can go.
    @Test(arguments: [
        (UInt8(1), "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"),
        (UInt8(3), "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"),
    ])
    func `it gives the specification's ciphertexts, and opens them`(
        _ key: UInt8, _ context: String, _ ciphertext: String
    ) throws {
        let cipher = try XAES256GCM(key: Redacted(Array(repeating: key, count: 32)))
        let context = Array(context.utf8)
        var sealed = try cipher.seal(Array("XAES-256-GCM".utf8), context: context, nonce: Self.nonce)
        #expect(Array(sealed.prefix(24)) == Self.nonce)
        #expect(Hex.encode(Array(sealed.dropFirst(24))) == ciphertext)
        let isOpen = try cipher.open(&sealed, context: context)
        #expect(isOpen)
        #expect(String(decoding: sealed, as: UTF8.self) == "XAES-256-GCM")
    }

    @Test(arguments: [0, 1, 15, 16, 17, 4_000])
    func `what was sealed opens, whatever its length, and no two sealings are alike`(_ length: Int) throws {
        let cipher = try XAES256GCM(key: Redacted(Array(repeating: 9, count: 32)))
        let plaintext = (0..<length).map { UInt8(truncatingIfNeeded: $0) }
        let first = try cipher.seal(plaintext, context: [1])
        let second = try cipher.seal(plaintext, context: [1])
        #expect(first.count == 24 + length + 16)
        #expect(first != second)
        for var sealed in [first, second] {
            let isOpen = try cipher.open(&sealed, context: [1])
            #expect(isOpen)
            #expect(sealed == plaintext)
        }
    }

    @Test func `one changed bit, another context, another key or a part does not open`() throws {
        let cipher = try XAES256GCM(key: Redacted(Array(repeating: 9, count: 32)))
        let other = try XAES256GCM(key: Redacted(Array(repeating: 8, count: 32)))
        let sealed = try cipher.seal(Array("a secret".utf8), context: [1, 2])
        for bit in 0..<(8 * sealed.count) {
            var changed = sealed
            changed[bit / 8] ^= 1 << UInt8(bit % 8)
            let isOpen = try cipher.open(&changed, context: [1, 2])
            #expect(!isOpen, "bit \(bit)")
        }
        for length in 0..<sealed.count {
            var part = Array(sealed.prefix(length))
            let isOpen = try cipher.open(&part, context: [1, 2])
            #expect(!isOpen, "\(length) bytes")
        }
        for context: [UInt8] in [[], [1], [1, 2, 3], [2, 1]] {
            var copy = sealed
            let isOpen = try cipher.open(&copy, context: context)
            #expect(!isOpen)
        }
        var copy = sealed
        let isOpen = try other.open(&copy, context: [1, 2])
        #expect(!isOpen)
    }
}
