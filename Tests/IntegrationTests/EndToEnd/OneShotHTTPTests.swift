import Foundation
import Glibc
import JSON
import Testing

@Suite struct OneShotHTTPTests {
    @Test func `status, fields and body of an answer are read, with or without a length`() throws {
        let bytes = "HTTP/1.1 201 Created\r\nX-One: a: b\r\nContent-Length: 13\r\n\r\n{\"realm\":\"x\"}"
        for text in [bytes, bytes.replacing("Content-Length: 13\r\n", with: "")] {
            let peer = try Peer(answer: text)
            let answer = try OneShotHTTP.send("GET", "http://127.0.0.1:\(peer.port)/a%2Fb?c=1")
            #expect(answer.status == 201)
            #expect(answer["x-one"] == "a: b")
            #expect(try answer.json()["realm"]?.string == "x")
            #expect(peer.received().hasPrefix("GET /a%2Fb?c=1 HTTP/1.1\r\n"))
        }
    }

    @Test func `a body is sent with its length`() throws {
        let peer = try Peer(answer: "HTTP/1.1 204 No Content\r\n\r\n")
        let answer = try OneShotHTTP.send("POST", "http://127.0.0.1:\(peer.port)/", json: #"{"a":1}"#)
        #expect(answer.status == 204)
        #expect(answer.body.isEmpty)
        let request = peer.received()
        #expect(request.contains("Content-Type: application/json\r\n"))
        #expect(request.hasSuffix("Content-Length: 7\r\n\r\n{\"a\":1}"))
    }

    @Test(arguments: [
        [],
        ["HTTP/1.1 200 OK", "Content-Le"],
        ["HTTP/1.1 200 OK", "Content-Length: 9", "", "short"],
        ["SSH-2.0", "", ""],
        ["HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "0", "", ""],
    ])
    func `an answer that is cut, is not HTTP or is coded is a failure`(lines: [String]) throws {
        let peer = try Peer(answer: lines.joined(separator: "\r\n"))
        #expect(throws: OneShotHTTP.Failure.self) { try OneShotHTTP.send("GET", "http://127.0.0.1:\(peer.port)/") }
        _ = peer.received()
    }

    @Test func `a port nobody listens on is a failure`() throws {
        #expect(throws: OneShotHTTP.Failure.self) { try OneShotHTTP.send("GET", "http://127.0.0.1:1/") }
    }

    /// Accepts one connection, reads one request, sends a fixed text and closes.
    private final class Peer: Sendable {
        let port: UInt16
        private let answered: Thread.Outcome

        init(answer: String) throws {
            let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let bound = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(listener, $0, size) == 0 && listen(listener, 1) == 0 && getsockname(listener, $0, &size) == 0
                }
            }
            try #require(bound)
            port = UInt16(bigEndian: address.sin_port)
            answered = Thread.Outcome()
            Thread.detachNewThread { [answered] in
                let connection = accept(listener, nil, nil)
                close(listener)
                answered.set(Peer.request(on: connection))
                _ = Array(answer.utf8).withUnsafeBytes {
                    Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                close(connection)
            }
        }

        func received() -> String { answered.wait() }

        private static func request(on connection: Int32) -> String {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 4_096)
            while true {
                let text = String(decoding: bytes, as: UTF8.self)
                if text.hasSuffix("\r\n\r\n") || text.hasSuffix("}") { return text }
                let count = recv(connection, &buffer, buffer.count, 0)
                if count <= 0 { return text }
                bytes += buffer[..<count]
            }
        }
    }
}

extension Thread {
    /// What another thread hands over, once.
    fileprivate final class Outcome: @unchecked Sendable {
        private let condition = NSCondition()
        private var value: String?

        func set(_ text: String) {
            condition.lock()
            defer { condition.unlock() }
            value = text
            condition.broadcast()
        }

        func wait() -> String {
            condition.lock()
            defer { condition.unlock() }
            while value == nil { condition.wait() }
            return value ?? ""
        }
    }
}
