import Foundation
import Glibc
import JSON
import Locks
import Synchronization

/// Readers that use what they are given at the provider, flushes, faults, kills and freezes, all at once for a while.
final class MixedLoad: Sendable {
    struct Figures: CustomStringConvertible, Sendable {
        var answers = 0
        var refusals = 0
        var losses = 0
        var late = 0
        var uses = 0
        var reports = 0
        var flushes = 0
        var kills = 0
        var freezes = 0

        var description: String {
            """
            \(answers) tokens, \(refusals) refusals, \(losses) requests lost with their process, \(late) answers too late to \
            be used, \(reports) reports, \(flushes) flushes, \(kills) kills, \(freezes) freezes
            """
        }
    }

    /// A use of a dead token as its reader knows it; instants in epoch milliseconds.
    private struct Story: Sendable, CustomStringConvertible {
        let secret: String
        let asked: Int64
        let usedFrom: Int64
        let usedTo: Int64
        /// Until when the reader may use what it was answered.
        let until: Int64
        let answer: String

        var description: String { "\(secret): asked \(asked), used \(usedFrom)–\(usedTo), until \(until), \(answer)" }
    }

    private static let readers = 12
    /// An answer that took longer, in milliseconds, is asked for again: it may have been made long ago.
    private static let patience: Int64 = 1_000
    /// What a use itself may take.
    private static let useTime: Int64 = 900

    private let fleet: FunctionFleet
    private let provider: UInt16
    private let secrets: [String]
    private let isOver = Atomic(false)
    private let counted = Lock(Figures())
    private let told = Lock<[Story]>([])
    private let wrong = Lock<[String]>([])

    /// - Parameter secrets: the first is flushed most, the last never.
    init(_ fleet: FunctionFleet, provider: UInt16, secrets: [String]) {
        self.fleet = fleet
        self.provider = provider
        self.secrets = secrets
    }

    static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    var figures: Figures { counted.withLock { $0 } }
    var mistakes: [String] { wrong.withLock { $0 } }
    var stories: String { told.withLock { $0.map(\.description).joined(separator: "\n") } }

    /// Whether the reader, not the answer, was late: it was held up between looking at its clock and using the token.
    func isLate(_ use: DeadUse) -> Bool {
        told.withLock { stories in
            stories.contains {
                $0.secret == use.secret && ($0.usedFrom...$0.usedTo).contains(use.usedAt)
                    && use.usedAt > $0.until + MixedLoad.useTime
            }
        }
    }

    /// Runs everything for that long, and returns when every process runs and nothing is under way.
    func run(_ duration: Duration, watching marks: MarkWatch) {
        concurrently(MixedLoad.readers + 8) { [self] number in
            do {
                switch number {
                case 0:
                    usleep(UInt32(duration / .microseconds(1)))
                    isOver.store(true, ordering: .relaxed)
                case 1: try repeating(every: .milliseconds(200)) { _ in try marks.look() }
                case 2: try repeating(every: .seconds(4), plan)
                case 3: try repeating(every: .milliseconds(1_200), kill)
                case 4: try repeating(every: .milliseconds(700), freeze)
                // One flush a second, though each may have to wait for a process that is frozen.
                case 5...7: try repeating(every: .seconds(3), after: .seconds(number - 5), flush)
                default: try read(holding: number.isMultiple(of: 2))
                }
            } catch {
                wrong.withLock { $0.append("\(number): \(error)") }
            }
        }
    }

    /// Calls `body` at fixed times, or as soon as it has returned.
    private func repeating(
        every period: Duration, after first: Duration = .zero, _ body: (Int) throws -> Void
    ) throws {
        var next = ContinuousClock.now + first
        var number = 0
        while !isOver.load(ordering: .relaxed) {
            if ContinuousClock.now < next {
                usleep(10_000)
                continue
            }
            try body(number)
            number += 1
            next = max(next + period, .now)
        }
    }

    private func count(_ change: (inout Figures) -> Void) { counted.withLock { change(&$0) } }

    // MARK: Readers

