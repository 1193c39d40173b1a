package import HTTP
internal import JSON
internal import Log
internal import Tokens

/// A realm's `logic_code`: a URL that receives realm, key and credentials as JSON and answers `{token, expires_in}`, in seconds.
package enum LogicCode {
    package static func url(_ text: String) throws(RecipeError) -> HTTP.URL {
        try Recipe.url(text, field: "logic_code")
    }

    /// How its answer is read.
    static func recipe(_ url: HTTP.URL) -> Recipe {
        Recipe(
            url: url, method: .post, contentType: .json, arguments: [], tokenPath: ValuePath("token"),
            lifePath: ValuePath("expires_in"), lifeUnit: .seconds, life: nil, success: nil, errorCode: nil,
            errorMessage: nil, errors: [:])
    }

    static func request(_ url: HTTP.URL, _ material: Material) -> ClientRequest {
        // By name, so that the same secret makes the same bytes; `realm` and `key` are the secret's own whatever it holds.
        var members = JSON.Object(
            material.credentials.sorted { $0.key < $1.key }.map { (name: $0.key, value: .string($0.value.reveal())) })
        members["realm"] = .string(material.id.realm)
        members["key"] = .string(material.id.key)
        let fields = Fields([Field(.contentType, "application/json"), Field(.accept, "application/json")])
        return ClientRequest(.post, url: url.text(), fields: fields, body: JSON.Value.object(members).encoded)
    }
}
