/// Where a realm's credentials travel: scheme, host and port of the URL that they are sent to.
///
/// A secret is confirmed for one destination when its credentials are entered; they are sent nowhere else.
package struct Destination: Hashable, Sendable {
    /// Such as `https://api.example.com`, the port only where it is not the scheme's own; empty for nowhere.
    package let text: String

    package init(_ text: String) {
        self.text = text
    }

    /// Of a realm without a URL.
    package static let nowhere = Destination("")
}
