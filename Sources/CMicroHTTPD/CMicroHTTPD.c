#include "CMicroHTTPD.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static struct cmhd_table table;
static char error[256];
static int opened;

static void open_library(void) {
    void *library = dlopen("libmicrohttpd.so.12", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(error, sizeof error, "%s", dlerror());
        return;
    }
#define CMHD_RESOLVE(name)                                            \
    if (!(*(void **)&table.name = dlsym(library, "MHD_" #name))) {    \
        snprintf(error, sizeof error, "%s", dlerror());               \
        return;                                                       \
    }
    CMHD_FUNCTIONS(CMHD_RESOLVE)
#undef CMHD_RESOLVE
    opened = 1;
}

const struct cmhd_table *cmhd(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return opened ? &table : NULL;
}

const char *cmhd_error(void) { return error; }

struct MHD_Daemon *cmhd_start(const struct cmhd_table *functions, const struct cmhd_options *options) {
    // No thread of its own: ours call MHD_run, and do other things beside.
    unsigned int flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME;
    if (options->is_ipv6) flags |= MHD_USE_IPv6;
    return functions->start_daemon(
        flags, 0, NULL, NULL, options->access, options->context,
        MHD_OPTION_LISTEN_SOCKET, options->listening_socket,
        MHD_OPTION_URI_LOG_CALLBACK, options->target, options->context,
        MHD_OPTION_NOTIFY_COMPLETED, options->completed, options->context,
        MHD_OPTION_NOTIFY_CONNECTION, options->connection, options->context,
        MHD_OPTION_CONNECTION_LIMIT, options->connections,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, options->head_bytes,
        MHD_OPTION_CONNECTION_TIMEOUT, 0u,
        // A missing Host is refused by us: its own page for that has its head twice.
        MHD_OPTION_STRICT_FOR_CLIENT, 0,
        MHD_OPTION_END);
}
