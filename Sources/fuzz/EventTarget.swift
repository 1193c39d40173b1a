internal import HTTP
internal import JSON
internal import TriggerEvents

/// The trigger decoders: what they take for a request can be routed and answered, whatever is in it.
struct EventTarget: FuzzTarget {
    let name = "events"
    let dictionary = [
        #""version":"2.0""#, #""httpMethod":"GET""#, #""resource":"/""#, #""requestContext":{"elb":{}}"#,
        #""rawPath":"/"#,
        #""isBase64Encoded":true"#, #""job":"refresh""#, #""triggerTime":"#, #""payload":"{}""#, "%2e%2e", "%00", "//",
        "null",
        #""multiValueHeaders":{"#, #""detail-type":"Scheduled Event""#, #""source":"aws.events""#, "Zm9v", "=",
    ]
    var seeds: [[UInt8]] {
        [
            #"""
            {"version":"2.0","rawPath":"/api/token","rawQueryString":"realm=wx&key=k%2F1","cookies":["a=1"],
            "headers":{"authorization":"Bearer abc","content-type":"application/json","x-forwarded-for":"203.0.113.9"},
            "requestContext":{"http":{"method":"PUT","path":"/api/token","sourceIp":"203.0.113.9"},"requestId":"b9-1"},
            "body":"{\"now_token\":\"t\"}","isBase64Encoded":false}
            """#,
            #"""
            {"resource":"/{proxy+}","path":"/api/secret/wx/a b","httpMethod":"GET","headers":{"Accept":"*/*"},
            "multiValueHeaders":{"AUTHORIZATION":["Bearer a","b"]},"multiValueQueryStringParameters":{"id":["1","2"]},
            "requestContext":{"requestId":"r","identity":{"sourceIp":"203.0.113.9"}},"body":"aGVsbG8=","isBase64Encoded":true}
            """#,
            #"""
            {"requestContext":{"elb":{"targetGroupArn":"arn"}},"httpMethod":"POST","path":"/api/realm",
            "queryStringParameters":{"realm":"w%20x"},"headers":{"host":"h","x-forwarded-for":"1.2.3.4, 5.6.7.8"},
            "body":"{}","isBase64Encoded":false}
            """#,
            #"""
            {"requestContext":{"elb":{}},"httpMethod":"GET","path":"/","multiValueQueryStringParameters":{"a":["1"]},
            "multiValueHeaders":{"accept":["*/*"]},"body":"","isBase64Encoded":false}
            """#,
            #"{"version":"0","id":"e","detail-type":"Scheduled Event","source":"aws.events","time":"2020-01-01T00:00:00Z"}"#,
            #"{"triggerTime":"2020-01-01T00:00:00Z","triggerName":"refresh","payload":"{\"job\":\"refresh\"}"}"#,
            #"{"job":"refresh"}"#,
        ].map { Array($0.utf8) }
    }

    func check(_ input: [UInt8]) -> String? {
        var decoder = EventDecoder()
        guard let trigger = try? decoder.decode(input) else { return nil }
        guard case .http(let request, let shape) = trigger else { return nil }
        guard request.path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return "a path that is not encoded" }
        guard request.query.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { return "a query that is not encoded" }
        for field in request.fields where field.value.utf8.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) {
            return "a field value with a line break"
        }
        var response = Response(.ok, body: request.body)
        for field in request.fields { response.fields.append(field.name, field.value) }
        var writer = Writer()
        ResponseEncoder.encode(response, to: request.method, shape: shape, into: &writer)
        guard (try? Value(parsing: writer.bytes)) != nil else { return "an answer that is not JSON" }
        return nil
    }
}
