internal import Glibc

/// Writes one JSON line per event to standard error, each with one system call.
package struct Logger: Sendable {
    package enum Level: String, Sendable, CaseIterable, Comparable {
        case debug, info, warn, error

        package static func < (left: Level, right: Level) -> Bool {
            left.order < right.order
        }

        private var order: Int {
            switch self {
            case .debug: 0
            case .info: 1
            case .warn: 2
            case .error: 3
            }
        }
    }

    /// One member of a line.
    package enum Value: Sendable {
        case string(String)
        case integer(Int64)
        case bool(Bool)
        /// Written as a number of milliseconds with three decimals.
        case milliseconds(Duration)
    }

    package let level: Level
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter write: takes one whole line, its line break included.
    package init(level: Level = .info, write: @escaping @Sendable ([UInt8]) -> Void = Logger.standardError) {
        self.level = level
        self.write = write
    }

    /// Writes `{"level":…,"event":…, members…}`; no call where the level is below the logger's.
    package func log(_ level: Level, _ event: String, _ members: KeyValuePairs<String, Value> = [:]) {
        log(level, event, members.map { ($0.key, $0.value) })
    }

    package func log(_ level: Level, _ event: String, _ members: [(String, Value)]) {
        log(level, event) { line in
            for (name, value) in members { line.member(name, value) }
        }
    }

    /// The same for a line that is written for every request: no list of its members is made.
    package func log(_ level: Level, _ event: String, _ members: (inout Line) -> Void) {
        guard level >= self.level else { return }
        var line = Line()
        line.member("level", .string(level.rawValue))
        line.member("event", .string(event))
        members(&line)
        write(line.finished())
    }

    package static let standardError: @Sendable ([UInt8]) -> Void = { line in
        // A log that cannot be written must not stop the work.
        unsafe line.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = unsafe Glibc.write(
                    STDERR_FILENO, bytes.baseAddress.map { unsafe $0 + sent }, bytes.count - sent)
                if count <= 0 { break }
                sent += count
            }
        }
    }
}

extension Logger {
    /// One JSON object on one line.
    ///
    /// `Log` imports nothing, so it writes its own few rules.
    package struct Line {
        private static let hex = Array("0123456789abcdef".utf8)

        private var bytes: [UInt8] = []

        fileprivate init() {
            // The usual line grows into it without being moved.
            bytes.reserveCapacity(384)
            bytes.append(UInt8(ascii: "{"))
        }

        package mutating func member(_ name: String, _ value: Logger.Value) {
            let utf8 = name.utf8
            let name = utf8.span
            let isFirst = bytes.count == 1
            if !isFirst { bytes.append(UInt8(ascii: ",")) }
            bytes.append(UInt8(ascii: "\""))
            // A name of ours has nothing to escape.
            plain(name)
            bytes.append(UInt8(ascii: "\""))
            bytes.append(UInt8(ascii: ":"))
            switch value {
            case .string(let text): string(text)
            case .integer(let number): bytes.append(contentsOf: String(number).utf8)
            case .bool(let flag): bytes.append(contentsOf: (flag ? "true" : "false").utf8)
            case .milliseconds(let duration): milliseconds(duration)
            }
        }

        private mutating func milliseconds(_ duration: Duration) {
            let microseconds = Int64(clamping: duration.attoseconds / 1_000_000_000_000)
            if microseconds < 0 { bytes.append(UInt8(ascii: "-")) }
            let magnitude = microseconds.magnitude
            let fraction = magnitude % 1_000
            bytes.append(contentsOf: String(magnitude / 1_000).utf8)
            bytes.append(UInt8(ascii: "."))
            for unit: UInt64 in [100, 10, 1] { bytes.append(UInt8(ascii: "0") + UInt8(fraction / unit % 10)) }
        }

        private mutating func string(_ text: String) {
            let utf8 = text.utf8
            let text = utf8.span
            // Almost no text has anything to escape.
            var isPlain = true
            for index in text.indices where !Self.isPlain(text[index]) { isPlain = false }
            bytes.append(UInt8(ascii: "\""))
            if isPlain { plain(text) } else { for index in text.indices { escaped(text[index]) } }
            bytes.append(UInt8(ascii: "\""))
        }

        private mutating func plain(_ text: Span<UInt8>) {
            unsafe text.withUnsafeBufferPointer { unsafe bytes.append(contentsOf: $0) }
        }

        private static func isPlain(_ byte: UInt8) -> Bool {
            byte > 0x1F && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }

        private mutating func escaped(_ byte: UInt8) {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(contentsOf: [UInt8(ascii: "\\"), byte])
            case 0x00...0x1F, 0x7F:
                bytes.append(contentsOf: "\\u00".utf8)
                bytes.append(contentsOf: [Self.hex[Int(byte >> 4)], Self.hex[Int(byte & 15)]])
            default: bytes.append(byte)
            }
        }

        fileprivate consuming func finished() -> [UInt8] {
            bytes.append(contentsOf: "}\n".utf8)
            return bytes
        }
    }
}
