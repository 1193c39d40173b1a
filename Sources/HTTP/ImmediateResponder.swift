package import Clocks

/// What can answer some requests at once, from memory: a server asks it on the thread that read the request.
///
/// Many threads ask one value at the same time; it never blocks.
package protocol ImmediateResponder: AnyObject, Sendable {
    /// The answer; nil where a handler has to be asked.
    func respondAtOnce(to request: Request, at now: Moment) -> Response?
}
