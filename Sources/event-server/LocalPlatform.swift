internal import CSystem
internal import EventServer
internal import Glibc
internal import HTTPServer
internal import Schedules

/// `event-server run`: everything a newcomer needs on one machine, which `make run` starts.
enum LocalPlatform {
    static let options = Serve.platformOptions.merging(["programs": .value, "data": .value]) { first, _ in first }

    /// The variables that are handed on to the functions where they are set.
    private static let handedOn = [
        "DATABASE_URL", "MYSQL_HOST", "MYSQL_PORT", "MYSQL_USERNAME", "MYSQL_PASSWORD", "MYSQL_DATABASE", "MASTER_KEYS",
        "ADMIN_KEY_SHA256", "AUTH", "TOKEN_SERVER_URL", "UPSTREAM_ALLOW", "TRUSTED_PROXIES", "FUNCTION_TIMEOUT_MS",
        "AUDIT_RETENTION_DAYS", "LOG_LEVEL",
    ]

    private typealias Failure = LocalPlatformFailure

    static func run(_ options: Options) throws(UsageError) -> Int32 {
        let port = try options.number("port", in: 0...65_535)
        let bootstrap = options.text("bootstrap") ?? "./bootstrap"
        let cloud = try Serve.cloud(options, default: Environment["PLATFORM"] ?? "lambda")
        var settings = try Serve.settings(options, on: cloud, function: "token-server", bootstrap: bootstrap)
        let programs = Serve.absolute(options.text("programs") ?? "build/bin")
        let data = Serve.absolute(options.text("data") ?? "build/run")
        let template = try Templates.read(options, of: cloud)
        let output = StartupOutput()
        settings.output = output.print
        do throws(Failure) {
            let port = if let port { port } else { try portFromEnvironment() }
            try start(&settings, template, on: cloud, port: port, programs: programs, data: data, output: output)
            return 0
        } catch {
            Terminal.complain(error.message)
            return 1
        }
    }

    private static func portFromEnvironment() throws(Failure) -> Int {
        guard let text = Environment["PORT"] else { return 8_080 }
        guard let number = Int(text), (0...65_535).contains(number) else {
            throw Failure(message: "PORT must be a whole number from 0 to 65535")
        }
        return number
    }

    // MARK: Starting

    private static func start(
        _ settings: inout PlatformSettings, _ template: Template?, on cloud: LocalFunction.Cloud, port: Int,
        programs: String, data: String, output: StartupOutput
    ) throws(Failure) {
        guard WorkingFolder.make(data) else {
            throw Failure(message: "the data folder \(data) cannot be made or written")
        }
        guard let lock = LockFile.take(data + "/lock") else {
            throw Failure(
                message:
                    "the data folder \(data) is in use by another local platform: stop it, or name another by --data")
        }
        defer { close(lock) }
        let provider = try Companion.startProvider(programs + "/fake-provider", data: data)
        defer { provider.process.kill() }
        settings.environment = environment(
            settings.environment, programs: programs, data: data, provider: provider.address)
        try LocalKey.add(to: &settings.environment, data: data)
        try migrate(programs + "/token-server-admin", settings.environment)

        let function: LocalFunction
        do throws(ServerError) {
            function = try LocalFunction(template?.applied(to: settings) ?? settings, on: cloud, port: port)
        } catch {
            if case .socket = error { throw Failure(message: "PORT: \(port) cannot be used: \(error)") }
            throw Failure(message: "\(error)")
        }
        defer { function.stop() }
        let url = "http://127.0.0.1:\(function.port)"
        let cache = try startCache(
            settings, template, on: cloud, port: port, server: "http://127.0.0.1:\(function.innerPort)")
        defer { cache.stop() }
        try waitUntilReady(function, "/readyz", provider: provider.address, output)
        // What it passes on shows that both answer.
        try waitUntilReady(cache, "/pong", provider: provider.address, output)
        output.open()
        announce(
            url, cache: "http://127.0.0.1:\(cache.port)", provider: "http://" + provider.address,
            hasKeys: settings.environment.contains { $0.name == "AUTH" && $0.value != "none" })
        if settings.environment.contains(where: { $0.name == "AUTH" && $0.value != "none" }),
            !settings.environment.contains(where: { $0.name == "ADMIN_KEY_SHA256" && !$0.value.isEmpty })
        {
            Terminal.complain(
                "ADMIN_KEY_SHA256 is missing: with AUTH=keys only keys that are already stored open anything")
        }
        Templates.announce(template, "token-server", "token-server-cache")
        Terminal.print("ready: \(url)")
        _ = csystem_wait_for_termination()
    }

