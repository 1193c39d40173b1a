extension Response {
    /// Tells a browser that was led here to do nothing with the answer: no other type than it says, nothing in it loaded or run,
    /// shown in no frame, followed with no referrer, and kept nowhere unless the answer says for how long.
    package mutating func guardAgainstBrowsers() {
        fields[.contentTypeOptions] = nil
        fields[.contentSecurityPolicy] = nil
        fields[.referrerPolicy] = nil
        fields.append(contentsOf: Response.browserGuard)
        if fields[.cacheControl] == nil { fields[.cacheControl] = "no-store" }
    }

    private static let browserGuard = Fields([
        Field(.contentTypeOptions, "nosniff"),
        Field(.contentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'"),
        Field(.referrerPolicy, "no-referrer"),
    ])
}
