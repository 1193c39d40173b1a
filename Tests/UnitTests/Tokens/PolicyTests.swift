import Clocks
import JSON
import Testing
import Tokens

/// What a realm may declare, and what follows from it.
@Suite struct PolicyTests {
    private func parse(_ text: String) throws -> Policy {
        try Policy(parsing: try JSON.Value(parsing: text.utf8))
    }

    @Test func `an empty policy is the safest guess: class A with an overlap of 300 s`() throws {
        let policy = try parse("{}")
        #expect(policy == .undeclared)
        #expect(policy.overlap == .seconds(300))
        #expect(policy.gap == .seconds(120))
        #expect(policy.lease == .seconds(10))
    }

    @Test func `every member is read with its unit`() throws {
        let policy = try parse(
            """
            {"class": "A", "overlap": 60, "gap": 90.5, "timeout": 1.25, "grace": 0.5, "patience": 5, "concurrency": 3,
             "flush_budget": 7, "quota": 2000, "day_offset": 0, "min_life": 30, "max_life": 600,
             "scheduled_refresh": false, "idle_after": 3600, "notice_url": "https://a.example/n"}
            """)
        #expect(policy.overlap == .seconds(60))
        #expect(policy.gap == .milliseconds(90_500))
        #expect(policy.timeout == .milliseconds(1_250))
        #expect(policy.lease == .milliseconds(4_750))
        #expect(policy.patience == .seconds(5))
        #expect(policy.concurrency == 3)
        #expect(policy.flushBudget == 7)
        #expect(policy.quota == 2_000)
        #expect(policy.dayOffset == .zero)
        #expect(policy.minimumLife == .seconds(30))
        #expect(policy.maximumLife == .seconds(600))
        #expect(!policy.isScheduled)
        #expect(policy.idleAfter == .seconds(3_600))
        #expect(policy.noticeURL == "https://a.example/n")
    }

