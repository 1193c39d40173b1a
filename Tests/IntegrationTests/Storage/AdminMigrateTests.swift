import Foundation
import SQL
import Storage
import Testing

/// `token-server-admin migrate` as an operator runs it.
@Suite struct AdminMigrateTests {
    @Test(arguments: Driver.allCases)
    func `it says what it did, and the second time that nothing was to do`(_ driver: Driver) throws {
        let environment = ["DATABASE_URL": try driver.database().url]
        let first = try Program.admin(["migrate"], environment)
        #expect(first.status == 0)
        #expect(first.errors == "")
        let lines = first.output.split(separator: "\n")
        #expect(lines.first == "migration 1 (tables): done")
        let last = try #require(try Schema.migrations(for: .mysql).last)
        #expect(lines.last == "migration \(last.number) (\(last.name)): done")
        let second = try Program.admin(["migrate"], environment)
        #expect(second.status == 0)
        #expect(second.output == "the schema is up to date\n")
    }

    @Test(arguments: [
        (["DATABASE_URL": "postgres://canary@h/d"], "DATABASE_URL"), ([:], "DATABASE_URL"),
        (["MYSQL_HOST": "h", "MYSQL_PORT": "canary"], "MYSQL_PORT"), (["MYSQL_HOST": "h"], "MYSQL_USERNAME"),
    ])
    func `a variable that cannot be used is one line that names it`(
        _ environment: [String: String], _ variable: String
    ) throws {
        let run = try Program.admin(["migrate"], environment)
        #expect(run.status == 1)
        #expect(run.output == "")
        #expect(run.errors.hasPrefix("token-server-admin: \(variable): "))
        #expect(run.errors.split(separator: "\n").count == 1)
        #expect(!run.errors.contains("canary"))
    }

    @Test func `a database that is away is one line`() throws {
        // Port 1 of this machine: nobody listens.
        let run = try Program.admin(["migrate"], ["DATABASE_URL": "mysql://u:canary@127.0.0.1:1/d?tls=off"])
        #expect(run.status == 1)
        #expect(run.errors.hasPrefix("token-server-admin: DATABASE_URL: the database cannot be reached"))
        #expect(run.errors.split(separator: "\n").count == 1)
        #expect(!run.errors.contains("canary"))
    }

    @Test(arguments: [[], ["migrat"], ["migrate", "now"]])
    func `what is not understood is answered with the usage`(_ arguments: [String]) throws {
        let run = try Program.admin(arguments, [:])
        #expect(run.status == 2)
        #expect(run.errors.hasPrefix("usage: token-server-admin migrate"))
    }
}
