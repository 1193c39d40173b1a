internal import Glibc

#if COVERAGE
// Built with `-sanitize=fuzzer`: libFuzzer looks for inputs that reach new code.
private let chosen: any FuzzTarget = {
    let name = unsafe getenv("FUZZ_TARGET").map { unsafe String(cString: $0) } ?? ""
    guard let target = FuzzTargets.all.first(where: { $0.name == name }) else {
        report("FUZZ_TARGET must be one of \(FuzzTargets.all.map(\.name).joined(separator: ", "))")
        exit(2)
    }
    return target
}()

@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ tryInput: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_cdecl("LLVMFuzzerTestOneInput")
public func tryInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let broken = unsafe chosen.check(Array(UnsafeBufferPointer(start: bytes, count: count))) {
        fatalError("\(chosen.name): \(broken)")
    }
    return 0
}

// What the package manager calls a program's beginning.
@_cdecl("fuzz_main")
public func begin(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> CInt {
    var count = count
    var arguments = unsafe arguments
    return unsafe runDriver(&count, &arguments) { unsafe tryInput($0, $1) }
}
#else
/// Feeds what comes from outside with mutated inputs, the same for the same seed; any trap or broken rule ends it.
@main
enum Fuzz {
    static func main() {
        exit(Campaign.run(Array(CommandLine.arguments.dropFirst())))
    }
}
#endif

/// One line on standard error, past every buffer.
func report(_ text: String) {
    var line = text + "\n"
    line.withUTF8 { unsafe _ = write(STDERR_FILENO, $0.baseAddress, $0.count) }
}
