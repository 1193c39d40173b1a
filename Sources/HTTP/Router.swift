/// A table of routes: method and pattern to endpoint.
///
/// It is data, so that what depends on every route can be made from it.
package struct Router<Endpoint: Sendable>: Sendable {
    package struct Route: Sendable {
        package let method: Method
        /// Such as `/api/secret/:realm/:key`.
        package let pattern: String
        package let endpoint: Endpoint
        /// Of the pattern, in bytes.
        fileprivate let length: Int
        fileprivate let segments: [RouteSegment]

        package init(_ method: Method, _ pattern: String, _ endpoint: Endpoint) {
            self.method = method
            self.pattern = pattern
            self.endpoint = endpoint
            length = pattern.utf8.count
            segments = pattern.dropFirst().split(separator: "/", omittingEmptySubsequences: false).map {
                $0.first == ":" ? .parameter(String($0.dropFirst())) : .literal(String($0))
            }
        }

        /// Whether a path of these literal segments is one of its own.
        fileprivate func takes(_ path: [RouteSegment]) -> Bool {
            path.count == segments.count
                && zip(segments, path).allSatisfy { segment, literal in segment.isParameter || segment == literal }
        }
    }

    package enum Match: Sendable {
        case found(Route, parameters: [String: String])
        case methodNotAllowed(allow: [Method])
        case notFound
        /// A broken escape, a dot segment, an empty one before the last, an encoded slash, NUL or bytes that are not UTF-8.
        case malformed
    }

    package let routes: [Route]
    /// Those without parameters, whose whole path can be compared at once.
    private let literals: [Route]

    package init(_ routes: [Route]) {
        self.routes = routes
        literals = routes.enumerated().filter { index, route in
            // One that comes after a pattern which takes its path as well is never found.
            !route.pattern.contains(":")
                && !routes[..<index].contains { $0.method == route.method && $0.takes(route.segments) }
        }.map(\.element)
    }

    /// Finds the route of a percent-encoded path.
    ///
    /// Literal segments are compared after decoding, byte by byte. HEAD is answered wherever GET is (RFC 9110, 9.3.2);
    /// what writes the answer leaves its body out.
    package func match(_ method: Method, path: String) -> Match {
        let length = path.utf8.count
        // By their places: a route is not copied to be looked at.
        for index in literals.indices where literals[index].length == length && literals[index].method == method {
            if literals[index].pattern == path { return .found(literals[index], parameters: [:]) }
        }
        guard let segments = RequestPath.segments(of: path) else { return .malformed }
        var allowed: [Method] = []
        for route in routes {
            guard let parameters = RouteSegment.parameters(route.segments, of: segments) else { continue }
            if route.method == (method == .head ? .get : method) { return .found(route, parameters: parameters) }
            allowed.append(route.method)
            if route.method == .get { allowed.append(.head) }
        }
        return allowed.isEmpty ? .notFound : .methodNotAllowed(allow: allowed)
    }
}

/// A part of a pattern; no part of `Router`, so that the comparison of every request with every route is no generic code.
private enum RouteSegment: Sendable, Equatable {
    case literal(String)
    case parameter(String)

    var isParameter: Bool { if case .parameter = self { true } else { false } }

    static func parameters(_ segments: [RouteSegment], of path: [String]) -> [String: String]? {
        guard path.count == segments.count else { return nil }
        var parameters: [String: String] = [:]
        for index in segments.indices {
            switch segments[index] {
            case .literal(let literal):
                let text = path[index].utf8
                if literal.utf8.count != text.count || !literal.utf8.elementsEqual(text) { return nil }
            case .parameter(let name): parameters[name] = path[index]
            }
        }
        return parameters
    }
}

/// The segments of a request's path.
package enum RequestPath {
    /// Splits first and decodes then, so that an encoded slash cannot make a segment; nil for what no client of good will sends.
    package static func segments(of path: String) -> [String]? {
        guard path.utf8.first == UInt8(ascii: "/") else { return nil }
        var segments: [String] = []
        for part in path.utf8.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
            guard let text = PercentEncoding.decode(Substring(part)), text != ".", text != "..",
                !text.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") })
            else { return nil }
            // A proxy that joins `//` would take it for another path.
            if segments.last?.isEmpty == true { return nil }
            segments.append(text)
        }
        return segments
    }
}
