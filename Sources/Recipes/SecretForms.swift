internal import HTTP

/// Finds secrets in a text in whatever form somebody could have written them: in either case, in base64 or base64url wherever
/// it begins, in hexadecimal, with bytes escaped as in URLs, JSON or HTML, whole or in part.
///
/// A part of twelve characters is found, and a form that is shorter than that where it is whole. Case, and what tells the two
/// alphabets of base64 apart, is looked over: it hides a little more than it must.
struct SecretForms {
    private static let shortestPart = 12
    /// Shorter ones are no secrets and would garble every text.
    private static let shortestSecret = 4
    /// A form that is found has so many bytes of which one is kept by.
    private static let keyBytes = 4

    private var forms: [[UInt8]] = []
    /// Places in the forms by the four bytes there: all that is found holds one of them whole.
    private var places: [UInt32: [(form: Int, offset: Int)]] = [:]

    init(_ secrets: some Sequence<String>) {
        for secret in Set(secrets) where secret.utf8.count >= SecretForms.shortestSecret {
            let bytes = Array(secret.utf8)
            add(bytes)
            // Shorter, and they could be part of any word.
            guard bytes.count > SecretForms.shortestSecret else { continue }
            // A client's name and secret are encoded as in a form before they are a user and a password (RFC 6749, 2.3.1).
            let encoded = PercentEncoding.encode(secret)
            for bytes in Set([bytes, Array(encoded.utf8), Array(encoded.replacing("%20", with: "+").utf8)]) {
                for skipped in [0, 4, 2] { add(SecretForms.base64(bytes, skippingBits: skipped)) }
            }
            add(bytes.flatMap { Array(String($0 >> 4, radix: 16).utf8) + Array(String($0 & 15, radix: 16).utf8) })
        }
    }

    private mutating func add(_ form: [UInt8]) {
        let form = form.map(SecretForms.folded)
        let step =
            form.count < SecretForms.shortestPart ? form.count : SecretForms.shortestPart - SecretForms.keyBytes + 1
        for offset in stride(from: 0, through: form.count - SecretForms.keyBytes, by: step) {
            places[SecretForms.key(form, offset), default: []].append((forms.count, offset))
        }
        forms.append(form)
    }

    /// Marks the bytes of a text that show something of a secret.
    func mark(_ text: EscapedText, in isHidden: inout [Bool]) {
        let bytes = text.bytes.map(SecretForms.folded)
        var at = 0
        while at + SecretForms.keyBytes <= bytes.count {
            var end = at + 1
            for (form, offset) in places[SecretForms.key(bytes, at)] ?? [] {
                guard let range = shown(forms[form], offset, in: bytes, at) else { continue }
                for place in range { for byte in text.ranges[place] { isHidden[byte] = true } }
                end = max(end, range.upperBound)
                if end == bytes.count { break }
            }
            at = end
        }
    }

    /// What of the form stands in the text around a place that both have in common; nil where that is too little.
    private func shown(_ form: [UInt8], _ offset: Int, in bytes: [UInt8], _ at: Int) -> Range<Int>? {
        var before = 0
        while before < min(offset, at), form[offset - before - 1] == bytes[at - before - 1] { before += 1 }
        var after = 0
        while offset + after < form.count, at + after < bytes.count, form[offset + after] == bytes[at + after] {
            after += 1
        }
        return before + after >= min(form.count, SecretForms.shortestPart) ? at - before..<at + after : nil
    }

    private static func key(_ bytes: [UInt8], _ at: Int) -> UInt32 {
        bytes[at..<at + keyBytes].reduce(0) { $0 << 8 | UInt32($1) }
    }

    /// Lower case; `-`, `_` and a blank as `+`, `/` and the `+` of a form.
    private static func folded(_ byte: UInt8) -> UInt8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"): byte + 0x20
        case UInt8(ascii: "-"), UInt8(ascii: " "): UInt8(ascii: "+")
        case UInt8(ascii: "_"): UInt8(ascii: "/")
        default: byte
        }
    }

    /// The digits of base64 that these bytes alone decide, where the first of them has so many bits of them before it.
    private static func base64(_ bytes: [UInt8], skippingBits skipped: Int) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return stride(from: skipped, through: bytes.count * 8 - 6, by: 6).map { bit in
            let next = bit / 8 + 1 < bytes.count ? bytes[bit / 8 + 1] : 0
            let pair = UInt16(bytes[bit / 8]) << 8 | UInt16(next)
            return alphabet[Int(pair >> (10 - bit % 8) & 0x3F)]
        }
    }
}
