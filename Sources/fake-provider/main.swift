internal import CSystem
internal import FakeProvider

// Before any thread starts, so that the signals wait for `sigwait` in this one.
csystem_block_termination()
runFakeProvider(Array(CommandLine.arguments.dropFirst()))
