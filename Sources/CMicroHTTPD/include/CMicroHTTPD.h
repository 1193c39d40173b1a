// libmicrohttpd, opened on first use: it brings GnuTLS with it (2 ms), which only what serves HTTP should pay for.
#ifndef CMICROHTTPD_H
#define CMICROHTTPD_H

#include <microhttpd.h>

// Everything this project calls; a name that is missing here does not link.
#define CMHD_FUNCTIONS(X) \
    X(start_daemon) X(quiesce_daemon) X(stop_daemon) X(run) X(get_timeout) X(get_daemon_info) X(get_connection_info) X(get_connection_values_n) \
    X(create_response_from_buffer) X(create_response_from_callback) X(add_response_header) X(queue_response) X(destroy_response) \
    X(suspend_connection) X(resume_connection) X(set_connection_option)

struct cmhd_table {
#define CMHD_FIELD(name) __typeof__(&MHD_##name) _Nonnull name;
    CMHD_FUNCTIONS(CMHD_FIELD)
#undef CMHD_FIELD
};

// The functions, or null where the library cannot be opened: see cmhd_error().
const struct cmhd_table *_Nullable cmhd(void);
const char *_Nonnull cmhd_error(void);

// What a server of ours sets; `context` is the first argument of every callback.
struct cmhd_options {
    int listening_socket;
    int is_ipv6;
    unsigned int connections;
    size_t head_bytes;
    void *_Nullable context;
    void *_Nullable (*_Nonnull target)(void *_Nullable context, const char *_Nonnull uri, struct MHD_Connection *_Nonnull connection);
    enum MHD_Result (*_Nonnull access)(
        void *_Nullable context, struct MHD_Connection *_Nonnull connection, const char *_Nonnull url, const char *_Nonnull method,
        const char *_Nonnull version, const char *_Nullable upload, size_t *_Nonnull upload_size, void *_Nullable *_Nonnull slot);
    void (*_Nonnull completed)(
        void *_Nullable context, struct MHD_Connection *_Nonnull connection, void *_Nullable *_Nonnull slot,
        enum MHD_RequestTerminationCode code);
    void (*_Nonnull connection)(
        void *_Nullable context, struct MHD_Connection *_Nonnull connection, void *_Nullable *_Nonnull slot,
        enum MHD_ConnectionNotificationCode code);
};

// Swift cannot call variadic functions. Null where the daemon does not start.
struct MHD_Daemon *_Nullable cmhd_start(const struct cmhd_table *_Nonnull table, const struct cmhd_options *_Nonnull options);

static inline int cmhd_descriptor(const struct cmhd_table *_Nonnull table, struct MHD_Connection *_Nonnull connection) {
    const union MHD_ConnectionInfo *info = table->get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    return info ? info->connect_fd : -1;
}

static inline const struct sockaddr *_Nullable cmhd_client_address(
    const struct cmhd_table *_Nonnull table, struct MHD_Connection *_Nonnull connection) {
    const union MHD_ConnectionInfo *info = table->get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    return info ? info->client_addr : 0;
}

// From the first byte of the method to the last of the empty line that ends the head.
static inline size_t cmhd_head_bytes(const struct cmhd_table *_Nonnull table, struct MHD_Connection *_Nonnull connection) {
    const union MHD_ConnectionInfo *info = table->get_connection_info(connection, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    return info ? info->header_size : 0;
}

// Closes the connection once nothing has come or gone for so long; Swift cannot call variadic functions.
static inline void cmhd_set_timeout(
    const struct cmhd_table *_Nonnull table, struct MHD_Connection *_Nonnull connection, unsigned int seconds) {
    table->set_connection_option(connection, MHD_CONNECTION_OPTION_TIMEOUT, seconds);
}

// What tells that the daemon has something to do: an epoll set of its own.
static inline int cmhd_poller(const struct cmhd_table *_Nonnull table, struct MHD_Daemon *_Nonnull daemon) {
    const union MHD_DaemonInfo *info = table->get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD);
    return info ? info->epoll_fd : -1;
}

// What the connection callback left in its slot.
static inline void *_Nullable cmhd_connection_slot(
    const struct cmhd_table *_Nonnull table, struct MHD_Connection *_Nonnull connection) {
    const union MHD_ConnectionInfo *info = table->get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : 0;
}

#endif
