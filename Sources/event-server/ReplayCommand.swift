internal import Curl
internal import EventServer
internal import HTTP
internal import Schedules

/// `event-server replay FILE`: sends a record's calls again, one after the other, and shows what came of it differently.
enum ReplayCommand {
    static let options: [String: Options.Kind] = ["url": .value]

    /// Answers 1 where anything differs.
    static func run(_ file: String, _ options: Options) throws(UsageError) -> Int32 {
        guard let bytes = WholeFile.read(Serve.absolute(file)) else { throw UsageError("\(file) cannot be read") }
        var url = options.text("url") ?? "http://127.0.0.1:8080"
        if url.hasSuffix("/") { url.removeLast() }
        let client = CurlClient()
        var sent = 0
        var different = 0
        var skipped = 0
        for (index, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
            guard let recording = Recording(line: line) else {
                throw UsageError("\(file):\(index + 1): this is no line of a record")
            }
            let replay = Replay(recording)
            switch replay.plan(url: url, authorization: Environment["AUTHORIZATION"]) {
            case .skip(let reason):
                skipped += 1
                Terminal.print("\(index + 1) \(replay.name): skipped, \(reason)")
            case .send(let request):
                sent += 1
                let now: String
                do throws(ClientError) {
                    let limits = ClientLimits(total: .seconds(900), responseBytes: 32 << 20)
                    now = replay.outcome(
                        of: try client.send(request, limits: limits, willSend: { true }, didSend: {}))
                } catch {
                    if case .notSent(let reason) = error {
                        throw UsageError("\(url) cannot be reached: \(reason.rawValue)")
                    }
                    now = "no answer"
                }
                let isSame = now == replay.recordedOutcome
                if !isSame { different += 1 }
                let note = isSame ? "as before" : "was \(replay.recordedOutcome)"
                Terminal.print("\(index + 1) \(replay.name): \(now), \(note)")
            }
        }
        Terminal.print("\(sent) sent, \(different) differ\(different == 1 ? "s" : ""), \(skipped) skipped")
        return different == 0 ? 0 : 1
    }
}
