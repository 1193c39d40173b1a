/// A column whose values are sealed, and what lies beside it.
struct SealedColumn: Sendable {
    let table: String
    let name: String
    /// The column that names the key; NULL where the value is in clear.
    let sealedWith: String
    /// The column whose number is bound to the value.
    let version: String
    /// The columns that name the row.
    let identity: [String]

    static let credentials = SealedColumn(
        table: "secret", name: "credentials", sealedWith: "sealed_with", version: "version",
        identity: ["realm", "`key`"])
    static let token = SealedColumn(
        table: "token", name: "token", sealedWith: "sealed_with", version: "generation", identity: ["realm", "`key`"])
    static let refreshToken = SealedColumn(
        table: "token", name: "refresh_token", sealedWith: "refresh_token_sealed_with",
        version: "refresh_token_generation", identity: ["realm", "`key`"])
    static let noticeKey = SealedColumn(
        table: "realm", name: "notice_key", sealedWith: "notice_key_sealed_with", version: "notice_key_version",
        identity: ["id"])

    /// Whether a value that does not open keeps its secret from being used.
    var isCredentials: Bool { table == "secret" }
    var isRefreshToken: Bool { table == "token" && name == "refresh_token" }
    /// Whether a value is bound to what it may be sent to, which `secret.confirmed_for` names.
    var isBoundToDestination: Bool { isCredentials || isRefreshToken }

    static let all = [credentials, token, refreshToken, noticeKey]
}
