internal import Locks

/// The upstream calls under way in this process: one for each secret, a few for each realm, so many in all.
///
/// All brokers of a process share one value. It keeps nothing beyond a call: what several processes must agree on is in the row.
package final class Flights: Sendable {
    private struct State: Sendable {
        var flights: [SecretID: Flight] = [:]
        var ofRealm: [String: Int] = [:]
    }

    enum Boarding {
        /// The caller makes the call, and must land the flight.
        case pilot(Flight)
        /// Somebody in this process is calling for this secret.
        case passenger(Flight)
        /// There is no place for another call.
        case full
    }

    private let perRealm: Int
    private let total: Int
    private let state = Lock(State())

    package init(perRealm: Int = 4, total: Int = 16) {
        self.perRealm = perRealm
        self.total = total
    }

    func board(_ id: SecretID) -> Boarding {
        state.withLock { state in
            if let flight = state.flights[id] { return .passenger(flight) }
            let count = state.ofRealm[id.realm] ?? 0
            guard count < perRealm, state.flights.count < total else { return .full }
            let flight = Flight()
            state.flights[id] = flight
            state.ofRealm[id.realm] = count + 1
            return .pilot(flight)
        }
    }

    func land(_ id: SecretID, _ flight: Flight, _ ended: Refresher.Ended) {
        flight.end(ended)
        state.withLock { state in
            state.flights[id] = nil
            let count = (state.ofRealm[id.realm] ?? 1) - 1
            state.ofRealm[id.realm] = count > 0 ? count : nil
        }
    }
}

/// One upstream call, watched by the callers that wait for it.
final class Flight: Sendable {
    private let state = Lock<Refresher.Ended?>(nil)

    /// Nil while the call is under way.
    var ended: Refresher.Ended? { state.withLock { $0 } }

    fileprivate func end(_ ended: Refresher.Ended) {
        state.withLock { $0 = ended }
    }
}
