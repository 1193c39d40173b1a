/// Where a realm's credentials travel: scheme, host and port that they are sent to, and a digest of every place there.
///
/// A secret is confirmed for one destination when its credentials are entered; they are sent nowhere else.
package struct Destination: Hashable, Sendable {
    /// Such as `https://api.example.com#sha256:…` with 64 hexadecimal digits; the port only where it is not the scheme's own.
    ///
    /// Empty for nowhere. Without `#` it is an origin alone, as an earlier version confirmed it.
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// - Parameter digest: of the places at the origin, as 64 hexadecimal digits.
    package init(origin: String, digest: String) {
        self.init(origin + Destination.digestMark + digest)
    }

    /// Of a realm without a URL.
    package static let nowhere = Destination("")

    /// Bytes that an origin may have: the column that keeps a destination takes 300.
    package static let longestOrigin = 300 - digestMark.utf8.count - 64

    private static let digestMark = "#sha256:"

    /// Scheme, host and port; empty for nowhere.
    package var origin: String {
        String(text[..<(text.utf8.firstIndex(of: UInt8(ascii: "#")) ?? text.endIndex)])
    }

    /// Whether nothing is said of the places there.
    package var isOriginAlone: Bool {
        self != .nowhere && !text.utf8.contains(UInt8(ascii: "#"))
    }

    /// Whether credentials that are confirmed for this may go there; an origin alone stands for every place at it.
    package func permits(_ destination: Destination) -> Bool {
        self == destination || (isOriginAlone && text == destination.origin)
    }

    /// What credentials are bound to from now on whose realm leads here.
    ///
    /// What they were confirmed for is kept. Where nobody had written that down, or an origin alone, it is this; an origin that the
    /// realm does not lead to is kept as one whose places nobody knows, which permits none.
    ///
    /// - Parameter confirmed: what they were confirmed for; nil where nobody had written it down.
    package func binding(_ confirmed: Destination?) -> Destination {
        guard let confirmed else { return self }
        guard confirmed.isOriginAlone else { return confirmed }
        return confirmed.permits(self) ? self : Destination(confirmed.text + "#unknown")
    }
}
