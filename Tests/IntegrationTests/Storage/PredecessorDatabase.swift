import SQL
import Storage
import Tokens

/// A database as the predecessor leaves it: its tables column by column, and rows of every kind that it may hold.
struct PredecessorDatabase {
    /// The character set of its text columns; `utf8` is what it ships with, `utf8mb4` what some have changed it to.
    enum Charset: String, CaseIterable, Sendable {
        case utf8, utf8mb4
    }

    static let config = """
        {"url": "https://qyapi.weixin.qq.com/cgi-bin/gettoken",  "method": "GET", "arguments": [
          {"name": "corpid", "place": "url", "value": "$key_1"},
          {"name": "corpsecret", "place": "url", "value": "$key_2"}],
         "token_path": "access_token", "content_type": "json", "expires_in_path": "expires_in", "a": "\\u4e2d 🙂 中"}
        """
    static let comment = "企业微信\n千语科技 'quoted' \\ 100%"
    /// In 2100: alive whenever this is run.
    static let future: Int64 = 4_102_444_800_000

    /// Every byte that JSON or SQL treats specially, and text beyond ASCII.
    static func credential(_ charset: Charset) -> String {
        "q\"uote' back\\slash \n\r\t\u{8}\u{C}\u{1}\u{7F} 中文 é e\u{301} \u{2028} /" + (charset == .utf8mb4 ? " 🙂" : "")
    }

    let database: TestDatabase
    let charset: Charset

    init(charset: Charset = .utf8) throws {
        database = try Driver.mariaDB.database()
        self.charset = charset
        let connection = try database.connection()
        defer { connection.close() }
        let text = "CHARACTER SET \(charset) COLLATE \(charset)_general_ci"
        let instants = """
            created_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP,
            updated_at datetime NOT NULL DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP
            """
        let end = "ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_general_ci"
        try connection.execute(
            """
            CREATE TABLE realm (
                id varchar(50) \(unsafeSQL: text) NOT NULL,
                config json DEFAULT NULL,
                logic_code varchar(5000) \(unsafeSQL: text) NOT NULL DEFAULT '',
                comment varchar(5000) \(unsafeSQL: text) NOT NULL DEFAULT '',
                \(unsafeSQL: instants),
                PRIMARY KEY (id)
            ) \(unsafeSQL: end)
            """)
        let keys = (1...5).map { "key_\($0) varchar(200) \(text) NOT NULL DEFAULT ''," }.joined(separator: "\n")
        try connection.execute(
            """
            CREATE TABLE secret (
                `key` varchar(200) \(unsafeSQL: text) NOT NULL,
                realm varchar(50) \(unsafeSQL: text) NOT NULL,
                \(unsafeSQL: keys)
                \(unsafeSQL: instants),
                token text \(unsafeSQL: text),
                expires_at bigint DEFAULT NULL,
                PRIMARY KEY (`key`, realm),
                KEY idx_secret_realm (realm)
            ) \(unsafeSQL: end)
            """)
        try fill(connection)
    }

    private func fill(_ connection: any Connection) throws {
        try connection.execute(
            """
            INSERT INTO realm (id, config, comment, created_at, updated_at) VALUES
            ('qywx_qynbkf', \(Self.config), \(Self.comment), '2022-03-04 05:06:07', '2023-12-31 23:59:59')
            """)
        let instants = "'2024-05-06 07:08:09', '2024-05-06 07:08:10'"
        try connection.execute(
            """
            INSERT INTO realm (id, logic_code, created_at, updated_at)
            VALUES ('code', 'https://a.example/code', \(unsafeSQL: instants)), ('Fixed', '', \(unsafeSQL: instants))
            """)
        let special = Self.credential(charset)
        try connection.execute(
            """
            INSERT INTO secret (realm, `key`, key_1, key_2, key_3, key_4, key_5, token, expires_at, created_at, updated_at)
            VALUES ('QYWX_qynbkf', 'live', 'corp', \(special), '', '', 'five', 'live-token 中', \(Self.future),
                '2022-01-01 00:00:00', '2024-02-29 12:00:00')
            """)
        let rows: [(realm: String, key: String, token: String?, expiresAt: Int64?)] = [
            ("qywx_qynbkf", "expired", "old", 1_700_000_000_000), ("qywx_qynbkf", "endless", "no-expiry", nil),
            ("qywx_qynbkf", "empty", "", Self.future), ("qywx_qynbkf", "none", nil, nil),
            ("code", "endless", "no-expiry", nil), ("fixed", "endless", "for ever", nil),
            ("gone", "orphan", "orphan-token", Self.future),
            ("Fixed", "it's \"odd\" \\ 名" + (charset == .utf8mb4 ? "🙂" : ""), "odd-token", Self.future),
        ]
        for row in rows {
            try connection.execute(
                """
                INSERT INTO secret (realm, `key`, key_1, token, expires_at, created_at, updated_at)
                VALUES (\(row.realm), \(row.key), 'x', \(row.token), \(row.expiresAt), \(unsafeSQL: instants))
                """)
        }
    }

    func store() throws -> DatabaseStore {
        DatabaseStore(try database.connection())
    }

    @discardableResult
    func migrate(over connection: (any Connection)? = nil) throws -> [Int] {
        let connection = try connection ?? database.connection()
        return try MigrationRunner(connection).run(Schema.migrations(for: .mysql))
    }

    /// All that a migration made, but for the instants that it took from the clock.
    func content() throws -> [Row] {
        let connection = try database.connection()
        defer { connection.close() }
        let realms = try connection.rows(
            """
            SELECT id, config, logic_code, comment, policy, created_at, updated_at, recipe_version > 1700000000000,
                revision > 1700000000000 FROM realm ORDER BY id
            """)
        let secrets = try connection.rows(
            """
            SELECT realm, `key`, credentials, sealed_with, version > 1700000000000, created_at, updated_at FROM secret
            ORDER BY realm, `key`
            """)
        let tokens = try connection.rows(
            """
            SELECT token.realm, token.`key`, token, token.sealed_with, expires_at, generation, minted_at = fence,
                minted_for_realm = COALESCE(recipe_version, 0), minted_for_secret = version, fence > 1700000000000, holder,
                lease_until, next_mint_at, fails, doubts, dies_at, marks
            FROM token INNER JOIN secret ON secret.realm = token.realm AND secret.`key` = token.`key`
                LEFT JOIN realm ON realm.id = token.realm
            ORDER BY token.realm, token.`key`
            """)
        return realms + secrets + tokens
    }
}

extension TestDatabase {
    /// Every column and index of the schema, whatever their order in the tables.
    func schema() throws -> [Row] {
        let connection = try connection()
        defer { connection.close() }
        return try connection.rows(
            """
            SELECT table_name, column_name, column_type, is_nullable, COALESCE(column_default, '-'), extra,
                COALESCE(collation_name, '-')
            FROM information_schema.columns WHERE table_schema = DATABASE() ORDER BY table_name, column_name
            """)
            + connection.rows(
                """
                SELECT table_name, index_name, seq_in_index, column_name, non_unique
                FROM information_schema.statistics WHERE table_schema = DATABASE()
                ORDER BY table_name, index_name, seq_in_index
                """)
            + connection.rows(
                """
                SELECT table_name, table_collation FROM information_schema.tables WHERE table_schema = DATABASE()
                ORDER BY table_name
                """)
    }
}
