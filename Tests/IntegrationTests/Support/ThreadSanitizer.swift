import Glibc

/// Whether this process, and every program of the same build, runs under the thread sanitizer.
let isUnderThreadSanitizer = dlsym(nil, "__tsan_init") != nil
