internal import Clocks
internal import Crypto
internal import HTTP
internal import JSON
package import Log
internal import Tokens

extension TokenService {
    private static let readNames: Set = ["realm", "key", "flush", "min_ttl"]
    private static let writeNames: Set = ["realm", "key", "now_token"]
    /// The longest life that a caller can ask for: ten years.
    private static let longestMinimum: Int64 = 315_360_000

    /// The one statement that reads the token also tells who asks.
    func token(
        _ request: Request, _ endpoint: Endpoint, _ visit: Visit, resuming patience: Patience?
    ) throws(Problem) -> Outcome {
        if !visit.canBeKnown {
            _ = try admit(visit)
        }
        let (id, wish): (SecretID, Wish)
        do throws(Problem) {
            (id, wish) = try asked(request, endpoint)
        } catch {
            // Nobody learns what is wrong with a request who may not make one.
            _ = try admit(visit)
            throw error
        }
        let decision = broker.decide(
            id, wish: wish, visitor: visit, requestID: request.id, arrival: request.arrival, deadline: request.deadline,
            resuming: patience)
        if wish == .flush { try recordFlush(decision, id, visit, request) }
        switch decision {
        case .answer(let answer):
            // Only a hit has to stay one statement.
            if answer.source == .upstream {
                noteUse(visit)
                writeUses()
            }
            return .respond(response(answer, request, id, isConditional: wish.isPlain))
        case .wait(let delay, let patience): return .wait(delay: delay, state: patience)
        case .refuse(let refusal): return .respond(problem(refusal, id).response(request, id))
        }
    }

    private func asked(_ request: Request, _ endpoint: Endpoint) throws(Problem) -> (SecretID, Wish) {
        let isWrite = endpoint == .refreshToken
        let arguments = try Arguments(request, members: isWrite ? TokenService.writeNames : TokenService.readNames)
        let id = SecretID(realm: try arguments.required("realm"), key: try arguments.required("key"))
        return (id, try isWrite ? replacement(arguments) : plain(arguments))
    }

    private func plain(_ arguments: Arguments) throws(Problem) -> Wish {
        let minimum = try arguments.integer("min_ttl", in: 0...TokenService.longestMinimum)
        if try arguments.flag("flush") { return .flush }
        return .token(minimumLife: minimum.map { .seconds($0) })
    }

    private func replacement(_ arguments: Arguments) throws(Problem) -> Wish {
        // A caller whose token is empty by mistake must not force a mint.
        if arguments.isEmpty("now_token") { throw .badInput("now_token", "is empty; leave it out to force a refresh") }
        return try arguments.text("now_token").map(Wish.replacement) ?? .flush
    }

    private func problem(_ refusal: Refusal, _ id: SecretID) -> Problem {
        switch refusal {
        case .unknownRealm: return unknownRealm(id.realm, field: "realm")
        case .unknownSecret: return unknownSecret(id)
        case .storeBroken(let what):
            logger.log(.error, "store", ["broken": .string(what)])
            return Problem(refusal)
        default: return Problem(refusal)
        }
    }

    private func response(_ answer: Answer, _ request: Request, _ id: SecretID, isConditional: Bool) -> Response {
        let tag = EntityTag(answer)
        var response: Response
        let isKnown = isConditional && request.fields[.ifNoneMatch].map { tag.matches($0) } ?? false
        if isKnown {
            response = Response(.notModified)
        } else {
            response = Response(.ok, json: .object(Object(answer)))
        }
        response.fields[.cacheControl] =
            "private, max-age=\(answer.maxAge.wholeSeconds), stale-if-error=\(answer.staleIfError.wholeSeconds)"
        response.fields[.etag] = tag.text
        response.notes += [
            (name: "realm", value: id.realm), (name: "key", value: id.key),
            (name: "token", value: Fingerprint.of(answer.token)),
            (name: "outcome", value: answer.isStale ? "stale" : "token"),
            (name: "source", value: answer.source.rawValue),
        ]
        return response
    }
}

/// What a log says of a token: enough to tell one from another, nothing to make one of.
package enum Fingerprint {
    /// The first 12 of the 64 digits of its SHA-256.
    package static func of(_ token: Redacted<String>) -> String {
        let digest = try? SHA256.hexDigest(Array(token.reveal().utf8))
        return digest.map { String($0.prefix(12)) } ?? ""
    }
}

extension Wish {
    fileprivate var isPlain: Bool {
        if case .token = self { true } else { false }
    }
}

extension Problem {
    fileprivate func response(_ request: Request, _ id: SecretID) -> Response {
        var response = response(requestID: request.id)
        response.notes += [(name: "realm", value: id.realm), (name: "key", value: id.key)]
        return response
    }
}

extension EntityTag {
    /// Names the token and its end, not the text: what is left of its life changes with every answer, so the tag is a weak one.
    ///
    /// The end is in it because a cache goes on counting from its first answer: one that comes nearer must make another answer.
    fileprivate init(_ answer: Answer) {
        let minted = String(answer.mintedAt?.milliseconds ?? 0, radix: 16)
        let end = answer.expiresAt.map { String($0.milliseconds, radix: 16) } ?? "never"
        self.init(weak: "\(answer.generation)-\(minted)-\(end)\(answer.isStale ? "-s" : "")")
    }
}

extension Object {
    fileprivate init(_ answer: Answer) {
        self = [
            "token": .string(answer.token.reveal()),
            "expires_in": answer.expiresIn.map { JSON.Value($0.wholeMilliseconds) } ?? .null,
            "expires_at": answer.expiresAt.map { JSON.Value($0.milliseconds) } ?? .null,
            "source": .string(answer.source.rawValue), "generation": JSON.Value(answer.generation),
            "stale": .bool(answer.isStale),
        ]
        if answer.isSuppressed { self["refresh"] = "suppressed" }
    }
}
