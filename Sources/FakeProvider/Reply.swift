package import HTTP

/// What goes back over the wire, and when.
package struct Reply: Sendable {
    package enum Delivery: Sendable {
        case whole(Response)
        /// So many bytes of the body, then the connection breaks.
        case truncated(Response, bytes: Int)
        case reset
        /// Nothing, and the connection stays open.
        case hang
    }

    package var delivery: Delivery
    package var delay: Duration

    package init(_ delivery: Delivery, delay: Duration = .zero) {
        self.delivery = delivery
        self.delay = delay
    }

    /// The response, if one is sent whole.
    package var response: Response? {
        if case .whole(let response) = delivery { response } else { nil }
    }
}
