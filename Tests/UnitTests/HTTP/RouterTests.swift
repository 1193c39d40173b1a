import HTTP
import Testing

@Suite struct RouterTests {
    private let router = Router<String>([
        .init(.get, "/", "root"), .init(.get, "/api/realm", "list"), .init(.post, "/api/realm", "write"),
        .init(.get, "/api/realm/:id", "one"), .init(.delete, "/api/secret/:realm/:key", "delete"),
    ])

    private func found(_ method: Method, _ path: String) -> (String, [String: String])? {
        if case .found(let route, let parameters) = router.match(method, path: path) {
            (route.endpoint, parameters)
        } else {
            nil
        }
    }

    @Test func `a path finds its route and its parameters, decoded`() {
        #expect(found(.get, "/")?.0 == "root")
        #expect(found(.get, "/api/realm")?.0 == "list")
        #expect(found(.get, "/api/%72ealm")?.0 == "list")
        #expect(found(.get, "/api/realm/a%3Ab")?.1 == ["id": "a:b"])
        #expect(found(.delete, "/api/secret/wx/%E4%B8%AD")?.1 == ["realm": "wx", "key": "中"])
    }

    @Test func `of two routes that take a path the first is found, whichever has a parameter`() {
        func found(_ patterns: [String]) -> String? {
            let router = Router(patterns.map { Router.Route(.get, $0, $0) })
            guard case .found(let route, _) = router.match(.get, path: "/a/b") else { return nil }
            return route.endpoint
        }
        #expect(found(["/a/:x", "/a/b"]) == "/a/:x")
        #expect(found(["/a/b", "/a/:x"]) == "/a/b")
        #expect(found(["/:x/c", "/a/b"]) == "/a/b")
    }

    @Test func `HEAD is answered where GET is`() {
        #expect(found(.head, "/api/realm/x")?.0 == "one")
        #expect(found(.head, "/api/secret/a/b") == nil)
    }

    @Test func `another method is told which ones there are`() {
        guard case .methodNotAllowed(let allowed) = router.match(.put, path: "/api/realm") else {
            Issue.record("found")
            return
        }
        #expect(allowed == [.get, .head, .post])
    }

    @Test(arguments: ["/api", "/api/realm/", "/API/realm", "/api/realm/a/b", "/api/secret/wx"])
    func `nothing else is found`(path: String) {
        guard case .notFound = router.match(.get, path: path) else {
            if case .methodNotAllowed = router.match(.get, path: path) { return }
            // An empty parameter is a route's business: it is no name.
            #expect(path == "/api/realm/")
            return
        }
    }

    @Test(arguments: [
        "", "api", "/api/..", "/./api", "/api/%2E%2E", "/a%2fb", "/a%5Cb", "/a%00", "/%ff", "/%C0%AF", "/%", "/%4",
        "/%zz", "*", "//api/realm", "/api//realm", "//",
    ])
    func `what no client of good will sends is malformed`(path: String) {
        guard case .malformed = router.match(.get, path: path) else {
            Issue.record("accepted")
            return
        }
    }
}
