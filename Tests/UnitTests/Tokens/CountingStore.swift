import Clocks
import Tokens

/// A store that notes its statements, and fails as a test says.
final class CountingStore: TokenStore {
    private let store: any TokenStore
    private(set) var statements: [String] = []
    /// Of each reading, whether it may be another's.
    private(set) var shared: [Bool] = []
    /// The statement that is done and whose answer is lost, once.
    var loseAnswer: String?
    var isAway = false
    /// The statement that is not done, once.
    var failNext: String?
    /// Runs before a statement is done.
    var before: (String) -> Void = { _ in }
    /// Runs when a statement is done, and its answer not yet read.
    var after: (String) -> Void = { _ in }

    init(_ store: any TokenStore) {
        self.store = store
    }

    private func run<Result>(_ name: String, _ body: () throws(StoreError) -> Result) throws(StoreError) -> Result {
        if isAway { throw .unavailable }
        if failNext == name {
            failNext = nil
            throw .unavailable
        }
        before(name)
        statements.append(name)
        let result = try body()
        after(name)
        if loseAnswer == name {
            loseAnswer = nil
            throw .uncertain
        }
        return result
    }

    func read(_ id: SecretID, keyID: String?, arrival: Moment?, clock: any Clock) throws(StoreError) -> Reading {
        shared.append(arrival != nil)
        return try run("read") { () throws(StoreError) in
            try store.read(id, keyID: keyID, arrival: arrival, clock: clock)
        }
    }

    func material(_ id: SecretID) throws(StoreError) -> Material? {
        try run("material") { () throws(StoreError) in try store.material(id) }
    }

    func take(_ id: SecretID, _ lease: LeaseRequest) throws(StoreError) -> Bool {
        try run("take") { () throws(StoreError) in try store.take(id, lease) }
    }

    func commit(_ id: SecretID, _ mint: MintRecord) throws(StoreError) -> Bool {
        try run("commit") { () throws(StoreError) in try store.commit(id, mint) }
    }

    func release(_ id: SecretID, _ release: LeaseRelease) throws(StoreError) -> Bool {
        try run("release") { () throws(StoreError) in try store.release(id, release) }
    }

    func abandon(_ id: SecretID, fence: Int64, extraCalls: Int64, notice: Notice?) throws(StoreError) {
        try run("abandon") { () throws(StoreError) in
            try store.abandon(id, fence: fence, extraCalls: extraCalls, notice: notice)
        }
    }

    func noteUse(_ id: SecretID, seen: Timestamp?, dueAt: Timestamp?) throws(StoreError) -> Bool {
        try run("note use") { () throws(StoreError) in try store.noteUse(id, seen: seen, dueAt: dueAt) }
    }

    func noteEarlyReport(_ id: SecretID, generation: Int64) throws(StoreError) -> Bool {
        try run("note early report") { () throws(StoreError) in
            try store.noteEarlyReport(id, generation: generation)
        }
    }

    func enter(_ realm: String, limit: Int, holder: String, length: Duration) throws(StoreError) -> Int? {
        try run("enter") { () throws(StoreError) in
            try store.enter(realm, limit: limit, holder: holder, length: length)
        }
    }

    func leave(_ realm: String, place: Int, holder: String) throws(StoreError) {
        try run("leave") { () throws(StoreError) in try store.leave(realm, place: place, holder: holder) }
    }

    func mark(_ id: SecretID, _ mark: LateMintMark) throws(StoreError) -> Bool {
        try run("mark") { () throws(StoreError) in try store.mark(id, mark) }
    }
}
