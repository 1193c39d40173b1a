internal import Glibc

exit(CostBenchmark.run(Array(CommandLine.arguments.dropFirst())))
