internal import JSON

/// Reads one JSON object of a recipe member by member, and knows the name of each for errors.
struct MemberReader {
    let field: String
    private let object: JSON.Object

    /// - Parameter names: every member that may be there; another one is an error that names it.
    init(_ value: JSON.Value, field: String, names: [String]) throws(RecipeError) {
        guard let object = value.object else { throw RecipeError(field, "must be an object") }
        for name in object.names where !names.contains(name) {
            throw RecipeError(field + "." + name, "is not known here; known are \(names.joined(separator: ", "))")
        }
        self.object = object
        self.field = field
    }

    func field(_ name: String) -> String { field + "." + name }

    /// The member, or nil where it is absent or null.
    subscript(name: String) -> JSON.Value? {
        guard let value = object[name], !value.isNull else { return nil }
        return value
    }

    func string(_ name: String) throws(RecipeError) -> String? {
        guard let value = self[name] else { return nil }
        guard let text = value.string else { throw RecipeError(field(name), "must be a string") }
        if text.utf8.contains(0) { throw RecipeError(field(name), "has a NUL character") }
        return text
    }

    func requiredString(_ name: String) throws(RecipeError) -> String {
        guard let text = try string(name), !text.isEmpty else { throw RecipeError(field(name), "is required") }
        return text
    }

    func path(_ name: String) throws(RecipeError) -> ValuePath? {
        guard let text = try string(name), !text.isEmpty else { return nil }
        guard let path = ValuePath(text) else {
            throw RecipeError(field(name), "must be names or indices joined by dots, 16 at most")
        }
        return path
    }

    func list(_ name: String) throws(RecipeError) -> [(field: String, value: JSON.Value)]? {
        guard let value = self[name] else { return nil }
        guard let elements = value.array else { throw RecipeError(field(name), "must be a list") }
        guard elements.count <= 100 else { throw RecipeError(field(name), "must have 100 entries at most") }
        return elements.enumerated().map { ("\(field(name)).\($0.offset)", $0.element) }
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ name: String) throws(RecipeError) -> Choice?
    where Choice.RawValue == String {
        guard let text = try string(name) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw RecipeError(field(name), "must be one of \(known)")
        }
        return choice
    }
}
