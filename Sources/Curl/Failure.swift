internal import CCurl
internal import HTTP

/// What a result code means, given what was seen of the call.
///
/// Whether the server may have acted is decided by what went out, never by the code: libcurl uses the same codes before
/// and after the request. It shows bytes to the debug callback after the socket took them, so a call without any sent none.
enum Failure {
    /// Nil where the call succeeded.
    static func of(_ code: CURLcode, _ exchange: Exchange) -> ClientError? {
        if !exchange.hasSentBytes {
            return code == CURLE_OK ? .notSent(.library) : .notSent(notSent(code, exchange))
        }
        switch exchange.stop {
        case .tooLarge: return .ambiguous(.tooLarge)
        case .malformed: return .ambiguous(.malformed)
        case .repetition, .byCaller, .late, .refusedAddress: return .ambiguous(.reset)
        case nil: return code == CURLE_OK ? nil : .ambiguous(ambiguous(code))
        }
    }

    private static func notSent(_ code: CURLcode, _ exchange: Exchange) -> ClientError.NotSent {
        switch exchange.stop {
        case .byCaller: return .stopped
        case .late: return .connectTimeout
        case .refusedAddress: return .refusedAddress
        case .repetition, .tooLarge, .malformed: return .connect
        case nil: break
        }
        return switch code {
        case CURLE_URL_MALFORMAT, CURLE_UNSUPPORTED_PROTOCOL, CURLE_LOGIN_DENIED: .badURL
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY: .resolve
        case CURLE_OPERATION_TIMEDOUT: .connectTimeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR, CURLE_SSL_INVALIDCERTSTATUS,
            CURLE_SSL_ENGINE_NOTFOUND, CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_ENGINE_INITFAILED, CURLE_USE_SSL_FAILED:
            .tls
        case CURLE_FAILED_INIT, CURLE_OUT_OF_MEMORY, CURLE_NOT_BUILT_IN, CURLE_UNKNOWN_OPTION,
            CURLE_BAD_FUNCTION_ARGUMENT:
            .library
        default: .connect
        }
    }

    private static func ambiguous(_ code: CURLcode) -> ClientError.Ambiguous {
        switch code {
        case CURLE_OPERATION_TIMEDOUT: .timeout
        case CURLE_PARTIAL_FILE: .truncated
        case CURLE_FILESIZE_EXCEEDED: .tooLarge
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING, CURLE_HTTP2,
            CURLE_BAD_FUNCTION_ARGUMENT:
            .malformed
        default: .reset
        }
    }
}
