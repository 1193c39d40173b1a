import Crypto
import Testing

@Suite struct CryptoTests {
    @Test(
        arguments: [
            // FIPS 180-4 examples.
            ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (
                "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
            ),
        ])
    func `SHA-256 gives the standard's digests`(text: String, digest: String) throws {
        #expect(try SHA256.hexDigest(Array(text.utf8)) == digest)
        #expect(try SHA256.digest(Array(text.utf8)).count == 32)
    }

    @Test(
        arguments: [
            // RFC 4648, 10.
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ])
    func `base64 goes both ways as the RFC's vectors say`(text: String, encoded: String) {
        #expect(Base64.encode(Array(text.utf8)) == encoded)
        #expect(Base64.decode(encoded) == Array(text.utf8))
    }

    @Test func `base64 carries every byte`() {
        let bytes = (0...255).map { UInt8($0) }
        #expect(Base64.decode(Base64.encode(bytes)) == bytes)
        #expect(Base64.decode("+/+/") == [0xFB, 0xFF, 0xBF])
    }

    @Test(arguments: [
        "Zg", "Zg=", "Zg===", "=", "====", "Z===", "Zh==", "Zm9=", "Zm 9v", "Zm9v\n", "Zg==Zg==", "-_-_", "Zm8é",
    ])
    func `base64 that is not canonical is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(
        arguments: [
            ("", "", true), ("a", "a", true), ("a", "b", false), ("secret", "secreT", false),
            ("Xecret", "secret", false),
            ("secret", "secre", false), ("", "a", false),
        ])
    func `comparison is by every byte and the length`(left: String, right: String, areEqual: Bool) {
        #expect(ConstantTime.areEqual(Array(left.utf8), Array(right.utf8)) == areEqual)
    }

    @Test func `random values have the size asked for and do not repeat`() {
        #expect(Random.bytes(0).isEmpty)
        #expect(Random.hex(bytes: 16).utf8.count == 32)
        #expect(Set((0..<1_000).map { _ in Random.hex(bytes: 16) }).count == 1_000)
        #expect(Set(Random.bytes(10_000)).count == 256)
    }
}
