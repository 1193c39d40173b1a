#include "CCurl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static struct ccurl_table table;
static char error[256];
static int opened;

static void open_library(void) {
    void *library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(error, sizeof error, "%s", dlerror());
        return;
    }
#define CCURL_RESOLVE(name) \
    if (!(*(void **)&table.name = dlsym(library, "curl_" #name))) { \
        snprintf(error, sizeof error, "%s", dlerror()); \
        return; \
    }
    CCURL_FUNCTIONS(CCURL_RESOLVE)
    if (table.global_init(CURL_GLOBAL_ALL) != CURLE_OK) {
        snprintf(error, sizeof error, "libcurl cannot be initialised");
        return;
    }
    opened = 1;
}

const struct ccurl_table *ccurl(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return opened ? &table : NULL;
}

const char *ccurl_error(void) { return error; }
