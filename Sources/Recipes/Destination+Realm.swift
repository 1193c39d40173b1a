package import HTTP
internal import JSON
package import Tokens

extension Destination {
    package init(_ origin: HTTP.URL.Origin) {
        self.init(origin.text)
    }

    /// Of the URL that a call would be made to; a realm whose URL cannot be read sends nothing anywhere.
    package init(_ realm: Realm) {
        self.init(config: realm.config, logicCode: realm.logicCode)
    }

    package init(config: String?, logicCode: String) {
        let url: String?
        if let config {
            url = (try? JSON.Value(parsing: config.utf8))?["url"]?.string
        } else {
            url = logicCode.isEmpty ? nil : logicCode
        }
        self = url.flatMap { try? HTTP.URL.Origin(of: $0) }.map { Destination($0) } ?? .nowhere
    }
}
