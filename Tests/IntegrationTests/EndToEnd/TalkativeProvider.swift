import Foundation

/// A provider that repeats in its answers whatever it was sent, and adds words of its own.
final class TalkativeProvider {
    /// Each is the path of a realm's URL.
    static let ways = ["errcode", "oauth", "text", "refused", "page", "redirect", "cut", "reset", "header", "notice"]

    private let server: SocketServer

    /// - Parameter token: what an answer calls an access token although it is none that can be used.
    init(_ token: String) throws {
        server = try SocketServer { connection in
            let log = Heard()
            let heard = SocketServer.Connection(descriptor: connection.descriptor) { log.text = $0 }
            guard heard.read() else { return }
            let way = log.text.split(separator: "/", maxSplits: 1).last?.prefix { $0.isLetter } ?? ""
            let words = log.text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                .replacing("\r\n", with: "\\n")
            let failed = "HTTP/1.1 500 Internal Server Error\r\n"
            let refused = "HTTP/1.1 401 Unauthorized\r\n"
            switch way {
            case "errcode": connection.answer(#"{"errcode":40001,"errmsg":"\#(words)","access_token":"\#(token)"}"#)
            case "oauth":
                connection.answer(
                    #"{"error":"invalid_client","error_description":"\#(words)","refresh_token":"\#(token)"}"#,
                    head: refused)
            case "text": connection.answer(log.text, head: failed)
            case "refused": connection.answer(#"{"code":"\#(words)","message":"\#(words)"}"#, head: refused)
            case "page": connection.answer("<html>\(log.text)</html>")
            case "redirect":
                let target = log.text.split(separator: " ").dropFirst().first ?? ""
                connection.answer("", head: "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1\(target)\r\n")
            case "cut": connection.write("HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{\"access_token\":\"\(token)")
            case "reset":
                connection.resetOnClose()
            case "header": connection.write("HTTP/1.1 \(words)\r\n\r\n")
            default: connection.answer(log.text, head: failed)
            }
        }
    }

    var address: String { "127.0.0.1:\(server.port)" }

    func stop() { server.stop() }

    private final class Heard: @unchecked Sendable {
        /// Written and read by the one thread of a connection.
        var text = ""
    }
}
