internal import JSON
internal import Log
internal import Tokens

/// A secret's credentials as the column `secret.credentials` keeps them: a JSON object from name to value, names in order.
enum CredentialsText {
    static func encode(_ credentials: [String: Redacted<String>]) -> String {
        var writer = JSON.Writer()
        writer.beginObject()
        for (name, value) in credentials.sorted(by: { $0.key < $1.key }) {
            writer.name(name)
            writer.string(value.reveal())
        }
        writer.endObject()
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    static func decode(_ text: String) throws(StoreError) -> [String: Redacted<String>] {
        guard let object = (try? JSON.Value(parsing: text.utf8))?.object else {
            throw .broken("secret.credentials is not a JSON object")
        }
        var credentials: [String: Redacted<String>] = [:]
        for (name, value) in object.members {
            guard let value = value.string else { throw .broken("secret.credentials holds a value that is not text") }
            credentials[name] = Redacted(value)
        }
        return credentials
    }

    /// The credentials after a write; nil where it changes nothing, byte by byte.
    static func merge(
        _ changes: [String: Change<Redacted<String>>], into old: [String: Redacted<String>]
    ) -> [String: Redacted<String>]? {
        var new = old
        var changed = false
        for (name, change) in changes {
            switch change {
            case .keep: continue
            case .clear: changed = new.removeValue(forKey: name) != nil || changed
            case .set(let value):
                // Text that only looks the same (composed, decomposed) signs differently.
                if let stored = old[name], stored.reveal().utf8.elementsEqual(value.reveal().utf8) { continue }
                new[name] = value
                changed = true
            }
        }
        return changed ? new : nil
    }
}
