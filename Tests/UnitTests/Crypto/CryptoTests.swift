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
            ("", "", true), ("a", "a", true), ("a", "b", false), ("secret", "secreT", false),
            ("Xecret", "secret", false),
            ("secret", "secre", false), ("", "a", false),
        ])
    func `comparison is by every byte and the length`(left: String, right: String, areEqual: Bool) {
        #expect(ConstantTime.areEqual(Array(left.utf8), Array(right.utf8)) == areEqual)
    }
}
