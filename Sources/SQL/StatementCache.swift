/// Prepared statements by their text, the one that was used longest ago dropped first.
///
/// A program has a fixed number of statements; the bound is for text made at run time.
package struct StatementCache<Statement> {
    private let limit: Int
    private var entries: [String: (statement: Statement, lastUse: UInt64)] = [:]
    private var useCount: UInt64 = 0
    /// The one that was used last: a hit runs the same again and again, and a long text takes its time to hash.
    private var latest: (text: String, statement: Statement)?

    package init(limit: Int = 64) {
        self.limit = limit
    }

    /// The statement of that text, prepared by `prepare` unless it is known.
    package mutating func statement<Failure>(
        _ text: String, prepare: () throws(Failure) -> Statement
    ) throws(Failure) -> Statement {
        if let latest, latest.text == text { return latest.statement }
        useCount += 1
        if let known = entries[text]?.statement {
            entries[text]?.lastUse = useCount
            latest = (text, known)
            return known
        }
        let statement = try prepare()
        if entries.count >= limit, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
        }
        entries[text] = (statement: statement, lastUse: useCount)
        latest = (text, statement)
        return statement
    }
}
