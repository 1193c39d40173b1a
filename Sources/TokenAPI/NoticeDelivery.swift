package import Clocks
internal import Crypto
package import HTTP
internal import JSON
package import Log
package import Tokens

/// Delivers notices, each at least once: signed as Standard Webhooks says (https://www.standardwebhooks.com), and without a token.
///
/// One value belongs to one worker.
package final class NoticeDelivery {
    /// What one run did.
    struct Report: Equatable {
        var delivered = 0
        var failed = 0
    }

    private let store: any NoticeStore
    private let client: any HTTP.Client
    private let egress: EgressPolicy
    private let clock: any Clock
    private let logger: Logger

    private static let batch = 50
    private static let timeout = Duration.seconds(5)
    /// With less time than that nobody is asked.
    private static let reserve = Duration.seconds(2)
    /// What is kept for notices of the time that the schedule has.
    static let share = Duration.seconds(3)
    /// What nobody took for so long is given up.
    private static let longestLife = Duration.seconds(3 * 86_400)

    package init(
        store: any NoticeStore, client: any HTTP.Client, egress: EgressPolicy, clock: any Clock, logger: Logger
    ) {
        self.store = store
        self.client = client
        self.egress = egress
        self.clock = clock
        self.logger = logger
    }

    func run(deadline: Moment?) throws(StoreError) -> Report {
        var report = Report()
        var seen: Set<Int64> = []
        // Who does not answer is not asked again for every notice that waits for it.
        var failing: Set<String> = []
        while true {
            let asked = clock.now()
            let (read, notices) = try store.pendingNotices(limit: NoticeDelivery.batch)
            let fresh = notices.filter { seen.insert($0.number).inserted }
            if fresh.isEmpty { return report }
            for notice in fresh where !failing.contains(notice.id.realm) {
                let now = read + asked.elapsed(to: clock.now())
                let timeLeft = deadline.map { clock.now().timeLeft(until: $0) }
                if let timeLeft, timeLeft < NoticeDelivery.reserve { return report }
                guard let target = notice.target else {
                    try store.remove(notice)
                    continue
                }
                let pause = min(Duration.seconds(60) * (1 << min(notice.attempts, 6)), .seconds(3_600))
                guard try store.claim(notice, next: now + pause) else { continue }
                let timeout = min(NoticeDelivery.timeout, (timeLeft ?? .seconds(60)) - .seconds(1))
                if deliver(notice, to: target, at: now, timeout) {
                    report.delivered += 1
                    try store.remove(notice)
                } else {
                    report.failed += 1
                    failing.insert(notice.id.realm)
                    // What else waits for it comes again together with this one, and keeps nobody's place until then.
                    let oldest = now - NoticeDelivery.longestLife
                    var lost = try store.postponeNotices(
                        of: notice.id.realm, due: now, to: now + pause, oldest: oldest)
                    if notice.createdAt < oldest {
                        try store.remove(notice)
                        lost += 1
                    }
                    if lost > 0 { giveUp(lost, of: notice.id.realm) }
                }
            }
        }
    }

    private func giveUp(_ count: Int, of realm: String) {
        logger.log(
            .error, "notice",
            ["realm": .string(realm), "outcome": .string("given-up"), "count": .integer(Int64(count))])
    }

    private func deliver(
        _ notice: PendingNotice, to target: NoticeTarget, at now: Timestamp, _ timeout: Duration
    ) -> Bool {
        guard let key = target.key, let url = try? HTTP.URL(parsing: target.url), egress.permits(url.origin) == nil
        else { return false }
        let body = JSON.Value.object(Object(notice)).encoded
        let id = "notice_\(notice.number)"
        let seconds = now.milliseconds / 1_000
        guard let signature = NoticeDelivery.signature(id, seconds, body, key) else { return false }
        var fields = Fields([Field(.contentType, "application/json")])
        for (name, value) in [
            ("webhook-id", id), ("webhook-timestamp", String(seconds)), ("webhook-signature", signature),
        ] {
            if let name = Field.Name(name) { fields.append(name, value) }
        }
        var limits = ClientLimits()
        limits.total = timeout
        limits.connect = min(limits.connect, timeout)
        let request = ClientRequest(.post, url: url.text(), fields: fields, body: body)
        let response = try? client.send(request, limits: limits, willSend: { true }, didSend: {})
        return response?.status.isSuccess ?? false
    }

    /// `v1,` and the base64 of HMAC-SHA256 over `id.timestamp.body`, keyed with the bytes of the realm's `notice_key`.
    private static func signature(
        _ id: String, _ seconds: Int64, _ body: [UInt8], _ key: Redacted<String>
    ) -> String? {
        let message = Array("\(id).\(seconds).".utf8) + body
        guard let code = try? HMAC.code(of: message, key: Array(key.reveal().utf8)),
            let text = try? Base64.encode(code)
        else { return nil }
        return "v1,\(text)"
    }
}

extension Object {
    fileprivate init(_ pending: PendingNotice) {
        self = [
            "type": .string(pending.notice.event.rawValue), "realm": .string(pending.id.realm),
            "key": .string(pending.id.key), "generation": JSON.Value(pending.notice.generation),
            "timestamp": .string(pending.createdAt.iso8601),
        ]
        if let failure = pending.notice.failure {
            var shown: Object = ["class": .string(failure.failureClass.rawValue), "detail": .string(failure.detail)]
            if let code = failure.code { shown["code"] = .string(code) }
            self["failure"] = .object(shown)
        }
    }
}
