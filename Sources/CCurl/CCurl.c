#include "CCurl.h"

#include <dlfcn.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

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

size_t ccurl_address(const struct curl_sockaddr *address, unsigned char *bytes) {
    // libcurl leaves room for any address where its header shows the shortest.
    const char *start = (const char *)address + offsetof(struct curl_sockaddr, addr);
    if (address->family == AF_INET && address->addrlen >= sizeof(struct sockaddr_in)) {
        memcpy(bytes, start + offsetof(struct sockaddr_in, sin_addr), 4);
        return 4;
    }
    if (address->family == AF_INET6 && address->addrlen >= sizeof(struct sockaddr_in6)) {
        memcpy(bytes, start + offsetof(struct sockaddr_in6, sin6_addr), 16);
        return 16;
    }
    return 0;
}

curl_socket_t ccurl_socket(const struct curl_sockaddr *address) {
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}
