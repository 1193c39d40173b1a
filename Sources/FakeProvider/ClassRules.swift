package import Clocks

/// The tokens of one application at a provider of one class (A–G), by that class's rule alone.
///
/// Pure: time is an argument, and the tokens are counted, so that a simulation can tell them apart.
package struct ClassRules: Sendable {
    /// What a call does while the old token is still good.
    package enum Kind: String, Sendable, CaseIterable {
        /// A mint ends the token before after the overlap; only the newest two live.
        case killsPrevious = "A"
        /// The same token until the window before its end; then, or when forced, a new one that ends the old as in A.
        case sameUntilWindow = "B"
        case sameWhileValid = "C"
        /// The same token, with its whole life again.
        case extends = "D"
        case independent = "E"
        /// Not said; here as in A.
        case unspecified = "F"
        /// Independent tokens, each for a refresh token that works once.
        case singleUse = "G"
    }

    /// A token, and what the rule has made of it so far.
    package struct Issued: Sendable {
        package let number: Int
        package let mintedAt: Timestamp
        package var diesAt: Timestamp
        /// The number of the mint that shortened its life; nil where only time ends it.
        package var endedBy: Int?
    }

    package enum Answer: Sendable, Equatable {
        /// The token's number, what is left of its life, and in class G the number of the next refresh token.
        case token(Int, life: Duration, refresh: Int?)
        /// The refresh token has been used before, or was never issued.
        case refreshTokenUsed
    }

    private let kind: Kind
    private let life: Duration
    private let overlap: Duration
    private let window: Duration
    package private(set) var issued: [Issued] = []
    /// The newest two, the only ones that live where a mint kills.
    private var newest: [Int] = []
    /// The refresh token that the provider takes next.
    package private(set) var refresh = 0

    package init(_ kind: Kind, life: Duration, overlap: Duration, window: Duration) {
        self.kind = kind
        self.life = life
        self.overlap = overlap
        self.window = window
    }

    /// - Parameter refresh: the refresh token's number; looked at in class G alone.
    package mutating func call(forced: Bool, refresh presented: Int, now: Timestamp) -> Answer {
        let current = newest.last.map { issued[$0] }
        let left = current.map { $0.diesAt - now } ?? .zero
        switch kind {
        case .killsPrevious, .unspecified: return mint(killing: true, now: now)
        case .sameUntilWindow:
            if let current, left > window, !forced { return .token(current.number, life: left, refresh: nil) }
            return mint(killing: true, now: now)
        case .sameWhileValid:
            if let current, left > .zero { return .token(current.number, life: left, refresh: nil) }
            return mint(killing: false, now: now)
        case .extends:
            if let current, left > .zero {
                issued[current.number].diesAt = now + life
                return .token(current.number, life: life, refresh: nil)
            }
            return mint(killing: false, now: now)
        case .independent: return mint(killing: false, now: now)
        case .singleUse:
            guard presented == refresh else { return .refreshTokenUsed }
            refresh += 1
            return mint(killing: false, now: now)
        }
    }

    /// A person authorises again: an unused refresh token, and none before it is good any more.
    package mutating func authoriseAgain() -> Int {
        refresh += 1
        return refresh
    }

    /// Until when a token works, and the mint that shortened that.
    package func token(_ number: Int) -> Issued { issued[number] }

    private mutating func mint(killing: Bool, now: Timestamp) -> Answer {
        let number = issued.count
        if killing {
            for (age, old) in newest.reversed().enumerated() {
                end(old, at: age == 0 ? now + overlap : now, by: number)
            }
        }
        issued.append(Issued(number: number, mintedAt: now, diesAt: now + life))
        newest = Array((newest + [number]).suffix(2))
        return .token(number, life: life, refresh: kind == .singleUse ? refresh : nil)
    }

    private mutating func end(_ number: Int, at instant: Timestamp, by mint: Int) {
        guard instant < issued[number].diesAt else { return }
        issued[number].diesAt = instant
        issued[number].endedBy = mint
    }
}
