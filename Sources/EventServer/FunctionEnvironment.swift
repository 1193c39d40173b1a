/// The environment of an instance, as Lambda sets it for a custom runtime (Lambda developer guide, "Defined runtime
/// environment variables").
///
/// Nothing is inherited: a function that works here by an accident of the developer's shell would fail in the cloud.
enum FunctionEnvironment {
    static func variables(_ settings: PlatformSettings, port: UInt16, number: Int) -> [(name: String, value: String)] {
        let folder = settings.bootstrap.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(
            separator: "/")
        var variables: [(name: String, value: String)] = [
            ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:\(port)"), ("_HANDLER", settings.functionName),
            ("LAMBDA_TASK_ROOT", folder.isEmpty ? "." : folder), ("LAMBDA_RUNTIME_DIR", "/var/runtime"),
            ("AWS_REGION", "us-east-1"), ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_LAMBDA_FUNCTION_NAME", settings.functionName), ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", String(settings.memoryMegabytes)),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/\(settings.functionName)"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "local/[$LATEST]\(number)"),
            ("AWS_LAMBDA_LOG_FORMAT", settings.isManaged ? "JSON" : "Text"),
            ("AWS_LAMBDA_INITIALIZATION_TYPE", settings.isManaged ? "lambda-managed-instances" : "on-demand"),
            ("LANG", "en_US.UTF-8"), ("TZ", ":UTC"), ("PATH", "/usr/local/bin:/usr/bin:/bin"),
        ]
        if let loops = settings.maxConcurrency { variables.append(("AWS_LAMBDA_MAX_CONCURRENCY", String(loops))) }
        for (name, value) in settings.environment {
            variables.removeAll { $0.name == name }
            variables.append((name, value))
        }
        return variables
    }
}
