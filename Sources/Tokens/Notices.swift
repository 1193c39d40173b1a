package import Clocks
package import Log

/// A notice that waits to be delivered.
package struct PendingNotice: Sendable, Equatable {
    package var number: Int64
    package var id: SecretID
    package var notice: Notice
    package var createdAt: Timestamp
    package var attempts: Int64
    /// When it was due: whoever moves this on delivers it.
    package var nextAt: Timestamp
    /// Nil where the realm does not want to be told any more.
    package var target: NoticeTarget?

    package init(
        number: Int64, id: SecretID, notice: Notice, createdAt: Timestamp, attempts: Int64, nextAt: Timestamp,
        target: NoticeTarget?
    ) {
        self.number = number
        self.id = id
        self.notice = notice
        self.createdAt = createdAt
        self.attempts = attempts
        self.nextAt = nextAt
        self.target = target
    }
}

/// Who is told, and with what key.
package struct NoticeTarget: Sendable, Equatable {
    package var url: String
    /// Nil where what is stored does not open: nothing can be signed until it does, or is entered again.
    package var key: Redacted<String>?

    package init(url: String, key: Redacted<String>?) {
        self.url = url
        self.key = key
    }
}

package protocol NoticeStore: AnyObject {
    /// The notices whose next attempt is due, the oldest first, and the database's clock.
    func pendingNotices(limit: Int) throws(StoreError) -> (now: Timestamp, notices: [PendingNotice])
    /// Counts an attempt and puts the next one off; false when somebody else makes this one.
    func claim(_ notice: PendingNotice, next: Timestamp) throws(StoreError) -> Bool
    /// Puts off what is due of a realm that does not answer, and gives up what was made before `oldest`; answers how many it gave up.
    func postponeNotices(
        of realm: String, due now: Timestamp, to next: Timestamp, oldest: Timestamp
    ) throws(StoreError) -> Int
    /// Delivered, or given up.
    func remove(_ notice: PendingNotice) throws(StoreError)
}
