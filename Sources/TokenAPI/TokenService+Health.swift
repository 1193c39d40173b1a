internal import Clocks
internal import HTTP
internal import JSON
internal import Tokens

extension TokenService {
    /// Farther apart than this, the clocks of this instance and of the database make no good answers.
    private static let largestSkew = Duration.seconds(30)

    func health(_ endpoint: Endpoint) -> Response {
        endpoint == .pong ? Response(.ok, json: ["err_code": 0]) : Response(.ok, json: ["status": "ok"])
    }

    /// Asks the database for its clock and its schema; 503 names every check that failed.
    func readiness() -> Response {
        // There are no keys to check before credentials are sealed: nothing that could fail.
        var checks: Object = ["database": "ok", "schema": "ok", "keys": "none", "clock": "ok"]
        let before = clock.now()
        do throws(StoreError) {
            let (now, isMigrated) = try probe.probe()
            if !isMigrated { checks["schema"] = "migrations are missing: run token-server-admin migrate" }
            let skew = now - before.wall
            if max(skew, .zero - skew) > TokenService.largestSkew {
                checks["clock"] = .string("\(skew.wholeMilliseconds) ms apart from the database's")
            }
        } catch .broken {
            checks["schema"] = "the schema is not the expected one: run token-server-admin migrate"
        } catch {
            checks["database"] = "cannot be reached"
            checks["schema"] = "unknown"
            checks["clock"] = "unknown"
        }
        let isReady = checks.members.allSatisfy { $0.value == "ok" || ($0.name == "keys" && $0.value == "none") }
        var response = Response(
            isReady ? .ok : .serviceUnavailable,
            json: ["status": .string(isReady ? "ok" : "unavailable"), "checks": .object(checks)])
        response.fields[.cacheControl] = "no-store"
        if !isReady { response.fields[.retryAfter] = "1" }
        return response
    }
}
