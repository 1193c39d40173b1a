import Foundation
import JSON
import Testing

/// Random documents, many of them broken by random edits: the strict reader and Python's `json` agree on each.
@Suite struct PythonAgreementTests {
    /// Reads hex lines, answers `-` for what it refuses and the compact text for what it accepts, also in hex.
    private static let judge = """
        import json, sys
        def refuse(*_): raise ValueError
        def unique(pairs):
            names = [name for name, _ in pairs]
            if len(set(names)) != len(names): raise ValueError
            return dict(pairs)
        class Number(float):
            def __repr__(self): return self.text
        def number(text):
            value = Number(0); value.text = text; return value
        def write(value):
            if isinstance(value, Number): return value.text
            if isinstance(value, dict):
                return "{" + ",".join(write(k) + ":" + write(v) for k, v in value.items()) + "}"
            if isinstance(value, list): return "[" + ",".join(map(write, value)) + "]"
            if isinstance(value, str):
                value.encode("utf-8")
                return json.dumps(value, ensure_ascii=False)
            return json.dumps(value)
        for line in sys.stdin:
            try:
                text = bytes.fromhex(line.strip()).decode("utf-8")
                if text.startswith("\\ufeff"): raise ValueError
                value = json.loads(text, parse_constant=refuse, object_pairs_hook=unique, parse_float=number, parse_int=number)
                print(write(value).encode("utf-8").hex())
            except (ValueError, RecursionError):
                print("-")
        """

    @Test func `what one accepts the other accepts, with the same value`() throws {
        let count = ProcessInfo.processInfo.environment["SOAK"] == nil ? 4_000 : 400_000
        var generator = Seeded(state: 20_261_121)
        let documents = (0..<count).map { _ in Documents.random(using: &generator) }
        let judgements = try judged(documents)
        try #require(judgements.count == count)
        var accepted = 0
        for (document, judgement) in zip(documents, judgements) {
            let value = try? JSON.Value(parsing: document)
            accepted += value == nil ? 0 : 1
            guard judgement != "-" else {
                #expect(value == nil, "accepted \(hex(document))")
                continue
            }
            guard let value, let expected = try? JSON.Value(parsing: bytes(judgement)) else {
                Issue.record("refused \(hex(document))")
                continue
            }
            #expect(value == expected, "\(hex(document))")
            #expect(
                value.text == String(decoding: expected.encoded, as: UTF8.self), "order or numbers of \(hex(document))")
        }
        // Neither side may be empty, or nothing was compared.
        #expect(accepted > count / 10 && accepted < count * 9 / 10)
    }

    private func judged(_ documents: [[UInt8]]) throws -> [String] {
        let folder = try ScratchFolder.make()
        let input = folder + "/in"
        try documents.map(hex).joined(separator: "\n").write(toFile: input, atomically: true, encoding: .utf8)
        let text = try Program.run("/usr/bin/python3", ["-c", Self.judge], input: input).output
        return text.split(separator: "\n").map(String.init)
    }

    private func hex(_ bytes: [UInt8]) -> String {
        bytes.isEmpty ? "20" : bytes.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private func bytes(_ hex: String) -> [UInt8] {
        let digits = hex.utf8.map { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 0) }
        return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// SplitMix64: the same documents in every run.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}

private enum Documents {
    private static let texts = [
        "", "a", "中文", "🙂", "\\u0061", "\\ud83d\\ude42", "\\ud83d", "\\n", "\\/", "\\x", "\u{7f}", "e\u{301}",
        "\\u0000", "\\\"",
    ]
    private static let numbers = [
        "0", "-0", "1", "-1", "01", "1.5", "1.", ".5", "1e5", "1E+5", "1e", "-", "9007199254740993", "1e400", "0.1e-7",
        "+1", "NaN",
        "Infinity", "1_0",
    ]

    static func random(using generator: inout Seeded) -> [UInt8] {
        var bytes = Array(value(3, &generator).utf8)
        // Half of them are broken by an edit or two.
        if Bool.random(using: &generator) {
            for _ in 0..<Int.random(in: 1...2, using: &generator) where !bytes.isEmpty {
                let at = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes.remove(at: at)
                case 1: bytes[at] = UInt8.random(in: 0...255, using: &generator)
                case 2: bytes.insert(Array("{}[],:\"\\ 0eE".utf8).randomElement(using: &generator) ?? 0, at: at)
                default: bytes.removeSubrange(at...)
                }
            }
        }
        return bytes
    }

    private static func value(_ depth: Int, _ generator: inout Seeded) -> String {
        let space = ["", "", " ", "\n", "\t\r"].randomElement(using: &generator) ?? ""
        switch Int.random(in: 0..<(depth == 0 ? 5 : 8), using: &generator) {
        case 0: return space + (["true", "false", "null", "nul", "True"].randomElement(using: &generator) ?? "")
        case 1, 2: return (numbers.randomElement(using: &generator) ?? "") + space
        case 3, 4: return space + text(&generator)
        case 5, 6:
            let members = (0..<Int.random(in: 0...3, using: &generator)).map { _ in
                text(&generator) + space + ":" + value(depth - 1, &generator)
            }
            return "{" + space + members.joined(separator: ",") + "}"
        default:
            let elements = (0..<Int.random(in: 0...3, using: &generator)).map { _ in value(depth - 1, &generator) }
            return "[" + elements.joined(separator: "," + space) + "]"
        }
    }

    private static func text(_ generator: inout Seeded) -> String {
        let parts = (0..<Int.random(in: 0...2, using: &generator)).map { _ in
            texts.randomElement(using: &generator) ?? ""
        }
        return "\"" + parts.joined() + "\""
    }
}
