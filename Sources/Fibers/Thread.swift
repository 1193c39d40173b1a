internal import Glibc

/// A thread of the system.
@safe package struct Thread: @unchecked Sendable {
    private let id: pthread_t

    /// Nil where the system has none to give.
    package static func start(_ body: @escaping @Sendable () -> Void) -> Thread? {
        let box = unsafe Unmanaged.passRetained(Body(run: body))
        var id = pthread_t()
        let result = unsafe pthread_create(
            &id, nil,
            { context in
                if let context = unsafe context {
                    unsafe Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run()
                }
                return nil
            }, box.toOpaque())
        guard result == 0 else {
            unsafe box.release()
            return nil
        }
        return Thread(id: id)
    }

    /// Starts one that nobody waits for; false where the system has none to give.
    package static func startDetached(_ body: @escaping @Sendable () -> Void) -> Bool {
        guard let thread = start(body) else { return false }
        pthread_detach(thread.id)
        return true
    }

    /// Waits for its end; once.
    package func join() {
        _ = pthread_join(id, nil)
    }

    private final class Body: Sendable {
        let run: @Sendable () -> Void

        init(run: @escaping @Sendable () -> Void) {
            self.run = run
        }
    }
}
