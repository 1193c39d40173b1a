/// Why the function cannot start: the environment variable that is missing or wrong, and what it should be.
///
/// The message never shows the variable's value.
package struct StartupError: Error, Sendable, Equatable {
    package let variable: String
    package let message: String

    package init(variable: String, message: String) {
        self.variable = variable
        self.message = message
    }
}
