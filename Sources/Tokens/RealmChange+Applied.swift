extension RealmChange {
    /// The realm with this change made; its instants stay.
    package func applied(to realm: Realm) -> Realm {
        var realm = realm
        realm.config = config.applied(to: realm.config, cleared: nil)
        realm.logicCode = logicCode.applied(to: realm.logicCode, cleared: "")
        realm.comment = comment.applied(to: realm.comment, cleared: "")
        realm.policy = policy.applied(to: realm.policy, cleared: nil)
        switch noticeKey {
        case .keep: break
        case .clear: realm.hasNoticeKey = false
        case .set: realm.hasNoticeKey = true
        }
        return realm
    }
}

extension RealmChange {
    /// Whether it may change what is asked, and where.
    package var changesRecipe: Bool {
        if case .keep = config, case .keep = logicCode { return false }
        return true
    }

    /// Whether it does something whatever the realm says now: a key that is set may be another than the one stored.
    package var alwaysWrites: Bool {
        if discardsTokens { return true }
        if case .set = noticeKey { return true }
        return false
    }
}

extension Change {
    fileprivate func applied(to old: Value, cleared: Value) -> Value {
        switch self {
        case .keep: old
        case .clear: cleared
        case .set(let value): value
        }
    }

    fileprivate func applied(to old: Value?, cleared: Value?) -> Value? {
        switch self {
        case .keep: old
        case .clear: cleared
        case .set(let value): value
        }
    }
}

extension Realm {
    /// Whether both say the same, byte by byte, whenever they were written.
    package func isSame(as other: Realm) -> Bool {
        hasSameRecipe(as: other) && isSameText(comment, other.comment) && isSameText(policy, other.policy)
            && hasNoticeKey == other.hasNoticeKey
    }

    /// Whether both make the same request; otherwise a token of the one is not a token of the other.
    package func hasSameRecipe(as other: Realm) -> Bool {
        isSameText(config, other.config) && isSameText(logicCode, other.logicCode)
    }
}

/// Swift's `==` takes composed and decomposed text for the same; a provider does not.
private func isSameText(_ left: String?, _ right: String?) -> Bool {
    switch (left, right) {
    case (nil, nil): true
    case (let left?, let right?): left.utf8.elementsEqual(right.utf8)
    default: false
    }
}
