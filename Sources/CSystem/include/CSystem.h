// What Swift's Glibc overlay cannot give, or gives at the price of a newer C library.
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <errno.h>

// Swift's own `errno` links the overlay, which needs GLIBC_2.35; this one needs 2.34, which Lambda's image has.
static inline int csystem_errno(void) { return errno; }

#endif
