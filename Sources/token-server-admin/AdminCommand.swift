internal import Glibc
internal import SQL

/// What an operator asked for, and what becomes of it: lines on standard output or error, and the exit status.
struct AdminCommand {
    let arguments: [String]

    private static let usage = """
        usage: token-server-admin migrate
               token-server-admin rekey [--dry-run] [--batch N]
               token-server-admin keys sign [--dry-run]
               token-server-admin audit verify

          migrate   bring the database that DATABASE_URL (or MYSQL_HOST …) names to the schema of this version, and seal
                    what is in clear where MASTER_KEYS is set
          rekey     bring every sealed value under the first of MASTER_KEYS, and list those that do not open;
                    safe to interrupt, to repeat, and to run while servers serve
                      --dry-run   change nothing, tell what would be done
                      --batch N   rows that are read at a time, 1 to 10000; default 200
          keys sign sign the API keys that nobody has signed, and list them: look at --dry-run first, for whoever can
                    write to the database can have put them there
          audit verify
                    read the whole audit, and name the first entry that was edited or removed; exit status 1 if there is one
        """

    /// Answers the exit status: 0 done, 1 failed, 2 not understood.
    func run() -> Int32 {
        switch arguments {
        case ["migrate"]:
            return reportingFailure {
                try migrate()
                return 0
            }
        case _ where arguments.first == "rekey":
            guard let options = RekeyOptions(arguments.dropFirst()) else {
                complain(Self.usage)
                return 2
            }
            return reportingFailure { try rekey(options) }
        case ["keys", "sign"]: return reportingFailure { try signKeys(isDry: false) }
        case ["keys", "sign", "--dry-run"]: return reportingFailure { try signKeys(isDry: true) }
        case ["audit", "verify"]: return reportingFailure { try verifyAudit() }
        case ["help"], ["--help"], ["-h"]:
            print(Self.usage)
            return 0
        default:
            complain(Self.usage)
            return 2
        }
    }

    private func reportingFailure(_ body: () throws -> Int32) -> Int32 {
        do {
            return try body()
        } catch let error as DatabaseError {
            // An operator sees the server's own words, on one line.
            let words = error.serverMessage.split(whereSeparator: \.isNewline).joined(separator: " ")
            complain("token-server-admin: \(variable): \(error)" + (words.isEmpty ? "" : ": \(words)"))
            return 1
        } catch {
            complain("token-server-admin: \(error)")
            return 1
        }
    }

    /// The variable that names the database.
    private var variable: String {
        let isSet = unsafe getenv("DATABASE_URL").map { unsafe $0.pointee != 0 } ?? false
        return isSet ? "DATABASE_URL" : "MYSQL_HOST"
    }

    private func complain(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = unsafe bytes.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
