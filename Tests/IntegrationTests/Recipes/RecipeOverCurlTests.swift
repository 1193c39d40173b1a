import Clocks
import Curl
import Foundation
import HTTP
import Log
import Recipes
import Testing
import Tokens

@Suite struct RecipeOverCurlTests {
    private func material(_ url: String) -> Material {
        let config =
            #"{"url":"\#(url)","method":"POST","arguments":[{"name":"secret","place":"body","value":"$key_1"},"#
            + #"{"name":"v","place":"url","value":"$key_1"}],"#
            + #""token_path":"access_token","expires_in_path":"expires_in","success":[{"path":"errcode","absent_or":0}]}"#
        return Material(
            id: SecretID(realm: "wx", key: "main"), version: Version(realm: 1, secret: 1), config: config,
            logicCode: "",
            credentials: ["key_1": Redacted("CANARY-1&x")])
    }

    private func mint(
        _ port: UInt16, timeout: Duration = .seconds(60), look: () -> Bool = { true }
    ) throws -> (outcome: MintOutcome, sents: Int) {
        let egress = try EgressPolicy(parsing: "127.0.0.1:\(port)")
        var sents = 0
        let outcome = RecipeUpstream(client: CurlClient(), egress: egress).mint(
            material("http://127.0.0.1:\(port)/token"), forced: false, timeout: timeout,
            look: { look() ? SystemClock().now().wall : nil },
            sent: { sents += 1 })
        return (outcome, sents)
    }

    @Test func `a token comes over the wire`() throws {
        let server = try SocketServer { connection in
            connection.read()
            connection.answer(#"{"access_token":"T","expires_in":"7200"}"#)
        }
        defer { server.stop() }
        let (outcome, sents) = try mint(server.port)
        guard case .minted(let token, let life, _) = outcome else {
            Issue.record("not minted: \(outcome)")
            return
        }
        #expect(token.reveal() == "T")
        #expect(life == .seconds(7200))
        #expect(sents == 1)
        let request = try #require(server.requests.first)
        #expect(request.hasPrefix("POST /token?v=CANARY-1%26x HTTP/1.1\r\n"))
        #expect(request.hasSuffix(#"{"secret":"CANARY-1&x"}"#))
    }

    /// What goes wrong on the wire, and whether it may have made a token.
    enum Trouble: CaseIterable {
        case refusal, redirect, brokenJSON, serverError, silence, reset, overLong, looked

        var mayHaveMinted: Bool { ![.refusal, .redirect, .looked].contains(self) }
    }

    @Test(arguments: Trouble.allCases)
    func `no failure shows a credential, and each says whether a token may have been made`(trouble: Trouble) throws {
        let isOver = DispatchSemaphore(value: 0)
        let server = try SocketServer { connection in
            guard connection.read() || trouble == .looked else { return }
            switch trouble {
            case .refusal: connection.answer(#"{"errcode":40125,"errmsg":"bad secret CANARY-1&x CANARY-1%26x"}"#)
            case .redirect: connection.answer("CANARY-1&x", head: "HTTP/1.1 302 Found\r\nLocation: /?CANARY-1&x\r\n")
            case .brokenJSON: connection.answer("CANARY-1&x")
            case .serverError: connection.answer("CANARY-1&x", head: "HTTP/1.1 502 Bad Gateway\r\n")
            case .silence: isOver.wait()
            case .reset: connection.resetOnClose()
            case .overLong: connection.answer(String(repeating: "CANARY-1&x", count: 10_000))
            case .looked: break
            }
        }
        defer { server.stop() }
        // Silence ends with its time, which may be over before anything was sent, on a busy machine: then there was too little. For
        // everything else it may take as long as it likes.
        var timeout = Duration.milliseconds(trouble == .silence ? 300 : 60_000)
        var (outcome, sents): (MintOutcome, Int)
        repeat {
            timeout *= 2
            (outcome, sents) = try mint(server.port, timeout: timeout, look: { trouble != .looked })
        } while trouble == .silence && sents == 0 && timeout < .seconds(60)
        isOver.signal()
        #expect(!"\(outcome)".contains("CANARY"))
        #expect(sents == (trouble == .looked ? 0 : 1))
        let mayHaveMinted =
            switch outcome {
            case .unusable, .ambiguous: true
            case .refused, .stopped, .minted: false
            }
        #expect(mayHaveMinted == trouble.mayHaveMinted)
    }

    @Test func `nobody listening is a refusal that sent nothing`() throws {
        let port = try ReservedPort()
        let (outcome, sents) = try mint(port.number)
        guard case .refused(let failure) = outcome else {
            Issue.record("not refused: \(outcome)")
            return
        }
        #expect(failure.kind == .unreachable)
        #expect(failure.failureClass == .transient)
        #expect(sents == 0)
    }
}
