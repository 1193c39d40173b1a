package import JSON

/// One HTTP response, and what its log line should say.
package struct Response: Sendable {
    package var status: Status
    package var fields: Fields
    package var body: [UInt8]
    /// For the log line alone, never sent: `realm`, `outcome`, `source` and the like.
    package var notes: [(name: String, value: String)]

    package init(
        _ status: Status, fields: Fields = Fields(), body: [UInt8] = [], notes: [(name: String, value: String)] = []
    ) {
        self.status = status
        self.fields = fields
        self.body = body
        self.notes = notes
    }

    /// An `application/json` answer.
    package init(_ status: Status, json: Value, notes: [(name: String, value: String)] = []) {
        self.init(status, fields: Fields([Field(.contentType, "application/json")]), body: json.encoded, notes: notes)
    }

    /// A `text/plain; charset=utf-8` answer.
    package init(_ status: Status, text: String) {
        self.init(status, fields: Fields([Field(.contentType, "text/plain; charset=utf-8")]), body: Array(text.utf8))
    }
}
