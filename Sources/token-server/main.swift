internal import Glibc

exit(TokenServer.run())
