internal import CSystem
internal import Glibc

csystem_hide_memory_of_crashes()
exit(AdminCommand(arguments: CommandLine.arguments.dropFirst().map { $0 }).run())
