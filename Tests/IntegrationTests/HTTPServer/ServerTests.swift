import Dispatch
import Foundation
import HTTP
import HTTPServer
import Locks
import Testing

/// Connections over time: kept, parked, cut, closed.
@Suite struct ServerTests {
    /// Answers `/hit` at once and keeps every other exchange for the test.
    private final class Parking: Sendable {
        private let exchanges = Lock<[Exchange]>([])

        func server(requestTimeout: Duration = .seconds(30), idleTimeout: Duration = .seconds(75)) throws -> Server {
            try Server(Server.Configuration(requestTimeout: requestTimeout, idleTimeout: idleTimeout)) { exchange in
                if exchange.request.path == "/hit" {
                    exchange.respond(Response(.ok, text: "hit"))
                } else {
                    self.exchanges.withLock { $0.append(exchange) }
                }
            }
        }

        /// Waits until so many are parked.
        func wait(for count: Int) throws -> [Exchange] {
            let isThere = IntegrationTests.wait { exchanges.withLock { $0.count } >= count }
            guard isThere else { throw RawHTTPConnection.Failure.timeout }
            return exchanges.withLock { $0 }
        }
    }

    @Test func `one connection carries a thousand requests`() throws {
        let server = try Parking().server()
        let connection = try RawHTTPConnection(port: server.port)
        for _ in 0..<1_000 { #expect(try connection.request("GET", "/hit").text == "hit") }
    }

    @Test func `requests sent at once are answered in order`() throws {
        let server = try Server(Server.Configuration()) { exchange in
            let answer = Response(.ok, text: exchange.request.path)
            // Every other one is parked, so that a later answer could overtake.
            if exchange.request.path.hasSuffix("1") {
                DispatchQueue.global().async { exchange.respond(answer) }
            } else {
                exchange.respond(answer)
            }
        }
        let connection = try RawHTTPConnection(port: server.port)
        let paths = (0..<100).map { "/\($0)/\($0 % 2)" }
        try connection.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: t\r\n\r\n" }.joined())
        #expect(try paths.map { _ in try connection.readResponse().text } == paths)
    }

    @Test func `parked connections hold nobody up and are answered from any thread`() throws {
        let parking = Parking()
        let server = try parking.server()
        let waiting = try (0..<200).map { number in
            let connection = try RawHTTPConnection(port: server.port)
            try connection.send("GET /\(number) HTTP/1.1\r\nHost: t\r\n\r\n")
            return connection
        }
        let parked = try parking.wait(for: 200)
        let beside = try RawHTTPConnection(port: server.port)
        for _ in 0..<200 { #expect(try beside.request("GET", "/hit").status == 200) }
        DispatchQueue.concurrentPerform(iterations: parked.count) {
            parked[$0].respond(Response(.ok, text: parked[$0].request.path))
        }
        for (number, connection) in waiting.enumerated() { #expect(try connection.readResponse().text == "/\(number)") }
        #expect(try waiting[0].request("GET", "/hit").status == 200)
    }

    @Test func `the first answer wins`() throws {
        let parking = Parking()
        let server = try parking.server()
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send("GET / HTTP/1.1\r\nHost: t\r\n\r\n")
        let exchange = try #require(try parking.wait(for: 1).first)
        let wins = Lock(0)
        DispatchQueue.concurrentPerform(iterations: 8) { number in
            exchange.respond(Response(.ok, text: "answer"))
            wins.withLock { $0 += 1 }
            if number == 7 { exchange.abort(reset: true) }
        }
        _ = try? connection.readResponse()
        exchange.respond(Response(.ok, text: "late"))
        #expect(wins.withLock { $0 } == 8)
        #expect(try RawHTTPConnection(port: server.port).request("GET", "/hit").status == 200)
    }

    @Test(arguments: [true, false], [true, false])
    func `an aborted exchange gets no answer, and RST if asked for`(reset: Bool, parks: Bool) throws {
        let server = try Server(Server.Configuration()) { exchange in
            if parks {
                DispatchQueue.global().asyncAfter(deadline: .now() + 0.02) { exchange.abort(reset: reset) }
            } else {
                exchange.abort(reset: reset)
            }
        }
        let connection = try RawHTTPConnection(port: server.port)
        #expect(throws: reset ? RawHTTPConnection.Failure.reset : .closed) { try connection.request("GET", "/") }
    }

    @Test func `a client that leaves while it is parked harms nobody`() throws {
        let parking = Parking()
        let server = try parking.server()
        for _ in 0..<20 {
            let connection = try RawHTTPConnection(port: server.port)
            try connection.send("GET /p HTTP/1.1\r\nHost: t\r\n\r\n")
        }
        for exchange in try parking.wait(for: 20) { exchange.respond(Response(.ok, text: "nobody")) }
        #expect(try RawHTTPConnection(port: server.port).request("GET", "/hit").status == 200)
        server.stop()
    }

    @Test func `one that another's handler answers on the same thread need not wait for more to happen`() throws {
        let parked = Lock<[Exchange]>([])
        var configuration = Server.Configuration()
        configuration.threads = 1
        let server = try Server(configuration) { exchange in
            if exchange.request.path == "/park" { return parked.withLock { $0.append(exchange) } }
            for other in parked.withLock({ $0 }) { other.respond(Response(.ok, text: "freed")) }
            exchange.respond(Response(.ok, text: "hit"))
        }
        // Kept open, and used before: its beginning and its end would be something that happens.
        let freeing = try RawHTTPConnection(port: server.port)
        #expect(try freeing.request("GET", "/free").text == "hit")
        let waiting = try RawHTTPConnection(port: server.port)
        try waiting.send("GET /park HTTP/1.1\r\nHost: t\r\n\r\n")
        while parked.withLock({ $0.isEmpty }) { usleep(1_000) }
        #expect(try freeing.request("GET", "/free").text == "hit")
        #expect(try waiting.readResponse().text == "freed")
        #expect(try freeing.request("GET", "/free").text == "hit")
        server.stop()
    }

    @Test func `stop refuses the new, and lets the parked be answered while its grace lasts`() throws {
        let parking = Parking()
        let server = try parking.server()
        let kept = try RawHTTPConnection(port: server.port)
        #expect(try kept.request("GET", "/hit").status == 200)
        let clients = try (0..<10).map { number in
            let connection = try RawHTTPConnection(port: server.port)
            try connection.send("GET /\(number) HTTP/1.1\r\nHost: t\r\n\r\n")
            return connection
        }
        let parked = try parking.wait(for: 10)
        let port = server.port
        Thread.detachNewThread {
            // Once the listening socket is gone, the server is stopping.
            while (try? RawHTTPConnection(port: port)) != nil { usleep(1_000) }
            for exchange in parked { exchange.respond(Response(.ok, text: "done")) }
        }
        server.stop(grace: .seconds(60))
        for client in clients { #expect(try client.readResponse().text == "done") }
        #expect(throws: RawHTTPConnection.Failure.self) { try kept.request("GET", "/hit") }
    }

    @Test func `stop gives a 503 to those whom nobody answers in time`() throws {
        let parking = Parking()
        let server = try parking.server()
        let clients = try (0..<10).map { number in
            let connection = try RawHTTPConnection(port: server.port)
            try connection.send("GET /\(number) HTTP/1.1\r\nHost: t\r\n\r\n")
            return connection
        }
        let parked = try parking.wait(for: 10)
        server.stop()
        for client in clients { #expect(try client.readResponse().status == 503) }
        #expect(throws: RawHTTPConnection.Failure.connect) { try RawHTTPConnection(port: server.port) }
        for exchange in parked { exchange.respond(Response(.ok, text: "too late")) }
        server.stop()
    }

    /// So many connections that no network thread is without some.
    private func crowd(_ server: Server) throws -> [RawHTTPConnection] {
        try (0..<40).map { _ in
            let connection = try RawHTTPConnection(port: server.port)
            #expect(try connection.request("GET", "/hit").status == 200)
            return connection
        }
    }

    @Test func `a stop refuses requests on every network thread`() throws {
        let parking = Parking()
        let server = try parking.server()
        let kept = try crowd(server)
        let last = try RawHTTPConnection(port: server.port)
        try last.send("GET /last HTTP/1.1\r\nHost: t\r\n\r\n")
        let parked = try parking.wait(for: 1)
        Thread.detachNewThread { server.stop(grace: .seconds(600)) }
        let end = ContinuousClock.now + .seconds(60)
        for connection in kept {
            var answer = try connection.request("GET", "/hit")
            while answer["Connection"] == nil, .now < end { answer = try connection.request("GET", "/hit") }
            // One whose handler had begun by then is still answered, and its connection ended.
            #expect(answer.status == 503 || answer.status == 200)
            #expect(answer["Connection"]?.lowercased() == "close")
        }
        for exchange in parked { exchange.respond(Response(.ok, text: "done")) }
        #expect(try last.readResponse().text == "done")
        server.stop()
    }

    @Test func `a stop cuts those who are still sending on every network thread`() throws {
        let server = try Parking().server(requestTimeout: .seconds(600))
        let connections = try crowd(server)
        for connection in connections {
            try connection.send("POST /hit HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
        }
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            server.stop()
            stopped.signal()
        }
        withExtendedLifetime(connections) { #expect(stopped.wait(timeout: .now() + 60) == .success) }
    }

    @Test func `requests that the library gives up leave nothing behind that a stop would wait for`() throws {
        var configuration = Server.Configuration()
        // As the functions have it.
        configuration.maximumHeadBytes = 17 << 10
        let server = try Server(configuration) { $0.respond(Response(.ok, text: "hit")) }
        var givenUp = 0
        for pairs in [100] + Array(226...270) + [1_500] {
            let connection = try RawHTTPConnection(port: server.port)
            let cookie = "Cookie: " + String(repeating: "a=b;", count: pairs)
            let status = try? connection.request("GET", "/hit", fields: [cookie]).status
            #expect(status == nil || status == (pairs == 100 ? 200 : 431))
            if status == nil { givenUp += 1 }
        }
        #expect(givenUp > 0)
        // Left while the library still waits for the rest of it.
        for head in ["GET /hit?a=b HTTP/1.1\r\n", "GET /hit HTTP/1.1\r\nHost: t\r\nCookie: a=b"] {
            try RawHTTPConnection(port: server.port).send(head)
        }
        let stopped = DispatchSemaphore(value: 0)
        Thread.detachNewThread {
            server.stop()
            stopped.signal()
        }
        #expect(stopped.wait(timeout: .now() + 60) == .success)
    }

    /// A chunk's line that fills the buffer, at once or in pieces: the library then looks at the connection no more.
    @Test(arguments: [false, true])
    func `a chunk's line without end is cut at its deadline, and holds up no stop`(isStopped: Bool) throws {
        let server = try Parking().server(requestTimeout: .seconds(isStopped ? 600 : 1))
        let connections = try (0..<8).map { number in
            let connection = try RawHTTPConnection(port: server.port, timeout: 60)
            let head = "POST /hit HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
            if number.isMultiple(of: 2) {
                try connection.send(head + "3;" + String(repeating: "e", count: 40_000))
            } else {
                try connection.send(head + "3\r\nabc\r\n")
                for _ in 0..<40 { try connection.send(String(repeating: "0", count: 1_000)) }
            }
            return connection
        }
        // Others are served meanwhile.
        for _ in 0..<8 {
            let other = try RawHTTPConnection(port: server.port)
            for _ in 0..<10 { #expect(try other.request("GET", "/hit").status == 200) }
        }
        if isStopped {
            let stopped = DispatchSemaphore(value: 0)
            Thread.detachNewThread {
                server.stop()
                stopped.signal()
            }
            #expect(stopped.wait(timeout: .now() + 60) == .success)
        }
        for connection in connections {
            do { #expect(try connection.readToEnd() == []) } catch RawHTTPConnection.Failure.reset {}
        }
    }

    @Test func `stopping while connections come and go ends every time`() throws {
        for _ in 0..<30 {
            let server = try Parking().server()
            let port = server.port
            let isOver = Lock(false)
            let ended = DispatchGroup()
            for _ in 0..<4 {
                ended.enter()
                Thread.detachNewThread {
                    while !isOver.withLock({ $0 }) {
                        if let connection = try? RawHTTPConnection(port: port) {
                            _ = try? connection.request("GET", "/hit")
                        }
                    }
                    ended.leave()
                }
            }
            usleep(10_000)
            server.stop()
            #expect(throws: RawHTTPConnection.Failure.connect) { try RawHTTPConnection(port: port) }
            isOver.withLock { $0 = true }
            ended.wait()
        }
    }

    @Test(arguments: [
        "GET /slo", "GET / HTTP/1.1\r\nHost: t\r\nX: ", "POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n",
    ])
    func `a request that comes drop by drop is cut at its deadline`(start: String) throws {
        let server = try Parking().server(requestTimeout: .milliseconds(300))
        let begin = ContinuousClock.now
        let connection = try RawHTTPConnection(port: server.port)
        try connection.send(start)
        #expect(throws: RawHTTPConnection.Failure.self) {
            // Twenty seconds and more, with a drop of which the library's own timeout would begin again.
            for _ in 0..<1_000 {
                try connection.send("x")
                usleep(20_000)
            }
        }
        #expect(ContinuousClock.now - begin > .milliseconds(250))
    }

    @Test func `a parked exchange and a pause between requests are not bound by the request's deadline`() throws {
        // What is sent at once comes within the longer one however slow the machine is.
        try withGrowingLimit([200, 5_000]) { limit in
            let parking = Parking()
            let server = try parking.server(requestTimeout: .milliseconds(limit))
            do {
                let connection = try RawHTTPConnection(port: server.port)
                #expect(try connection.request("GET", "/hit").status == 200)
                usleep(UInt32(limit) * 3_000)
                try connection.send("GET /p HTTP/1.1\r\nHost: t\r\n\r\n")
                let exchange = try #require(try parking.wait(for: 1).first)
                usleep(UInt32(limit) * 3_000)
                exchange.respond(Response(.ok, text: "late"))
                #expect(try connection.readResponse().text == "late")
            } catch is RawHTTPConnection.Failure {
                throw TooLate()
            }
        }
    }

    @Test func `a kept connection that idles is closed`() throws {
        let server = try Parking().server(requestTimeout: .seconds(5), idleTimeout: .milliseconds(200))
        let connection = try RawHTTPConnection(port: server.port)
        #expect(try connection.request("GET", "/hit").status == 200)
        #expect(try connection.readToEnd() == [])
    }

    @Test func `a client that has said all it wants gets its answer, and then its connection is closed`() throws {
        // No deadline comes to the rescue.
        let server = try Parking().server(requestTimeout: .seconds(3_600), idleTimeout: .seconds(3_600))
        let connections = try (0..<50).map { _ in
            let connection = try RawHTTPConnection(port: server.port)
            try connection.send("GET /hit HTTP/1.1\r\nHost: t\r\n\r\n")
            connection.finishSending()
            return connection
        }
        for connection in connections {
            #expect(try connection.readResponse().text == "hit")
            #expect(try connection.readToEnd() == [])
        }
    }

    @Test func `a client that breaks off in the middle of a request is let go`() throws {
        let server = try Parking().server(requestTimeout: .seconds(3_600), idleTimeout: .seconds(3_600))
        for request in ["GET /hit HTTP/1.1\r\nHo", "POST /hit HTTP/1.1\r\nHost: t\r\nContent-Length: 9\r\n\r\nab", ""] {
            let connections = try (0..<20).map { _ in try RawHTTPConnection(port: server.port) }
            for connection in connections {
                try connection.send(request)
                connection.finishSending()
            }
            for connection in connections { #expect(throws: Never.self) { try connection.readToEnd() } }
        }
    }

    @Test func `a port that is taken and an address that is none are errors`() throws {
        let server = try Parking().server()
        #expect(
            throws: ServerError.socket(call: "bind to 127.0.0.1 port \(server.port)", reason: "Address already in use")
        ) {
            try Server(Server.Configuration(port: server.port)) { _ in }
        }
        #expect(throws: ServerError.address("localhost")) {
            try Server(Server.Configuration(address: "localhost")) { _ in }
        }
    }
}
