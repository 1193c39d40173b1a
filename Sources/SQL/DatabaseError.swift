/// What went wrong with a statement or a connection.
///
/// The description shows no argument and no server text, which may quote one.
package struct DatabaseError: Error, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable
{
    package enum Code: String, Sendable {
        /// Nothing ran: no connection could be made.
        case unavailable = "the database cannot be reached"
        /// The connection broke under a statement, which may have run.
        case lost = "the connection to the database broke during a statement"
        /// The server did not answer in time; the statement may have run.
        case timeout = "the database did not answer in time"
        case accessDenied = "the database refused the login"
        case tls = "TLS to the database failed"
        case uniqueViolation = "a row with this key exists"
        case foreignKeyViolation = "another row depends on this row"
        case constraintViolation = "a value does not fit its column"
        /// The whole transaction was undone and may be tried again.
        case deadlock = "the transaction lost a deadlock"
        case lockTimeout = "a lock was not free in time"
        /// A table or a column is missing.
        case schema = "the schema is not the expected one"
        case syntax = "the statement is not understood"
        case unexpectedType = "a column has another type than expected"
        case readOnly = "the database cannot be written"
        case other = "the database reported an error"
    }

    package let code: Code
    /// The vendor's error number.
    package let number: Int
    /// The server's words: for operators' tools, never for callers or logs of functions.
    package let serverMessage: String

    package init(_ code: Code, number: Int = 0, serverMessage: String = "") {
        self.code = code
        self.number = number
        self.serverMessage = serverMessage
    }

    package var debugDescription: String { description }
    package var customMirror: Mirror { Mirror(self, children: ["code": code, "number": number]) }

    package var description: String { number == 0 ? code.rawValue : "\(code.rawValue) (error \(number))" }
}
