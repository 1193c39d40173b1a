internal import Clocks
internal import Curl
internal import FunctionRuntime
internal import Glibc
internal import HTTP
internal import Log
internal import TokenCache

/// Wires the cache function: one memory for all workers, one HTTP client per worker.
enum TokenServerCache {
    static func run() -> Int32 {
        // A level that cannot be read is reported with the other settings; until then the default holds.
        let logger = Logger(level: (try? Settings.logLevel(environment("LOG_LEVEL"))) ?? .info)
        let clock = SystemClock()
        let memory = Memory(clock: clock)
        let places = Places(workers: FunctionRuntime.workers)
        return FunctionRuntime.main(
            environment: environment, logger: logger, clock: clock, immediate: memory
        ) { _ throws(StartupError) in
            CacheService(
                memory: memory, places: places, client: CurlClient(), server: try settings().server, clock: clock)
        }
    }

    private static func settings() throws(StartupError) -> Settings {
        do throws(Settings.Failure) {
            return try Settings(environment: environment)
        } catch {
            throw StartupError(variable: error.variable, message: error.message)
        }
    }

    private static func environment(_ name: String) -> String? {
        unsafe getenv(name).map { unsafe String(cString: $0) }
    }
}
