#include "CMariaDB.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static struct cmariadb_table table;
static char error[256];
static int opened;

static void open_library(void) {
    void *library = dlopen("libmariadb.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(error, sizeof error, "%s", dlerror());
        return;
    }
#define CMARIADB_RESOLVE(name)                               \
    if (!(*(void **)&table.name = dlsym(library, #name))) {  \
        snprintf(error, sizeof error, "%s", dlerror());      \
        return;                                              \
    }
    CMARIADB_FUNCTIONS(CMARIADB_RESOLVE)
    // Its global state is not safe to set up from several threads at once; here it happens once.
    if (table.mysql_server_init(0, NULL, NULL) != 0) {
        snprintf(error, sizeof error, "libmariadb cannot be initialised");
        return;
    }
    opened = 1;
}

const struct cmariadb_table *cmariadb(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return opened ? &table : NULL;
}

const char *cmariadb_error(void) { return error; }
