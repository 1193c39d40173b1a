internal import Clocks
internal import HTTP
internal import JSON

extension Provider {
    /// `GET /_fake-provider/counters`.
    func countersJSON(now: Timestamp) -> Value {
        let rows = counters.sorted.map { key, count -> Value in
            [
                "endpoint": .string(key.endpoint.rawValue), "app": .string(key.application),
                "calls": Value(Int64(count.calls)), "minted": Value(Int64(count.minted)),
                "dead": Value(Int64(count.dead)),
            ]
        }
        let alive = aliveTokens(now: now).map { token, entry -> Value in
            [
                "endpoint": .string(entry.endpoint.rawValue), "app": .string(entry.application),
                "token": .string(token),
                "minted_at": Value(entry.mintedAt.milliseconds), "dies_at": Value(entry.diesAt.milliseconds),
            ]
        }
        let deadUses = counters.deadUses.map { use -> Value in
            [
                "app": .string(use.application), "used_at": Value(use.usedAt.milliseconds),
                "died_at": Value(use.diedAt.milliseconds),
            ]
        }
        let due = faults.entries.map { entry -> Value in
            [
                "endpoint": .string(entry.endpoint.rawValue), "fault": .string(entry.fault.rawValue),
                "left": Value(Int64(entry.left)),
            ]
        }
        return [
            "now": Value(now.milliseconds), "calls": Value(Int64(counters.counts.values.reduce(0) { $0 + $1.calls })),
            "minted": Value(Int64(counters.counts.values.reduce(0) { $0 + $1.minted })), "by_app": .array(rows),
            "alive": .array(alive), "dead_uses": .array(deadUses), "faults_due": .array(due),
            "faults_served": .array(servedFaults),
        ]
    }

    private var servedFaults: [Value] {
        faults.served.sorted { $0.key.rawValue < $1.key.rawValue }.flatMap { endpoint, counts in
            counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { fault, count -> Value in
                [
                    "endpoint": .string(endpoint.rawValue), "fault": .string(fault.rawValue),
                    "minted": Value(fault.mints), "times": Value(Int64(count)),
                ]
            }
        }
    }

    /// The youngest first.
    private func aliveTokens(now: Timestamp) -> [(key: String, value: TokenLedger.Entry)] {
        ledger.entries.filter { $0.value.diesAt > now }
            .sorted { ($1.value.mintedAt, $0.key) < ($0.value.mintedAt, $1.key) }
    }

    /// `GET /`: the counters for people.
    func page(now: Timestamp) -> Response {
        let calls = counters.sorted.map { key, count in
            row([key.endpoint.rawValue, key.application, String(count.calls), String(count.minted)])
        }
        let tokens = aliveTokens(now: now).prefix(100).map { token, entry in
            row([
                entry.endpoint.rawValue, entry.application, String(token.prefix(16)) + "…",
                "\((entry.diesAt - now).wholeSeconds) s",
            ])
        }
        let html = """
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><title>fake provider</title>
            <style>body { font: 15px system-ui; margin: 2em } td, th { padding: .2em 1em .2em 0; text-align: left }</style>
            <h1>Fake provider</h1>
            <h2>Calls</h2>
            <table><tr><th>endpoint<th>application<th>calls<th>minted</tr>
            \(calls.joined(separator: "\n"))
            </table>
            <h2>Tokens alive</h2>
            <table><tr><th>endpoint<th>application<th>token<th>dies in</tr>
            \(tokens.joined(separator: "\n"))
            </table>
            </html>

            """
        var response = Response(.ok, body: Array(html.utf8))
        response.fields[.contentType] = "text/html; charset=utf-8"
        response.fields[.cacheControl] = "no-store"
        return response
    }

    private func row(_ cells: [String]) -> String {
        "<tr>" + cells.map { "<td>" + escaped($0) }.joined() + "</tr>"
    }

    private func escaped(_ text: String) -> String {
        text.reduce(into: "") { escaped, character in
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.append(character)
            }
        }
    }
}
