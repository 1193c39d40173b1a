import Foundation
import JSON
import Recipes
import Testing

@Suite struct RecipeDocumentTests {
    @Test func `every example of the page is a recipe`() throws {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../..")
        let page = try String(contentsOf: root.appendingPathComponent("docs/recipes.md"), encoding: .utf8)
        let examples = page.components(separatedBy: "```json\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(examples.count >= 4)
        for example in examples {
            #expect(throws: Never.self) { try Recipe(parsing: JSON.Value(parsing: example.utf8)) }
        }
    }
}
