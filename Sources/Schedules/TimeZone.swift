/// A time zone of the system's database (RFC 8536): when its clocks have which distance from UTC.
///
/// The C library knows one zone at a time for the whole process, and a schedule has its own; so the files are read here.
package struct TimeZone: Sendable {
    package struct Unknown: Error, Equatable, Sendable, CustomStringConvertible {
        package let name: String

        package var description: String { "the time zone \(name) is not known here" }
    }

    package static let utc = TimeZone(name: "UTC", transitions: [], first: 0, rule: nil)

    package let name: String
    /// From each instant on, in seconds since 1970, the distance east of UTC in seconds; ascending.
    private let transitions: [(at: Int, offset: Int)]
    /// The distance before the first of them.
    private let first: Int
    /// What holds after the last of them.
    private let rule: DaylightRule?

    private init(name: String, transitions: [(at: Int, offset: Int)], first: Int, rule: DaylightRule?) {
        self.name = name
        self.transitions = transitions
        self.first = first
        self.rule = rule
    }

    /// Seconds east of UTC at an instant, in seconds since 1970.
    package func offset(at instant: Int) -> Int {
        guard let last = transitions.last, instant >= transitions[0].at else {
            return transitions.isEmpty ? rule?.offset(at: instant) ?? first : first
        }
        if instant >= last.at { return rule?.offset(at: instant) ?? last.offset }
        // The last transition that is not after the instant.
        var low = 0
        var high = transitions.count - 1
        while low < high {
            let middle = (low + high + 1) / 2
            if transitions[middle].at <= instant { low = middle } else { high = middle - 1 }
        }
        return transitions[low].offset
    }

    func local(at instant: Int) -> LocalTime { LocalTime(seconds: instant + offset(at: instant)) }

    /// The first instant at which the clocks show that time; nil for one that they skip.
    func instant(of local: LocalTime) -> Int? {
        // No zone has two changes within two days, so what holds a day earlier and a day later are all the distances there are.
        let offsets = [offset(at: local.seconds - 86_400), offset(at: local.seconds + 86_400)]
        return offsets.map { local.seconds - $0 }.filter { self.local(at: $0) == local }.min()
    }
}

extension TimeZone {
    private static let folder = "/usr/share/zoneinfo"

    /// Reads the zone of that name, as in `Asia/Shanghai`.
    package init(named name: String) throws(Unknown) {
        if name == "UTC" {
            self = .utc
            return
        }
        let allowed = name.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || "0123456789_+-/".utf8.contains(byte)
        }
        // A name is never a way out of the folder: it has no dots, and no slash at its start.
        guard allowed, !name.isEmpty, !name.hasPrefix("/"), let bytes = WholeFile.read("\(TimeZone.folder)/\(name)"),
            let zone = TimeZone(name: name, file: bytes)
        else { throw Unknown(name: name) }
        self = zone
    }

    /// The second block of the file, which has instants of 64 bits, and the rule after it (RFC 8536, 3).
    private init?(name: String, file: [UInt8]) {
        var reader = BigEndianReader(file)
        guard let old = reader.header(), reader.skip(old.size(ofInstant: 4)), let header = reader.header() else {
            return nil
        }
        var instants: [Int] = []
        for _ in 0..<header.transitions {
            guard let instant = reader.integer(bytes: 8) else { return nil }
            instants.append(instant)
        }
        var kinds: [Int] = []
        for _ in 0..<header.transitions {
            guard let kind = reader.integer(bytes: 1) else { return nil }
            kinds.append(kind)
        }
        var offsets: [Int] = []
        for _ in 0..<header.kinds {
            guard let offset = reader.integer(bytes: 4), reader.skip(2) else { return nil }
            offsets.append(offset)
        }
        guard kinds.allSatisfy(offsets.indices.contains), let first = offsets.first,
            reader.skip(header.nameBytes + header.leapSeconds * 12 + header.standardFlags + header.universalFlags)
        else { return nil }
        let footer = reader.rest.split(separator: UInt8(ascii: "\n")).first ?? []
        self.init(
            name: name, transitions: zip(instants, kinds).map { (at: $0, offset: offsets[$1]) }, first: first,
            rule: DaylightRule(String(decoding: footer, as: UTF8.self)))
    }
}

/// The numbers of a time zone file, in order.
private struct BigEndianReader {
    struct Header {
        let universalFlags, standardFlags, leapSeconds, transitions, kinds, nameBytes: Int

        /// How long the block behind the header is.
        func size(ofInstant instant: Int) -> Int {
            transitions * (instant + 1) + kinds * 6 + nameBytes + leapSeconds * (instant + 4) + standardFlags
                + universalFlags
        }
    }

    private(set) var rest: ArraySlice<UInt8>

    init(_ bytes: [UInt8]) {
        rest = bytes[...]
    }

    mutating func header() -> Header? {
        // Magic, version, 15 bytes that are not used.
        guard rest.starts(with: "TZif".utf8), rest.dropFirst(4).first ?? 0 >= UInt8(ascii: "2"), skip(20) else {
            return nil
        }
        var counts: [Int] = []
        for _ in 0..<6 {
            guard let count = integer(bytes: 4), count >= 0 else { return nil }
            counts.append(count)
        }
        return Header(
            universalFlags: counts[0], standardFlags: counts[1], leapSeconds: counts[2], transitions: counts[3],
            kinds: counts[4], nameBytes: counts[5])
    }

    mutating func skip(_ count: Int) -> Bool {
        guard rest.count >= count else { return false }
        rest.removeFirst(count)
        return true
    }

    /// A number with its sign; of one byte there is none.
    mutating func integer(bytes count: Int) -> Int? {
        guard rest.count >= count else { return nil }
        let bits = rest.prefix(count).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        rest.removeFirst(count)
        switch count {
        case 8: return Int(Int64(bitPattern: bits))
        case 4: return Int(Int32(bitPattern: UInt32(bits)))
        default: return Int(bits)
        }
    }
}
