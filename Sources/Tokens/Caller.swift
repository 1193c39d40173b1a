/// What a caller may do, each role all that the ones before it may.
package enum Role: String, Sendable, CaseIterable, Comparable {
    /// Gets, reports and flushes the tokens in its scope.
    case reader
    /// Reads state and configuration in its scope too, and may force a refresh past the day's budget.
    case `operator`
    /// Writes everything.
    case administrator = "admin"

    package static func < (left: Role, right: Role) -> Bool { left.rank < right.rank }

    private var rank: Int {
        switch self {
        case .reader: 0
        case .operator: 1
        case .administrator: 2
        }
    }
}

/// The secrets that a caller may know of: whole names, compared byte by byte, never patterns.
package struct Scope: Sendable, Equatable {
    /// Realms with everything in them.
    package let realms: [String]
    /// Single secrets in other realms.
    package let secrets: [SecretID]
    package let isEverything: Bool

    package static let everything = Scope(realms: [], secrets: [], isEverything: true)

    package init(realms: [String], secrets: [SecretID]) {
        self.init(realms: realms, secrets: secrets, isEverything: false)
    }

    private init(realms: [String], secrets: [SecretID], isEverything: Bool) {
        self.realms = realms
        self.secrets = secrets
        self.isEverything = isEverything
    }

    package func contains(_ id: SecretID) -> Bool {
        isEverything || containsAll(of: id.realm) || secrets.contains(id)
    }

    /// Whether any secret of the realm can be in scope: its configuration may be read then.
    package func touches(_ realm: String) -> Bool {
        isEverything || containsAll(of: realm) || secrets.contains { isSameName($0.realm, realm) }
    }

    private func containsAll(of realm: String) -> Bool {
        realms.contains { isSameName($0, realm) }
    }
}

/// `==` on strings also takes canonically equivalent ones for equal.
private func isSameName(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
}

/// Who asks.
package struct Caller: Sendable, Equatable {
    /// The public id of its API key, or one of the names below; goes into logs and the audit.
    package let id: String
    package let role: Role
    package let scope: Scope
    /// Whether it may force a refresh that the day's budget of forced calls would hold back.
    package let passesBudget: Bool

    package init(id: String, role: Role, scope: Scope) {
        self.init(id: id, role: role, scope: scope, passesBudget: role >= .operator)
    }

    private init(id: String, role: Role, scope: Scope, passesBudget: Bool) {
        self.id = id
        self.role = role
        self.scope = scope
        self.passesBudget = passesBudget
    }

    /// Everybody, where no key is asked for.
    package static let anybody = Caller(
        id: "anybody", role: .administrator, scope: .everything, passesBudget: false)
    /// Whoever holds the key whose digest is in the environment.
    package static let bootstrap = Caller(id: "bootstrap", role: .administrator, scope: .everything)
    /// The schedule.
    package static let schedule = Caller(
        id: "schedule", role: .administrator, scope: .everything, passesBudget: false)
}

/// Why somebody is not let in.
package enum Denial: Error, Sendable, Equatable {
    /// There is no such key, or it is not the one that was shown.
    case unknownKey
    case expiredKey
    /// The key may not be used from the caller's address.
    case address
}

/// Somebody who asks for a token: who it is shows in the same reading that answers it.
package protocol Visitor: AnyObject {
    /// Where the key that it shows is stored; nil where who asks is known without.
    var keyID: String? { get }
    /// Called after each reading, before anything else follows from it.
    func admit(_ reading: KeyReading?) throws(Denial) -> Caller
}
