import Clocks
import FakeProvider
import HTTP
import Log
import Recipes
import TestKit
import Testing
import Tokens

/// The natural end of a token that a provider gives again until then (class C), by WeCom's rule in whole seconds.
@Suite struct NaturalEndTests {
    private static let recipe = """
        {"url":"https://provider.test/cgi-bin/gettoken","arguments":[
          {"name":"corpid","place":"url","value":"$key_1"},{"name":"corpsecret","place":"url","value":"$key_2"}],
         "token_path":"access_token","expires_in_path":"expires_in","success":[{"path":"errcode","equals":0}]}
        """

    /// Asks every 100 ms over several lives, each time until there is an answer.
    @Test(arguments: [0, 1, 350, 999])
    func `callers that ask across the end of a class C token are answered with tokens alone`(
        phase: Int64
    ) throws {
        let clock = ManualClock()
        let store = InMemoryStore(clock: clock)
        let id = SecretID(realm: "wecom", key: "app")
        _ = try store.write(
            "wecom", RealmChange(config: .set(NaturalEndTests.recipe), policy: .set(#"{"class":"C"}"#)))
        _ = try store.write(id, ["key_1": .set(Redacted("corp")), "key_2": .set(Redacted("secret"))])
        let client = ProviderClient(Settings(life: .seconds(8)), clock: clock)
        let upstream = RecipeUpstream(client: client, egress: try EgressPolicy(parsing: "provider.test"))
        let broker = Broker(store: store, upstream: upstream, clock: clock)
        clock.advance(by: .milliseconds(phase))

        let end = clock.now() + .seconds(60)
        var tokens: Set<String> = []
        while clock.now().timeLeft(until: end) > .zero {
            let deadline = clock.now() + .seconds(10)
            var decision = broker.decide(id, wish: .token(minimumLife: nil), deadline: deadline)
            while case .wait(let delay, let patience) = decision {
                clock.advance(by: delay)
                decision = broker.decide(
                    id, wish: .token(minimumLife: nil), deadline: deadline, resuming: patience)
            }
            guard case .answer(let answer) = decision else {
                Issue.record("\(decision)")
                return
            }
            tokens.insert(answer.token.reveal())
            clock.advance(by: .milliseconds(137))
        }
        #expect(tokens.count >= 7)
        // The token's first call, and a few at its end.
        #expect(client.calls <= tokens.count * 5)
    }

    @Test func `a token at its end that has never been stored is waited for, too`() throws {
        let clock = ManualClock()
        let store = InMemoryStore(clock: clock)
        let client = ProviderClient(Settings(life: .seconds(8)), clock: clock)
        let upstream = RecipeUpstream(client: client, egress: try EgressPolicy(parsing: "provider.test"))
        let broker = Broker(store: store, upstream: upstream, clock: clock)
        let ids = ["app", "twin"].map { SecretID(realm: "wecom", key: $0) }
        _ = try store.write(
            "wecom", RealmChange(config: .set(NaturalEndTests.recipe), policy: .set(#"{"class":"C"}"#)))
        for id in ids {
            _ = try store.write(id, ["key_1": .set(Redacted("corp")), "key_2": .set(Redacted("secret"))])
        }
        _ = broker.decide(ids[0], wish: .token(minimumLife: nil), deadline: nil)
        clock.advance(by: .milliseconds(7_500))
        var decision = broker.decide(ids[1], wish: .token(minimumLife: nil), deadline: nil)
        var waited = Duration.zero
        while case .wait(let delay, let patience) = decision {
            clock.advance(by: delay)
            waited += delay
            decision = broker.decide(ids[1], wish: .token(minimumLife: nil), deadline: nil, resuming: patience)
        }
        guard case .answer = decision else {
            Issue.record("\(decision)")
            return
        }
        #expect(waited <= .seconds(2))
    }
}
