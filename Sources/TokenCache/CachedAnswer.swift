internal import Clocks
internal import HTTP
internal import JSON

/// A token answer of the server, and how long it may be given again.
///
/// A class because the threads give one answer at the same time: they share one count of references instead of one for each
/// of its parts.
final class CachedAnswer: Sendable {
    let tag: String
    /// How much longer it may be given while the server fails.
    let staleIfError: Duration

    /// Before the request was sent that brought the token: what is left of it counts from here.
    private let counted: Moment
    /// Before the request was sent that said last how long it may be kept: its age counts from here.
    private let asked: Moment
    private let maxAge: Duration
    /// What was left of the token when the answer was made; nil for one without expiry.
    private let expiresIn: Duration?
    private let isStale: Bool
    /// The answer as JSON up to the value of `expires_in`, and from there to `stale`.
    private let head: [UInt8]
    private let middle: [UInt8]
    /// Those of every answer with a body that do not change.
    private let fields: Fields

    private static let freshNotes = [
        (name: "route", value: "/api/token"), (name: "outcome", value: "token"), (name: "source", value: "memory"),
    ]
    private static let staleNotes = [
        (name: "route", value: "/api/token"), (name: "outcome", value: "stale"), (name: "source", value: "memory"),
    ]

    /// No answer is kept longer, whatever the server says; nor is its verdict on a caller, also while the server fails: so a
    /// key that was revoked works for a minute at most.
    static let longestAge = Duration.seconds(60)
    /// Less than this left is dead.
    static let deadLimit = Duration.seconds(2)

    /// Nil for what is no token answer, or must not be kept.
    ///
    /// - Parameter sent: read before the request was sent.
    init?(_ response: ClientResponse, sent: Moment) {
        guard response.status == .ok, let control = CacheControl(response.fields), let tag = response.fields[.etag],
            let object = (try? JSON.Value(parsing: response.body))?.object, let token = object["token"]?.string,
            let expiresIn = object["expires_in"], let generation = object["generation"]?.number
        else { return nil }
        switch expiresIn {
        case .null: self.expiresIn = nil
        case .number(let number):
            guard let milliseconds = number.integer else { return nil }
            self.expiresIn = .milliseconds(milliseconds)
        default: return nil
        }
        counted = sent
        asked = sent
        maxAge = min(control.maxAge, CachedAnswer.longestAge)
        staleIfError = control.staleIfError
        self.tag = tag
        fields = Fields([Field(.contentType, "application/json"), Field(.etag, tag)])
        isStale = object["stale"]?.bool ?? false
        head = Array("{\"token\":".utf8) + JSON.Value.string(token).encoded + Array(",\"expires_in\":".utf8)
        middle =
            Array(",\"expires_at\":".utf8) + (object["expires_at"] ?? .null).encoded
            + Array(",\"source\":\"memory\",\"generation\":\(generation.text),\"stale\":".utf8)
    }

    /// The same answer, after the server was asked again and said that it still stands.
    init(_ answer: CachedAnswer, renewed control: CacheControl, sent: Moment) {
        asked = sent
        maxAge = min(control.maxAge, CachedAnswer.longestAge)
        staleIfError = control.staleIfError
        tag = answer.tag
        counted = answer.counted
        expiresIn = answer.expiresIn
        isStale = answer.isStale
        head = answer.head
        middle = answer.middle
        fields = answer.fields
    }

    /// What is left of the time for which it may be given as it is; negative when that is over.
    func freshFor(_ now: Moment) -> Duration {
        maxAge - asked.elapsed(to: now)
    }

    /// Whether it may be given because the server fails.
    ///
    /// - Parameter isForKey: the caller has a key, of which nobody can say meanwhile that it still stands.
    func maySurviveError(_ now: Moment, isForKey: Bool) -> Bool {
        if isForKey, asked.elapsed(to: now) >= CachedAnswer.longestAge { return false }
        return freshFor(now) + staleIfError > .zero
    }

    /// Whether a caller's `If-None-Match` names it.
    func isKnown(by ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        let weak = tag.hasPrefix("W/") ? tag.dropFirst(2) : tag[...]
        guard weak.count >= 2, weak.first == "\"", weak.last == "\"" else { return false }
        return EntityTag(weak: String(weak.dropFirst().dropLast())).matches(ifNoneMatch)
    }

    /// Whether 2 s, and what the caller wants, are left of the token.
    func lives(_ now: Moment, minimumLife: Duration?) -> Bool {
        guard let expiresIn else { return true }
        return expiresIn - counted.elapsed(to: now) >= max(CachedAnswer.deadLimit, minimumLife ?? .zero)
    }

    /// Nil where less than 2 s, or less than the caller wants, is left of the token.
    func response(_ now: Moment, minimumLife: Duration?, ifNoneMatch: String?, becauseOfError: Bool) -> Response? {
        guard lives(now, minimumLife: minimumLife) else { return nil }
        let left = expiresIn.map { $0 - counted.elapsed(to: now) }
        let isStale = isStale || becauseOfError
        var response: Response
        if !becauseOfError, isKnown(by: ifNoneMatch) {
            response = Response(.notModified)
            response.fields.append(.etag, tag)
        } else {
            var body: [UInt8] = []
            body.reserveCapacity(head.count + middle.count + 32)
            body.append(contentsOf: head)
            body.append(contentsOf: (left.map { String($0.wholeMilliseconds) } ?? "null").utf8)
            body.append(contentsOf: middle)
            body.append(contentsOf: (isStale ? "true}" : "false}").utf8)
            response = Response(.ok, body: body)
            response.fields.append(contentsOf: fields)
        }
        let age = becauseOfError ? 0 : max(0, freshFor(now).wholeSeconds)
        let staleIfError = becauseOfError ? 0 : self.staleIfError.wholeSeconds
        var cacheControl = "private, max-age="
        // One text, not moved while it grows.
        cacheControl.reserveCapacity(56)
        cacheControl += String(age)
        cacheControl += ", stale-if-error="
        cacheControl += String(staleIfError)
        response.fields.append(.cacheControl, cacheControl)
        response.notes = isStale ? CachedAnswer.staleNotes : CachedAnswer.freshNotes
        return response
    }
}

/// `private, max-age=N, stale-if-error=M`: the one rule that a cache knows.
struct CacheControl {
    let maxAge: Duration
    let staleIfError: Duration

    /// Nil without a `max-age`, or where nothing may be stored.
    init?(_ fields: Fields) {
        guard let text = fields[.cacheControl] else { return nil }
        var maxAge: Int64?
        var staleIfError: Int64 = 0
        for part in text.split(separator: ",") {
            let words = part.split(separator: "=", maxSplits: 1).map { $0.filter { $0 != " " } }
            switch words.first {
            case "no-store", "no-cache": return nil
            case "max-age": maxAge = words.count == 2 ? Int64(words[1]) : nil
            case "stale-if-error": staleIfError = words.count == 2 ? Int64(words[1]) ?? 0 : 0
            default: break
            }
        }
        guard let maxAge, maxAge >= 0, maxAge < 1_000_000 else { return nil }
        self.maxAge = .seconds(maxAge)
        self.staleIfError = .seconds(min(max(0, staleIfError), 1_000_000))
    }
}
