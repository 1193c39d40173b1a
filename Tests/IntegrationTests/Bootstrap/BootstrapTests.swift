import Foundation
import Testing

@Suite struct BootstrapTests {
    /// Where the repository lies: three folders above this one.
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    @Test(arguments: [
        (["_HANDLER": "token-server"], "token-server"),
        (["_HANDLER": "token-server-cache"], "token-server-cache"),
        (["_HANDLER": "anything.else"], "token-server"),
        (["FC_FUNCTION_HANDLER": "token-server"], "token-server"),
        (["FC_FUNCTION_HANDLER": "token-server-cache"], "token-server-cache"),
        (["FC_FUNCTION_HANDLER": "index.handler"], "token-server"),
        (["_HANDLER": "", "FC_FUNCTION_HANDLER": "token-server-cache"], "token-server-cache"),
        (["_HANDLER": "token-server-cache", "FC_FUNCTION_HANDLER": "token-server"], "token-server-cache"),
        ([:], "token-server"),
    ])
    func `the handler names the executable, and any other name starts token-server`(
        environment: [String: String], started: String
    ) throws {
        let package = try Package(folder: "bin")
        defer { package.remove() }
        #expect(try package.start(environment).output == "\(package.root.path())/bin/\(started)\n")
    }

    @Test func `in a checkout the executables lie under build`() throws {
        let package = try Package(folder: "build/bin")
        defer { package.remove() }
        #expect(try package.start([:]).output == "\(package.root.path())/build/bin/token-server\n")
    }

    @Test func `a folder named by the environment is taken instead`() throws {
        let package = try Package(folder: "bin")
        let other = try Package(folder: "debug")
        defer {
            package.remove()
            other.remove()
        }
        let folder = "\(other.root.path())/debug"
        #expect(try package.start(["TOKEN_SERVER_PROGRAMS": folder]).output == "\(folder)/token-server\n")
    }

    @Test func `the process becomes the program: its pid and its exit status`() throws {
        let package = try Package(folder: "bin", script: "echo $$\nexit 7")
        defer { package.remove() }
        let run = try package.start([:])
        #expect(run.output == "\(run.pid)\n")
        #expect(run.status == 7)
    }

    @Test func `a missing executable is one line that names it, and exit 1`() throws {
        let package = try Package(folder: "bin")
        defer { package.remove() }
        try FileManager.default.removeItem(at: package.root.appending(path: "bin/token-server-cache"))
        let run = try package.start(["_HANDLER": "token-server-cache"])
        #expect(run.status == 1)
        #expect(run.output.isEmpty)
        #expect(run.errors == "bootstrap: no executable at \(package.root.path())/bin/token-server-cache\n")
    }

    @Test func `a package that carries a loader is started through it`() throws {
        let package = try Package(folder: "bin")
        defer { package.remove() }
        try package.add("lib/ld-linux-x86-64.so.2", script: #"echo "$@""#)
        let root = package.root.path()
        #expect(try package.start([:]).output == "--library-path \(root)/lib \(root)/bin/token-server\n")
    }

    @Test func `no other process is started on the way`() throws {
        // A PATH without a single command: whatever bootstrap would call could not be found.
        let package = try Package(folder: "bin", script: "exit 0")
        defer { package.remove() }
        let run = try package.start(["PATH": "/nonexistent"])
        #expect(run.status == 0)
        #expect(run.errors.isEmpty)
    }

    /// An unpacked package: the repository's bootstrap, and scripts in the place of the executables.
    private struct Package {
        let root: URL

        /// - Parameter script: what the executables do; by default they print the path they were started by.
        init(folder: String, script: String = #"echo "$0""#) throws {
            root = FileManager.default.temporaryDirectory.appending(path: "bootstrap-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                at: root.appending(path: "bootstrap"),
                withDestinationURL: BootstrapTests.root.appending(path: "bootstrap"))
            for name in ["token-server", "token-server-cache"] { try add("\(folder)/\(name)", script: script) }
        }

        func add(_ path: String, script: String) throws {
            try Program.write("#!/bin/sh\n\(script)\n", to: root.appending(path: path).path())
        }

        func remove() { try? FileManager.default.removeItem(at: root) }

        func start(_ environment: [String: String]) throws -> Program {
            try Program.run(root.appending(path: "bootstrap").path(), environment: environment)
        }
    }
}
