/// The member names seen in the objects that are open, by hash, in buffers that are reused.
struct NameTable: Sendable {
    private struct Seen {
        var hash: UInt64
        var entry: Int32
    }

    private var seen: [Seen] = []

    mutating func open() -> Int { seen.count }

    mutating func close(_ scope: Int) { seen.removeLast(seen.count - scope) }

    func candidates(_ hash: UInt64, in scope: Int) -> [Int32] {
        var found: [Int32] = []
        for index in scope..<seen.count where seen[index].hash == hash { found.append(seen[index].entry) }
        return found
    }

    mutating func insert(_ hash: UInt64, _ entry: Int32, in scope: Int) {
        seen.append(Seen(hash: hash, entry: entry))
    }

    /// FNV-1a.
    static func hash(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
