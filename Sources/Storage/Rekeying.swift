package import Crypto
internal import Log
package import SQL
package import Tokens

/// Brings stored values under the key that seals, while servers read and write them.
///
/// Every value is exchanged by one statement that is guarded by what was read: its version, its key and its text. Whoever
/// writes meanwhile has won, and a run that is killed has done whole values: the next one finds the others.
package final class Rekeying {
    package struct Options: Sendable {
        /// Seals what is in clear, and leaves what other keys have sealed.
        package var onlyClear = false
        /// Reads and opens everything, and changes nothing.
        package var isDry = false
        /// Rows that are read at a time.
        package var batch = 200
        /// Where a realm's `config` and `logic_code` lead.
        ///
        /// Credentials that were entered before that was written down, or were confirmed for an origin alone, are bound to it, and those
        /// that were sealed for none to nowhere; without it they stay as they are.
        package var destination: (@Sendable (_ config: String?, _ logicCode: String) throws -> Destination)?

        package init() {}
    }

    /// What became of the values of one column.
    package struct Count: Sendable, Equatable {
        /// `table.column`.
        package let column: String
        /// Its values are signatures.
        package var isSignature = false
        /// Were in clear.
        package var sealed = 0
        /// Were under another key.
        package var resealed = 0
        package var unopened: [SealFault] = []
        /// Are not under the key that seals, now that the run is over; those that do not open included.
        package var remaining = 0
    }

    /// Servers that still seal with another key would keep it busy for ever.
    private static let mostPasses = 5

    let connection: any Connection
    private let keys: MasterKeys
    let options: Options
    /// The last value that did not open, or was not genuine.
    private(set) var fault: SealFault?
    private(set) lazy var sealer = Sealer(keys) { [unowned self] in fault = $0 }

    package init(_ connection: any Connection, _ keys: MasterKeys, _ options: Options = Options()) {
        self.connection = connection
        self.keys = keys
        self.options = options
    }

    package func run() throws -> [Count] {
        var counts: [Count] = []
        for column in SealedColumn.all {
            var count = Count(column: "\(column.table).\(column.name)")
            for _ in 0..<Rekeying.mostPasses {
                count.unopened = []
                let overtaken = try pass(column, &count)
                // Who was overtaken by a writer is looked at again.
                if options.isDry || overtaken == 0 { break }
            }
            count.remaining = try remaining(column)
            counts.append(count)
        }
        if !options.onlyClear { counts.append(try signKeysAnew()) }
        return counts
    }

    /// Answers how many values somebody else wrote between our reading and our writing.
    private func pass(_ column: SealedColumn, _ count: inout Count) throws -> Int {
        var overtaken = 0
        var last: [String]?
        while true {
            let rows = try connection.rows(batch(column, after: last))
            for row in rows {
                let value = try Stored(row, column)
                last = value.identity
                try exchange(value, column, &count, &overtaken)
            }
            if rows.count < options.batch { return overtaken }
        }
    }

    private func exchange(
        _ value: Stored, _ column: SealedColumn, _ count: inout Count, _ overtaken: inout Int
    ) throws {
        let place = value.place(column, for: value.destination)
        guard let opened = try sealer.open(value.text, sealedWith: value.sealedWith, at: place) else {
            if let fault { count.unopened.append(fault) }
            if !options.isDry { try quarantine(value, column) }
            return
        }
        if !options.isDry {
            var healed: Query = column.isCredentials ? ", quarantined_at = NULL" : ""
            var place = place
            if column.isCredentials, value.destination?.isOriginAlone ?? true,
                let destination = try destination(of: place.realm)?
                    .binding(value.destination ?? SealBinding.destination(ofUnconfirmed: value.text))
            {
                place = value.place(column, for: destination)
                healed = "\(healed), confirmed_for = \(destination.text)"
            }
            let exchanged = try connection.execute(
                """
                UPDATE \(unsafeSQL: column.table) SET \(unsafeSQL: column.name) = \(try sealer.seal(opened, at: place)),
                    \(unsafeSQL: column.sealedWith) = \(keys.sealingID)\(healed)
                WHERE \(value.isSame(column))
                """)
            if exchanged == 0 {
                overtaken += 1
                return
            }
        }
        if value.sealedWith == nil { count.sealed += 1 } else { count.resealed += 1 }
    }

    /// Where a realm's credentials go now; nil where nobody can say.
    ///
    /// A realm that is not there leads nowhere.
    private func destination(of realm: String) throws -> Destination? {
        guard let read = options.destination else { return nil }
        guard let row = try connection.rows("SELECT config, logic_code FROM realm WHERE id = \(realm)").first else {
            return .nowhere
        }
        return try read(try row.optionalText(0), try row.text(1))
    }

    private func quarantine(_ value: Stored, _ column: SealedColumn) throws {
        guard column.isCredentials else { return }
        try connection.execute(
            """
            UPDATE secret SET quarantined_at = \(unsafeSQL: connection.dialect.now)
            WHERE \(value.isSame(column)) AND quarantined_at IS NULL
            """)
    }

    // MARK: Statements

    /// What this run has to look at: values that the key that seals has not sealed.
    private func wanted(_ column: SealedColumn) -> Query {
        var others: Query = ""
        if !options.onlyClear {
            others = " OR \(unsafeSQL: column.sealedWith) <> \(keys.sealingID)"
            // Sealed by a version that bound it to no destination, or to an origin alone.
            let isUnbound: Query = "\(unsafeSQL: column.name) NOT LIKE \(SealBinding.destination.mark + "%")"
            // Without anybody to say where they go they stay unbound.
            if column.isCredentials, options.destination != nil {
                others = "\(others) OR \(isUnbound) OR confirmed_for IS NULL"
            }
            if column.isRefreshToken {
                // As far as its credentials are bound: where they do not open, it stays bound as they are.
                let destination = Rekeying.destinationOfToken
                others = "\(others) OR (\(isUnbound) AND ((\(destination)) = '' OR (\(destination)) LIKE \("%#%")))"
            }
        }
        return """
            \(unsafeSQL: column.name) IS NOT NULL AND (\(unsafeSQL: column.sealedWith) IS NULL\(others))
            """
    }

    /// What the secret of a row of `token` may be sent to.
    private static let destinationOfToken: Query = """
        SELECT secret.confirmed_for FROM secret WHERE secret.realm = token.realm AND secret.`key` = token.`key`
        """

    private func batch(_ column: SealedColumn, after last: [String]?) -> Query {
        let identity = column.identity
        var position: Query = ""
        if let last {
            position =
                identity.count == 1
                ? " AND \(unsafeSQL: identity[0]) > \(last[0])"
                : """
                 AND (\(unsafeSQL: identity[0]) > \(last[0])
                    OR (\(unsafeSQL: identity[0]) = \(last[0]) AND \(unsafeSQL: identity[1]) > \(last[1])))
                """
        }
        let names = identity.joined(separator: ", ")
        let destination: Query =
            if column.isCredentials { "confirmed_for" } else if column.isRefreshToken {
                Rekeying.destinationOfToken
            } else {
                "NULL"
            }
        return """
            SELECT \(unsafeSQL: column.version), \(unsafeSQL: column.sealedWith), \(unsafeSQL: column.name),
                (\(destination)), \(unsafeSQL: names)
            FROM \(unsafeSQL: column.table) WHERE \(wanted(column))\(position)
            ORDER BY \(unsafeSQL: names) LIMIT \(Int64(options.batch))
            """
    }

    private func remaining(_ column: SealedColumn) throws -> Int {
        let rows = try connection.rows("SELECT COUNT(*) FROM \(unsafeSQL: column.table) WHERE \(wanted(column))")
        return Int(try rows.first?.integer(0) ?? 0)
    }

    /// One value as it was read.
    private struct Stored {
        let version: Int64
        let sealedWith: String?
        let text: String
        let destination: Destination?
        let identity: [String]

        init(_ row: Row, _ column: SealedColumn) throws {
            version = try row.integer(0)
            sealedWith = try row.optionalText(1)
            text = try row.text(2)
            destination = try row.optionalText(3).map { Destination($0) }
            identity = try column.identity.indices.map { try row.text(4 + $0) }
        }

        func place(_ column: SealedColumn, for destination: Destination?) -> SealedPlace {
            SealedPlace(
                column, realm: identity[0], key: identity.dropFirst().first ?? "", version: version,
                destination: destination)
        }

        /// Nothing of it was written since.
        ///
        /// The text would do, for no two sealings are alike, but a version that binds to no destination changes that alone.
        func isSame(_ column: SealedColumn) -> Query {
            var condition: Query = """
                \(unsafeSQL: column.version) = \(version) AND \(unsafeSQL: column.name) = \(text)
                """
            if let sealedWith {
                condition = "\(condition) AND \(unsafeSQL: column.sealedWith) = \(sealedWith)"
            } else {
                condition = "\(condition) AND \(unsafeSQL: column.sealedWith) IS NULL"
            }
            // Whoever binds a refresh token anew changes its text.
            if column.isCredentials {
                let isSameDestination: Query = if let destination { "= \(destination.text)" } else { "IS NULL" }
                condition = "\(condition) AND confirmed_for \(isSameDestination)"
            }
            for (name, value) in zip(column.identity, identity) {
                condition = "\(unsafeSQL: name) = \(value) AND \(condition)"
            }
            return condition
        }
    }
}
