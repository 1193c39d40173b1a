internal import CCurl
internal import HTTP

/// One easy handle and what is set on it for every call.
@safe final class Transfer {
    private let library: UnsafePointer<ccurl_table>
    private let handle: UnsafeMutableRawPointer
    private let certificates: String?

    /// Nil where libcurl cannot be opened.
    init?(certificates: String?) {
        guard let library = unsafe ccurl(), let handle = unsafe library.pointee.easy_init() else { return nil }
        unsafe self.library = library
        unsafe self.handle = handle
        self.certificates = certificates
    }

    deinit {
        unsafe library.pointee.easy_cleanup(handle)
    }

    func perform(
        _ request: ClientRequest, limits: ClientLimits, mayReuse: Bool, pinned: [String], exchange: Exchange
    ) -> Result<ClientResponse, ClientError> {
        // Options of the call before go; connections, TLS sessions and resolved names stay.
        unsafe library.pointee.easy_reset(handle)
        var fields = unsafe StringList(library: library)
        defer { fields.free() }
        var names = unsafe StringList(library: library)
        defer { names.free() }
        let code = unsafe request.body.withUnsafeBufferPointer { body in
            let isSet =
                unsafe setPolicy(limits, mayReuse: mayReuse) && setRequest(request, body: body, fields: &fields)
                && setNames(pinned, list: &names) && setCallbacks(exchange)
            return unsafe isSet ? library.pointee.easy_perform(handle) : CURLE_FAILED_INIT
        }
        return outcome(code, exchange)
    }

    // MARK: Options

    private func setPolicy(_ limits: ClientLimits, mayReuse: Bool) -> Bool {
        set(CURLOPT_PROTOCOLS_STR, "http,https")
            && set(CURLOPT_FOLLOWLOCATION, 0)
            && set(CURLOPT_DISALLOW_USERNAME_IN_URL, 1)
            // An empty proxy and a list of no exceptions: what the environment names is not used.
            && set(CURLOPT_PROXY, "") && set(CURLOPT_NOPROXY, "*")
            && set(CURLOPT_NETRC, Int(CURL_NETRC_IGNORED.rawValue))
            && set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
            && set(CURLOPT_HTTP09_ALLOWED, 0)
            && set(CURLOPT_PATH_AS_IS, 1)
            && set(CURLOPT_SSL_VERIFYPEER, 1) && set(CURLOPT_SSL_VERIFYHOST, 2)
            && set(CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2))
            && (certificates.map { set(CURLOPT_CAINFO, $0) } ?? true)
            // No signals for timeouts, and no waiting for a resolver thread that hangs.
            && set(CURLOPT_NOSIGNAL, 1) && set(CURLOPT_QUICK_EXIT, 1)
            && set(CURLOPT_TIMEOUT_MS, milliseconds(limits.total))
            && set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(limits.connect))
            && set(CURLOPT_FRESH_CONNECT, mayReuse ? 0 : 1)
            && set(CURLOPT_MAXAGE_CONN, Int(CurlClient.longestIdle.components.seconds))
            && set(CURLOPT_MAXCONNECTS, 4)
            && set(CURLOPT_USERAGENT, "token-server")
    }

    private func setRequest(_ request: ClientRequest, body: UnsafeBufferPointer<UInt8>, fields: inout StringList)
        -> Bool
    {
        guard set(CURLOPT_URL, request.url), fields.append(request.fields),
            unsafe ccurl_set_pointer(library, handle, CURLOPT_HTTPHEADER, fields.head) == CURLE_OK
        else { return false }
        switch request.method {
        case .get where body.isEmpty: return set(CURLOPT_HTTPGET, 1)
        case .head where body.isEmpty: return set(CURLOPT_NOBODY, 1)
        default: break
        }
        guard set(CURLOPT_POST, 1), set(CURLOPT_CUSTOMREQUEST, request.method.rawValue),
            set(CURLOPT_POSTFIELDSIZE, body.count)
        else { return false }
        // Without any bytes to point at libcurl would read the body from standard input.
        guard let bytes = body.baseAddress, !body.isEmpty else { return set(CURLOPT_COPYPOSTFIELDS, "") }
        return unsafe ccurl_set_pointer(library, handle, CURLOPT_POSTFIELDS, bytes) == CURLE_OK
    }

    private func setNames(_ pinned: [String], list: inout StringList) -> Bool {
        if pinned.isEmpty { return true }
        for name in pinned { guard list.append(name) else { return false } }
        return unsafe ccurl_set_pointer(library, handle, CURLOPT_RESOLVE, list.head) == CURLE_OK
    }

    private func setCallbacks(_ exchange: Exchange) -> Bool {
        let context = unsafe Unmanaged.passUnretained(exchange).toOpaque()
        for option in [
            CURLOPT_OPENSOCKETDATA, CURLOPT_PREREQDATA, CURLOPT_DEBUGDATA, CURLOPT_WRITEDATA, CURLOPT_HEADERDATA,
        ] {
            guard unsafe ccurl_set_pointer(library, handle, option, context) == CURLE_OK else { return false }
        }
        return
            unsafe ccurl_set_open_socket(library, handle, openSocketCallback) == CURLE_OK
            && ccurl_set_prereq(library, handle, prereqCallback) == CURLE_OK
            && ccurl_set_debug(library, handle, debugCallback) == CURLE_OK
            && set(CURLOPT_VERBOSE, 1)  // the debug callback is called only then
            && ccurl_set_receive(library, handle, CURLOPT_WRITEFUNCTION, bodyCallback) == CURLE_OK
            && ccurl_set_receive(library, handle, CURLOPT_HEADERFUNCTION, headCallback) == CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: Int) -> Bool {
        unsafe ccurl_set_long(library, handle, option, value) == CURLE_OK
    }

    private func set(_ option: CURLoption, _ value: String) -> Bool {
        unsafe ccurl_set_string(library, handle, option, value) == CURLE_OK
    }

    /// At least 1, since 0 means no limit.
    private func milliseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        return max(1, Int(clamping: seconds) * 1_000 + Int(attoseconds / 1_000_000_000_000_000))
    }

    // MARK: Outcome

    private func outcome(_ code: CURLcode, _ exchange: Exchange) -> Result<ClientResponse, ClientError> {
        if exchange.isCleared, number(CURLINFO_REQUEST_SIZE) > 0 { exchange.reportSent() }
        if let failure = Failure.of(code, exchange) { return .failure(failure) }
        guard exchange.isHeadComplete else { return .failure(.ambiguous(.truncated)) }
        let status = Status(code: number(CURLINFO_RESPONSE_CODE))
        return .success(ClientResponse(status, fields: exchange.fields, body: exchange.body))
    }

    private func number(_ info: CURLINFO) -> Int {
        var value = 0
        guard unsafe ccurl_get_long(library, handle, info, &value) == CURLE_OK else { return 0 }
        return value
    }
}

