import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

/// What hit other systems of this kind, each by the name of its advisory: what is written down, and what comes out.
@Suite struct AdvisoryWritesTests {
    /// A request for every route that writes, in an order in which each succeeds.
    private static let writes: [(endpoint: Endpoint, method: Method, path: String, body: String?, golden: String)] = [
        (.writeRealm, .post, "/api/realm", #"{"id":"wx","config":\#(World.recipe)}"#, "realm.write|wx|-|stored|config"),
        (
            .writeSecret, .post, "/api/secret", #"{"realm":"wx","key":"app","key_1":"a","key_2":"b"}"#,
            "secret.write|wx|app|stored|key_1, key_2"
        ),
        (
            .confirmRealm, .post, "/api/realm/wx/confirm", #"{"destination":"\#(World.destination)"}"#,
            "realm.confirm|wx|-|confirmed|\(World.destination)"
        ),
        (.refreshToken, .put, "/api/token", #"{"realm":"wx","key":"app"}"#, "token.flush|wx|app|refreshed|"),
        (.deleteSecret, .delete, "/api/secret/wx/app", nil, "secret.delete|wx|app|deleted|"),
        (.deleteRealm, .delete, "/api/realm/wx", nil, "realm.delete|wx|-|deleted|"),
        (.createKey, .post, "/api/key", #"{"role":"reader"}"#, "key.create|-|-|stored|ID reader"),
        (.deleteKey, .delete, "/api/key/ID", nil, "key.delete|-|-|deleted|ID"),
        (.writeRealm, .post, "/api/realm", #"{"id":"fixed"}"#, "realm.write|fixed|-|stored|"),
        (.writeSecret, .post, "/api/secret", #"{"realm":"fixed","key":"app"}"#, "secret.write|fixed|app|stored|"),
        (
            .placeToken, .put, "/api/secret/fixed/app/token", #"{"token":"t"}"#,
            "token.place|fixed|app|stored|"
        ),
    ]

    @Test func `CVE-2026-46358 (OpenBao): each route that writes has its golden entry, whatever fields come with it`()
        throws
    {
        let covered = Set(Self.writes.map(\.endpoint))
        for route in Endpoint.router.routes where route.method != .get {
            #expect(covered.contains(route.endpoint), "\(route.method) \(route.pattern)")
        }
        let world = try World.withKeys([World.token("one")])
        let forged = Field(try #require(Field.Name("x-request-id")), "forged")
        var id = ""
        for write in Self.writes {
            let path = write.path.replacing("ID", with: id)
            let answer = try world.send(write.method, path, write.body, as: World.key, fields: [forged])
            #expect((200...204).contains(answer.status), "\(write.path): \(answer.text)")
            if write.endpoint == .createKey { id = try #require(answer.json["id"]?.string) }
            let list = try world.send(.get, "/api/audit?pageSize=1", as: World.key).json["data"]?["list"]
            let entry = try #require(list?.array?.first)
            let found = ["action", "realm", "key", "outcome", "detail"].map { entry[$0]?.string ?? "-" }
            #expect(found.joined(separator: "|") == write.golden.replacing("ID", with: id))
            #expect(entry["caller"] == "bootstrap")
            #expect(entry["request_id"] == "request-1")
        }
    }

    @Test
    func `CVE-2025-6000, CVE-2025-54997 (Vault, OpenBao): no route takes a file, a command or a place for the audit`()
        throws
    {
        let world = try World.withKeys()
        for route in Endpoint.router.routes where route.method == .post || route.method == .put {
            let path = route.pattern.replacing(":realm", with: "wx").replacing(":key", with: "app")
                .replacing(":id", with: "wx")
            for name in ["file", "path", "command", "plugin", "audit", "log", "options"] {
                let answer = try world.send(route.method, path, #"{"\#(name)":"/tmp/x"}"#, as: World.key)
                #expect(answer.status == 400)
                #expect(answer.field == name, "\(route.method) \(path)")
            }
        }
    }

    @Test func `CVE-2026-33758 (OpenBao): what a provider says is never a page`() throws {
        let page = "<script>alert(1)</script>"
        let world = try World.withKeys([
            World.answer(400, #"{"error":"invalid_client","error_description":"\#(page)"}"#),
            World.answer(200, page),
        ])
        try world.registerAsAdministrator("a", "b")
        for realm in ["a", "b"] {
            let answer = try world.send(.get, "/api/token?realm=\(realm)&key=app", as: World.key)
            #expect(answer.status == 502)
            #expect(answer.header(.contentType) == "application/problem+json")
            #expect(answer.text.contains("script") == (realm == "a"))
            // As every answer leaves the function, whichever platform asked.
            var leaving = answer.response
            leaving.guardAgainstBrowsers()
            #expect(leaving.fields[.contentTypeOptions] == "nosniff")
            #expect(leaving.fields[.contentSecurityPolicy]?.contains("default-src 'none'") == true)
        }
    }

    // MARK: What this service does not have

    @Test func `GHSA-f24x-5g9q-753f (oauth2-proxy): there is no session that could be fixed`() throws {
        let world = try World.withKeys([World.token("one")])
        try world.registerAsAdministrator("wx")
        let chosen = Field(try #require(Field.Name("cookie")), "session=\(World.key); token=\(World.key)")
        for (_, method, target) in RoleTests.requests {
            for key in [World.key, nil] {
                let identity = key.map { [Field(.authorization, "Bearer \($0)")] } ?? []
                let answer = try world.send(method, target, method == .post ? "{}" : nil, fields: identity + [chosen])
                #expect(answer.response.fields.allSatisfy { !$0.name.description.contains("cookie") })
                #expect(!answer.text.contains("session"))
            }
        }
    }

    @Test func `CVE-2020-16250, CVE-2020-16251 (Vault): no signature or identity of a cloud says who asks`() throws {
        let world = try World.withKeys()
        let signed =
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature=0"
        let sts = "https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"
        for (name, value) in [
            ("authorization", signed), ("x-amz-security-token", "t"), ("x-amz-date", "20260101T000000Z"),
            ("x-fc-access-key-id", "k"), ("x-fc-security-token", "t"), ("x-fc-account-id", "1"),
            ("x-goog-iam-authorization-token", "t"), ("x-ms-client-principal", "e30="),
            ("x-amzn-oidc-identity", "admin"),
            ("x-amzn-oidc-data", "e30.e30.e30"), ("x-apigateway-authorizer", "admin"),
        ] {
            for (_, method, target) in RoleTests.requests where target.hasPrefix("/api/") {
                let forged = Field(try #require(Field.Name(name)), value)
                #expect(try world.send(method, target, fields: [forged]).status == 401, "\(name) \(target)")
            }
        }
        // Nor is anybody asked who the caller is, wherever it says that one should ask.
        for name in ["iam_request_url", "iam_request_body", "jwt", "identity", "iam_http_request_method"] {
            let body = JSON.Value.object([name: .string(sts), "role": "admin"]).text
            #expect(try world.send(.post, "/api/key", body).status == 401)
            #expect(try world.send(.post, "/api/key", body, as: World.key).field == name)
        }
        #expect(world.client.requests.isEmpty)
    }
}
