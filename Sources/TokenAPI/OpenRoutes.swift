package import Clocks
package import HTTP
internal import JSON

/// What anybody may ask without a key: it tells nothing but that the process lives, also while every worker waits for the database.
package final class OpenRoutes: ImmediateResponder {
    package init() {}

    package func respondAtOnce(to request: Request, at now: Moment) -> Response? {
        guard request.method == .get || request.method == .head else { return nil }
        // Whoever spells a path otherwise is answered by a worker, which has the router.
        guard let route = Self.routes.first(where: { $0.pattern == request.path }) else { return nil }
        var response = Self.response(to: route.endpoint)
        response.notes.append((name: "route", value: route.pattern))
        return response
    }

    private static let routes = Endpoint.router.routes.filter { $0.endpoint.isOpen && $0.method == .get }

    /// - Parameter endpoint: an open one.
    static func response(to endpoint: Endpoint) -> Response {
        endpoint == .pong ? Response(.ok, json: ["err_code": 0]) : Response(.ok, json: ["status": "ok"])
    }
}
