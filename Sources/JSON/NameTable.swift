/// The member names of a document's objects, so that a second one of the same text is noticed in constant time.
///
/// One open-addressed table serves all objects of a text and all texts after it: a slot belongs to an object of the text
/// that is being read, or it is free, so nothing is ever cleared. The hash is keyed per process: no caller can choose
/// names that meet in one place.
struct NameTable: Sendable {
    private struct Slot {
        /// Numbers the objects of all texts, upward.
        var object: UInt64
        var hash: UInt32
        var name: Int32
    }

    private var slots: [Slot] = []
    private var used = 0
    /// The number of the first node of the text that is being read; slots of lower numbers are free.
    private var epoch: UInt64 = 1
    private var unescaped: [UInt8] = []
    private var otherUnescaped: [UInt8] = []

    /// Starts a new text; `nodes` is the number of nodes of the text before.
    mutating func startText(after nodes: Int) {
        epoch += UInt64(nodes)
        used = 0
    }

    /// Notes a name of an object; false where the object has it already, as it reads, not as it is escaped.
    mutating func insert(_ name: Int32, of object: Int32, entries: [Entry], text: Span<UInt8>) -> Bool {
        if used * 2 >= slots.count { grow() }
        let number = epoch + UInt64(object)
        let hash = hash(entries[Int(name)], of: number, text)
        var index = Int(hash) & (slots.count - 1)
        while slots[index].object >= epoch {
            let slot = slots[index]
            if slot.hash == hash, slot.object == number,
                isSame(entries[Int(slot.name)], entries[Int(name)], text)
            {
                return false
            }
            index = (index + 1) & (slots.count - 1)
        }
        slots[index] = Slot(object: number, hash: hash, name: name)
        used += 1
        return true
    }

    private mutating func hash(_ name: Entry, of object: UInt64, _ text: Span<UInt8>) -> UInt32 {
        var hasher = Hasher()
        hasher.combine(object)
        if name.kind == .string {
            unsafe text.extracting(name.range).withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        } else {
            unescaped.removeAll(keepingCapacity: true)
            text.appendUnescaped(name.range, to: &unescaped)
            unsafe unescaped.withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
        }
        return UInt32(truncatingIfNeeded: hasher.finalize())
    }

    private mutating func isSame(_ left: Entry, _ right: Entry, _ text: Span<UInt8>) -> Bool {
        unescaped.removeAll(keepingCapacity: true)
        text.appendUnescaped(left.range, to: &unescaped)
        otherUnescaped.removeAll(keepingCapacity: true)
        text.appendUnescaped(right.range, to: &otherUnescaped)
        return unescaped == otherUnescaped
    }

    private mutating func grow() {
        let old = slots
        slots = Array(repeating: Slot(object: 0, hash: 0, name: 0), count: Swift.max(64, old.count * 2))
        for slot in old where slot.object >= epoch {
            var index = Int(slot.hash) & (slots.count - 1)
            while slots[index].object >= epoch { index = (index + 1) & (slots.count - 1) }
            slots[index] = slot
        }
    }
}
