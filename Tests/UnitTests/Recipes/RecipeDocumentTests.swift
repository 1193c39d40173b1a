import Foundation
import JSON
import Recipes
import TestKit
import Testing
import Tokens

@Suite struct RecipeDocumentTests {
    private func page() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../../..")
        return try String(contentsOf: root.appendingPathComponent("docs/recipes.md"), encoding: .utf8)
    }

    @Test func `every example of the page is a recipe`() throws {
        let page = try page()
        let examples = page.components(separatedBy: "```json\n").dropFirst().compactMap {
            $0.components(separatedBy: "```").first
        }
        #expect(examples.count >= 4)
        for example in examples {
            #expect(throws: Never.self) { try Recipe(parsing: JSON.Value(parsing: example.utf8)) }
        }
    }

    @Test func `every code of the page's table means what it says`() throws {
        var codes = 0
        for line in try page().split(separator: "\n") {
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count == 5 else { continue }
            let name = cells[2].trimmingCharacters(in: ["`"])
            guard let failureClass = FailureClass(rawValue: name == "daily_quota" ? "quota" : name) else { continue }
            // What follows a semicolon is no list.
            for code in cells[3].prefix(while: { $0 != ";" }).split(separator: " ") {
                let code = code.trimmingCharacters(in: ["`"])
                let client = ScriptedClient(200, #"{"errcode":"\#(code)"}"#)
                let outcome = try MintFixture.mint(client, MintFixture.material(MintFixture.recipe("")))
                #expect(MintFixture.Kind(outcome) == .refused(failureClass, code: code))
                #expect(MintFixture.failure(outcome)?.isDaily == (name == "daily_quota"))
                codes += 1
            }
        }
        #expect(codes > 100)
    }
}
