// swift-tools-version: 6.2
import PackageDescription

/// One strictness for every Swift target.
let strictTests: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),  // SE-0335
    .enableUpcomingFeature("InternalImportsByDefault"),  // SE-0409
    .enableUpcomingFeature("MemberImportVisibility"),  // SE-0444
]
let strict = strictTests + [.strictMemorySafety()]  // SE-0458
let strictC: [CSetting] = [.treatAllWarnings(as: .error)]

func module(
    _ name: String, _ dependencies: [Target.Dependency] = [], embedding resources: [String] = [],
    linker: [LinkerSetting] = []
) -> Target {
    .target(
        name: name, dependencies: dependencies, resources: resources.map { .embedInCode($0) }, swiftSettings: strict,
        linkerSettings: linker)
}

func shim(_ name: String, linker: [LinkerSetting] = []) -> Target {
    .target(name: name, cSettings: strictC, linkerSettings: linker)
}

func program(_ name: String, _ dependencies: [Target.Dependency], embedding resources: [String] = []) -> Target {
    .executableTarget(
        name: name, dependencies: dependencies, resources: resources.map { .embedInCode($0) }, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(name: name, dependencies: dependencies, swiftSettings: strictTests)
}

let package = Package(
    name: "token-server",
    targets: [
        // C libraries, behind commented shims.
        shim("CSystem"),
        shim("CMariaDB"),
        shim("CCurl"),
        shim("CMicroHTTPD"),
        shim("COpenSSL"),
        shim("CCoroutine"),
        shim("CSQLite", linker: [.unsafeFlags(["-Xlinker", "-l:libsqlite3.a"])]),
        shim("CYAML", linker: [.unsafeFlags(["-Xlinker", "-l:libyaml.a"])]),

        // The ground: no I/O, no domain.
        module("Clocks"),
        module("Log"),
        module("JSON"),
        module("HTTP", ["Clocks", "JSON"]),
        module("SQL"),
        module("Locks"),
        module("Certificates"),
        module("Fibers", ["Locks", "CCoroutine", "CSystem"]),

        // Adapters: each speaks to one outside thing.
        module("Crypto", ["COpenSSL", "Log"]),
        module("Curl", ["Certificates", "Clocks", "Fibers", "HTTP", "CCurl"]),
        module("HTTPServer", ["Fibers", "HTTP", "Locks", "CMicroHTTPD", "CSystem"]),
        module("MariaDB", ["Certificates", "SQL", "Clocks", "Fibers", "CMariaDB"]),
        module("SQLite", ["Fibers", "SQL", "CSQLite"]),
        module("DatabaseDrivers", ["SQL", "MariaDB", "SQLite"]),
        module("YAML", ["CYAML"]),

        // The domain, and what serves it.
        module("Tokens", ["Clocks", "JSON", "Locks", "Log"]),
        module("Recipes", ["Tokens", "Clocks", "HTTP", "JSON", "Crypto"]),
        module("Storage", ["Tokens", "Clocks", "Fibers", "Log", "SQL", "JSON", "Crypto"], embedding: ["Migrations"]),
        module("TokenAPI", ["Tokens", "Recipes", "Clocks", "HTTP", "JSON", "Crypto", "Log", "Locks"]),

        module("TokenCache", ["Clocks", "HTTP", "JSON", "Locks", "Log", "Crypto"]),

        // The platforms: theirs, and our local one. Neither side imports the other.
        module("TriggerEvents", ["HTTP", "JSON"]),
        module(
            "FunctionRuntime",
            ["Clocks", "Fibers", "HTTP", "HTTPServer", "JSON", "Locks", "TriggerEvents", "Log", "CSystem"]),
        module("Schedules", ["Clocks", "YAML", "CSystem"]),
        module(
            "EventServer", ["Costs", "Schedules", "Clocks", "HTTP", "HTTPServer", "JSON", "Locks", "Log", "CSystem"]),
        module("FakeProvider", ["Clocks", "HTTP", "HTTPServer", "JSON", "Locks"]),
        module("TestKit", ["Tokens", "Clocks", "HTTP", "JSON", "Log"]),
        module("Costs", ["Clocks", "JSON"], embedding: ["Prices"]),
        module("Simulation", ["Tokens", "TestKit", "FakeProvider", "Clocks", "Fibers", "JSON", "Log"]),

        // Programs: wiring only.
        program(
            "token-server",
            [
                "TokenAPI", "Storage", "Recipes", "Tokens", "FunctionRuntime", "DatabaseDrivers", "SQL", "Curl", "HTTP",
                "Clocks", "Log", "Crypto",
            ]),
        program(
            "token-server-cache", ["TokenCache", "FunctionRuntime", "Curl", "HTTP", "Clocks", "Log"]),
        program(
            "token-server-admin",
            ["Storage", "Recipes", "Tokens", "DatabaseDrivers", "SQL", "Crypto", "Clocks", "CSystem"]),
        program(
            "event-server",
            [
                "EventServer", "Costs", "Schedules", "Crypto", "Curl", "HTTPServer", "HTTP", "JSON", "Clocks", "Locks",
                "Log",
                "CSystem",
            ]),
        program("fake-provider", ["FakeProvider", "HTTPServer", "HTTP", "Clocks", "Log", "CSystem"]),

        program("simulate", ["Simulation", "TestKit"]),
        program(
            "fuzz",
            [
                "Clocks", "FunctionRuntime", "HTTP", "JSON", "Log", "Recipes", "TestKit", "Tokens", "TriggerEvents",
            ]),
        program(
            "cost-benchmark",
            [
                "Costs", "Tokens", "TokenAPI", "Storage", "DatabaseDrivers", "SQL", "TestKit", "Curl", "HTTP", "JSON",
                "Clocks", "FunctionRuntime",
                "Locks", "Log", "Crypto", "CMariaDB", "CSystem",
            ]),

        tests(
            "UnitTests",
            [
                "Clocks", "Fibers", "Locks", "Log", "JSON", "HTTP", "SQL", "Crypto", "Tokens", "Recipes", "TokenAPI",
                "TokenCache",
                "TriggerEvents",
                "FunctionRuntime", "FakeProvider", "EventServer", "Schedules", "YAML", "TestKit", "Costs",
            ]),
        tests(
            "IntegrationTests",
            [
                "Clocks", "Fibers", "Locks", "Log", "JSON", "HTTP", "SQL", "MariaDB", "SQLite", "DatabaseDrivers",
                "Storage",
                "Tokens",
                "Recipes", "TokenAPI",
                "Curl", "Crypto", "HTTPServer", "FunctionRuntime", "TriggerEvents", "EventServer", "FakeProvider",
                "TestKit", "Simulation", "Costs",
                "CSystem", "token-server", "token-server-cache", "token-server-admin", "event-server", "fake-provider",
                "cost-benchmark",
            ]),
    ],
    swiftLanguageModes: [.v6]
)
