import Foundation
import Testing

/// Secret values that must not be found anywhere, by what they are.
final class Canaries {
    private(set) var values: [String: String] = [:]
    /// What to look for, by its last eight bytes.
    private var forms: [UInt64: [(what: String, form: [UInt8])]] = [:]

    /// A new one.
    subscript(_ what: String) -> String {
        let value = "canary-\(what.replacing(" ", with: "-"))-\(UInt64.random(in: 0...(.max)))"
        add(value, what)
        return value
    }

    func note(_ value: String?, _ what: String) throws {
        let value = try #require(value)
        try #require(value.count > 8)
        add(value, what)
    }

    /// What the value is; one that was not known is from now on.
    func name(of value: String) throws -> String {
        if let known = values.first(where: { $0.value == value }) { return known.key }
        let name = "secret \(values.count + 1)"
        try note(value, name)
        return name
    }

    private func add(_ value: String, _ what: String) {
        precondition(values[what] == nil || values[what] == value, "two canaries are called \(what)")
        if values.updateValue(value, forKey: what) != nil { return }
        for form in Self.forms(of: Array(value.utf8)) {
            let tail = form.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            forms[tail, default: []].append((what, form))
        }
    }

    /// What of them a text shows, in whatever form.
    func found(in text: String, except: Set<String> = []) -> [String] {
        let bytes = Array(text.utf8)
        var found: Set<String> = []
        // One pass for all of them, whatever their number.
        var window: UInt64 = 0
        for end in bytes.indices {
            window = window << 8 | UInt64(bytes[end])
            for (what, form) in forms[window] ?? [] where !except.contains(what) {
                let start = end + 1 - form.count
                if start >= 0, bytes[start...end].elementsEqual(form) { found.insert(what) }
            }
        }
        return found.sorted()
    }

    /// As it is, in base64 wherever it begins, in hexadecimal, with every byte percent-encoded or escaped as in JSON.
    ///
    /// Its own characters stand for themselves in URLs and JSON, so that what encodes no more than it must shows it as it is.
    private static func forms(of value: [UInt8]) -> [[UInt8]] {
        func spelled(_ prefix: String, isUpper: Bool = false) -> [UInt8] {
            value.flatMap { byte in
                let digits = String(byte, radix: 16, uppercase: isUpper)
                return Array((prefix + (byte < 16 ? "0" : "") + digits).utf8)
            }
        }
        let base64 = (0..<3).map { skipped in
            // Whole groups of three bytes; the first ones may stand in a group with something else.
            let rest = value.dropFirst(skipped)
            return Data(rest.prefix(rest.count / 3 * 3)).base64EncodedString()
        }
        let urlSafe = base64.map { $0.replacing("+", with: "-").replacing("/", with: "_") }
        return [
            value, spelled(""), spelled("", isUpper: true), spelled("%"), spelled("%", isUpper: true),
            spelled("\\u00"), spelled("\\u00", isUpper: true),
        ] + (base64 + urlSafe).map { Array($0.utf8) }
    }
}

/// The search itself: one that finds nothing would prove nothing.
@Suite struct CanaryTests {
    @Test func `a canary is found in whatever form it comes, and nothing else is`() throws {
        let canaries = Canaries()
        let value = canaries["a secret"]
        let bytes = Array(value.utf8)
        let wrapped = ["", "x", "xy"].map { Data(($0 + value + "tail").utf8).base64EncodedString() }
        let percent = bytes.map { "%" + String($0, radix: 16, uppercase: true) }.joined()
        let escaped = bytes.map { "\\u00" + String($0, radix: 16) }.joined()
        for text in [value, "say \(value)!", percent, escaped] + wrapped {
            #expect(canaries.found(in: "before " + text + " after") == ["a secret"], "\(text)")
        }
        #expect(canaries.found(in: value, except: ["a secret"]).isEmpty)
        #expect(canaries.found(in: "canary-a-secret-").isEmpty)
        #expect(canaries.found(in: "").isEmpty)
    }
}
