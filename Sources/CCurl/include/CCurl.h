// libcurl, opened on first use: Debian's build pulls in some 45 libraries, which only an upstream call should pay for.
#ifndef CCURL_H
#define CCURL_H

#include <curl/curl.h>

// Every function that is used, once: the table's fields and the names to resolve come from this list.
#define CCURL_FUNCTIONS(X) \
    X(global_init) \
    X(easy_init) \
    X(easy_cleanup) \
    X(easy_reset) \
    X(easy_perform) \
    X(easy_setopt) \
    X(easy_getinfo) \
    X(slist_append) \
    X(slist_free_all)

struct ccurl_table {
#define CCURL_FIELD(name) __typeof__(&curl_##name) _Nonnull name;
    CCURL_FUNCTIONS(CCURL_FIELD)
#undef CCURL_FIELD
};

// The table, or null where the library or a function is missing; thread-safe, and libcurl is initialised by then.
const struct ccurl_table *_Nullable ccurl(void);

// Why ccurl() answered null. Only meaningful after it did.
const char *_Nonnull ccurl_error(void);

// Swift cannot call variadic functions: one shim per type of argument.
static inline CURLcode ccurl_set_long(const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, CURLoption o, long value) {
    return t->easy_setopt(h, o, value);
}

// libcurl copies the text.
static inline CURLcode ccurl_set_string(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, CURLoption o, const char *_Nonnull value) {
    return t->easy_setopt(h, o, value);
}

// libcurl keeps the pointer: what it points to must outlive the transfer.
static inline CURLcode ccurl_set_pointer(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, CURLoption o, const void *_Nullable value) {
    return t->easy_setopt(h, o, value);
}

// Body and header lines: answers how many bytes it took; fewer than given ends the transfer.
typedef size_t (*ccurl_receive)(char *_Nullable bytes, size_t size, size_t count, void *_Nullable context);
static inline CURLcode ccurl_set_receive(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, CURLoption o, ccurl_receive _Nonnull callback) {
    return t->easy_setopt(h, o, callback);
}

// The connection stands and nothing of the request has been sent; CURL_PREREQFUNC_ABORT ends the transfer.
typedef int (*ccurl_prereq)(
    void *_Nullable context, char *_Nullable remote_address, char *_Nullable local_address, int remote_port, int local_port);
static inline CURLcode ccurl_set_prereq(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, ccurl_prereq _Nonnull callback) {
    return t->easy_setopt(h, CURLOPT_PREREQFUNCTION, callback);
}

// Asked for a socket to each address before it is connected to; CURL_SOCKET_BAD passes that address over.
typedef curl_socket_t (*ccurl_open_socket)(
    void *_Nullable context, curlsocktype purpose, struct curl_sockaddr *_Nullable address);
static inline CURLcode ccurl_set_open_socket(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, ccurl_open_socket _Nonnull callback) {
    return t->easy_setopt(h, CURLOPT_OPENSOCKETFUNCTION, callback);
}

// The IP address, highest byte first: 4 or 16 bytes, 0 for a family that is no IP.
size_t ccurl_address(const struct curl_sockaddr *_Nonnull address, unsigned char *_Nonnull bytes);

// The socket that libcurl would have made by itself.
curl_socket_t ccurl_socket(const struct curl_sockaddr *_Nonnull address);

// What went over the wire; called after the bytes were handed to the socket.
typedef int (*ccurl_debug)(
    CURL *_Nullable handle, curl_infotype kind, char *_Nullable bytes, size_t count, void *_Nullable context);
static inline CURLcode ccurl_set_debug(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, ccurl_debug _Nonnull callback) {
    return t->easy_setopt(h, CURLOPT_DEBUGFUNCTION, callback);
}

static inline CURLcode ccurl_get_long(
    const struct ccurl_table *_Nonnull t, CURL *_Nonnull h, CURLINFO info, long *_Nonnull value) {
    return t->easy_getinfo(h, info, value);
}

#endif
