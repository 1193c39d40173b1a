package import JSON

/// What is wrong with a policy; goes to the administrator as it is.
package struct PolicyError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The member: `policy.overlap`.
    package let field: String
    package let problem: String

    package var description: String { "\(field) \(problem)" }

    init(_ field: String, _ problem: String) {
        self.field = "policy.\(field)"
        self.problem = problem
    }
}

extension Policy {
    /// Reads a realm's policy: one object, every member optional, none unknown.
    ///
    /// Durations are seconds, with up to three decimals.
    package init(parsing value: JSON.Value) throws(PolicyError) {
        guard let object = value.object else { throw PolicyError(whole: "must be an object") }
        if let unknown = object.names.first(where: { !Policy.names.contains($0) }) {
            throw PolicyError(unknown, "is not known here")
        }
        let members = PolicyMembers(object)
        self.init(try members.providerClass() ?? .killsPrevious)

        try members.seconds("overlap", 0...86_400) { overlap = $0 }
        try members.seconds("renew_window", 2...86_400) { renewWindow = $0 }
        try members.seconds("gap", 0...3_600) { gap = $0 }
        try members.seconds("timeout", 0.1...15) { timeout = $0 }
        try members.seconds("grace", 0.1...60) { grace = $0 }
        try members.seconds("patience", 0.1...60) { patience = $0 }
        lease = timeout + grace + .seconds(3)
        try members.seconds("lease", 0.3...120) { lease = $0 }
        if overlap != nil, !members.has("gap") { gap = .seconds(120) }
        try members.integer("concurrency", 1...1_000) { concurrency = Int($0) }
        try members.integer("flush_budget", 0...100_000) { flushBudget = $0 }
        try members.integer("quota", 1...1_000_000_000) { quota = $0 }
        try members.seconds("day_offset", -43_200...50_400) { dayOffset = $0 }
        try members.seconds("min_life", 2...315_360_000) { minimumLife = $0 }
        try members.seconds("max_life", 2...315_360_000) { maximumLife = $0 }
        try members.flag("scheduled_refresh") { isScheduled = $0 }
        try members.seconds("idle_after", 60...315_360_000) { idleAfter = $0 }
        try members.text("notice_url", 2_000) { noticeURL = $0 }
        try checkTogether(members)
    }

    private static let names: Set<String> = [
        "class", "overlap", "renew_window", "gap", "timeout", "grace", "patience", "lease", "concurrency",
        "flush_budget", "quota", "day_offset", "min_life", "max_life", "scheduled_refresh", "idle_after", "notice_url",
    ]

    /// What two members must be to each other.
    private func checkTogether(_ members: PolicyMembers) throws(PolicyError) {
        switch providerClass {
        case .sameWhileValid, .extends, .independent:
            if members.has("overlap") {
                throw PolicyError("overlap", "has no meaning in class \(providerClass.rawValue)")
            }
        case .killsPrevious, .sameUntilWindow, .unspecified, .singleUse: break
        }
        if members.has("renew_window"), providerClass != .sameUntilWindow {
            throw PolicyError("renew_window", "has a meaning in class B alone")
        }
        if overlap != nil, gap < patience {
            throw PolicyError("gap", "must be at least patience where a mint ends a token")
        }
        if lease < timeout + grace + .milliseconds(100) {
            throw PolicyError("lease", "must be at least timeout and grace and 0.1 more")
        }
        if let minimumLife, let maximumLife, minimumLife > maximumLife {
            throw PolicyError("min_life", "must not be above max_life")
        }
    }
}

extension PolicyError {
    fileprivate init(whole problem: String) {
        field = "policy"
        self.problem = problem
    }
}

/// Reads members of a policy and checks their bounds.
private struct PolicyMembers {
    private let object: JSON.Object

    init(_ object: JSON.Object) {
        self.object = object
    }

    /// `null` counts as absent.
    func has(_ name: String) -> Bool { object[name].map { !$0.isNull } ?? false }

    func providerClass() throws(PolicyError) -> ProviderClass? {
        guard let value = object["class"], !value.isNull else { return nil }
        guard let providerClass = value.string.flatMap({ ProviderClass(rawValue: $0) }) else {
            throw PolicyError(
                "class", "must be one of \(ProviderClass.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return providerClass
    }

    /// Whole milliseconds within the bounds, which are seconds.
    func seconds(_ name: String, _ range: ClosedRange<Double>, _ set: (Duration) -> Void) throws(PolicyError) {
        guard let value = object[name], !value.isNull else { return }
        guard let seconds = value.number?.double, range.contains(seconds) else {
            throw PolicyError(name, "must be seconds from \(shown(range.lowerBound)) to \(shown(range.upperBound))")
        }
        let milliseconds = (seconds * 1_000).rounded()
        guard abs(milliseconds - seconds * 1_000) < 1e-6 else {
            throw PolicyError(name, "has at most three decimals")
        }
        set(.milliseconds(Int64(milliseconds)))
    }

    func integer(_ name: String, _ range: ClosedRange<Int64>, _ set: (Int64) -> Void) throws(PolicyError) {
        guard let value = object[name], !value.isNull else { return }
        guard let number = value.number?.integer, range.contains(number) else {
            throw PolicyError(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        set(number)
    }

    func flag(_ name: String, _ set: (Bool) -> Void) throws(PolicyError) {
        guard let value = object[name], !value.isNull else { return }
        guard let flag = value.bool else { throw PolicyError(name, "must be true or false") }
        set(flag)
    }

    func text(_ name: String, _ limit: Int, _ set: (String) -> Void) throws(PolicyError) {
        guard let value = object[name], !value.isNull else { return }
        guard let text = value.string, !text.isEmpty, text.utf8.count <= limit else {
            throw PolicyError(name, "must be text of 1–\(limit) bytes")
        }
        set(text)
    }

    private func shown(_ bound: Double) -> String {
        bound == bound.rounded() ? String(Int64(bound)) : String(bound)
    }
}
