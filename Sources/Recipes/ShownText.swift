internal import JSON

/// Makes a provider's words fit to be shown: nothing secret, no control characters, bounded.
struct ShownText {
    /// Bytes of a text that are looked at: what is shown is far less.
    private static let lookedAt = 4_096
    /// An escape may itself be escaped, as often as this.
    private static let levels = 3

    private let secrets: [String]
    private let answer: JSON.Value?

    /// - Parameters:
    ///   - secrets: the credentials of the call.
    ///   - answer: its members with names like a token's or secret's are hidden too.
    init(hiding secrets: some Sequence<String>, and answer: JSON.Value? = nil) {
        self.secrets = Array(secrets)
        self.answer = answer
    }

    func clean(_ text: String, limit: Int = 300) -> String {
        let text = ShownText.withoutTokens(withoutSecrets(Array(text.utf8.prefix(ShownText.lookedAt))))
        let scalars = text.unicodeScalars.map { ShownText.isShown($0) ? $0 : " " }
        return String(String(String.UnicodeScalarView(scalars)).prefix(limit))
    }

    /// Works the forms out anew: only an error's text asks for them.
    private func withoutSecrets(_ text: [UInt8]) -> String {
        let forms = SecretForms(secrets + (answer.map { ShownText.sensitive($0) } ?? []))
        var isHidden = [Bool](repeating: false, count: text.count)
        var level: EscapedText? = EscapedText(text)
        for _ in 0...ShownText.levels {
            guard let escaped = level else { break }
            forms.mark(escaped, in: &isHidden)
            level = escaped.resolved
        }
        var shown: [UInt8] = []
        for at in text.indices {
            if !isHidden[at] {
                shown.append(text[at])
            } else if at == 0 || !isHidden[at - 1] {
                shown += "***".utf8
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
