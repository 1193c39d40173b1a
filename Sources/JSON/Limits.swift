/// What one strict pass accepts; everything beyond is refused while it is read.
package struct Limits: Sendable {
    /// Nesting of arrays and objects; above `deepest` it counts as `deepest`.
    package var depth: Int
    /// Values and member names together.
    package var nodes: Int
    /// Bytes of the whole document; above 2 GiB - 1 it counts as that.
    package var bytes: Int

    /// The pass does not recurse, but a `Value` is built, compared, written and freed by recursion; this much fits a
    /// stack of 512 KiB many times over.
    package static let deepest = 128

    package init(depth: Int = 64, nodes: Int = 100_000, bytes: Int = 8 << 20) {
        self.depth = depth
        self.nodes = nodes
        self.bytes = bytes
    }
}
