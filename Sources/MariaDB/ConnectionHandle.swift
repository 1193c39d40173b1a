internal import CMariaDB
internal import Certificates
internal import Fibers
internal import Glibc
internal import SQL

/// The owner of one `MYSQL`, connected from its first moment to its last.
@safe struct ConnectionHandle: ~Copyable {
    let api: UnsafePointer<cmariadb_table>
    let mysql: UnsafeMutablePointer<MYSQL>
    private let usesTLS: Bool

    /// Connects, logs in and sets up the session; blocks for the connect timeout at most, beside name resolution.
    init(_ configuration: MariaDBConfiguration) throws(CallFailure) {
        guard let api = unsafe cmariadb() else {
            let message = unsafe String(cString: cmariadb_error())
            throw CallFailure(number: 2000, message: message, phase: .connecting, timedOut: false)
        }
        guard let mysql = unsafe api.pointee.mysql_init(nil) else {
            throw CallFailure(number: UInt32(CR_OUT_OF_MEMORY), message: "", phase: .connecting, timedOut: false)
        }
        unsafe Self.setOptions(configuration, api, mysql)
        let server = configuration.server
        var isExposed = false
        let connected = unsafe cmariadb_connect(
            api, mysql, server.socket == nil ? server.host : nil, server.user, server.password.reveal(),
            server.database,
            UInt32(server.port), server.socket, cmariadb_found_rows_flag(), server.tls == .require, &isExposed)
        // Where it verifies, the library refuses a server without TLS by itself; no connection in the clear must pass even if it did not.
        if unsafe server.tls != .off && connected != nil && api.pointee.mysql_get_ssl_cipher(mysql) == nil {
            isExposed = true
        }
        if unsafe connected == nil || isExposed {
            let number = unsafe isExposed ? 2026 : api.pointee.mysql_errno(mysql)
            let message = unsafe String(cString: cmariadb_message(api, mysql))
            unsafe api.pointee.mysql_close(mysql)
            throw CallFailure(number: number, message: message, phase: .connecting, timedOut: false)
        }
        unsafe cmariadb_wait_by(api, mysql, waitForSocket)
        unsafe self.api = api
        unsafe self.mysql = mysql
        usesTLS = server.tls != .off
    }

    deinit {
        unsafe api.pointee.mysql_close(mysql)
    }

    /// Before every statement: nothing that went wrong elsewhere on this thread is an error of this connection.
    func forgetOthersErrors() {
        if usesTLS { unsafe api.pointee.forget_tls_errors() }
    }

    private static func setOptions(
        _ configuration: MariaDBConfiguration, _ api: UnsafePointer<cmariadb_table>,
        _ mysql: UnsafeMutablePointer<MYSQL>
    ) {
        let server = configuration.server
        unsafe cmariadb_set_uint(api, mysql, MYSQL_OPT_CONNECT_TIMEOUT, configuration.connectTimeout.wholeSeconds)
        unsafe cmariadb_set_uint(api, mysql, MYSQL_OPT_READ_TIMEOUT, configuration.readTimeout.wholeSeconds)
        unsafe cmariadb_set_uint(api, mysql, MYSQL_OPT_WRITE_TIMEOUT, configuration.writeTimeout.wholeSeconds)
        // It would drop the session's settings and an open transaction without a word.
        unsafe cmariadb_set_bool(api, mysql, MYSQL_OPT_RECONNECT, false)
        // A server must not be able to ask for this machine's files.
        unsafe cmariadb_set_uint(api, mysql, MYSQL_OPT_LOCAL_INFILE, 0)
        unsafe cmariadb_set_bool(api, mysql, MYSQL_REPORT_DATA_TRUNCATION, true)
        unsafe cmariadb_set_text(api, mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4")
        unsafe cmariadb_set_text(api, mysql, MYSQL_INIT_COMMAND, sessionSettings(configuration))
        // Without it, the library takes the host "localhost" for a Unix socket and forgets the port.
        let transport = server.socket == nil ? MYSQL_PROTOCOL_TCP : MYSQL_PROTOCOL_SOCKET
        unsafe cmariadb_set_uint(api, mysql, MYSQL_OPT_PROTOCOL, transport.rawValue)
        // Whoever answers in the server's place must not talk the library into sending the password in the clear.
        unsafe cmariadb_set_text(
            api, mysql, MARIADB_OPT_RESTRICTED_AUTH,
            "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519")
        if let folder = configuration.pluginFolder {
            unsafe cmariadb_set_text(api, mysql, MYSQL_PLUGIN_DIR, folder)
        }
        if server.tls != .off {
            unsafe cmariadb_set_bool(api, mysql, MYSQL_OPT_SSL_ENFORCE, true)
            unsafe cmariadb_set_bool(api, mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, server.tls == .verify)
            // Given one, the library verifies by it whatever else it is told.
            let authorities = server.tls == .verify ? CertificateFile.found() : nil
            if let file = server.certificateAuthorities ?? authorities {
                unsafe cmariadb_set_text(api, mysql, MYSQL_OPT_SSL_CA, file)
            }
        }
    }

    /// One statement, so that a new connection costs one round trip beside the login.
    ///
    /// `NO_BACKSLASH_ESCAPES`: a text literal means the same as in SQLite.
    private static func sessionSettings(_ configuration: MariaDBConfiguration) -> String {
        """
        SET NAMES utf8mb4, time_zone = '+00:00', \
        sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,\
        NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES', \
        innodb_lock_wait_timeout = \(configuration.lockTimeout.wholeSeconds), \
        lock_wait_timeout = \(configuration.lockTimeout.wholeSeconds)
        """
    }
}

/// How every established connection waits: on a fiber others go on meanwhile.
///
/// Under TLS the library asks for a few milliseconds, relying on the socket's own time limit, which a socket that does not
/// block has not; and it asks to read even where it could not send.
private func waitForSocket(_ socket: my_socket, _ isRead: my_bool, _ milliseconds: Int32) -> Int32 {
    if milliseconds >= 1_000 {
        return Fiber.waitUntil(isRead != 0 ? .readable : .writable, socket, milliseconds: milliseconds)
    }
    var send = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
    let isSending = unsafe poll(&send, 1, 0) == 0
    let result = Fiber.waitUntil(
        isSending ? .either : .readable, socket, milliseconds: cmariadb_socket_timeout(socket, !isSending))
    // Others ran on this thread meanwhile.
    unsafe cmariadb()?.pointee.forget_tls_errors()
    return result
}
