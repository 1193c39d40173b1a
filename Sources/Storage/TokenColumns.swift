internal import Log
internal import SQL
internal import Tokens

/// The columns of `token` in the order in which they are selected and read.
enum TokenColumns {
    static let names = [
        "generation", "sealed_with", "token", "expires_at", "minted_at", "minted_for_realm", "minted_for_secret",
        "fence",
        "holder", "taken_at", "lease_until", "reason", "next_mint_at", "retry_at", "retry_class", "retry_for_realm",
        "retry_for_secret", "failure", "fails", "doubts", "dies_at", "marks",
        "day", "calls", "forced", "used_at", "due_at", "early_reports", "early_generation",
    ]

    static let qualifiedNames = names.map { "token.\($0)" }
    static let list = qualifiedNames.joined(separator: ", ")

    /// A token that does not open is none: it will be fetched again.
    static func read(
        _ columns: inout ColumnReader, of id: SecretID, _ sealer: Sealer
    ) throws(StoreError) -> TokenRow {
        var row = TokenRow()
        row.generation = try columns.integer()
        let sealedWith = try columns.optionalText()
        if let text = try columns.optionalText() {
            let place = SealedPlace(.token, id, version: row.generation)
            row.token = try sealer.open(text, sealedWith: sealedWith, at: place)
        }
        row.expiresAt = try columns.optionalInstant()
        row.mintedAt = try columns.optionalInstant()
        row.mintedFor = try columns.optionalVersion()
        row.fence = try columns.integer()
        row.holder = try columns.optionalText()
        row.takenAt = try columns.optionalInstant()
        row.leaseUntil = try columns.optionalInstant()
        row.reason = try columns.optionalWord()
        row.nextMintAt = try columns.optionalInstant()
        row.retryAt = try columns.optionalInstant()
        row.retryClass = try columns.optionalWord()
        row.retryFor = try columns.optionalVersion()
        row.failure = try columns.optionalText().map { text throws(StoreError) in try FailureText.decode(text) }
        row.fails = try columns.integer()
        row.doubts = try columns.integer()
        row.diesAt = try columns.optionalInstant()
        row.marks = try columns.integer()
        let day = try columns.optionalInteger()
        let calls = try columns.integer()
        let forced = try columns.integer()
        row.ledger = day.map { Ledger(day: $0, calls: calls, forced: forced) }
        row.usedAt = try columns.optionalInstant()
        row.dueAt = try columns.optionalInstant()
        row.earlyReports = try columns.integer()
        row.earlyGeneration = try columns.optionalInteger()
        return row
    }
}