    private func read(holding: Bool) throws {
        var connection = try RawHTTPConnection(port: provider)
        while !isOver.load(ordering: .relaxed) {
            usleep(20_000)
            guard let secret = secrets.randomElement() else { return }
            let asked = MixedLoad.now
            guard let answer = ask("GET", "/api/token?realm=wx&key=\(secret)"), answer.status == 200 else { continue }
            guard let token = try answer.json()["token"]?.string, let maxAge = answer.maxAge else {
                wrong.withLock { $0.append("no token, or nothing about its use: \(answer.text) \(answer.fields)") }
                continue
            }
            count { $0.answers += 1 }
            if MixedLoad.now > asked + MixedLoad.patience { count { $0.late += 1 } }
            let until = asked + max(MixedLoad.patience, holding ? maxAge * 1_000 : 0)
            while MixedLoad.now <= until {
                let from = MixedLoad.now
                let isAlive: Bool
                do {
                    isAlive = try MixedLoad.use(token, connection)
                } catch {
                    connection = try RawHTTPConnection(port: provider)
                    isAlive = try MixedLoad.use(token, connection)
                }
                count { $0.uses += 1 }
                if !isAlive {
                    told.withLock {
                        $0.append(
                            Story(
                                secret: secret, asked: asked, usedFrom: from, usedTo: MixedLoad.now, until: until,
                                answer: "\(answer.text) \(answer["cache-control"] ?? "")"))
                    }
                    report(token, of: secret)
                }
                guard isAlive, holding, !isOver.load(ordering: .relaxed) else { break }
                usleep(50_000)
            }
        }
    }

    /// Whether the token works at the provider, for what applications need it for.
    static func use(_ token: String, _ connection: RawHTTPConnection) throws -> Bool {
        let target = "/cgi-bin/ticket/getticket?access_token=\(token)&type=jsapi"
        return try JSON.Value(parsing: connection.request("GET", target).body)["errcode"] == 0
    }

    private func report(_ token: String, of secret: String) {
        count { $0.reports += 1 }
        _ = ask(
            "PUT", "/api/token", #"{"realm": "wx", "key": "\#(secret)", "now_token": "\#(token)"}"#, timeout: 3)
    }

    /// Nil where the process that was asked is lost, or does not answer within the seconds that it has.
    private func ask(_ method: String, _ target: String, _ json: String = "", timeout: Int = 1) -> Answer? {
        guard let member = fleet.members.randomElement() else { return nil }
        let fields = json.isEmpty ? [] : [(name: "Content-Type", value: "application/json")]
        guard
            let answer = try? OneShotHTTP.send(
                method, member.url + target, fields: fields, body: Array(json.utf8), timeout: timeout)
        else {
            count { $0.losses += 1 }
            return nil
        }
        if answer.status == 200 { return answer }
        count { $0.refusals += 1 }
        if ![502, 503].contains(answer.status) || (answer.status == 503 && answer["retry-after"] == nil) {
            wrong.withLock { $0.append("\(method) \(target): \(answer.status) \(answer.text)") }
        }
        return answer
    }

    // MARK: What happens meanwhile

    private func flush(_ number: Int) {
        count { $0.flushes += 1 }
        _ = ask("GET", "/api/token?realm=wx&flush=true&key=" + secrets[[0, 1, 0, 0, 2][number % 5]], timeout: 3)
    }

    private func plan(_ number: Int) throws {
        let faults = [("delay", 700), ("reset-after-mint", 0), ("delay", 300), ("status-500", 0), ("truncated", 0)]
        let (fault, delay) = faults[number % faults.count]
        let body = #"{"endpoint": "/cgi-bin/token", "fault": "\#(fault)", "delay_ms": \#(delay)}"#
        _ = try RawHTTPConnection(port: provider).request("POST", "/_fake-provider/faults", body: body)
    }

    private func kill(_ number: Int) throws {
        try fleet.members.randomElement()?.alone { member in
            member.kill9()
            usleep(.random(in: 0...400_000))
            try member.start()
            count { $0.kills += 1 }
        }
    }

    private func freeze(_ number: Int) {
        fleet.members.randomElement()?.alone { member in
            member.freeze(SIGSTOP)
            // Short of a lease, beyond it, and beyond the life of every copy.
            usleep([.random(in: 50_000...900_000), .random(in: 2_000_000...4_000_000), 6_000_000][number % 3])
            member.freeze(SIGCONT)
            count { $0.freezes += 1 }
        }
    }
}

extension Answer {
    /// The seconds for which the answer may be kept.
    fileprivate var maxAge: Int64? {
        guard let control = self["cache-control"], let start = control.range(of: "max-age=") else { return nil }
        return Int64(control[start.upperBound...].prefix { $0.isNumber })
    }
}
