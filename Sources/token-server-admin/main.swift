internal import Glibc

exit(AdminCommand(arguments: CommandLine.arguments.dropFirst().map { $0 }).run())
