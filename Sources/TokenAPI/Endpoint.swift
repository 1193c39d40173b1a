package import HTTP
package import Tokens

/// What the server can be asked for.
package enum Endpoint: Sendable, Hashable {
    case listRealms, writeRealm, readRealm, deleteRealm, confirmRealm
    case listSecrets, writeSecret, readSecret, deleteSecret
    case placeToken
    case listKeys, createKey, readKey, deleteKey
    case listAudit
    case token, refreshToken
    case pong, health, readiness

    /// Whether anybody may ask without a key: these tell nothing but that the function runs.
    package var isOpen: Bool { self == .pong || self == .health }

    /// The least role that may ask.
    package var leastRole: Role {
        switch self {
        case .token, .refreshToken, .pong, .health: .reader
        case .listRealms, .readRealm, .listSecrets, .readSecret, .listAudit, .readiness: .operator
        case .writeRealm, .deleteRealm, .confirmRealm: .administrator
        case .writeSecret, .deleteSecret, .placeToken: .administrator
        case .listKeys, .createKey, .readKey, .deleteKey: .administrator
        }
    }

    package static let router = Router<Endpoint>([
        .init(.get, "/api/realm", .listRealms),
        .init(.post, "/api/realm", .writeRealm),
        .init(.get, "/api/realm/:id", .readRealm),
        .init(.delete, "/api/realm/:id", .deleteRealm),
        .init(.post, "/api/realm/:id/confirm", .confirmRealm),
        .init(.get, "/api/secret", .listSecrets),
        .init(.post, "/api/secret", .writeSecret),
        .init(.get, "/api/secret/:realm/:key", .readSecret),
        .init(.delete, "/api/secret/:realm/:key", .deleteSecret),
        .init(.put, "/api/secret/:realm/:key/token", .placeToken),
        .init(.get, "/api/key", .listKeys),
        .init(.post, "/api/key", .createKey),
        .init(.get, "/api/key/:id", .readKey),
        .init(.delete, "/api/key/:id", .deleteKey),
        .init(.get, "/api/audit", .listAudit),
        .init(.get, "/api/token", .token),
        .init(.put, "/api/token", .refreshToken),
        .init(.get, "/pong", .pong),
        .init(.get, "/healthz", .health),
        .init(.get, "/readyz", .readiness),
    ])
}
