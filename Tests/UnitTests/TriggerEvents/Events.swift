/// Events written from the vendor's pages, one for each trigger, with the origin beside each.
enum Events {
    /// HTTP API, payload 2.0: API Gateway developer guide, "Create AWS Lambda proxy integrations for HTTP APIs".
    static let v2 = """
        {"version":"2.0","routeKey":"$default","rawPath":"/api/token","rawQueryString":"realm=wx&realm=b%20c&key=k%2F1",
         "cookies":["a=1","b=2"],
         "headers":{"accept":"*/*","authorization":"Bearer abc","host":"x.execute-api.us-east-1.amazonaws.com",
           "x-forwarded-for":"203.0.113.9","content-type":"application/json"},
         "queryStringParameters":{"realm":"wx,b c","key":"k/1"},
         "requestContext":{"accountId":"123456789012","apiId":"x","authorizer":null,
           "http":{"method":"PUT","path":"/api/token","protocol":"HTTP/1.1","sourceIp":"203.0.113.9","userAgent":"curl/8"},
           "requestId":"b9-1","routeKey":"$default","stage":"$default","time":"12/Mar/2020:19:03:58 +0000",
           "timeEpoch":1583348638390},
         "body":"{\\"now_token\\":\\"t\\"}","isBase64Encoded":false}
        """

    /// Function URL without a body, user agent or query: Lambda developer guide, "Invoking Lambda function URLs".
    static let functionURL = """
        {"version":"2.0","rawPath":"/pong","rawQueryString":"","headers":{},
         "requestContext":{"accountId":"anonymous","domainName":"x.lambda-url.us-east-1.on.aws",
           "http":{"method":"GET","path":"/pong","protocol":"HTTP/1.1","sourceIp":"203.0.113.9","userAgent":null},
           "requestId":"u-1","stage":"$default","timeEpoch":1583348638390},"isBase64Encoded":false}
        """

    /// REST API: API Gateway developer guide, "Set up Lambda proxy integrations in API Gateway".
    static let v1 = """
        {"resource":"/{proxy+}","path":"/api/secret/wx/a b","httpMethod":"GET",
         "headers":{"Accept":"*/*","Authorization":"Bearer last","Cookie":"a=1; b=2"},
         "multiValueHeaders":{"Accept":["*/*"],"AUTHORIZATION":["Bearer first","Bearer last"],"Cookie":["a=1; b=2"]},
         "queryStringParameters":{"id":"2"},"multiValueQueryStringParameters":{"id":["1","2"],"n":["a&b"]},
         "pathParameters":{"proxy":"x"},"stageVariables":null,
         "requestContext":{"resourceId":"r1","path":"/prod/api/secret/wx/a b","httpMethod":"GET","stage":"prod",
           "requestId":"r-1","requestTimeEpoch":1583349317135,"identity":{"sourceIp":"203.0.113.9","userAgent":"curl/8"}},
         "body":null,"isBase64Encoded":false}
        """

    /// Application Load Balancer: Elastic Load Balancing guide, "Use Lambda functions as targets".
    static let alb = """
        {"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/t/1"}},
         "httpMethod":"GET","path":"/api/token","queryStringParameters":{"realm":"w%20x","key":"2"},
         "headers":{"host":"lb.example","user-agent":"curl/8","x-forwarded-for":"203.0.113.9"},
         "body":"","isBase64Encoded":false}
        """

    static let albMulti = """
        {"requestContext":{"elb":{"targetGroupArn":"arn:aws:elasticloadbalancing:us-east-1:1:targetgroup/t/1"}},
         "httpMethod":"POST","path":"/api/realm","multiValueQueryStringParameters":{"a":["1","%32"]},
         "multiValueHeaders":{"host":["lb.example"],"x-forwarded-for":["203.0.113.9","10.0.0.1"]},
         "body":"aGVsbG8=","isBase64Encoded":true}
        """

    /// EventBridge: Lambda developer guide, "Invoke a Lambda function on a schedule".
    static let schedule = """
        {"version":"0","id":"5b6f","detail-type":"Scheduled Event","source":"aws.events","account":"123456789012",
         "time":"2026-01-01T00:00:00Z","region":"us-east-1","resources":["arn:aws:events:us-east-1:1:rule/tick"],"detail":{}}
        """
}
