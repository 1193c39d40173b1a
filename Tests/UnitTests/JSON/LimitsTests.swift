import Foundation
import JSON
import Synchronization
import Testing

@Suite struct `JSON limits` {
    private func nested(_ depth: Int) -> String {
        String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }

    @Test func `nesting is refused beyond the limit, and beyond the deepest limit of all`() throws {
        _ = try Document(parsing: nested(3).utf8, limits: Limits(depth: 3))
        #expect(throws: ParseError(.tooDeep, at: 3)) { try Document(parsing: nested(4).utf8, limits: Limits(depth: 3)) }
        #expect(throws: ParseError(.tooDeep, at: Limits.deepest)) {
            try Document(parsing: nested(10_000).utf8, limits: Limits(depth: 10_000))
        }
        #expect(throws: ParseError(.tooDeep, at: 64)) {
            try Document(parsing: String(repeating: "[", count: 100_000).utf8)
        }
    }

    @Test func `siblings do not add up to depth`() throws {
        _ = try Document(parsing: "[[],[],{\"a\":[]},[]]".utf8, limits: Limits(depth: 3))
    }

    @Test func `values and names are counted together`() throws {
        _ = try Document(parsing: "{\"a\":[1,2]}".utf8, limits: Limits(nodes: 5))
        #expect(throws: ParseError(.tooManyNodes, at: 8)) {
            try Document(parsing: "{\"a\":[1,2]}".utf8, limits: Limits(nodes: 4))
        }
        #expect(throws: ParseError(.tooManyNodes, at: 1)) {
            try Document(parsing: "{\"a\":[1,2]}".utf8, limits: Limits(nodes: 1))
        }
    }

    @Test func `a text is refused one byte over the limit, whatever brings it`() throws {
        let text = Array("[1,2]".utf8)
        var document = Document()
        try document.parse(text, limits: Limits(bytes: 5))
        let tooLong = ParseError(.tooLong, at: 4)
        #expect(throws: tooLong) { try document.parse(text, limits: Limits(bytes: 4)) }
        #expect(throws: tooLong) { try document.parse(text[...], limits: Limits(bytes: 4)) }
        #expect(throws: tooLong) { try document.parse(text.span, limits: Limits(bytes: 4)) }
        #expect(throws: tooLong) { try document.parse("[1,2]".utf8, limits: Limits(bytes: 4)) }
        #expect(throws: tooLong) {
            try document.parse(AnySequence(repeatElement(UInt8(ascii: " "), count: .max)), limits: Limits(bytes: 4))
        }
    }

    @Test func `many members of one object cost no more each than few`() throws {
        // This thread's own, whatever else the machine is doing.
        func processorTime() -> Double {
            var time = timespec()
            clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
            return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
        }
        func seconds(_ count: Int) throws -> Double {
            let members = (0..<count).map { "\"name-\($0)\":1" }.joined(separator: ",")
            let text = Array("{\(members)}".utf8)
            var document = Document()
            let start = processorTime()
            try document.parse(text, limits: Limits(nodes: .max, bytes: .max))
            return processorTime() - start
        }
        _ = try seconds(20_000)
        // Ten times the members: 10 × where linear, 100 × where each is compared with each.
        let few = try seconds(20_000)
        #expect(try seconds(200_000) < few * 50)
    }

    @Test func `a name is found twice among very many, escaped or not`() {
        let members = (0..<50_000).map { "\"n\($0)\":1" }.joined(separator: ",")
        for again in ["n0", "n49999", "\\u006e777"] {
            #expect(throws: ParseError(.duplicateName, at: members.utf8.count + 2)) {
                try Document(parsing: "{\(members),\"\(again)\":1}".utf8, limits: Limits(nodes: .max))
            }
        }
    }

    @Test func `the same name in two objects is no duplicate`() throws {
        var document = Document()
        for _ in 0..<100 {
            try document.parse("{\"a\":{\"a\":[{\"a\":1},{\"a\":2}]},\"b\":{\"a\":3,\"b\":4}}".utf8)
            #expect(throws: ParseError.self) { try document.parse("{\"a\":{\"a\":1},\"a\":2}".utf8) }
        }
    }

    @Test func `the deepest tree is built, compared, written and freed on a stack of 512 KiB`() throws {
        let depth = Limits.deepest
        let mixed = String(repeating: "{\"a\":[", count: depth / 2) + "1" + String(repeating: "]}", count: depth / 2)
        let isSame = Mutex<Bool?>(nil)
        let done = DispatchSemaphore(value: 0)
        let thread = Thread {
            let value = try? Value(parsing: mixed.utf8, limits: Limits(depth: depth))
            let again = value.flatMap { try? Value(parsing: $0.encoded, limits: Limits(depth: depth)) }
            isSame.withLock { $0 = value != nil && value == again && value?.text == mixed }
            done.signal()
        }
        thread.stackSize = 512 << 10
        thread.start()
        done.wait()
        #expect(isSame.withLock { $0 } == true)
    }
}
