internal import Clocks
internal import SQL
package import Tokens

/// A realm's places for upstream calls, one row for each that was ever taken.
extension DatabaseStore {
    package func enter(_ realm: String, limit: Int, holder: String, length: Duration) throws(StoreError) -> Int? {
        // Whoever loses a free place to somebody else looks for another, and gives up when there is none.
        try retrying { () throws(StoreError) -> Int?? in
            let found = try rows(
                """
                SELECT place, CASE WHEN held_until > \(now) THEN 1 ELSE 0 END FROM upstream_place
                WHERE realm = \(realm) AND place < \(Int64(limit))
                """)
            var isTaken: [Int64: Bool] = [:]
            for row in found {
                var columns = ColumnReader(row, ["upstream_place.place", "upstream_place.held_until"])
                let place = try columns.integer()
                isTaken[place] = try columns.integer() != 0
            }
            guard let place = (0..<Int64(limit)).first(where: { isTaken[$0] != true }) else { return .some(nil) }
            let isNew = isTaken[place] == nil
            let isMine =
                isNew
                ? try insertPlace(realm, place, holder, length)
                : try execute(
                    """
                    UPDATE upstream_place SET holder = \(holder), held_until = \(now) + \(length.wholeMilliseconds)
                    WHERE realm = \(realm) AND place = \(place) AND held_until <= \(now)
                    """) == 1
            return isMine ? .some(Int(place)) : nil
        }
    }

    package func leave(_ realm: String, place: Int, holder: String) throws(StoreError) {
        try execute(
            """
            UPDATE upstream_place SET holder = NULL, held_until = 0
            WHERE realm = \(realm) AND place = \(Int64(place)) AND holder = \(holder)
            """)
    }

    private func insertPlace(
        _ realm: String, _ place: Int64, _ holder: String, _ length: Duration
    ) throws(StoreError) -> Bool {
        do {
            try connection.execute(
                """
                INSERT INTO upstream_place (realm, place, holder, held_until)
                VALUES (\(realm), \(place), \(holder), \(now) + \(length.wholeMilliseconds))
                """)
            return true
        } catch {
            if error.code == .uniqueViolation { return false }
            throw StoreError(error)
        }
    }
}
