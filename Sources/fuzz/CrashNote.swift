internal import Glibc

/// Says which input a trap came from, so that it can be made again.
enum CrashNote {
    /// The input that is being tried.
    nonisolated(unsafe) static var index = 0
    private nonisolated(unsafe) static var text: UnsafeMutablePointer<CChar>?

    static func install(_ target: String, seed: UInt64) {
        if let old = unsafe text { unsafe free(old) }
        unsafe text = strdup("\(target): trapped: --target \(target) --seed \(seed) --inputs 1 --from ")
        for number in [SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGABRT, SIGFPE] {
            signal(number) { _ in CrashNote.write() }
        }
    }

    /// Nothing but `write` and arithmetic: anything else may be what trapped.
    private static func write() {
        if let text = unsafe text { unsafe _ = Glibc.write(STDERR_FILENO, text, strlen(text)) }
        var divisor = 1
        while unsafe index / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            var digit = unsafe UInt8(ascii: "0") + UInt8(index / divisor % 10)
            unsafe _ = Glibc.write(STDERR_FILENO, &digit, 1)
            divisor /= 10
        }
        var end = UInt8(ascii: "\n")
        unsafe _ = Glibc.write(STDERR_FILENO, &end, 1)
        _exit(99)
    }
}
