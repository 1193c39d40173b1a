import Foundation
import JSON
import Testing

/// API keys on the whole local platform, behind every kind of front: real processes, real sockets.
@Suite(.serialized) struct CallerPlatformTests {
    /// The SHA-256 digest of "abc" (FIPS 180-4, example B.1).
    private static let environment = [
        "AUTH": "keys", "ADMIN_KEY_SHA256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    ]

    private func send(
        _ url: String, _ method: String, _ target: String, _ json: String? = nil, as key: String,
        fields: [(name: String, value: String)] = []
    ) throws -> Answer {
        let fields = fields + [(name: "Authorization", value: "Bearer \(key)")]
        guard let json else { return try OneShotHTTP.send(method, url + target, fields: fields) }
        return try OneShotHTTP.send(method, url + target, fields: fields, json: json)
    }

    private func makeKey(_ platform: LocalPlatform, _ body: String) throws -> (key: String, id: String) {
        let made = try send(platform.url, "POST", "/api/key", body, as: "abc")
        try #require(made.status == 200, "\(made.text)")
        return (try #require(try made.json()["key"]?.string), try #require(try made.json()["id"]?.string))
    }

    private func register(_ platform: LocalPlatform, _ realm: String) throws {
        let body = """
            {"id": "\(realm)", "config": {"url": "\(platform.provider)/cgi-bin/token", "arguments": [
                {"name": "appid", "place": "url", "value": "$key_1"}, {"name": "secret", "place": "url", "value": "$key_2"},
                {"name": "grant_type", "place": "url", "value": "client_credential"}],
             "token_path": "access_token", "expires_in_path": "expires_in"}}
            """
        try #require(try send(platform.url, "POST", "/api/realm", body, as: "abc").status == 200)
        let secret = #"{"realm": "\#(realm)", "key": "app", "key_1": "a", "key_2": "b"}"#
        try #require(try send(platform.url, "POST", "/api/secret", secret, as: "abc").status == 200)
    }

    @Test(arguments: [["--shape", "v2"], ["--shape", "v1"], ["--shape", "alb"], ["--platform", "fc"]])
    func `keys open what they say, from where they say, behind every front`(options: [String]) throws {
        try LocalPlatform.run(environment: Self.environment, options: options) { platform in
            try register(platform, "a")
            try register(platform, "b")
            let reader = try makeKey(platform, #"{"role": "reader", "realms": ["a"], "ip": ["127.0.0.1"]}"#)
            let elsewhere = try makeKey(platform, #"{"role": "reader", "ip": ["203.0.113.9"]}"#)
            let token = "/api/token?realm=a&key=app"
            #expect(try send(platform.url, "GET", token, as: reader.key).status == 200)
            #expect(try send(platform.url, "GET", "/api/realm", as: reader.key).status == 403)
            #expect(try send(platform.url, "GET", "/api/key", as: reader.key).status == 403)
            // Both names have one letter, so that nothing but the request's id can differ.
            let stranger = try send(platform.url, "GET", "/api/token?realm=b&key=app", as: reader.key)
            let absent = try send(platform.url, "GET", "/api/token?realm=c&key=app", as: reader.key)
            #expect(stranger.status == 404)
            #expect(try withoutID(stranger) == withoutID(absent))

            // Nobody says by a header where the request comes from.
            for name in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X_Forwarded_For"] {
                let forged = [(name: name, value: "203.0.113.9")]
                #expect(try send(platform.url, "GET", token, as: elsewhere.key, fields: forged).status == 403)
                #expect(try send(platform.url, "GET", token, as: reader.key, fields: forged).status == 200)
            }
            #expect(try send(platform.url, "DELETE", "/api/key/\(reader.id)", as: "abc").status == 204)
            #expect(try send(platform.url, "GET", token, as: reader.key).status == 401)
        }
    }

    private func withoutID(_ answer: Answer) throws -> JSON.Value {
        var object = try #require(try answer.json().object)
        #expect(object["request_id"]?.string?.isEmpty == false)
        object["request_id"] = nil
        return .object(object)
    }
}
