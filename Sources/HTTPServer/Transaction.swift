internal import CMicroHTTPD
internal import Glibc
internal import HTTP
internal import Synchronization

/// One request as the library sees it, from its request line to its end; only the connection's network thread uses it.
@safe final class Transaction {
    private let core: Core
    private let handle: Library.Handle
    let connection: Connection
    /// Read before the library decodes it in place.
    private let target: Result<RequestTarget, RequestHead.Refusal>
    /// Where it lies in the library's buffer.
    private let targetStart, targetEnd: UnsafePointer<CChar>
    private var stage = Stage.head
    /// While the body comes.
    private var head: RequestHead?
    private var body: [UInt8] = []
    private var bodyBytes = 0
    private var isChunked = false
    /// The client's or the platform's id for this request; empty while there is none.
    private var requestID = ""

    private enum Stage {
        case head
        case body
        case exchange(Exchange)
        case over
    }

    /// A chunked body over the limit is read this far beyond it, so that the client gets to see its 413.
    private static let drainedBytes = 1 << 20
    /// Left in the connection's memory for the head of the answer, which else would be lost after the handler has done its work.
    private static let answerBytes = 1 << 10

    init(core: Core, handle: Library.Handle, connection: Connection, uri: UnsafePointer<CChar>) {
        self.core = core
        self.handle = handle
        self.connection = connection
        let bytes = unsafe UnsafeRawBufferPointer(start: uri, count: strlen(uri))
        do throws(RequestHead.Refusal) {
            target = .success(unsafe try RequestTarget(bytes.bindMemory(to: UInt8.self)))
        } catch {
            target = .failure(error)
        }
        unsafe targetStart = unsafe uri
        unsafe targetEnd = unsafe uri + bytes.count
        core.noteProgress()
        core.inFlight.add(1, ordering: .relaxed)
        connection.requestStarted()
    }

    /// The library's access handler: called with the head, with each piece of body, with the end, and after a resumption.
    func advance(
        method: UnsafePointer<CChar>, version: UnsafePointer<CChar>, upload: UnsafePointer<CChar>?,
        uploadSize: UnsafeMutablePointer<Int>
    ) -> MHD_Result {
        core.noteProgress()
        switch stage {
        case .head: return unsafe begin(method: method, version: version)
        case .body:
            let count = unsafe uploadSize.pointee
            guard count == 0 else {
                unsafe uploadSize.pointee = 0
                return unsafe take(UnsafeRawBufferPointer(start: upload, count: count))
            }
            return dispatch()
        case .exchange(let exchange): return settle(exchange)
        case .over: return .NO
        }
    }

    /// The library has done with this request, or with its connection.
    func end() {
        if case .exchange(let exchange) = stage { exchange.end() }
        stage = .over
        connection.answerComplete()
        core.inFlight.subtract(1, ordering: .releasing)
    }

    private func begin(method: UnsafePointer<CChar>, version: UnsafePointer<CChar>) -> MHD_Result {
        let name = unsafe UnsafeRawBufferPointer(start: method, count: strlen(method))
        // One NUL, put there by the library, parts the words; one more would have been in them.
        guard unsafe method + name.count + 1 == targetStart, unsafe targetEnd + 1 == version else {
            return refuse("the request line holds a NUL or more than two spaces")
        }
        // So no header field is taken for a request line either: one has a colon in its first word.
        guard let verb = HTTP.Method(untrusted: unsafe Span(_unsafeElements: name.bindMemory(to: UInt8.self))) else {
            return refuse("the method is no token")
        }
        let scan = unsafe FieldScan.of(
            handle, core.library, headBytes: core.configuration.maximumHeadBytes, method: method, version: version)
        requestID = scan.fields[core.configuration.requestIDField] ?? ""
        guard scan.isIntact else { return refuse("a header field is folded or malformed") }
        guard scan.heldBytes + Transaction.answerBytes <= core.configuration.maximumHeadBytes else {
            return send(fieldsTooLarge, closing: true)
        }
        let head: RequestHead
        do throws(RequestHead.Refusal) {
            let target = try target.get()
            head = try RequestHead(
                HTTP.Request(
                    verb, path: target.path, query: target.query,
                    fields: scan.fields, id: requestID, sourceAddress: connection.address),
                version: unsafe String(cString: version))
        } catch { return refuse(error.reason) }
        if let length = head.contentLength {
            guard length <= core.configuration.maximumBodyBytes else { return send(tooLarge, closing: true) }
            // An announcement is no reason to hold much memory.
            if length > 0 { body.reserveCapacity(min(length, 64 << 10)) }
        }
        isChunked = head.contentLength == nil
        self.head = head
        stage = .body
        return .YES
    }

