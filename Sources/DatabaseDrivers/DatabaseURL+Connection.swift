internal import MariaDB
package import SQL
internal import SQLite

extension DatabaseURL {
    /// A connection by the driver that this URL asks for; its first statement opens it.
    ///
    /// - Parameters:
    ///   - pluginFolder: where libmariadb finds its login plugins; nil for the folder it was built with.
    ///   - patience: how long a statement may take.
    package func connection(
        pluginFolder: String? = nil, patience: Duration = .seconds(5)
    ) -> any SQL.Connection {
        switch self {
        case .mysql(let server):
            var configuration = MariaDBConfiguration(server)
            configuration.pluginFolder = pluginFolder
            configuration.readTimeout = patience
            return MariaDBConnection(configuration)
        case .sqlite(let file):
            return SQLiteConnection(file: file, busyTimeout: patience)
        }
    }
}
