/// Where the database is, as `DATABASE_URL` says it.
///
/// `mysql://user:password@host:port/name?tls=verify|require|off&ca=FILE&socket=PATH` or `sqlite:FILE`.
/// User, password, name and options are percent-decoded; an IPv6 host stands in brackets.
package enum DatabaseURL: Sendable, Equatable {
    case mysql(Server)
    case sqlite(file: String)

    /// A database on a server that speaks MySQL's protocol.
    package struct Server: Sendable, Equatable {
        package var host: String
        package var port: UInt16
        /// The path of a Unix socket; host and port are then not used.
        package var socket: String?
        package var user: String
        package var password: Password
        package var database: String
        package var tls: TLS
        /// A file of trusted certificates; without it, those of the system.
        package var certificateAuthorities: String?

        package init(
            host: String, port: UInt16 = 3306, socket: String? = nil, user: String, password: Password,
            database: String,
            tls: TLS? = nil, certificateAuthorities: String? = nil
        ) {
            self.host = host
            self.port = port
            self.socket = socket
            self.user = user
            self.password = password
            self.database = database
            self.tls = tls ?? (socket != nil || Server.isLoopback(host) ? .off : .verify)
            self.certificateAuthorities = certificateAuthorities
        }

        /// Whether what is sent to `host` stays on this machine, so that TLS may be left out unless asked for.
        static func isLoopback(_ host: String) -> Bool {
            if host.lowercased() == "localhost" || host == "::1" { return true }
            let parts = host.split(separator: ".", omittingEmptySubsequences: false)
            return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
        }
    }

    /// How far the server must prove itself.
    package enum TLS: String, Sendable, CaseIterable {
        /// Encrypted; the certificate is trusted and names the host.
        case verify
        /// Encrypted; whoever answers.
        case require
        case off
    }

    /// A password that prints as `***` whatever prints it.
    package struct Password: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible,
        CustomReflectable
    {
        private let value: String

        package init(_ value: String) {
            self.value = value
        }

        package func reveal() -> String {
            value
        }

        package var description: String { "***" }
        package var debugDescription: String { "***" }
        package var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// A variable that cannot be used: one line that names it and never shows its value.
    package struct Invalid: Error, Sendable, Equatable, CustomStringConvertible {
        package let variable: String
        package let reason: String

        package var description: String { "\(variable): \(reason)" }
    }
}

extension DatabaseURL {
    /// Reads `DATABASE_URL` or, when it is absent or empty, the predecessor's `MYSQL_HOST`, `MYSQL_PORT`,
    /// `MYSQL_USERNAME`, `MYSQL_PASSWORD` and `MYSQL_DATABASE`.
    package init(environment: (String) -> String?) throws(Invalid) {
        func value(_ name: String) -> String? {
            let text = environment(name)
            return text == "" ? nil : text
        }
        func required(_ name: String) throws(Invalid) -> String {
            guard let text = value(name) else { throw Invalid(variable: name, reason: "is missing") }
            return try Self.withoutNUL(text, name)
        }
        if let url = value("DATABASE_URL") {
            try self.init(parsing: url)
            return
        }
        guard value("MYSQL_HOST") != nil else { throw Invalid(variable: "DATABASE_URL", reason: "is missing") }
        var port: UInt16 = 3306
        if let text = value("MYSQL_PORT") { port = try Self.port(text[...], "MYSQL_PORT") }
        self = .mysql(
            Server(
                host: try required("MYSQL_HOST"), port: port, user: try required("MYSQL_USERNAME"),
                password: Password(try Self.withoutNUL(value("MYSQL_PASSWORD") ?? "", "MYSQL_PASSWORD")),
                database: try required("MYSQL_DATABASE")))
    }

    /// Parses a URL; `variable` is what errors call it.
    package init(parsing text: String, variable: String = "DATABASE_URL") throws(Invalid) {
        if text.hasPrefix("sqlite:") {
            var file = text.dropFirst("sqlite:".count)
            if file.hasPrefix("///") { file = file.dropFirst(2) }  // sqlite:///absolute/path
            guard !file.isEmpty, !file.hasPrefix(":"), !file.utf8.contains(0) else {
                throw Invalid(variable: variable, reason: "sqlite: needs the path of a file")
            }
            self = .sqlite(file: String(file))
        } else if text.hasPrefix("mysql://") {
            self = .mysql(try Self.server(text.dropFirst("mysql://".count), variable))
        } else {
            throw Invalid(variable: variable, reason: "must start with mysql:// or sqlite:")
        }
    }

    private static func server(_ text: Substring, _ variable: String) throws(Invalid) -> Server {
        func invalid(_ reason: String) -> Invalid { Invalid(variable: variable, reason: reason) }

        let options = text.firstIndex(of: "?").map { text[$0...].dropFirst() } ?? ""
        let front = text.prefix { $0 != "?" }
        guard let slash = front.firstIndex(of: "/") else { throw invalid("has no database name") }
        let database = try decoded(front[slash...].dropFirst(), "database name", variable)
        if database.isEmpty { throw invalid("has no database name") }

        let authority = front[..<slash]
        guard let at = authority.lastIndex(of: "@") else { throw invalid("has no user") }
        let login = authority[..<at].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let user = try decoded(login[0], "user", variable)
        if user.isEmpty { throw invalid("has no user") }
        let password = login.count == 2 ? try decoded(login[1], "password", variable) : ""

        let (host, port) = try hostAndPort(authority[at...].dropFirst(), variable)
        let (tls, authorities, socket) = try self.options(options, variable)
        if host.isEmpty && socket == nil { throw invalid("has no host") }
        let server = Server(
            host: host, port: port, socket: socket, user: user, password: Password(password), database: database,
            tls: tls, certificateAuthorities: authorities)
        if authorities != nil && server.tls == .off { throw invalid("gives ca, but TLS is off: say tls=verify") }
        return server
    }

    private static func hostAndPort(_ text: Substring, _ variable: String) throws(Invalid) -> (String, UInt16) {
        if text.first == "[" {
            guard let end = text.firstIndex(of: "]") else {
                throw Invalid(variable: variable, reason: "has a [ without ] in its host")
            }
            let rest = text[end...].dropFirst()
            guard rest.isEmpty || rest.first == ":" else {
                throw Invalid(variable: variable, reason: "has something other than a port behind its host")
            }
            let host = String(text[..<end].dropFirst())
            return (host, rest.isEmpty ? 3306 : try port(rest.dropFirst(), variable))
        }
        guard let colon = text.firstIndex(of: ":") else { return (String(text), 3306) }
        return (String(text[..<colon]), try port(text[colon...].dropFirst(), variable))
    }

    private static func options(_ text: Substring, _ variable: String) throws(Invalid) -> (TLS?, String?, String?) {
        var seen: [String: String] = [:]
        for option in text.split(separator: "&") {
            let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(parts[0])
            guard ["tls", "ca", "socket"].contains(name), parts.count == 2 else {
                throw Invalid(variable: variable, reason: "has an unknown option; known are tls, ca and socket")
            }
            let value = try decoded(parts[1], name, variable)
            if value.isEmpty || seen.updateValue(value, forKey: name) != nil {
                throw Invalid(variable: variable, reason: "needs one value for \(name)")
            }
        }
        var tls: TLS?
        if let name = seen["tls"] {
            tls = TLS(rawValue: name)
            if tls == nil { throw Invalid(variable: variable, reason: "tls must be verify, require or off") }
        }
        return (tls, seen["ca"], seen["socket"])
    }

    private static func port(_ text: Substring, _ variable: String) throws(Invalid) -> UInt16 {
        let isDecimal = !text.isEmpty && text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
        guard isDecimal, let port = UInt16(text), port > 0 else {
            throw Invalid(variable: variable, reason: "the port must be a number from 1 to 65535")
        }
        return port
    }

    private static func decoded(_ text: Substring, _ part: String, _ variable: String) throws(Invalid) -> String {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            if byte != UInt8(ascii: "%") {
                bytes.append(byte)
            } else if let high = rest.popFirst()?.hexadecimalValue, let low = rest.popFirst()?.hexadecimalValue {
                bytes.append(high << 4 | low)
            } else {
                throw Invalid(variable: variable, reason: "has a % without two hex digits in its \(part)")
            }
        }
        guard let decoded = String(validating: bytes, as: UTF8.self) else {
            throw Invalid(variable: variable, reason: "is not UTF-8 in its \(part)")
        }
        return try withoutNUL(decoded, variable)
    }

    /// C libraries end a text at NUL: it would name another user or file than the one that was checked.
    private static func withoutNUL(_ text: String, _ variable: String) throws(Invalid) -> String {
        if text.utf8.contains(0) { throw Invalid(variable: variable, reason: "has a NUL character") }
        return text
    }
}

extension UInt8 {
    fileprivate var hexadecimalValue: UInt8? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): self - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): self - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): self - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