    @Test(arguments: [
        (#"[]"#, "policy"), (#"{"overlp": 1}"#, "policy.overlp"), (#"{"class": "H"}"#, "policy.class"),
        (#"{"class": 1}"#, "policy.class"), (#"{"overlap": "300"}"#, "policy.overlap"),
        (#"{"overlap": -1}"#, "policy.overlap"), (#"{"overlap": 0.0001}"#, "policy.overlap"),
        (#"{"overlap": 1e400}"#, "policy.overlap"), (#"{"class": "E", "overlap": 1}"#, "policy.overlap"),
        (#"{"class": "C", "renew_window": 10}"#, "policy.renew_window"), (#"{"gap": 9}"#, "policy.gap"),
        (#"{"timeout": 16}"#, "policy.timeout"), (#"{"lease": 7}"#, "policy.lease"),
        (#"{"concurrency": 0}"#, "policy.concurrency"), (#"{"concurrency": 1.5}"#, "policy.concurrency"),
        (#"{"flush_budget": -1}"#, "policy.flush_budget"), (#"{"quota": 0}"#, "policy.quota"),
        (#"{"day_offset": 90000}"#, "policy.day_offset"), (#"{"min_life": 10, "max_life": 5}"#, "policy.min_life"),
        (#"{"scheduled_refresh": "yes"}"#, "policy.scheduled_refresh"), (#"{"idle_after": 1}"#, "policy.idle_after"),
        (#"{"notice_url": ""}"#, "policy.notice_url"),
    ])
    func `what cannot be meant is refused by its name`(text: String, field: String) throws {
        let value = try JSON.Value(parsing: text.utf8)
        let error = #expect(throws: PolicyError.self) { try Policy(parsing: value) }
        #expect(error?.field == field)
    }

    @Test(arguments: [
        #"{"class":"E","overlap":null}"#, #"{"renew_window":null}"#, #"{"class":"G","overlap":300,"gap":null}"#,
    ])
    func `null counts as absent`(text: String) throws {
        let policy = try parse(text)
        if policy.providerClass == .singleUse { #expect(policy.gap == .seconds(120)) }
    }

    @Test func `each class has its margins`() {
        let day = Duration.seconds(7_200)
        #expect(Policy(.killsPrevious).softMargin(life: day) == .seconds(300))
        #expect(Policy(.unspecified).softMargin(life: day) == .seconds(300))
        #expect(Policy(.sameUntilWindow).softMargin(life: day) == .seconds(300))
        #expect(Policy(.sameWhileValid).softMargin(life: day) == .seconds(2))
        #expect(Policy(.independent).softMargin(life: day) == .seconds(1_020))
        #expect(Policy(.independent).hardMargin(life: day) == .seconds(120))
        #expect(Policy(.sameWhileValid).hardMargin(life: day) == .seconds(2))
        // H = min(120, max(10, 1.2), 15) = 10 s, S = 10 + 12 s.
        #expect(Policy(.independent).hardMargin(life: .seconds(60)) == .seconds(10))
        #expect(Policy(.independent).softMargin(life: .seconds(60)) == .seconds(22))
    }

    @Test func `a forced mint of class B ends the token before, a routine one does not`() {
        let policy = Policy(.sameUntilWindow)
        #expect(policy.kills(.flush))
        #expect(policy.kills(.report))
        #expect(!policy.kills(.soft))
        #expect(Policy(.killsPrevious).kills(.soft))
        #expect(!Policy(.independent).kills(.flush))
    }

    @Test func `the provider's day begins where its clock says`() {
        // 2026-11-21T15:59:59.999Z is 23:59:59.999 in UTC+8.
        let lastMoment = Timestamp(milliseconds: 1_795_276_799_999)
        let policy = Policy()
        #expect(policy.midnight(after: lastMoment) == Timestamp(milliseconds: 1_795_276_800_000))
        #expect(policy.day(at: Timestamp(milliseconds: 1_795_276_800_000)) == policy.day(at: lastMoment) + 1)
        var utc = Policy()
        utc.dayOffset = .zero
        #expect(utc.midnight(after: lastMoment) == Timestamp(milliseconds: 1_795_305_600_000))
        #expect(utc.day(at: Timestamp(milliseconds: -1)) == -1)
    }

    @Test func `the schedule never cuts a promised life short, and spreads what was made together`() throws {
        let expiresAt = Timestamp(milliseconds: 10_000_000)
        let life = Duration.seconds(7_200)
        var times: Set<Timestamp> = []
        for index in 0..<1_000 {
            let id = SecretID(realm: "wx", key: "app-\(index)")
            let time = try #require(Policy().scheduleAt(id, expiresAt: expiresAt, life: life))
            #expect(time >= expiresAt - .seconds(300))
            #expect(time < expiresAt - .seconds(270))
            #expect(time == Policy().scheduleAt(id, expiresAt: expiresAt, life: life))
            times.insert(time)
            // Where nothing kills, a tick earlier: before any caller meets it soft.
            let free = try #require(Policy(.independent).scheduleAt(id, expiresAt: expiresAt, life: life))
            #expect(free >= expiresAt - .seconds(1_080))
            #expect(free < expiresAt - .seconds(978))
        }
        #expect(times.count > 900)
        var off = Policy()
        off.isScheduled = false
        let id = SecretID(realm: "wx", key: "app")
        #expect(off.scheduleAt(id, expiresAt: expiresAt, life: life) == nil)
        #expect(Policy().scheduleAt(id, expiresAt: nil, life: nil) == nil)
    }

    @Test(arguments: [
        (FailureClass.configuration, Int64(1), Duration.seconds(60)), (.configuration, 3, .seconds(240)),
        (.configuration, 9, .seconds(900)), (.reauthorise, 2, .seconds(120)), (.address, 5, .seconds(60)),
        (.quota, 5, .seconds(60)), (.transient, 1, .seconds(1)), (.transient, 4, .seconds(8)),
        (.transient, 40, .seconds(60)),
    ])
    func `each class of failure has its pause`(failureClass: FailureClass, fails: Int64, pause: Duration) {
        let failure = UpstreamFailure(.refused, failureClass, detail: "no")
        let now = Timestamp(milliseconds: 1_795_276_799_999)
        #expect(Backoff.pause(failure, fails: fails, policy: .undeclared, now: now) == pause)
    }

    @Test func `a quota of a day pauses until the provider's midnight, what the provider asks is obeyed`() {
        let now = Timestamp(milliseconds: 1_795_276_800_000)
        let daily = UpstreamFailure(.refused, .quota, detail: "no", isDaily: true)
        #expect(Backoff.pause(daily, fails: 1, policy: .undeclared, now: now) == .seconds(86_400))
        var asked = UpstreamFailure(.refused, .quota, detail: "no", retryAfter: .seconds(600))
        #expect(Backoff.pause(asked, fails: 1, policy: .undeclared, now: now) == .seconds(600))
        asked.failureClass = .address
        asked.retryAfter = .seconds(3_600)
        #expect(Backoff.pause(asked, fails: 1, policy: .undeclared, now: now) == .seconds(3_600))
    }
}
