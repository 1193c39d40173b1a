/// Calls that fibers of one thread make within a turn of its loop, made once for all that ask for the same.
///
/// A call begins when everything else of the turn is done, after the last of those that share it has asked: what it finds is
/// as fresh for each of them as what a call of its own would find. Outside of all fibers everybody calls for itself.
package final class SharedCalls<Key: Equatable, Value>: Sendable {
    private final class Call: OpenCall {
        let key: Key
        /// Those that wait for what the first one gets.
        var others: [Fiber] = []
        var value: Value?

        init(_ owner: AnyObject, _ key: Key) {
            self.key = key
            super.init(owner)
        }
    }

    package init() {}

    package func value(of key: Key, _ call: () -> Value) -> Value {
        guard let fiber = Fiber.current else { return call() }
        if let shared = open(key, on: fiber.loop) {
            shared.others.append(fiber)
            fiber.suspend()
            guard let value = shared.value else { preconditionFailure("resumed before its call has ended") }
            return value
        }
        let shared = Call(self, key)
        fiber.loop.openCalls.append(shared)
        fiber.suspendUntilEndOfTurn()
        fiber.loop.openCalls.removeAll { $0 === shared }
        let value = call()
        shared.value = value
        for other in shared.others { other.resume() }
        return value
    }

    /// The one of this key that has not begun.
    private func open(_ key: Key, on loop: EventLoop) -> Call? {
        for candidate in loop.openCalls where candidate.owner === self {
            let call = unsafe unsafeDowncast(candidate, to: Call.self)
            if call.key == key { return call }
        }
        return nil
    }
}

/// A call that others of its thread may still share.
class OpenCall {
    /// Who knows its type.
    let owner: AnyObject

    init(_ owner: AnyObject) { self.owner = owner }
}
