internal import Clocks

/// The environment of an instance, as Function Compute sets it for a custom runtime; nothing is inherited.
enum ComputeEnvironment {
    static func variables(_ settings: PlatformSettings, port: UInt16, number: Int) -> [(name: String, value: String)] {
        var variables: [(name: String, value: String)] = [
            ("FC_CUSTOM_LISTEN_PORT", String(port)), ("FC_FUNCTION_HANDLER", settings.functionName),
            ("FC_FUNCTION_NAME", settings.functionName), ("FC_FUNCTION_MEMORY_SIZE", String(settings.memoryMegabytes)),
            ("FC_FUNC_CODE_PATH", "/code"), ("FC_REGION", "cn-hangzhou"), ("FC_ACCOUNT_ID", "123456789012"),
            ("FC_INSTANCE_ID", "c-local-\(number)"), ("FC_FUNCTION_VERSION", "LATEST"), ("TZ", "UTC"),
            ("PATH", "/usr/local/bin:/usr/bin:/bin"),
            // The platform tells nobody how long a request has: the templates set it beside the function's timeout.
            ("FUNCTION_TIMEOUT_MS", String(settings.timeout.wholeMilliseconds)),
        ]
        for (name, value) in settings.environment {
            variables.removeAll { $0.name == name }
            variables.append((name, value))
        }
        return variables
    }
}
