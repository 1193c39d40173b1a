internal import Glibc

exit(TokenServerCache.run())