// libcurl calls these inside `easy_perform` alone, with the exchange of that call.

private func exchange(_ context: UnsafeMutableRawPointer?) -> Exchange? {
    unsafe context.map { unsafe Unmanaged<Exchange>.fromOpaque($0).takeUnretainedValue() }
}

private func buffer(_ bytes: UnsafeMutablePointer<CChar>?, _ count: Int) -> UnsafeBufferPointer<UInt8> {
    unsafe UnsafeBufferPointer(start: UnsafeRawPointer(bytes)?.assumingMemoryBound(to: UInt8.self), count: count)
}

private let openSocketCallback: ccurl_open_socket = { context, _, address in
    guard let exchange = unsafe exchange(context), let address = unsafe address else { return CURL_SOCKET_BAD }
    var bytes = [UInt8](repeating: 0, count: 16)
    let count = unsafe ccurl_address(address, &bytes)
    let ip = IPAddress(bytes: Array(bytes[..<count]))
    return unsafe exchange.mayConnect(to: ip) ? ccurl_socket(address) : CURL_SOCKET_BAD
}

private let prereqCallback: ccurl_prereq = { context, remote, _, _, _ in
    guard let exchange = unsafe exchange(context) else { return CURL_PREREQFUNC_ABORT }
    let address = unsafe remote.flatMap { unsafe IPAddress(String(cString: $0)) }
    return exchange.connectionStands(to: address) ? CURL_PREREQFUNC_OK : CURL_PREREQFUNC_ABORT
}

private let debugCallback: ccurl_debug = { _, kind, bytes, count, context in
    switch kind {
    case CURLINFO_HEADER_OUT: unsafe exchange(context)?.sentHead(buffer(bytes, count))
    case CURLINFO_DATA_OUT: unsafe exchange(context)?.sentBody(count)
    default: break
    }
    return 0
}

private let bodyCallback: ccurl_receive = { bytes, size, count, context in
    unsafe exchange(context)?.received(body: buffer(bytes, size * count)) == true ? size * count : 0
}

private let headCallback: ccurl_receive = { bytes, size, count, context in
    unsafe exchange(context)?.received(headLine: buffer(bytes, size * count)) == true ? size * count : 0
}