    /// The companion function, at the next port; it knows the server and neither the database nor any secret.
    private static func startCache(
        _ settings: PlatformSettings, _ template: Template?, on cloud: LocalFunction.Cloud, port: Int, server: String
    ) throws(Failure) -> LocalFunction {
        var cache = settings
        cache.functionName = "token-server-cache"
        // It waits for the server, which waits for as long as it may.
        cache.timeout += .seconds(2)
        let known = ["AUTH", "LOG_LEVEL", "TOKEN_SERVER_PROGRAMS"]
        cache.environment = settings.environment.filter { known.contains($0.name) }
        cache.environment.append(("TOKEN_SERVER_URL", Environment["TOKEN_SERVER_URL"] ?? server))
        let cachePort = port == 0 ? 0 : port + 1
        do throws(ServerError) {
            return try LocalFunction(template?.applied(to: cache) ?? cache, on: cloud, port: cachePort)
        } catch {
            throw Failure(message: "PORT: \(cachePort), which is PORT + 1, cannot be used: \(error)")
        }
    }

    private static func environment(
        _ given: [(name: String, value: String)], programs: String, data: String, provider: String
    ) -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = []
        for name in handedOn {
            if let value = Environment[name] { variables.append((name, value)) }
        }
        func add(_ name: String, _ value: String) {
            if !variables.contains(where: { $0.name == name }) { variables.append((name, value)) }
        }
        // The predecessor's names count where there is no DATABASE_URL.
        if Environment["MYSQL_HOST"] == nil { add("DATABASE_URL", "sqlite:\(data)/tokens.db") }
        add("AUTH", "none")
        add("TOKEN_SERVER_PROGRAMS", programs)
        let allowed = [Environment["UPSTREAM_ALLOW"], provider].compactMap { $0 }.joined(separator: ",")
        variables.removeAll { $0.name == "UPSTREAM_ALLOW" }
        variables.append(("UPSTREAM_ALLOW", allowed))
        for (name, value) in given {
            variables.removeAll { $0.name == name }
            variables.append((name, value))
        }
        return variables
    }

    private static func migrate(_ program: String, _ environment: [(name: String, value: String)]) throws(Failure) {
        let process: ChildProcess
        do throws(ChildProcess.SpawnError) {
            process = try ChildProcess(program, ["migrate"], environment: environment)
        } catch {
            throw Failure(message: "\(error)")
        }
        let output = process.readAll()
        if process.wait() != 0 { throw Failure(message: output.isEmpty ? "the migration failed" : output) }
    }

    private static func waitUntilReady(
        _ function: LocalFunction, _ path: String, provider: String, _ output: StartupOutput
    ) throws(Failure) {
        let port = function.innerPort
        let providerPort = provider.split(separator: ":").last.flatMap { UInt16($0) } ?? 0
        for _ in 0..<2_000 {
            // With AUTH=keys the answer is a 401, which shows as well that the function answers.
            let front = Probe.page(port: port, path: path)
            guard Probe.page(port: providerPort, path: "/")?.status == 200 else {
                usleep(5_000)
                continue
            }
            if front?.status == 200 || front?.status == 401 { return }
            if let front, front.status == 503, lacksOnlyKeys(front.text) {
                Terminal.complain("MASTER_KEYS: nothing that is stored opens with these keys; what is new will")
                return
            }
            if front?.status == 502 {
                let reason = output.reason ?? output.lastLine ?? "it says nothing"
                throw Failure(message: "a function does not start: \(reason)")
            }
            usleep(5_000)
        }
        throw Failure(message: "a function is not ready: \(output.reason ?? output.lastLine ?? "it says nothing")")
    }

    /// Whatever else could be wrong is well.
    private static func lacksOnlyKeys(_ readiness: String) -> Bool {
        ["database", "schema", "clock"].allSatisfy { readiness.contains("\"\($0)\":\"ok\"") }
    }

    private static func announce(_ url: String, cache: String, provider: String, hasKeys: Bool) {
        let key = hasKeys ? " -H 'Authorization: Bearer KEY'" : ""
        Terminal.print(
            """
            token-server \(url)
            token-server-cache \(cache)
            fake-provider \(provider)
            invocations \(url)/_event-server/invocations

            Try it in another shell:

            curl\(key) -H 'Content-Type: application/json' \(url)/api/realm --data-binary '{"id":"wxgzh","config":{
              "url":"\(provider)/cgi-bin/token","method":"GET","arguments":[
                {"name":"appid","place":"url","value":"$key_1"},{"name":"secret","place":"url","value":"$key_2"},
                {"name":"grant_type","place":"url","value":"$key_3"}],
              "token_path":"access_token","content_type":"json","expires_in_path":"expires_in"}}'
            curl\(key) -H 'Content-Type: application/json' \(url)/api/secret --data-binary '{
              "realm":"wxgzh","key":"wxgzh_secret","key_1":"my-appid","key_2":"my-secret","key_3":"client_credential"}'
            curl\(key) '\(cache)/api/token?realm=wxgzh&key=wxgzh_secret'

            """)
    }
}
