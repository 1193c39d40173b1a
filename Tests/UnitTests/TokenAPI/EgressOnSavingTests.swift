import HTTP
import JSON
import TestKit
import Testing
import TokenAPI
import Tokens

@Suite struct EgressOnSavingTests {
    /// Ways to write an address that is inside, or a host that parsers read in two ways.
    static let hosts = [
        "127.0.0.1", "127.0.0.1:8443", "localhost", "LOCALHOST", "x.localhost", "10.0.0.1", "172.16.0.1", "192.168.0.1",
        "169.254.169.254", "100.100.100.200", "0.0.0.0", "[::1]", "[::]", "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]", "[fd00:ec2::254]", "[fe80::1]", "[fec0::1]", "[2002:7f00:1::]", "[ff02::1]",
        // Decimal, octal, hexadecimal and short forms.
        "2130706433", "017700000001", "0x7f000001", "0x7F.1", "127.1", "0177.0.0.1", "0x7f.0.0.1", "127.0.0.0x1",
        "127.0.0.01", "0", "1.2.3", "4294967297",
        // Names that are no names.
        "localhost.", "127.0.0.1.", "good.example@127.0.0.1", "127.0.0.1@good.example", "%31%32%37.0.0.1",
        "127.0.0.1%00.good.example", "127%2e0%2e0%2e1", "good.example#@127.0.0.1", "good.example\\\\@127.0.0.1",
        "１２７.0.0.1", "127。0。0。1", "ⓛocalhost", "", "[127.0.0.1]", "[::1%25lo]", "good.example:", "good.example:99999",
        "good.example ", "-\\n127.0.0.1",
    ]

    @Test(arguments: hosts)
    func `CVE-2026-12798, infisical#5992: a URL that leads inside by its text, or is not clear, is not saved`(
        host: String
    ) throws {
        let world = try World()
        let url = "https://\(host)/token"
        let bodies = [
            (#"{"id":"wx","config":{"url":"\#(url)","token_path":"t"}}"#, "config.url"),
            (#"{"id":"wx","logic_code":"\#(url)"}"#, "logic_code"),
            (
                #"{"id":"wx","policy":{"notice_url":"\#(url)"},"notice_key":"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"}"#,
                "policy.notice_url"
            ),
        ]
        for (body, field) in bodies {
            let answer = try world.send(.post, "/api/realm", body)
            #expect(answer.status == 400, "\(url)")
            #expect(answer.field == field, "\(url)")
        }
        #expect(try world.send(.get, "/api/realm").json["data"]?["total"] == 0)
    }

    @Test(arguments: ["http://good.example/", "http://8.8.8.8/"])
    func `plain http is refused where it is saved`(url: String) throws {
        let answer = try World().send(.post, "/api/realm", #"{"id":"wx","logic_code":"\#(url)"}"#)
        #expect(answer.status == 400)
        #expect(answer.field == "logic_code")
    }

    @Test func `what was saved before the rules held is refused at use, and nothing is asked`() throws {
        let world = try World()
        try world.register()
        for url in ["https://169.254.169.254/latest/meta-data/", "http://provider.example/", "https://2130706433/"] {
            // Past the API, as a database that was migrated would have it.
            _ = try world.store.write("wx", RealmChange(config: .clear, logicCode: .set(url)))
            let answer = try world.token()
            #expect(answer.status == 502, "\(url)")
            #expect(answer.json["type"] == "/problems/recipe-unusable")
        }
        #expect(world.client.requests.isEmpty)
    }
}
