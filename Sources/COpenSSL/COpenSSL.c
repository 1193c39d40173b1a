#include "COpenSSL.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static struct copenssl_table table;
static char error[256];
static int opened;

static void open_library(void) {
    void *library = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(error, sizeof error, "%s", dlerror());
        return;
    }
#define COPENSSL_RESOLVE(name) \
    if (!(*(void **)&table.name = dlsym(library, #name))) { \
        snprintf(error, sizeof error, "%s", dlerror()); \
        return; \
    }
    COPENSSL_FUNCTIONS(COPENSSL_RESOLVE)
    opened = 1;
}

const struct copenssl_table *copenssl(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return opened ? &table : NULL;
}

const char *copenssl_error(void) { return error; }
