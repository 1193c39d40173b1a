internal import CMariaDB
internal import Clocks
internal import Glibc
internal import SQL

/// One connection while it lives, with the statements prepared on it.
@safe final class Session {
    /// Idle for longer, a connection is looked at before it is used; busier ones are spared the system call.
    private static let trustedIdleTime = Duration.milliseconds(20)

    private let handle: ConnectionHandle
    private var statements = StatementCache<PreparedStatement>()
    private let readTimeout: Duration
    private let clock = SystemClock()
    private var lastAnswer: Moment

    init(_ configuration: MariaDBConfiguration) throws(CallFailure) {
        handle = try ConnectionHandle(configuration)
        readTimeout = .seconds(configuration.readTimeout.wholeSeconds)
        lastAnswer = clock.now()
    }

    /// Whether the server has hung up, or said farewell, while nobody looked: after a freeze, an idle timeout, a restart.
    ///
    /// Between two statements a server has nothing to say, so any readable byte is an end.
    func isFoundDead() -> Bool {
        if lastAnswer.elapsed(to: clock.now()) < Self.trustedIdleTime { return false }
        let socket = unsafe handle.api.pointee.mysql_get_socket(handle.mysql)
        var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
        return unsafe poll(&descriptor, 1, 0) != 0
    }

    /// Runs a statement through a prepared one.
    func run<Result>(
        _ query: Query, _ finish: (PreparedStatement, Int) throws(LibraryError) -> Result
    ) throws(CallFailure) -> Result {
        let start = clock.now()
        handle.forgetOthersErrors()
        var phase = CallFailure.Phase.preparing
        defer { lastAnswer = clock.now() }
        do {
            let statement = try prepared(query.text)
            phase = .running
            return try finish(statement, try statement.run(query.arguments))
        } catch {
            throw failure(error, phase, since: start)
        }
    }

    /// Runs a statement without arguments as text: one round trip, and the only way for what cannot be prepared.
    func runText(_ text: String) throws(CallFailure) -> Int {
        let start = clock.now()
        handle.forgetOthersErrors()
        defer { lastAnswer = clock.now() }
        let api = unsafe handle.api
        let mysql = unsafe handle.mysql
        if unsafe api.pointee.mysql_real_query(mysql, text, UInt(text.utf8.count)) != 0 {
            let error = unsafe LibraryError.reported(
                number: api.pointee.mysql_errno(mysql), message: String(cString: cmariadb_message(api, mysql)))
            throw failure(error, .running, since: start)
        }
        if unsafe api.pointee.mysql_field_count(mysql) > 0 {
            unsafe api.pointee.mysql_free_result(api.pointee.mysql_use_result(mysql))
            // Rows that nobody reads may still end in an error.
            let number = unsafe api.pointee.mysql_errno(mysql)
            if number != 0 {
                let message = unsafe String(cString: cmariadb_message(api, mysql))
                throw failure(.reported(number: number, message: message), .running, since: start)
            }
            return 0
        }
        return unsafe Int(exactly: api.pointee.mysql_affected_rows(mysql)) ?? 0
    }

    private func prepared(_ text: String) throws(LibraryError) -> PreparedStatement {
        try statements.statement(text) { () throws(LibraryError) in try PreparedStatement(handle, text) }
    }

    /// The library has one number for a broken connection and for an answer that did not come: the time tells.
    private func failure(_ error: LibraryError, _ phase: CallFailure.Phase, since start: Moment) -> CallFailure {
        switch error {
        case .reported(let number, let message):
            let timedOut = start.elapsed(to: clock.now()) >= readTimeout * 0.9
            return CallFailure(number: number, message: message, phase: phase, timedOut: timedOut)
        case .unexpectedType(let column):
            return CallFailure(unexpectedTypeOf: column)
        }
    }
}
