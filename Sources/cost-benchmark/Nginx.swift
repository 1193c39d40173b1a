internal import Glibc

/// nginx with a body that never changes, the measure of what this machine can do.
final class Nginx {
    let url: String
    let process: Child
    private let log: String

    /// - Parameters:
    ///   - workers: processes, each with one thread.
    ///   - logs: whether it writes a line for each request, as Debian's configuration does.
    init(body: String, workers: Int, logs: Bool, scratch: String) throws {
        let name = logs ? "nginx-with-log" : "nginx"
        log = "\(scratch)/\(name).access"
        let port = Port.next()
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map {
            "\($0)_temp_path \(scratch)/\(name);"
        }
        let configuration = """
            worker_processes \(workers); daemon off; pid \(scratch)/\(name).pid;
            events { worker_connections 1024; }
            http {
                access_log \(logs ? log : "off"); keepalive_requests 1000000000; \(temporary.joined(separator: " "))
                server {
                    listen 127.0.0.1:\(port);
                    location / { default_type application/json; return 200 '\(body)'; }
                }
            }
            """
        let file = "\(scratch)/\(name).conf"
        try TextFile.write(configuration, to: file)
        let errors = "\(scratch)/\(name).log"
        process = try Child(Tool.nginx, ["-c", file, "-e", errors], file: errors)
        url = "http://127.0.0.1:\(port)/api/token?realm=bench&key=app"
        try Port.waitUntilServing(url, log: errors)
    }

    func forgetLog() {
        _ = unsafe truncate(log, 0)
    }
}
