internal import Clocks
internal import Glibc
internal import TestKit

/// So many inputs, or so many seconds, for each target, one after the other.
enum Campaign {
    private static let usage = """
        usage: fuzz [--target NAME] [--inputs N | --seconds N] [--seed N] [--from INDEX]
               fuzz --write-seeds FOLDER   the inputs that mutation starts from, a folder for each target
        """

    /// What a run may add to the resident memory after its first tenth, in KiB.
    private static let allowedGrowth = 16 << 10

    private struct Options {
        var targets = FuzzTargets.all
        var inputs = 20_000
        var seconds: Int?
        var seed: UInt64 = 1
        var from = 0
        var folder: String?

        init?(_ arguments: [String]) {
            var arguments = arguments[...]
            while let name = arguments.popFirst() {
                guard let value = arguments.popFirst() else { return nil }
                switch name {
                case "--target":
                    targets = targets.filter { $0.name == value }
                    if targets.isEmpty { return nil }
                case "--write-seeds": folder = value
                default:
                    guard let number = Int(value), number >= 0 else { return nil }
                    switch name {
                    case "--inputs": inputs = number
                    case "--seconds": seconds = number
                    case "--seed": seed = UInt64(number)
                    case "--from": from = number
                    default: return nil
                    }
                }
            }
        }
    }

    static func run(_ arguments: [String]) -> Int32 {
        guard let options = Options(arguments) else {
            report(usage)
            return 2
        }
        if let folder = options.folder { return writeSeeds(folder) }
        return options.targets.allSatisfy { run($0, options) } ? 0 : 1
    }

    /// False where an input breaks a rule, or memory grows.
    private static func run(_ target: any FuzzTarget, _ options: Options) -> Bool {
        for (index, seed) in target.seeds.enumerated() {
            if let broken = target.check(seed) {
                report("\(target.name): seed input \(index): \(broken)")
                return false
            }
        }
        CrashNote.install(target.name, seed: options.seed)
        let clock = SystemClock()
        let start = clock.now()
        let mutator = Mutator(target.seeds, dictionary: target.dictionary)
        var index = options.from
        var settled: Int?
        func elapsed() -> Duration { start.elapsed(to: clock.now()) }
        while true {
            let done = index - options.from
            if done % 256 == 0 || options.seconds == nil {
                let isOver = options.seconds.map { elapsed() >= .seconds($0) } ?? (done >= options.inputs)
                if isOver { break }
                // What lies in buffers and caches is there after the first tenth.
                let isWarm = options.seconds.map { elapsed() >= .seconds($0) / 10 } ?? (done >= options.inputs / 10)
                if settled == nil, isWarm { settled = residentKiB() }
            }
            unsafe CrashNote.index = index
            // One generator for each input, so that any of them can be made alone.
            var random = Random(seed: options.seed &* 0x1_0000_0001 &+ UInt64(index))
            let input = mutator.input(using: &random)
            if let broken = target.check(input) {
                report("\(target.name): --seed \(options.seed) --from \(index) --inputs 1: \(broken)")
                report(String(decoding: input.prefix(2_000), as: UTF8.self))
                return false
            }
            index += 1
        }
        let grown = residentKiB() - (settled ?? residentKiB())
        let line =
            "\(target.name): \(index - options.from) inputs in \(elapsed().components.seconds) s, memory \(residentKiB()) KiB"
        print("\(line), \(grown >= 0 ? "+" : "")\(grown) since its first tenth")
        if grown > allowedGrowth { report("\(target.name): memory grows") }
        return grown <= allowedGrowth
    }

    /// `VmRSS` of this process.
    private static func residentKiB() -> Int {
        let descriptor = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return 0 }
        defer { close(descriptor) }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = unsafe read(descriptor, &buffer, buffer.count)
        let fields = buffer.prefix(max(0, count)).split(separator: UInt8(ascii: " "))
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else { return 0 }
        return pages * sysconf(Int32(_SC_PAGESIZE)) / 1_024
    }

    private static func writeSeeds(_ folder: String) -> Int32 {
        _ = unsafe mkdir(folder, 0o755)
        for target in FuzzTargets.all {
            _ = unsafe mkdir("\(folder)/\(target.name)", 0o755)
            for (index, seed) in target.seeds.enumerated() {
                let path = "\(folder)/\(target.name)/seed-\(index)"
                let descriptor = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
                guard descriptor >= 0 else { return 1 }
                defer { close(descriptor) }
                guard unsafe write(descriptor, seed, seed.count) == seed.count else { return 1 }
            }
        }
        return 0
    }
}
