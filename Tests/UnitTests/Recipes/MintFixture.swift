import Clocks
import HTTP
import Log
import Recipes
import TestKit
import Tokens

/// One mint with a scripted client, and what tests compare of it.
enum MintFixture {
    struct FixedClock: Clock {
        func now() -> Moment { Moment(wall: Timestamp(milliseconds: 1_700_000_000_000), steady: .zero) }
    }

    static func material(_ config: String?, _ credentials: [String: String] = [:], logicCode: String = "") -> Material {
        Material(
            id: SecretID(realm: "wx", key: "main"), version: Version(realm: 1, secret: 1), config: config,
            logicCode: logicCode,
            credentials: credentials.mapValues { Redacted($0) })
    }

    static func mint(
        _ client: ScriptedClient, _ material: Material, allow: String = "", look: () -> Bool = { true }
    ) throws -> MintOutcome {
        let upstream = RecipeUpstream(client: client, egress: try EgressPolicy(parsing: allow))
        return upstream.mint(
            material, forced: false, timeout: .seconds(5), look: { look() ? FixedClock().now().wall : nil }, sent: {})
    }

    static func recipe(_ rest: String) -> String {
        #"{"url":"https://p.example/token","token_path":"access_token","expires_in_path":"expires_in""#
            + (rest.isEmpty ? "" : "," + rest) + "}"
    }

    /// What of an outcome these tests compare.
    enum Kind: Equatable {
        case minted(String, Duration?)
        case refused(FailureClass, code: String?)
        case unusable
        case ambiguous
        case stopped

        init(_ outcome: MintOutcome) {
            self =
                switch outcome {
                case .minted(let token, let life, _): .minted(token.reveal(), life)
                case .refused(let failure): .refused(failure.failureClass, code: failure.code)
                case .unusable: .unusable
                case .ambiguous: .ambiguous
                case .stopped: .stopped
                }
        }
    }

    static func failure(_ outcome: MintOutcome) -> UpstreamFailure? {
        switch outcome {
        case .refused(let failure), .unusable(let failure), .ambiguous(let failure): failure
        case .minted, .stopped: nil
        }
    }
}
