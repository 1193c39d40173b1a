/// An HTTP status code with the reason phrase of RFC 9110.
package struct Status: Hashable, Sendable {
    package let code: Int
    package let reason: String

    package init(code: Int) {
        self.init(code, Status.reasons[code] ?? "")
    }

    private init(_ code: Int, _ reason: String) {
        self.code = code
        self.reason = reason
    }

    package static func == (left: Status, right: Status) -> Bool { left.code == right.code }
    package func hash(into hasher: inout Hasher) { hasher.combine(code) }

    package var isSuccess: Bool { (200..<300).contains(code) }

    package static let ok = Status(200, "OK")
    package static let accepted = Status(202, "Accepted")
    package static let noContent = Status(204, "No Content")
    package static let notModified = Status(304, "Not Modified")
    package static let badRequest = Status(400, "Bad Request")
    package static let unauthorized = Status(401, "Unauthorized")
    package static let forbidden = Status(403, "Forbidden")
    package static let notFound = Status(404, "Not Found")
    package static let methodNotAllowed = Status(405, "Method Not Allowed")
    package static let conflict = Status(409, "Conflict")
    package static let contentTooLarge = Status(413, "Content Too Large")
    package static let unsupportedMediaType = Status(415, "Unsupported Media Type")
    package static let tooManyRequests = Status(429, "Too Many Requests")
    package static let requestHeaderFieldsTooLarge = Status(431, "Request Header Fields Too Large")
    package static let internalServerError = Status(500, "Internal Server Error")
    package static let badGateway = Status(502, "Bad Gateway")
    package static let serviceUnavailable = Status(503, "Service Unavailable")
    package static let gatewayTimeout = Status(504, "Gateway Timeout")

    private static let reasons: [Int: String] = {
        let named = [
            ok, accepted, noContent, notModified, badRequest, unauthorized, forbidden, notFound, methodNotAllowed,
            conflict,
            contentTooLarge, unsupportedMediaType, tooManyRequests, requestHeaderFieldsTooLarge, internalServerError,
            badGateway, serviceUnavailable,
            gatewayTimeout,
        ]
        return Dictionary(uniqueKeysWithValues: named.map { ($0.code, $0.reason) })
    }()
}
