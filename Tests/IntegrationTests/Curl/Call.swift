import Curl
import HTTP

/// How one call went.
struct Call {
    var result: Result<ClientResponse, ClientError>
    var looks = 0
    var sents = 0

    var error: ClientError? { if case .failure(let error) = result { error } else { nil } }
    var response: ClientResponse? { try? result.get() }
    var text: String? { response.map { String(decoding: $0.body, as: UTF8.self) } }
}

/// Waits as long as a busy machine may take, unless told otherwise.
func call(
    _ client: CurlClient, _ url: String, method: HTTP.Method = .get, fields: Fields = Fields(), body: String = "",
    limits: ClientLimits = ClientLimits(total: .seconds(60), connect: .seconds(60)), look: () -> Bool = { true }
) -> Call {
    var looks = 0
    var sents = 0
    let request = ClientRequest(method, url: url, fields: fields, body: Array(body.utf8))
    let result = Result { () throws(ClientError) in
        try client.send(
            request, limits: limits,
            willSend: {
                looks += 1
                return look()
            }, didSend: { sents += 1 })
    }
    return Call(result: result, looks: looks, sents: sents)
}
