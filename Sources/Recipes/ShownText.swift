internal import HTTP
internal import JSON

/// Makes a provider's words fit to be shown: nothing secret, no control characters, bounded.
struct ShownText {
    /// What must not be seen, the longest first, so that no rest of a longer one stays.
    private let hidden: [[UInt8]]

    /// - Parameters:
    ///   - secrets: the credentials of the call; shorter than four characters they are no secrets and would garble every text.
    ///   - answer: its members with names like a token's or secret's are hidden too.
    init(hiding secrets: some Sequence<String>, and answer: JSON.Value? = nil) {
        var hidden: Set<String> = []
        for secret in Array(secrets) + (answer.map { ShownText.sensitive($0) } ?? []) where secret.utf8.count >= 4 {
            hidden.insert(secret)
            let encoded = PercentEncoding.encode(secret)
            let escaped = String(JSON.Value.string(secret).text.dropFirst().dropLast())
            for form in [
                encoded, ShownText.withLowerCaseEscapes(encoded), encoded.replacing("%20", with: "+"),
                escaped, escaped.replacing("/", with: "\\/"),
            ] { hidden.insert(form) }
        }
        self.hidden = hidden.map { Array($0.utf8) }.sorted { $0.count > $1.count }
    }

    /// `%2F` as `%2f`, as some servers write it.
    private static func withLowerCaseEscapes(_ encoded: String) -> String {
        var bytes = Array(encoded.utf8)
        for at in bytes.indices where bytes[at] == UInt8(ascii: "%") {
            for digit in at + 1..<min(at + 3, bytes.count) where (0x41...0x46).contains(bytes[digit]) {
                bytes[digit] += 0x20
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    func clean(_ text: String, limit: Int = 300) -> String {
        let text = ShownText.withoutTokens(withoutHidden(Array(text.utf8), atMost: 4 * limit))
        let scalars = text.unicodeScalars.map { ShownText.isShown($0) ? $0 : " " }
        return String(String(String.UnicodeScalarView(scalars)).prefix(limit))
    }

    /// The text up to that many bytes; what is hidden is found whole, also across that end.
    private func withoutHidden(_ text: [UInt8], atMost limit: Int) -> String {
        var shown: [UInt8] = []
        var at = 0
        while at < text.count, shown.count < limit {
            if let secret = hidden.first(where: { text[at...].starts(with: $0) }) {
                shown += "***".utf8
                at += secret.count
            } else {
                shown.append(text[at])
                at += 1
            }
        }
        return String(decoding: shown, as: UTF8.self)
    }

    /// Runs of 24 characters and more out of a token's alphabet go; hexadecimal groups joined by `-` (request ids) stay.
    private static func withoutTokens(_ text: String) -> String {
        var shown = ""
        var run = ""
        func endRun() {
            shown += run.utf8.count >= 24 && !isRequestID(run) ? "***" : run
            run = ""
        }
        for scalar in text.unicodeScalars {
            if isTokenCharacter(scalar) {
                run.unicodeScalars.append(scalar)
            } else {
                endRun()
                shown.unicodeScalars.append(scalar)
            }
        }
        endRun()
        return shown
    }

    private static func isTokenCharacter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            && (scalar.properties.isAlphabetic || ("0"..."9").contains(scalar)
                || "-_.~+/=%".unicodeScalars.contains(scalar))
    }

    private static func isRequestID(_ run: String) -> Bool {
        let groups = run.split(separator: "-", omittingEmptySubsequences: false)
        return groups.count > 1 && groups.allSatisfy { (1...12).contains($0.count) && $0.allSatisfy(\.isHexDigit) }
    }

    /// Control characters, line separators and what turns the direction of text are not shown.
    private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate, .unassigned: false
        default: true
        }
    }

    /// Strings under names that speak of a token, a secret and the like, wherever they are.
    private static func sensitive(_ value: JSON.Value, isSensitive: Bool = false) -> [String] {
        switch value {
        case .string(let text): isSensitive ? [text] : []
        case .array(let elements): elements.flatMap { sensitive($0, isSensitive: isSensitive) }
        case .object(let object):
            object.members.flatMap { name, member in
                let name = name.lowercased()
                let isNamed = sensitiveWords.contains { ShownText.contains(name, $0) }
                return sensitive(member, isSensitive: isSensitive || isNamed)
            }
        default: []
        }
    }

    private static let sensitiveWords = ["token", "ticket", "secret", "password", "assertion"]

    private static func contains(_ text: String, _ word: String) -> Bool {
        text.utf8.indices.contains { text.utf8[$0...].starts(with: word.utf8) }
    }
}
