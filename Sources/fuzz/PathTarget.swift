internal import HTTP

/// Paths, queries, URLs and addresses: each is read in one way, and what is written is read as the same.
struct PathTarget: FuzzTarget {
    let name = "paths"
    let dictionary = [
        "%2e", "%2F", "%00", "%C0%AF", "..", "//", "https://", "http://", "[::ffff:", "127.0.0.1", "0x7f", "@", "#",
        "?", "%zz",
        "localhost", ":443", "[::1]", "&realm=", "+", "\\",
    ]
    var seeds: [[UInt8]] {
        [
            "/api/secret/wx/a%20b?realm=wx&key=k%2F1&flush=true&min_ttl=60",
            "https://api.example.com:8443/a%2Fb/c?x=1&y=%20",
            "https://[2606:4700::1111]/x", "https://[64:ff9b::8.8.8.8]:443/", "http://127.0.0.1:8081/token",
            "a=1&b=%E4%B8%AD&b=2+3",
            "192.0.2.33", "2001:db8::192.0.2.33", "host.example:80,[::1]:5, other.example",
        ].map { Array($0.utf8) }
    }

    func check(_ input: [UInt8]) -> String? {
        let text = String(decoding: input, as: UTF8.self)
        return path(text) ?? query(text) ?? url(text) ?? address(text)
    }

    private func path(_ text: String) -> String? {
        guard let segments = RequestPath.segments(of: text) else { return nil }
        for segment in segments {
            if segment == "." || segment == ".." { return "a dot segment" }
            if segment.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }) {
                return "a segment with a separator or NUL"
            }
        }
        if segments.dropLast().contains("") { return "an empty segment inside" }
        let written = segments.map { "/" + PercentEncoding.encode($0) }.joined()
        return RequestPath.segments(of: written) == segments ? nil : "a path that is read otherwise once it is written"
    }

    private func query(_ text: String) -> String? {
        guard let query = QueryString(parsing: text) else { return nil }
        // `&=` has neither name nor value, and is written so.
        return QueryString(parsing: query.encoded) == query ? nil : "a query that is read otherwise once it is written"
    }

    private func url(_ text: String) -> String? {
        guard let url = try? HTTP.URL(parsing: text) else { return nil }
        guard (try? HTTP.URL.Origin(of: text)) == url.origin else { return "an origin that is not the URL's" }
        guard let again = try? HTTP.URL(parsing: url.text()) else { return "a URL that is refused once it is written" }
        if again.origin != url.origin || again.path != url.path {
            return "a URL that is read otherwise once it is written"
        }
        if EgressPolicy().permits(url.origin) == nil {
            guard case .address(let address) = url.origin.host else { return nil }
            if !address.isPublic { return "an internal address is permitted" }
        }
        return nil
    }

    private func address(_ text: String) -> String? {
        _ = try? EgressPolicy(parsing: text)
        guard let address = IPAddress(text) else { return nil }
        if case .v4 = address { return nil }
        // The same address in a URL's brackets.
        let inURL = try? HTTP.URL(parsing: "https://[\(text)]/")
        return inURL?.origin.host == .address(address) ? nil : "an address that a URL cannot hold"
    }
}
