internal import CMariaDB
internal import Glibc
internal import SQL
internal import Synchronization
internal import TestKit

/// A prepared statement that the C client alone runs again and again: no driver, no types, no rows of ours.
enum StatementLoop {
    /// Runs it on so many connections, each on a thread of its own; answers how many times it ran in a second, on all together.
    ///
    /// - Parameter arguments: texts.
    static func run(
        _ query: Query, socket: String, database: String, connections: Int, seconds: Int
    ) throws -> Double {
        let arguments = try query.arguments.map { value in
            guard case .text(let text) = value else {
                throw BenchmarkFailure(description: "the statement of a hit has an argument that is no text")
            }
            return text
        }
        let text = query.text
        let count = Atomic(0)
        let failures = Atomic(0)
        let start = ContinuousClock.now
        let end = start + .seconds(seconds)
        onThreads(connections) {
            guard let runs = loop(text, arguments, socket, database, until: end) else {
                failures.add(1, ordering: .relaxed)
                return
            }
            count.add(runs, ordering: .relaxed)
        }
        guard failures.load(ordering: .relaxed) == 0 else {
            throw BenchmarkFailure(description: "the C client cannot run the statement of a hit")
        }
        return Double(count.load(ordering: .relaxed)) / ((ContinuousClock.now - start) / .seconds(1))
    }

    /// How many times it ran; nil when anything failed.
    private static func loop(
        _ text: String, _ arguments: [String], _ socket: String, _ database: String, until end: ContinuousClock.Instant
    ) -> Int? {
        guard let api = unsafe cmariadb(), let mysql = unsafe api.pointee.mysql_init(nil) else { return nil }
        defer { unsafe api.pointee.mysql_close(mysql) }
        unsafe cmariadb_set_uint(api, mysql, MYSQL_OPT_PROTOCOL, MYSQL_PROTOCOL_SOCKET.rawValue)
        unsafe cmariadb_set_text(api, mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        guard unsafe api.pointee.mysql_real_connect(mysql, nil, "root", "", database, 0, socket, 0) != nil,
            let statement = unsafe api.pointee.mysql_stmt_init(mysql)
        else { return nil }
        defer { unsafe _ = api.pointee.mysql_stmt_close(statement) }
        guard unsafe api.pointee.mysql_stmt_prepare(statement, text, UInt(text.utf8.count)) == 0 else { return nil }
        var columns: UInt32 = 0
        _ = unsafe cmariadb_statement_fields(statement, &columns)
        let parameters = unsafe texts(arguments.count)
        for (index, argument) in arguments.enumerated() {
            unsafe parameters[index].buffer = UnsafeMutableRawPointer(strdup(argument))
            unsafe parameters[index].buffer_length = UInt(argument.utf8.count)
        }
        let results = unsafe texts(Int(columns))
        for index in 0..<Int(columns) {
            unsafe results[index].buffer = malloc(4 << 10)
            unsafe results[index].buffer_length = 4 << 10
        }
        defer {
            for index in 0..<arguments.count { unsafe free(parameters[index].buffer) }
            for index in 0..<Int(columns) { unsafe free(results[index].buffer) }
            unsafe parameters.deallocate()
            unsafe results.deallocate()
        }
        var runs = 0
        while ContinuousClock.now < end {
            guard unsafe api.pointee.mysql_stmt_bind_param(statement, parameters) == 0,
                unsafe api.pointee.mysql_stmt_execute(statement) == 0,
                unsafe api.pointee.mysql_stmt_bind_result(statement, results) == 0
            else { return nil }
            var rows = 0
            while unsafe api.pointee.mysql_stmt_fetch(statement) == 0 { rows += 1 }
            unsafe _ = api.pointee.mysql_stmt_free_result(statement)
            guard rows == 1 else { return nil }
            runs += 1
        }
        return runs
    }

    private static func texts(_ count: Int) -> UnsafeMutablePointer<MYSQL_BIND> {
        let binds = UnsafeMutablePointer<MYSQL_BIND>.allocate(capacity: max(1, count))
        unsafe binds.initialize(repeating: MYSQL_BIND(), count: max(1, count))
        for index in 0..<count { unsafe binds[index].buffer_type = MYSQL_TYPE_STRING }
        return unsafe binds
    }
}
