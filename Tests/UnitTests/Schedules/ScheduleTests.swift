import Clocks
import Foundation
import Schedules
import Testing

/// When timers run, by clocks that stand still.
@Suite struct ScheduleTests {
    /// An instant written with its distance from UTC.
    private func instant(_ text: String) throws -> Timestamp {
        let date = try #require(ISO8601DateFormatter().date(from: text), "\(text)")
        return Timestamp(milliseconds: Int64(date.timeIntervalSince1970) * 1_000)
    }

    /// The runs after an instant, one after the other, in UTC.
    private func runs(_ schedule: Schedule, after start: String, _ count: Int) throws -> [String] {
        var now = try instant(start)
        var runs: [String] = []
        while runs.count < count, let next = schedule.next(after: now, since: try instant(start)) {
            runs.append("\(next.iso8601.prefix(19))Z")
            now = next
        }
        return runs
    }

    private func aws(_ text: String, zone: String = "UTC") throws -> Schedule {
        try Schedule.aws(text, zone: Schedules.TimeZone(named: zone), takesInstant: true)
    }

    @Test(arguments: [
        ("rate(1 minute)", "2026-01-01T00:00:10Z", ["2026-01-01T00:01:10Z", "2026-01-01T00:02:10Z"]),
        ("rate(2 hours)", "2026-01-01T00:00:00Z", ["2026-01-01T02:00:00Z", "2026-01-01T04:00:00Z"]),
        ("rate(1 day)", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"]),
        ("at(2026-12-01T08:00:00)", "2026-01-01T00:00:00Z", ["2026-12-01T08:00:00Z"]),
        ("cron(0 8 * * ? *)", "2026-01-01T08:00:00Z", ["2026-01-02T08:00:00Z"]),
        ("cron(0/15 * * * ? *)", "2026-01-01T08:44:59Z", ["2026-01-01T08:45:00Z", "2026-01-01T09:00:00Z"]),
        ("cron(5,35 9-10 ? * MON-FRI *)", "2026-01-02T10:34:00Z", ["2026-01-02T10:35:00Z", "2026-01-05T09:05:00Z"]),
        ("cron(0 0 1/10 FEB ? *)", "2026-02-01T00:00:00Z", ["2026-02-11T00:00:00Z", "2026-02-21T00:00:00Z"]),
        ("cron(0 0 ? * 1 *)", "2026-01-01T00:00:00Z", ["2026-01-04T00:00:00Z"]),
        ("cron(0 0 L * ? *)", "2027-12-31T00:00:00Z", ["2028-01-31T00:00:00Z", "2028-02-29T00:00:00Z"]),
        ("cron(0 0 31 * ? *)", "2026-01-31T00:00:00Z", ["2026-03-31T00:00:00Z", "2026-05-31T00:00:00Z"]),
        ("cron(0 0 29 2 ? *)", "2026-01-01T00:00:00Z", ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"]),
        ("cron(0 0 29 2 ? *)", "2097-01-01T00:00:00Z", ["2104-02-29T00:00:00Z"]),
        // 2026-08-15 is a Saturday, 2026-11-15 a Sunday; 2026-08-01 a Saturday, 2026-05-31 a Sunday.
        ("cron(0 0 15W 8,11 ? *)", "2026-01-01T00:00:00Z", ["2026-08-14T00:00:00Z", "2026-11-16T00:00:00Z"]),
        ("cron(0 0 1W 8 ? *)", "2026-01-01T00:00:00Z", ["2026-08-03T00:00:00Z"]),
        ("cron(0 0 31W 5,6,7 ? *)", "2026-01-01T00:00:00Z", ["2026-05-29T00:00:00Z", "2026-07-31T00:00:00Z"]),
        ("cron(0 0 ? * 6L *)", "2026-01-01T00:00:00Z", ["2026-01-30T00:00:00Z", "2026-02-27T00:00:00Z"]),
        ("cron(0 0 ? * L *)", "2026-01-01T00:00:00Z", ["2026-01-03T00:00:00Z"]),
        ("cron(0 0 ? * 3#2 *)", "2026-01-01T00:00:00Z", ["2026-01-13T00:00:00Z", "2026-02-10T00:00:00Z"]),
        ("cron(0 0 ? * FRI#5 *)", "2026-02-01T00:00:00Z", ["2026-05-29T00:00:00Z"]),
        ("cron(0 0 1 1 ? 2030-2031)", "2026-01-01T00:00:00Z", ["2030-01-01T00:00:00Z", "2031-01-01T00:00:00Z"]),
    ])
    func `EventBridge's schedules run when its pages say`(text: String, start: String, expected: [String]) throws {
        #expect(try runs(try aws(text), after: start, expected.count) == expected)
    }

    @Test(arguments: ["at(2025-01-01T00:00:00)", "cron(0 0 31 2 ? *)", "cron(0 0 1 1 ? 2025)"])
    func `what lies behind, or never comes, has no next run`(text: String) throws {
        #expect(try runs(try aws(text), after: "2026-01-01T00:00:00Z", 1).isEmpty)
    }

    @Test func `a time that clocks skip is skipped, and one that they show twice counts once`() throws {
        // New York: forward on 2026-03-08 at 02:00, back on 2026-11-01 at 02:00.
        let night = try aws("cron(30 2 * * ? *)", zone: "America/New_York")
        #expect(
            try runs(night, after: "2026-03-07T02:30:00-05:00", 2) == ["2026-03-09T06:30:00Z", "2026-03-10T06:30:00Z"])
        let early = try aws("cron(30 1 * * ? *)", zone: "America/New_York")
        #expect(
            try runs(early, after: "2026-10-31T01:30:00-04:00", 2) == ["2026-11-01T05:30:00Z", "2026-11-02T06:30:00Z"])
        // Asked in the second of the two hours, as after a start in it.
        #expect(try runs(early, after: "2026-11-01T01:10:00-05:00", 1) == ["2026-11-02T06:30:00Z"])
        let hourly = try aws("cron(0 * * * ? *)", zone: "America/New_York")
        #expect(
            try runs(hourly, after: "2026-11-01T00:00:00-04:00", 3)
                == ["2026-11-01T05:00:00Z", "2026-11-01T07:00:00Z", "2026-11-01T08:00:00Z"])
        #expect(
            try runs(hourly, after: "2026-03-08T00:00:00-05:00", 2) == ["2026-03-08T06:00:00Z", "2026-03-08T07:00:00Z"])
        // A day is 24 hours where the schedule is a rate.
        #expect(
            try runs(try aws("rate(1 day)", zone: "America/New_York"), after: "2026-10-31T12:00:00-04:00", 1)
                == ["2026-11-01T16:00:00Z"])
        // In the south, and far beyond what the file lists.
        let sydney = try aws("cron(0 12 * * ? *)", zone: "Australia/Sydney")
        #expect(try runs(sydney, after: "2060-01-01T00:00:00Z", 1) == ["2060-01-01T01:00:00Z"])
        #expect(try runs(sydney, after: "2060-07-01T00:00:00Z", 1) == ["2060-07-01T02:00:00Z"])
    }

    @Test(arguments: [
        ("@every 5m", "2026-01-01T00:00:10Z", ["2026-01-01T00:05:10Z", "2026-01-01T00:10:10Z"]),
        ("@every 1h30m", "2026-01-01T00:00:00Z", ["2026-01-01T01:30:00Z"]),
        ("0 0 4 1 * *", "2026-01-01T04:00:00Z", ["2026-02-01T04:00:00Z"]),
        ("CRON_TZ=Asia/Shanghai 0 0 8 * * *", "2026-01-01T00:00:00Z", ["2026-01-02T00:00:00Z"]),
        ("*/20 * * * * *", "2026-01-01T23:59:41Z", ["2026-01-02T00:00:00Z", "2026-01-02T00:00:20Z"]),
        ("0 30 9 ? * MON-FRI", "2026-01-02T09:30:00Z", ["2026-01-05T09:30:00Z"]),
        ("0 0 0 * * 7", "2026-01-01T00:00:00Z", ["2026-01-04T00:00:00Z"]),
        ("0 0 0 * * 1", "2026-01-01T00:00:00Z", ["2026-01-05T00:00:00Z"]),
        // Both days: either is enough.
        (
            "0 0 0 13 * FRI", "2026-02-01T00:00:00Z",
            ["2026-02-06T00:00:00Z", "2026-02-13T00:00:00Z", "2026-02-20T00:00:00Z"]
        ),
        ("0 0 0 13 * FRI", "2026-04-11T00:00:00Z", ["2026-04-13T00:00:00Z", "2026-04-17T00:00:00Z"]),
        // Five fields run at the full minute.
        ("30 4 * * ?", "2026-01-01T00:00:00Z", ["2026-01-01T04:30:00Z"]),
    ])
    func `Function Compute's timers run when its pages say`(text: String, start: String, expected: [String]) throws {
        #expect(try runs(try .functionCompute(text), after: start, expected.count) == expected)
    }

    @Test(arguments: [
        ("rate(1 minutes)", "unit"), ("rate(5 minute)", "unit"), ("rate(0 minutes)", "whole number"),
        ("rate(5 weeks)", "unit"), ("every(5 minutes)", "no rate"), ("cron 0 8 * * ? *", "no rate"),
        ("cron(0 8 * * *)", "5 fields"), ("cron(0 8 * * * *)", "exactly one"), ("cron(0 8 ? * ? *)", "exactly one"),
        ("cron(60 8 * * ? *)", "0 to 59"), ("cron(0 8 ? * 0 *)", "1 to 7"), ("cron(0 8 ? * FRI-MON *)", "backwards"),
        ("cron(0 8 LW * ? *)", "supported"), ("cron(0 8 L-3 * ? *)", "supported"),
        ("cron(0 8 1W,15W * ? *)", "supported"),
        ("cron(0 8 ? * 3#6 *)", "1 to 5"), ("cron(0 8 ? * MON-FRIL *)", "one weekday"), ("cron(*/0 * * * ? *)", "step"),
        ("cron(0 8 * * ? 2200)", "2199"), ("cron(, 8 * * ? *)", "nothing"), ("at(2026-02-30T00:00:00)", "no time"),
        ("at(2026-03-08T02:30:00)", "never show"),
    ])
    func `what EventBridge would refuse, or is not known here, is refused with its reason`(text: String, word: String)
        throws
    {
        let error = #expect(throws: ScheduleError.self) { try aws(text, zone: "America/New_York") }
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
    }

    @Test func `a rule knows no single instant`() {
        #expect(throws: ScheduleError.self) { try Schedule.aws("at(2026-12-01T08:00:00)", takesInstant: false) }
    }

    @Test(arguments: [
        ("@every 0s", "second"), ("@every 5", "90s"), ("@daily", "@every"), ("0 0 4 1 * * *", "7 fields"),
        ("0 0 4 L * *", "1 to 31"), ("0 0 4 15W * *", "1 to 31"), ("0 0 4 ? * 2#1", "1 to 7"),
        ("0 0 4 ? * 0", "1 to 7"),
        ("0 0 4 ? * 1/2", "steps"), ("CRON_TZ=Asia/Nowhere 0 0 4 * * *", "Asia/Nowhere"),
        ("CRON_TZ=../../etc/passwd 0 0 4 * * *", "not known"), ("? 0 4 * * *", "0 to 59"),
    ])
    func `what Function Compute would refuse, or is not known here, is refused with its reason`(
        text: String, word: String
    ) throws {
        let error = #expect(throws: ScheduleError.self) { try Schedule.functionCompute(text) }
        #expect(error?.description.contains(word) == true, "\(String(describing: error))")
    }

    @Test(arguments: [
        "America/New_York", "Europe/London", "Australia/Lord_Howe", "Asia/Shanghai", "Africa/Casablanca",
        "Asia/Kathmandu",
        "America/St_Johns", "Pacific/Apia", "Europe/Dublin", "Etc/GMT+5",
    ])
    func `clocks show in each zone what Foundation says they do`(name: String) throws {
        let known = Foundation.TimeZone(identifier: name)
        let zone = try #require(known)
        let parsed = try Schedules.TimeZone(named: name)
        // Every five days and some hours, from 1970 to 2099.
        for second in stride(from: 0, to: 4_070_908_800, by: 450_007) {
            let expected = zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(second)))
            let found = parsed.offset(at: second)
            guard found != expected else { continue }
            Issue.record("\(name) at \(second): \(found), not \(expected)")
            return
        }
    }
}
