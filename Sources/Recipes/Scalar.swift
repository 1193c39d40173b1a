internal import JSON

/// Strings, numbers and booleans as providers mix them: `0`, `"0"` and `0.0` are one value.
enum Scalar {
    /// The value as text; nil for null, lists and objects.
    static func text(_ value: JSON.Value) -> String? {
        switch value {
        case .string(let text): text
        case .number(let number): number.integer.map { String($0) } ?? number.text
        case .bool(let flag): flag ? "true" : "false"
        default: nil
        }
    }

    static func areEqual(_ left: JSON.Value, _ right: JSON.Value) -> Bool {
        guard let left = text(left), let right = text(right) else { return false }
        if left == right { return true }
        guard let left = number(left), let right = number(right) else { return false }
        return left == right
    }

    /// A decimal number; no blanks, no `nan`, no hexadecimal.
    static func number(_ text: String) -> Double? {
        guard text.utf8.count <= 40, text.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.eE".utf8.contains($0) })
        else {
            return nil
        }
        return Double(text).flatMap { $0.isFinite ? $0 : nil }
    }
}
