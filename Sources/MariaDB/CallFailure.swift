internal import CMariaDB
internal import SQL

/// A call of the library that failed: what the caller is told, and what it means for the connection.
struct CallFailure: Error {
    let error: DatabaseError
    /// The connection cannot be used again.
    let isConnectionGone: Bool
    /// The server has run nothing of the statement for certain, or only read.
    let isSafeToRepeat: Bool

    /// What was under way when the call failed.
    enum Phase {
        case connecting
        /// The server has the text, but was not yet asked to run it.
        case preparing
        case running
    }

    /// Classifies the library's error number; `message` is kept for operators.
    ///
    /// Numbers from 2000 are the client library's own, the others the server's
    /// (https://mariadb.com/docs/server/reference/error-codes).
    init(number: UInt32, message: String, phase: Phase, timedOut: Bool) {
        let isGone: Bool
        switch Int32(number) {
        // What the library refuses before it sends anything: values and buffers it does not know.
        case 2_030...2_036, 2_051...2_054: isGone = phase == .connecting
        // All else from the library, TLS that broke included, and a failure without a number: nobody knows what is still to
        // be read, and the next statement must not read the rows of this one.
        case 0, 2_000..<3_000, 5_000...: isGone = true
        // Shutdown, killed, aborted, packet out of order, packet too large: the server closes after saying so;
        // 4031 is MySQL's farewell to an idle client.
        case 1053, 1927, 1152, 1184, 1153, 1156, 1158, 1159, 1160, 1161, 4031: isGone = true
        default: isGone = phase == .connecting
        }
        let code: DatabaseError.Code =
            switch (phase, isGone) {
            case (.connecting, _): Self.connectCode(number)
            case (_, true):
                timedOut
                    ? .timeout
                    : number == 1153 || Int32(number) == CR_NET_PACKET_TOO_LARGE ? .constraintViolation : .lost
            case (_, false): Self.statementCode(number)
            }
        error = DatabaseError(code, number: Int(number), serverMessage: message)
        isConnectionGone = isGone
        isSafeToRepeat =
            switch phase {
            case .connecting: true
            case .preparing: !timedOut
            // 2006 comes from sending: an incomplete packet is never run. 4031 was written before it came. 2057: the table
            // has changed under a prepared query, which alone has columns; its rows lie unread on the connection.
            case .running: [UInt32(CR_SERVER_GONE_ERROR), 4031, UInt32(CR_NEW_STMT_METADATA)].contains(number)
            }
    }

    init(unexpectedTypeOf column: Int) {
        error = DatabaseError(.unexpectedType, number: column)
        isConnectionGone = false
        isSafeToRepeat = false
    }

    private static func connectCode(_ number: UInt32) -> DatabaseError.Code {
        switch number {
        // Wrong password, no right to the database, host not allowed, password expired, login method missing.
        case 1044, 1045, 1130, 1251, 1524, 1698, 1820, 1862, 2049, 2054, 2059: .accessDenied
        case 1049: .schema
        case 2026: .tls
        default: .unavailable
        }
    }

    private static func statementCode(_ number: UInt32) -> DatabaseError.Code {
        switch number {
        case 1062, 1169, 1586, 1859: .uniqueViolation
        case 1216, 1217, 1451, 1452: .foreignKeyViolation
        // Null, out of range, wrong or too long value, no default, wrong date, check, invalid JSON or character.
        case 1048, 1264, 1265, 1292, 1364, 1366, 1406, 3140, 3819, 4025, 1411, 3854: .constraintViolation
        // The last three are TiDB's: a conflict found at commit.
        case 1213, 1614, 3058, 8002, 8022, 9007: .deadlock
        case 1205, 1637, 3572: .lockTimeout
        // Killed query, statement time limit (MariaDB, MySQL).
        case 1317, 1969, 3024: .timeout
        case 1142, 1143, 1227: .accessDenied
        // Unknown table, column, key, database; something exists already or cannot be dropped.
        case 1046, 1049, 1050, 1051, 1054, 1060, 1061, 1072, 1091, 1146, 1305: .schema
        case 1064, 1065, 1149, 1210, 1222, 1136: .syntax
        case 1290, 1792, 1836: .readOnly
        // Too many connections; a Galera node that has not joined; TiDB without its storage.
        case 1040, 1203, 1226, 1047, 9001, 9002, 9003, 9005: .unavailable
        default: .other
        }
    }
}
