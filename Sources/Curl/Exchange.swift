internal import HTTP

/// What one call has seen so far; the callbacks of libcurl write here.
final class Exchange {
    enum Stop {
        /// The caller's look said no, or there is no time left to send.
        case byCaller, late
        /// libcurl was about to send the request a second time.
        case repetition
        /// The name leads to an address that may not be connected to.
        case refusedAddress
        case tooLarge
        case malformed
    }

    private let limits: ClientLimits
    private let mayConnect: (IPAddress) -> Bool
    private let willSend: () -> Bool
    private let didSend: () -> Void
    private let isLate: () -> Bool

    private(set) var stop: Stop?
    /// The connection stood, and the caller let the request go.
    private(set) var isCleared = false
    /// At least one byte of the request was handed to the socket.
    private(set) var hasSentBytes = false
    private var headEnd = TailMatch()
    private var bodyBytesLeft: Int
    private var hasReportedSent = false

    private(set) var fields = Fields()
    private(set) var body: [UInt8] = []
    private(set) var isHeadComplete = false
    private var headBytes = 0

    init(
        bodyBytes: Int, limits: ClientLimits, mayConnect: @escaping (IPAddress) -> Bool,
        willSend: @escaping () -> Bool, didSend: @escaping () -> Void, isLate: @escaping () -> Bool
    ) {
        bodyBytesLeft = bodyBytes
        self.limits = limits
        self.mayConnect = mayConnect
        self.willSend = willSend
        self.didSend = didSend
        self.isLate = isLate
    }

    // MARK: Connecting

    /// Whether to connect to one of the name's addresses; the first that may not be ends the call, whatever the others are.
    func mayConnect(to address: IPAddress?) -> Bool {
        if stop != .refusedAddress, let address, mayConnect(address) { return true }
        stop = .refusedAddress
        return false
    }

    // MARK: Sending

    /// A connection stands and nothing has been sent over it; whether to go on.
    ///
    /// A kept one is looked at as a new one is.
    func connectionStands(to address: IPAddress?) -> Bool {
        guard mayConnect(to: address) else { return false }
        guard !isCleared else {
            stop = .repetition
            return false
        }
        guard willSend() else {
            stop = .byCaller
            return false
        }
        // The look may have taken long: what cannot be answered in time is better not sent.
        guard !isLate() else {
            stop = .late
            return false
        }
        isCleared = true
        return true
    }

    func sentHead(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard !bytes.isEmpty else { return }
        hasSentBytes = true
        unsafe headEnd.feed(bytes)
        reportIfSent()
    }

    func sentBody(_ count: Int) {
        guard count > 0 else { return }
        hasSentBytes = true
        bodyBytesLeft -= count
        reportIfSent()
    }

    private func reportIfSent() {
        if headEnd.isComplete, bodyBytesLeft <= 0 { reportSent() }
    }

    /// Tells the caller once that the request went out: after its last byte, or, where that was not seen, with the first
    /// byte of an answer or at the end of a call that sent anything.
    func reportSent() {
        hasSentBytes = true
        guard !hasReportedSent else { return }
        hasReportedSent = true
        didSend()
    }

    // MARK: Receiving

    /// Takes one line of the answer's head; false ends the transfer.
    func received(headLine line: UnsafeBufferPointer<UInt8>) -> Bool {
        reportSent()
        headBytes += line.count
        guard headBytes <= Exchange.headLimit else {
            stop = .tooLarge
            return false
        }
        if unsafe line.starts(with: "HTTP/".utf8) {
            // Interim answers (1xx) have a head of their own: the last one counts.
            fields = Fields()
            isHeadComplete = false
            guard unsafe Exchange.isStatusLine(line) else {
                stop = .malformed
                return false
            }
            return true
        }
        // What follows the head is a trailer (RFC 9110, 6.5): nothing reads it.
        if isHeadComplete { return true }
        let text = unsafe String(decoding: line, as: UTF8.self)
        guard let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            isHeadComplete = unsafe line.allSatisfy { $0 == 0x0D || $0 == 0x0A }
            return true
        }
        if let name = Field.Name(text[..<colon]) {
            var value = text.utf8[text.utf8.index(after: colon)...]
            while let last = value.last, last == 0x0D || last == 0x0A { value = value.dropLast() }
            fields.append(name, String(Substring(value)))
        }
        return true
    }

    /// Takes a piece of the body; false ends the transfer.
    func received(body piece: UnsafeBufferPointer<UInt8>) -> Bool {
        guard body.count + piece.count <= limits.responseBytes else {
            stop = .tooLarge
            return false
        }
        unsafe body.append(contentsOf: piece)
        return true
    }

    /// Whether a line is `HTTP/1.x NNN…` (RFC 9112, 4); libcurl takes what it cannot read for a 200.
    private static func isStatusLine(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        guard line.count >= 12, unsafe line.starts(with: "HTTP/1.".utf8) else { return false }
        let isDigit: (Int) -> Bool = { unsafe (0x30...0x39).contains(line[$0]) }
        return unsafe isDigit(7) && line[8] == 0x20 && (9...11).allSatisfy(isDigit)
    }

    /// Bytes of all heads of an answer.
    private static let headLimit = 16 << 10
}

/// Watches a stream for the blank line that ends a request's head.
private struct TailMatch {
    private var last: UInt32 = 0
    private(set) var isComplete = false

    mutating func feed(_ bytes: UnsafeBufferPointer<UInt8>) {
        last = unsafe bytes.suffix(4).reduce(last) { $0 << 8 | UInt32($1) }
        isComplete = last == 0x0D0A_0D0A
    }
}
