package import Clocks
package import Log

/// A token as it is handed out, and how long it may be kept.
package struct Answer: Sendable, Equatable {
    package enum Source: String, Sendable {
        case database, upstream
    }

    package var token: Redacted<String>
    /// What is left of the token; nil for one without expiry.
    package var expiresIn: Duration?
    /// The same instant by the database's clock; nil for one without expiry.
    package var expiresAt: Timestamp?
    package var source: Source
    package var generation: Int64
    /// When the call that gave it was made; with `generation` it names this token.
    package var mintedAt: Timestamp?
    /// A refresh was due and could not be had.
    package var isStale: Bool
    /// A flush was asked for and held back.
    package var isSuppressed: Bool
    /// How long a cache may keep it, from when the cache sent its request.
    package var maxAge: Duration
    /// How much longer a cache may serve it while the server fails.
    package var staleIfError: Duration

    /// Nil where the row holds no token that may be served.
    init?(_ row: TokenRow, _ assessment: Assessment, policy: Policy, source: Source, isStale: Bool, isSuppressed: Bool)
    {
        guard let token = row.token, assessment.isAlive else { return nil }
        self.token = token
        self.source = source
        self.isStale = isStale
        self.isSuppressed = isSuppressed
        generation = row.generation
        mintedAt = row.mintedAt
        expiresAt = assessment.diesAt
        let left = assessment.diesAt.map { $0 - assessment.now }
        expiresIn = left

        var maxAge = min(policy.cap, (left ?? .seconds(86_400)) - policy.patience)
        if !assessment.isCurrentVersion {
            // A version that is no longer current is served until the next mint alone.
            maxAge = min(maxAge, (row.nextMintAt ?? assessment.now) - assessment.now)
        }
        maxAge = .seconds(max(.zero, maxAge).wholeSeconds)
        self.maxAge = maxAge

        var bound = left ?? .seconds(86_400)
        if let overlap = policy.overlap { bound = min(bound, overlap, policy.gap) }
        staleIfError = .seconds(max(.zero, bound - policy.patience - maxAge).wholeSeconds)
    }
}

/// Why there is no token.
package enum Refusal: Error, Sendable, Equatable {
    /// The caller is not let in.
    case denied(Denial)
    case unknownRealm
    case unknownSecret
    /// The provider refused, failed or could not be reached.
    case upstream(UpstreamFailure, retryAfter: Duration)
    /// Somebody else's refresh did not end in time, or this instance has no time left for one.
    case busy(retryAfter: Duration)
    /// A new token may not be asked for yet: a mint now could kill one that is in use.
    case held(retryAfter: Duration)
    /// The calls that the provider allows in a day are used up, or those of them that may be forced.
    case spent(retryAfter: Duration)
    /// The provider gives the very token that was reported.
    case sameTokenAgain(retryAfter: Duration)
    /// The realm has no upstream, and no token that lives is stored.
    case noUpstream
    case storeUnavailable
    case storeBroken(String)
}

/// What the broker says: it never sleeps.
package enum Decision: Sendable {
    case answer(Answer)
    case refuse(Refusal)
    /// Ask again after `delay`, with `patience`.
    case wait(delay: Duration, patience: Patience)
}

/// What a caller that waits has seen so far.
package struct Patience: Sendable {
    /// The last mint when the caller came: a flush is satisfied once there is another.
    package var seen: Mint
    package var since: Moment
    package var attempts: Int
    /// The call in this process that the caller waits for, and whose failure is its own; nil for a call elsewhere.
    var flight: Flight?

    /// Names a mint: the same token again keeps its generation, and two mints may fall into one millisecond.
    package struct Mint: Sendable, Equatable {
        let generation: Int64
        let at: Timestamp?

        init(_ row: TokenRow) {
            generation = row.generation
            at = row.mintedAt
        }
    }
}
