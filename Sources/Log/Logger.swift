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
    ///
    /// - Parameter members: called once more for a long line.
    package func log(_ level: Level, _ event: String, _ members: (inout Line) -> Void) {
        guard level >= self.level else { return }
        var room = 512
        while true {
            var length = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
                var line = unsafe Line(buffer)
                line.member("level", .string(level.rawValue))
                line.member("event", .string(event))
                members(&line)
                line.finish()
                length = line.length
                count = min(length, room)
            }
            if length <= room { return write(bytes) }
            room = length
        }
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
    @safe package struct Line: ~Copyable {
        private let buffer: UnsafeMutableBufferPointer<UInt8>
        /// Of the line so far, whether the buffer has room for it or not.
        fileprivate private(set) var length = 0

        fileprivate init(_ buffer: UnsafeMutableBufferPointer<UInt8>) {
            unsafe self.buffer = unsafe buffer
        }

        package mutating func member(_ name: String, _ value: Logger.Value) {
            append(UInt8(ascii: length == 0 ? "{" : ","))
            append(UInt8(ascii: "\""))
            // A name of ours has nothing to escape.
            append(name.utf8.span)
            append(UInt8(ascii: "\""))
            append(UInt8(ascii: ":"))
            switch value {
            case .string(let text): string(text)
            case .integer(let number):
                if number < 0 { append(UInt8(ascii: "-")) }
                decimal(number.magnitude)
            case .bool(let flag): append((flag ? "true" : "false").utf8.span)
            case .milliseconds(let duration): milliseconds(duration)
            }
        }

        private mutating func milliseconds(_ duration: Duration) {
            let microseconds = Int64(clamping: duration.attoseconds / 1_000_000_000_000)
            if microseconds < 0 { append(UInt8(ascii: "-")) }
            let magnitude = microseconds.magnitude
            let fraction = magnitude % 1_000
            decimal(magnitude / 1_000)
            append(UInt8(ascii: "."))
            append(UInt8(ascii: "0") + UInt8(fraction / 100))
            append(UInt8(ascii: "0") + UInt8(fraction / 10 % 10))
            append(UInt8(ascii: "0") + UInt8(fraction % 10))
        }

        private mutating func decimal(_ number: UInt64) {
            var unit: UInt64 = 1
            while number / unit >= 10 { unit *= 10 }
            while unit > 0 {
                append(UInt8(ascii: "0") + UInt8(number / unit % 10))
                unit /= 10
            }
        }

        private mutating func string(_ text: String) {
            let utf8 = text.utf8
            let text = utf8.span
            // Almost no text has anything to escape.
            var isPlain = true
            for index in text.indices where !Self.isPlain(text[index]) { isPlain = false }
            append(UInt8(ascii: "\""))
            if isPlain { append(text) } else { for index in text.indices { escaped(text[index]) } }
            append(UInt8(ascii: "\""))
        }

        private static func isPlain(_ byte: UInt8) -> Bool {
            byte > 0x1F && byte != 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
        }

        private mutating func escaped(_ byte: UInt8) {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"):
                append(UInt8(ascii: "\\"))
                append(byte)
            case 0x00...0x1F, 0x7F:
                append("\\u00".utf8.span)
                append(Self.hexDigit(byte >> 4))
                append(Self.hexDigit(byte & 15))
            default: append(byte)
            }
        }

        private static func hexDigit(_ number: UInt8) -> UInt8 {
            number < 10 ? UInt8(ascii: "0") + number : UInt8(ascii: "a") + number - 10
        }

        private mutating func append(_ byte: UInt8) {
            if unsafe length < buffer.count { unsafe buffer[length] = byte }
            length += 1
        }

        private mutating func append(_ text: Span<UInt8>) {
            if unsafe length + text.count <= buffer.count {
                let rest = unsafe UnsafeMutableBufferPointer(rebasing: buffer[length...])
                _ = unsafe text.withUnsafeBufferPointer { unsafe rest.update(fromContentsOf: $0) }
            }
            length += text.count
        }

        fileprivate mutating func finish() {
            append(UInt8(ascii: "}"))
            append(UInt8(ascii: "\n"))
        }
    }
}
