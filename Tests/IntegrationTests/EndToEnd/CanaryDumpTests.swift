import Crypto
import Foundation
import JSON
import MariaDB
import SQL
import Testing

/// What a copy of the database tells: no credential, no token, no refresh token, no notice key.
@Suite(.serialized) struct CanaryDumpTests {
    private static func post(_ platform: LocalPlatform, _ path: String, _ json: String, _ method: String = "POST")
        throws
    {
        let answer = try OneShotHTTP.send(method, platform.url + path, json: json)
        try #require(answer.status == 200, "\(answer.text)")
    }

    private static func token(_ platform: LocalPlatform, _ query: String) throws -> String? {
        try OneShotHTTP.send("GET", platform.url + "/api/token?" + query).json()["token"]?.string
    }

    @Test func `a dump after a full run holds nothing in clear`() throws {
        let server = try MariaDBServer.shared()
        let url = try server.freshDatabase()
        let canaries = Canaries()
        try Self.fillPredecessor(try server.connection(to: url), canaries)
        let keys = MasterKeys.text("canary-old")
        try LocalPlatform.run(environment: ["DATABASE_URL": url, "MASTER_KEYS": keys]) { platform in
            try Self.writeEverything(platform, canaries)
            // Whatever is stored is really there: it opens.
            #expect(try Self.token(platform, "realm=legacy&key=app") == canaries.values["migrated token"])
        }
        #expect(canaries.values.count >= 14)
        let before = try Self.dump(server, url)
        let environment = ["DATABASE_URL": url, "MASTER_KEYS": MasterKeys.text("second") + "," + keys]
        let rekey = try Program.admin(["rekey"], environment)
        #expect(rekey.status == 0, "\(rekey.output)")
        let after = try Self.dump(server, url)
        #expect(before != after)
        for dump in [before, after] {
            #expect(dump.contains("INSERT INTO `secret`"), "the dump has rows")
            let found = canaries.found(in: dump)
            #expect(found.isEmpty)
        }
    }

    private static func dump(_ server: MariaDBServer, _ url: String) throws -> String {
        let name = try #require(try server.connection(to: url).rows("SELECT DATABASE()").first).text(0)
        let run = try Program.run(
            "/usr/bin/mariadb-dump",
            ["--no-defaults", "--user=root", "--socket=\(server.socket)", "--hex-blob", name])
        #expect(run.status == 0, "\(run.errors)")
        return run.output
    }

    /// Through every way in which a secret value comes into the database.
    private static func writeEverything(_ platform: LocalPlatform, _ canaries: Canaries) throws {
        // A classic provider: credentials, a first token, a flushed one.
        try post(
            platform, "/api/realm",
            """
            {"id": "wx", "policy": {"notice_url": "https://n.example/"}, "notice_key": "\(canaries["notice key"])", "config": {
              "url": "\(platform.provider)/cgi-bin/token", "arguments": [
                {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "$key_2"},
                {"name": "grant_type", "place": "url", "value": "client_credential"}],
              "token_path": "access_token", "expires_in_path": "expires_in"}}
            """)
        try post(
            platform, "/api/secret",
            #"{"realm": "wx", "key": "app", "key_1": "\#(canaries["numbered"])", "key_2": "\#(canaries["second"])"}"#)
        try canaries.note(try token(platform, "realm=wx&key=app"), "minted token")
        try canaries.note(try token(platform, "realm=wx&key=app&flush=true"), "flushed token")
        try post(
            platform, "/api/secret",
            #"{"realm": "wx", "key": "app", "credentials": {"private_key": "\#(canaries["updated"])"}}"#)
        try canaries.note(try token(platform, "realm=wx&key=app"), "token of the new version")
        try post(platform, "/api/realm", #"{"id": "wx", "notice_key": "\#(canaries["second notice key"])"}"#)
        // A provider that rotates refresh tokens.
        try post(
            platform, "/api/realm",
            """
            {"id": "crm", "policy": {"class": "G", "gap": 0}, "config": {
              "url": "\(platform.provider)/oauth2/token", "method": "POST", "content_type": "form", "arguments": [
                {"name": "grant_type", "place": "body", "value": "refresh_token"},
                {"name": "client_id", "place": "body", "value": "$client_id"},
                {"name": "client_secret", "place": "body", "value": "$client_secret"},
                {"name": "refresh_token", "place": "body", "value": "$refresh_token"}],
              "token_path": "access_token", "expires_in_path": "expires_in", "refresh_token_path": "refresh_token"}}
            """)
        try post(
            platform, "/api/secret",
            """
            {"realm": "crm", "key": "app", "credentials": {"client_id": "a", "client_secret": "\(canaries["client secret"])",
              "refresh_token": "\(canaries["first refresh token"])"}}
            """)
        try canaries.note(try token(platform, "realm=crm&key=app"), "token of a refresh token")
        try canaries.note(try token(platform, "realm=crm&key=app&flush=true"), "token of a rotated refresh token")
        // A token by hand, and a report of it.
        try post(platform, "/api/realm", #"{"id": "hand"}"#)
        try post(platform, "/api/secret", #"{"realm": "hand", "key": "app"}"#)
        try post(platform, "/api/secret/hand/app/token", #"{"token": "\#(canaries["placed token"])"}"#, "PUT")
        _ = try OneShotHTTP.send(
            "PUT", platform.url + "/api/token",
            json: #"{"realm": "wx", "key": "app", "now_token": "\#(canaries["reported token"])"}"#)
        // A provider that refuses and repeats what it was sent.
        try post(
            platform, "/api/secret",
            #"{"realm": "wx", "key": "refused", "key_1": "bad-\#(canaries["refused"])", "key_2": "x"}"#)
        #expect(try OneShotHTTP.send("GET", platform.url + "/api/token?realm=wx&key=refused").status == 502)
        // A refresh by what the predecessor stored.
        _ = try OneShotHTTP.send("GET", platform.url + "/api/token?realm=legacy&key=app")
    }

    /// The predecessor's tables, with a secret and a live token in clear.
    private static func fillPredecessor(_ connection: any SQL.Connection, _ canaries: Canaries) throws {
        defer { connection.close() }
        for statement in MainJobTests.predecessor.prefix(2) { try connection.execute(Query(unsafeSQL: statement)) }
        try connection.execute("INSERT INTO realm (id) VALUES ('legacy')")
        try connection.execute(
            """
            INSERT INTO secret (`key`, realm, key_1, token, expires_at) VALUES
                ('app', 'legacy', \(canaries["migrated credential"]), \(canaries["migrated token"]), 4102444800000)
            """)
    }
}
