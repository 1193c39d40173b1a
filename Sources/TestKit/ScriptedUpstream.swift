package import Clocks
package import Tokens

/// A provider that answers what a test says, and counts.
package final class ScriptedUpstream: Upstream {
    /// What to do with one call; nothing is sent where `look` says no.
    package var script: (Material) -> MintOutcome
    /// Runs between the look and the answer: what happens while the call is under way.
    package var whileUnderWay: () -> Void = {}
    /// Runs between the look and the sending: where a freeze does most harm.
    package var beforeSending: () -> Void = {}
    /// Runs before the look.
    package var beforeLook: () -> Void = {}
    /// The calls that reached the provider.
    package private(set) var calls = 0
    /// The time that the last of them had.
    package private(set) var timeout = Duration.zero
    /// Whether the last of them was to force a new token.
    package private(set) var isForced = false

    package init(_ script: @escaping (Material) -> MintOutcome) {
        self.script = script
    }

    package func mint(
        _ material: Material, forced: Bool, timeout: Duration, look: () -> Timestamp?, sent: () -> Void
    ) -> MintOutcome {
        beforeLook()
        guard look() != nil else { return .stopped }
        calls += 1
        isForced = forced
        self.timeout = timeout
        beforeSending()
        sent()
        whileUnderWay()
        return script(material)
    }
}
