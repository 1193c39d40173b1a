internal import Clocks
internal import SQL
package import Tokens

extension DatabaseStore {
    package func unconfirmedSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int {
        try count("SELECT COUNT(*) FROM secret WHERE realm = \(id) AND confirmed_for <> \(destination.text)")
    }

    package func confirmSecrets(of id: String, _ destination: Destination) throws(StoreError) -> Int {
        let waiting = try unconfirmedSecrets(of: id, destination)
        if waiting == 0 { return 0 }
        try transaction {
            // The realm's row comes first, as in every other transaction.
            try connection.execute(
                """
                UPDATE realm SET revision = revision + 1,
                    recipe_version = CASE WHEN recipe_version < \(now) THEN \(now) ELSE recipe_version + 1 END
                WHERE id = \(id)
                """)
            try connection.execute(
                """
                UPDATE secret SET confirmed_for = \(destination.text)
                WHERE realm = \(id) AND confirmed_for <> \(destination.text)
                """)
        }
        return waiting
    }
}
