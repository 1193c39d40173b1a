internal import Clocks
internal import HTTP
internal import JSON
internal import Tokens

extension TokenService {
    /// Farther apart than this, the clocks of this instance and of the database make no good answers.
    private static let largestSkew = Duration.seconds(30)

    /// Asks the database for its clock and its schema; 503 names every check that failed.
    func readiness() -> Response {
        var checks: Object = ["database": "ok", "schema": "ok", "keys": "unknown", "clock": "ok"]
        var keysWork = false
        let before = clock.now()
        do throws(StoreError) {
            let (now, isMigrated) = try probe.probe()
            if isMigrated {
                let health = try probe.probeKeys()
                checks["keys"] = .string(TokenService.words(for: health))
                // Some that do not open are no reason to send the others' callers away.
                keysWork = health.isWorking && (health.known > 0 || health.unknown == 0)
            } else {
                checks["schema"] = "migrations are missing: run token-server-admin migrate"
            }
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
        let isReady = checks.members.allSatisfy { $0.value == "ok" || ($0.name == "keys" && keysWork) }
        var response = Response(
            isReady ? .ok : .serviceUnavailable,
            json: ["status": .string(isReady ? "ok" : "unavailable"), "checks": .object(checks)])
        response.fields[.cacheControl] = "no-store"
        if !isReady { response.fields[.retryAfter] = "1" }
        return response
    }

    private static func words(for health: KeyHealth) -> String {
        if !health.isWorking { return "nothing can be sealed; the log says why" }
        var words: [String] = []
        if health.unknown > 0 {
            let ids = health.unknownIDs.sorted().joined(separator: ", ")
            words.append("secrets sealed with keys that MASTER_KEYS lacks: \(health.unknown) (\(ids))")
        }
        if health.quarantined > 0 { words.append("secrets quarantined: \(health.quarantined)") }
        return words.isEmpty ? "ok" : words.joined(separator: "; ") + "; token-server-admin rekey lists them"
    }
}
