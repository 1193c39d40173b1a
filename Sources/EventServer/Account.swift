internal import Clocks
internal import Costs
internal import JSON

/// What the invocations cost: the newest ones one by one, and the sums of all.
struct Account: Sendable {
    struct Entry: Sendable {
        var id: String
        var instance: Int
        var status: String
        var duration: Duration
        /// Nil for a warm one.
        var initDuration: Duration?
        var memoryMegabytes: Int
        var peakKilobytes: Int64
        var at: Timestamp
        /// False for a managed instance, for which the machine is paid.
        var isTimeBilled = true
        var price: Money?

        /// Milliseconds as billed: begun ones count whole, and the init of a custom runtime is billed with the first event.
        var billedMilliseconds: Int64 {
            guard isTimeBilled else { return 0 }
            return (duration + (initDuration ?? .zero)).begunMilliseconds
        }
    }

    private static let kept = 1_000
    private let settings: PlatformSettings
    /// Function Compute bills an instance's time once, however many requests it has meanwhile.
    private let billsBusyTime: Bool

    private(set) var entries: [Entry] = []
    private(set) var count: Int64 = 0
    private var coldStarts: Int64 = 0
    private var billedMilliseconds: Int64 = 0
    private var failures: Int64 = 0
    private var peakKilobytes: Int64 = 0
    var instancesStarted: Int64 = 0
    /// The times in which instances had requests, each with its begun milliseconds: what Function Compute bills.
    var busyMilliseconds: Int64 = 0

    init(_ settings: PlatformSettings, billsBusyTime: Bool) {
        self.settings = settings
        self.billsBusyTime = billsBusyTime
    }

    /// The entry with its price: on Function Compute as if it had been alone on its instance.
    func priced(_ entry: Entry) -> Entry {
        var entry = entry
        entry.price = price(
            requests: 1, time: billsBusyTime ? entry.duration.begunMilliseconds : entry.billedMilliseconds)
        return entry
    }

    private func price(requests: Int64, time: Int64) -> Money? {
        let size = Bill.Size(megabytes: Int64(settings.memoryMegabytes), vcpu: settings.vcpu)
        return try? settings.price?.price(requests: requests, time: .milliseconds(time), size)
    }

    mutating func add(_ entry: Entry) {
        count += 1
        coldStarts += entry.initDuration == nil ? 0 : 1
        billedMilliseconds += entry.billedMilliseconds
        failures += entry.status == "ok" ? 0 : 1
        peakKilobytes = max(peakKilobytes, entry.peakKilobytes)
        entries.append(entry)
        // Cut in halves, so that the usual entry costs no move.
        if entries.count >= 2 * Account.kept { entries.removeFirst(Account.kept) }
    }

    func json(instancesAlive: Int, queued: Int) -> JSON.Value {
        let memoryMegabytes = settings.memoryMegabytes
        let gigabyteSeconds = Double(billedMilliseconds) / 1_000 * Double(memoryMegabytes) / 1_024
        let price = price(requests: count, time: billsBusyTime ? busyMilliseconds : billedMilliseconds)
        return [
            "totals": [
                "invocations": JSON.Value(count), "cold_starts": JSON.Value(coldStarts),
                "failures": JSON.Value(failures),
                "billed_ms": JSON.Value(billedMilliseconds), "busy_ms": JSON.Value(busyMilliseconds),
                "instances_started": JSON.Value(instancesStarted),
                "instances_alive": JSON.Value(Int64(instancesAlive)), "queued": JSON.Value(Int64(queued)),
                "memory_mb": JSON.Value(Int64(memoryMegabytes)), "peak_memory_kb": JSON.Value(peakKilobytes),
                "gb_seconds": decimal(String(gigabyteSeconds)),
                "price_usd": price?.dollars.json ?? .null, "price_cny": price?.yuan.json ?? .null,
            ],
            "invocations": .array(entries.suffix(Account.kept).reversed().map(\.json)),
        ]
    }
}

private func decimal(_ text: String) -> JSON.Value {
    (try? JSON.Value(parsing: text.utf8)) ?? .null
}

extension Account.Entry {
    fileprivate var json: JSON.Value {
        [
            "request_id": .string(id), "instance": JSON.Value(Int64(instance)), "status": .string(status),
            "at": .string(at.iso8601), "duration_ms": decimal(duration.inMilliseconds),
            "billed_ms": JSON.Value(billedMilliseconds),
            "cold": JSON.Value(initDuration != nil),
            "init_ms": initDuration.map { decimal($0.inMilliseconds) } ?? .null,
            "memory_mb": JSON.Value(Int64(memoryMegabytes)), "peak_memory_kb": JSON.Value(peakKilobytes),
            "price_usd": price?.dollars.json ?? .null, "price_cny": price?.yuan.json ?? .null,
        ]
    }

    private var priceText: String {
        price.map { "\tPrice: $\($0.dollars.inBillionths) ¥\($0.yuan.inBillionths)" } ?? ""
    }

    /// The line that Lambda writes after each invocation.
    var report: String {
        var line =
            "REPORT RequestId: \(id)\tDuration: \(duration.inMilliseconds) ms\tBilled Duration: \(billedMilliseconds) ms"
            + "\tMemory Size: \(memoryMegabytes) MB\tMax Memory Used: \((peakKilobytes + 1_023) / 1_024) MB"
        if let initDuration { line += "\tInit Duration: \(initDuration.inMilliseconds) ms" }
        line += priceText
        if status != "ok" { line += "\tStatus: \(status)" }
        return line
    }

    /// The line that Function Compute writes when a request is over.
    var endOfInvocation: String {
        var line = "FC Invoke End RequestId: \(id)"
        if status != "ok" { line += ", Error: \(status)" }
        return line + "\tDuration: \(duration.inMilliseconds) ms" + priceText
    }
}

extension Double {
    /// A price with nine decimals: a millisecond costs some billionths.
    fileprivate var inBillionths: String {
        let billionths = Int64((self * 1_000_000_000).rounded())
        let rest = String(billionths % 1_000_000_000)
        return "\(billionths / 1_000_000_000)." + String(repeating: "0", count: 9 - rest.count) + rest
    }

    fileprivate var json: JSON.Value { decimal(inBillionths) }
}

extension Duration {
    /// Whole milliseconds, one that has begun counted as one.
    var begunMilliseconds: Int64 {
        let whole = wholeMilliseconds
        return .milliseconds(whole) < self ? whole + 1 : whole
    }

    /// Seconds with two decimals: `1.50`.
    var inSeconds: String { (self / 1_000).inMilliseconds }

    /// Milliseconds with two decimals: `12.34`.
    var inMilliseconds: String {
        let hundredths = components.seconds * 100_000 + components.attoseconds / 10_000_000_000_000
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }
}
