/// The route by which a cloud's API takes an event for a function.
struct InvokeRoute {
    private let version: Substring

    /// Lambda's, which its emulator has too: `/2015-03-31/functions/NAME/invocations`.
    static let lambda = InvokeRoute(version: "2015-03-31")
    /// Function Compute 3's InvokeFunction: `/2023-03-30/functions/NAME/invocations`.
    static let functionCompute = InvokeRoute(version: "2023-03-30")

    /// The name in a path; nil where the path is another.
    func function(_ path: String) -> String? {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[1] == version, parts[2] == "functions", parts[4] == "invocations" else {
            return nil
        }
        return String(parts[3])
    }
}
