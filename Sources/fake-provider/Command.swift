internal import CSystem
internal import FakeProvider
internal import Glibc

private let usage = """
    usage: fake-provider [--port N] [--address ADDRESS] [--app ID=SECRET]... [--life SECONDS] [--allow ADDRESS]... [--with-parent]

    """

/// Serves until SIGTERM or SIGINT.
func runFakeProvider(_ arguments: [String]) {
    let options: Options
    do throws(Options.Mistake) { options = try Options(arguments) } catch { fail("\(error.text)\n\(usage)", code: 2) }
    if options.endsWithParent { csystem_die_with_parent() }
    do {
        let server = try ProviderServer(
            Provider(settings: options.settings), address: options.address, port: options.port)
        write("fake-provider listening on http://\(options.address):\(server.port)\n", to: STDOUT_FILENO)
        _ = csystem_wait_for_termination()
        server.stop()
    } catch { fail("fake-provider: \(error)\n", code: 1) }
}

private func write(_ text: String, to descriptor: Int32) {
    var text = text
    text.withUTF8 { unsafe _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
}

private func fail(_ text: String, code: Int32) -> Never {
    write(text, to: STDERR_FILENO)
    exit(code)
}