    private func take(_ bytes: UnsafeRawBufferPointer) -> MHD_Result {
        bodyBytes += bytes.count
        if bodyBytes <= core.configuration.maximumBodyBytes {
            unsafe body.append(contentsOf: bytes)
        } else {
            body = []
            // No answer is possible in the middle of a body: the connection can only be cut.
            if bodyBytes > core.configuration.maximumBodyBytes + Transaction.drainedBytes { return .NO }
        }
        return .YES
    }

    private func dispatch() -> MHD_Result {
        guard var request = head.take()?.request else { return .NO }
        guard bodyBytes <= core.configuration.maximumBodyBytes else { return send(tooLarge, closing: true) }
        guard !core.isStopping else { return send(Core.stopping, closing: true) }
        request.body = body
        body = []
        if let response = core.answerAtOnce(&request) { return send(response, closing: isLast) }
        connection.requestComplete()
        let exchange = Exchange(request, core: core, handle: handle)
        stage = .exchange(exchange)
        core.handler(exchange)
        return settle(exchange)
    }

    private func settle(_ exchange: Exchange) -> MHD_Result {
        guard let verdict = exchange.verdictOrPark() else { return .YES }
        switch verdict {
        case .answer(let response):
            // Who passes on another's answer to HEAD has its length alone.
            if exchange.request.method == .head, response.body.isEmpty,
                let length = response.fields[.contentLength].flatMap({ UInt64($0) }), length < UInt64(Int64.max)
            {
                stage = .over
                connection.answerStarted()
                return core.library.queue(headOf: response, length: length, on: handle, closing: isLast)
                    ? .YES : .NO
            }
            return send(response, closing: isLast)
        case .cutAnswer(let response, let bytes):
            stage = .over
            connection.answerStarted()
            return core.library.queue(response, on: handle, cutAfter: bytes, closing: isLast) ? .YES : .NO
        case .close:
            connection.cut()
            return .NO
        case .reset:
            connection.reset()
            return .NO
        }
    }

    /// Whether the connection ends with this answer.
    ///
    /// The library takes a trailer line that begins with a colon or a NUL for the end of the trailer: what follows a chunked body may be a
    /// part of it to others, and is never read.
    private var isLast: Bool { isChunked || core.isStopping }

    private func send(_ response: HTTP.Response, closing: Bool) -> MHD_Result {
        stage = .over
        connection.answerStarted()
        return core.library.queue(response, on: handle, closing: closing) ? .YES : .NO
    }

    private func refuse(_ reason: String) -> MHD_Result {
        let problem = Problem(.badRequest, type: "bad-request", title: "Bad request", detail: reason)
        return send(response(problem), closing: true)
    }

    private var tooLarge: HTTP.Response {
        let limit = core.configuration.maximumBodyBytes
        return response(
            Problem(
                .contentTooLarge, type: "content-too-large", title: "Content too large",
                detail: "the body may have \(limit) bytes at most"))
    }

    private var fieldsTooLarge: HTTP.Response {
        response(
            Problem(
                .requestHeaderFieldsTooLarge, type: "head-too-large", title: "Request header fields too large",
                detail: "the header fields are too long or too many"))
    }

    /// No handler has seen it that could guard it.
    private func response(_ problem: Problem) -> HTTP.Response {
        var response = problem.response(requestID: requestID)
        response.guardAgainstBrowsers()
        return response
    }
}
