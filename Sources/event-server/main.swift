internal import CSystem
internal import Glibc

// Before the first thread starts, so that every thread inherits the mask and a signal is taken in one place alone.
csystem_block_termination()
csystem_hide_memory_of_crashes()
csystem_raise_descriptor_limit()
exit(Commands.run(Array(CommandLine.arguments.dropFirst())))
