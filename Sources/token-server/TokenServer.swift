internal import Clocks
internal import Crypto
internal import Curl
internal import DatabaseDrivers
internal import FunctionRuntime
internal import Glibc
internal import HTTP
internal import Log
internal import Recipes
internal import SQL
internal import Storage
internal import TokenAPI
internal import Tokens

/// Wires the token server: one handler, one database connection and one HTTP client per worker.
enum TokenServer {
    static func run() -> Int32 {
        // A level that cannot be read is reported with the other settings; until then the default holds.
        let logger = Logger(level: (try? Settings.logLevel(environment("LOG_LEVEL"))) ?? .info)
        let clock = SystemClock()
        // Where workers share an instance, two thirds of them may be in upstream calls, a third in those of one realm.
        let flights = Flights(perRealm: FunctionRuntime.workers / 3, total: FunctionRuntime.workers * 2 / 3)
        let limiter = RateLimiter()
        let uses = KeyUses()
        let reads = SharedReads(clock: clock)
        return FunctionRuntime.main(
            environment: environment, logger: logger, clock: clock, immediate: OpenRoutes()
        ) { _ throws(StartupError) in
            let settings = try settings()
            let connection = try databaseURL().connection()
            let sealer = Sealer(try masterKeys()) { logger.log($0) }
            let egress = settings.egress
            let client = CurlClient(mayConnect: { egress.permits($0, at: $1) })
            return TokenService(
                store: DatabaseStore(connection, sealer: sealer, reads: reads),
                upstream: RecipeUpstream(client: client, egress: egress), noticeClient: client,
                settings: settings, clock: clock, logger: logger, flights: flights, limiter: limiter,
                uses: uses)
        }
    }

    private static func settings() throws(StartupError) -> Settings {
        do throws(Settings.Failure) {
            return try Settings(environment: environment)
        } catch {
            throw StartupError(variable: error.variable, message: error.message)
        }
    }

    private static func databaseURL() throws(StartupError) -> DatabaseURL {
        do throws(DatabaseURL.Invalid) {
            return try DatabaseURL(environment: environment)
        } catch {
            throw StartupError(variable: error.variable, message: error.reason)
        }
    }

    private static func masterKeys() throws(StartupError) -> MasterKeys {
        do throws(MasterKeys.Malformed) {
            return try MasterKeys(environment: environment)
        } catch {
            throw StartupError(variable: error.variable, message: error.message)
        }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}

extension Logger {
    /// A stored value that is not used, or used though nobody sealed it: where it is, and nothing of it.
    fileprivate func log(_ fault: SealFault) {
        let isUsed = fault.reason == .inClear
        log(
            isUsed ? .warn : .error, isUsed ? "unsealed" : "quarantine",
            [
                "realm": .string(fault.realm), "key": .string(fault.key), "column": .string(fault.column),
                "sealed_with": .string(fault.sealedWith), "reason": .string(fault.reason.rawValue),
            ])
    }
}
