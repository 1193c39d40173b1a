package import Clocks

/// One HTTP request, whatever brought it here.
package struct Request: Sendable {
    /// The largest body that a function takes, on every platform.
    package static let largestBody = 1 << 20

    package var method: Method
    /// The path as it was sent: percent-encoded, no query.
    package var path: String
    /// What follows `?`, percent-encoded; empty without one.
    package var query: String
    package var fields: Fields
    package var body: [UInt8]
    /// The platform's id for this request; goes into logs and errors.
    package var id: String
    /// The caller's address as the platform gives it; nil where only a header could tell.
    package var sourceAddress: String?
    /// When it had come whole; nil where nothing tells.
    package var arrival: Moment?
    /// The moment by which the answer must be on its way; nil where the platform sets none.
    package var deadline: Moment?

    package init(
        _ method: Method, path: String, query: String = "", fields: Fields = Fields(), body: [UInt8] = [],
        id: String = "", sourceAddress: String? = nil, deadline: Moment? = nil
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.fields = fields
        self.body = body
        self.id = id
        self.sourceAddress = sourceAddress
        self.deadline = deadline
    }
}
