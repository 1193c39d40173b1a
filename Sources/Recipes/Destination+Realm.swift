package import Crypto
internal import HTTP
internal import JSON
package import Tokens

extension Destination {
    init(_ places: CredentialPlaces) throws(CryptoError) {
        self.init(origin: places.origin.text, digest: try SHA256.hexDigest(places.bytes))
    }

    /// Of the requests that would be made.
    package init(_ realm: Realm) throws(CryptoError) {
        try self.init(config: realm.config, logicCode: realm.logicCode)
    }

    /// A realm whose recipe or URL cannot be used sends nothing anywhere.
    package init(config: String?, logicCode: String) throws(CryptoError) {
        let places: CredentialPlaces?
        if let config {
            let recipe = (try? JSON.Value(parsing: config.utf8)).flatMap { try? Recipe(parsing: $0) }
            places = recipe.map { CredentialPlaces($0) }
        } else {
            places = (try? LogicCode.url(logicCode)).map { CredentialPlaces(logicCode: $0) }
        }
        guard let places else {
            self = .nowhere
            return
        }
        try self.init(places)
    }
}
