/// One thing that reads what comes from outside.
protocol FuzzTarget: Sendable {
    var name: String { get }
    /// Inputs that are read well, from which mutation starts.
    var seeds: [[UInt8]] { get }
    /// Words that mean something to it.
    var dictionary: [String] { get }
    /// Reads one input; answers which rule is broken, nil where all hold.
    func check(_ input: [UInt8]) -> String?
}

enum FuzzTargets {
    static let all: [any FuzzTarget] = [JSONTarget(), EventTarget(), PathTarget(), RecipeTarget(), MessageTarget()]
}
