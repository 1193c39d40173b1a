package import Clocks
package import Log

/// A provider as data.
package struct Realm: Sendable, Equatable {
    package var id: String
    /// The recipe as JSON text, unchanged since it was given; nil where there is none.
    package var config: String?
    package var logicCode: String
    package var comment: String
    /// The policy as JSON text, unchanged since it was given; nil where there is none.
    package var policy: String?
    /// Whether notices can be signed; the key itself never comes out.
    package var hasNoticeKey: Bool
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: String, config: String?, logicCode: String, comment: String, policy: String?, hasNoticeKey: Bool = false,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.config = config
        self.logicCode = logicCode
        self.comment = comment
        self.policy = policy
        self.hasNoticeKey = hasNoticeKey
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// What a write does to one member.
package enum Change<Value: Sendable>: Sendable {
    case keep
    case clear
    case set(Value)
}

/// A write of a realm: what is not named stays.
package struct RealmChange: Sendable {
    package var config: Change<String>
    package var logicCode: Change<String>
    package var comment: Change<String>
    package var policy: Change<String>
    /// Signs notices; the column that holds it is never read by anything but their delivery.
    package var noticeKey: Change<Redacted<String>>
    /// No token that was minted before this write is served any more.
    package var discardsTokens: Bool
    /// Where the realm's credentials go before this write.
    ///
    /// Secrets that were entered before destinations were kept, or are confirmed for an origin alone, are bound to it when `config` or
    /// `logicCode` changes; of a realm that is new: to nowhere, whatever is said here.
    package var formerDestination: Destination?

    package init(
        config: Change<String> = .keep, logicCode: Change<String> = .keep, comment: Change<String> = .keep,
        policy: Change<String> = .keep, noticeKey: Change<Redacted<String>> = .keep, discardsTokens: Bool = false,
        formerDestination: Destination? = nil
    ) {
        self.config = config
        self.logicCode = logicCode
        self.comment = comment
        self.policy = policy
        self.noticeKey = noticeKey
        self.discardsTokens = discardsTokens
        self.formerDestination = formerDestination
    }
}

/// One page of a list.
package struct Page: Sendable, Equatable {
    /// From 1.
    package var number: Int
    package var size: Int

    package init(number: Int, size: Int) {
        self.number = number
        self.size = size
    }
}

package struct Listing<Element: Sendable>: Sendable {
    package var elements: [Element]
    /// How many there are on all pages.
    package var total: Int

    package init(elements: [Element], total: Int) {
        self.elements = elements
        self.total = total
    }
}
