extension Response {
    /// Tells a browser that was led here to do nothing with the answer: no other type than it says, nothing in it loaded or run,
    /// shown in no frame, followed with no referrer, and kept nowhere unless the answer says for how long.
    package mutating func guardAgainstBrowsers() {
        fields[.contentTypeOptions] = "nosniff"
        fields[.contentSecurityPolicy] = "default-src 'none'; frame-ancestors 'none'"
        fields[.referrerPolicy] = "no-referrer"
        if fields[.cacheControl] == nil { fields[.cacheControl] = "no-store" }
    }
}
