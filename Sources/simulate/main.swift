internal import Glibc

exit(Simulate.run(Array(CommandLine.arguments.dropFirst())))
