/// Calls of the fibers of one thread, made once for all that ask for the same and had come before the call began.
///
/// So what it finds is as fresh for each of them as what a call of its own would find, however late it is handed over. A call
/// begins when everything else of its loop's turn is done. Outside of all fibers everybody calls for itself.
package final class SharedCalls<Key: Equatable, Instant: Comparable & Sendable, Value, Failure: Error>: Sendable {
    private final class Call: SharedCall {
        let key: Key
        /// Those that wait for what it finds.
        var others: [Fiber] = []
        /// Nil before.
        var began: Instant?
        var result: Result<Value, Failure>?

        init(_ owner: AnyObject, _ key: Key) {
            self.key = key
            super.init(owner)
        }

        func serves(_ arrival: Instant) -> Bool {
            guard let began else { return true }
            return arrival < began
        }
    }

    private let now: @Sendable () -> Instant

    package init(now: @escaping @Sendable () -> Instant) { self.now = now }

    /// - Parameter arrival: when whoever asks had come; what is found may have changed before.
    package func value(
        of key: Key, arrival: Instant, _ call: () throws(Failure) -> Value
    ) throws(Failure) -> Value {
        guard let fiber = Fiber.current else { return try call() }
        let calls = fiber.loop.sharedCalls
        if let shared = newest(key, of: calls), shared.serves(arrival) {
            if shared.result == nil {
                shared.others.append(fiber)
                fiber.suspend()
            }
            guard let result = shared.result else { preconditionFailure("resumed before its call has ended") }
            return try result.get()
        }
        let shared = Call(self, key)
        calls.add(shared)
        fiber.suspendUntilEndOfTurn()
        // Whom an older one would serve, this one serves too.
        while let older = newest(key, of: calls, but: shared) { calls.remove(older) }
        shared.began = now()
        let result = Result { () throws(Failure) in try call() }
        shared.result = result
        // Whoever comes to it later tries for itself.
        if case .failure = result { calls.remove(shared) }
        for other in shared.others { other.resume() }
        shared.others = []
        return try result.get()
    }

    private func newest(_ key: Key, of calls: SharedCallList, but other: Call? = nil) -> Call? {
        for candidate in calls.all.reversed() where candidate.owner === self && candidate !== other {
            let call = unsafe unsafeDowncast(candidate, to: Call.self)
            if call.key == key { return call }
        }
        return nil
    }
}

/// A call that others of its thread may share.
class SharedCall {
    /// Who knows its type.
    let owner: AnyObject

    init(_ owner: AnyObject) { self.owner = owner }
}

/// The calls of one loop that may still serve somebody.
final class SharedCallList {
    private static let most = 16

    private(set) var all: [SharedCall] = []

    /// The oldest makes room: nobody has to find it.
    func add(_ call: SharedCall) {
        if all.count == SharedCallList.most { all.removeFirst() }
        all.append(call)
    }

    func remove(_ call: SharedCall) { all.removeAll { $0 === call } }

    func removeAll() { all.removeAll(keepingCapacity: true) }
}
