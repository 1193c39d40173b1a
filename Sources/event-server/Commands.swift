internal import Glibc

/// The commands of `event-server`.
enum Commands {
    static let usage = """
        usage: event-server serve --function NAME --bootstrap FILE [options]
               event-server run [options]
               event-server replay FILE [--url URL]

        serve: the platform of one function, with an HTTP front
          --function NAME       the handler, given to the function as _HANDLER
          --bootstrap FILE      the program that starts the function
          --port N              0 takes any free port; default 8080
          --platform NAME       lambda (default), or fc for Alibaba's Function Compute
          --concurrency N       most instances at once; default 8
          --instance-concurrency N   requests that one instance gets at a time. fc: default 200. lambda: with it the
                                instances are managed ones and get AWS_LAMBDA_MAX_CONCURRENCY; without it, one
          --timeout-ms N        the function's timeout; default 10000
          --memory N            the function's memory in MB, for the account; default 128
          --cpu N               what the function has of a processor on fc, for the account; default 0.1
          --idle-seconds N      end an instance that had nothing to do for so long; default 300, fc 60
          --init-ms N           the time an instance has to ask for its first event (lambda, default 10000)
                                or to listen on its port (fc, default 120000)
          --freeze              stop an instance (SIGSTOP) while it has no request, as the clouds do
          --env NAME=VALUE      a variable of the function; may be repeated
          --record FILE         write each event that comes from outside, and its answer, as a line of JSON, secrets masked
          --template FILE       run the timers, hooks and health checks that this template gives
                                the function (template.yml, or s.yaml on fc)
          lambda alone:
          --shape SHAPE         v2 (default), url, v1, alb, alb-multi
          --queue N             most events that wait for an instance; default 1000, for managed instances 0
          --throttle            answer 429 when every instance is busy, instead of queueing
          fc alone:
          --initialize-ms N     call POST /initialize before the first request, within this time
          --pre-stop-ms N       call GET /pre-stop before an instance is ended, within this time
          --default-domain      answer as *.fcapp.run does: every answer is an attachment
        When the file of --bootstrap or the program it becomes changes, instances are replaced: idle ones
        before the next request, busy ones when they have finished.

        run: the whole local platform: token-server, its embedded store, a fake provider
          --programs DIR        where the executables lie; default build/bin
          --bootstrap FILE      default ./bootstrap
          --data DIR            default build/run
          and every option of serve but --function; --port defaults to PORT, --platform to PLATFORM

        replay: sends the calls of a record again, in their order, and shows what came of it differently; 1 where anything did
          --url URL             a local platform; default http://127.0.0.1:8080
          the variable AUTHORIZATION takes the place of the field that the record masks
        """

    static func run(_ arguments: [String]) -> Int32 {
        do throws(UsageError) {
            guard let command = arguments.first else { throw UsageError("a command is missing: serve, run or replay") }
            switch command {
            case "serve": return try Serve.run(Options(arguments.dropFirst(), allowed: Serve.options))
            case "run": return try LocalPlatform.run(Options(arguments.dropFirst(), allowed: LocalPlatform.options))
            case "replay":
                guard let file = arguments.dropFirst().first else { throw UsageError("replay: a file is missing") }
                return try ReplayCommand.run(file, Options(arguments.dropFirst(2), allowed: ReplayCommand.options))
            case "help", "--help", "-h":
                Terminal.print(usage)
                return 0
            default: throw UsageError("\(command) is no command: serve, run or replay")
            }
        } catch {
            Terminal.complain(error.message)
            return 2
        }
    }
}

struct UsageError: Error {
    let message: String

    init(_ message: String) {
        self.message = message
    }
}

/// Options of the form `--name VALUE`; only known ones.
struct Options {
    enum Kind {
        case value, flag, list
    }

    private var values: [String: [String]] = [:]

    init(_ arguments: some Sequence<String>, allowed: [String: Kind]) throws(UsageError) {
        var iterator = arguments.makeIterator()
        while let argument = iterator.next() {
            guard argument.hasPrefix("--"), let kind = allowed[String(argument.dropFirst(2))] else {
                throw UsageError("\(argument) is not known; try event-server help")
            }
            let name = String(argument.dropFirst(2))
            if kind != .list, values[name] != nil { throw UsageError("\(argument) is given twice") }
            if kind == .flag {
                values[name] = []
                continue
            }
            guard let value = iterator.next() else { throw UsageError("\(argument) needs a value") }
            values[name, default: []].append(value)
        }
    }

    func text(_ name: String) -> String? { values[name]?.first }
    func list(_ name: String) -> [String] { values[name] ?? [] }
    func flag(_ name: String) -> Bool { values[name] != nil }

    func number(_ name: String, in range: ClosedRange<Int>) throws(UsageError) -> Int? {
        guard let text = text(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw UsageError("--\(name) must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }
}

/// Whole lines to standard output and standard error, each by one system call.
enum Terminal {
    static func print(_ line: String) { write(line, to: STDOUT_FILENO) }
    static func complain(_ line: String) { write("event-server: \(line)", to: STDERR_FILENO) }

    private static func write(_ line: String, to descriptor: Int32) {
        var line = line + "\n"
        line.withUTF8 { bytes in
            _ = unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
        }
    }
}

enum Environment {
    static subscript(name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}
