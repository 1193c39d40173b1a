#include "CMariaDB.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

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
    // Found among what the library itself has loaded.
    if (!(*(void **)&table.forget_tls_errors = dlsym(library, "ERR_clear_error"))) {
        snprintf(error, sizeof error, "%s", dlerror());
        return;
    }
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

enum greeting { GREETING_PARTIAL, GREETING_WITH_TLS, GREETING_WITHOUT_TLS, CONNECTION_BROKEN };

// What a server says first (protocol 10): version, thread, 8 bytes of scramble, a zero, then the low capabilities. It is looked at
// in the socket's buffer, where the library will read it.
static enum greeting look_at_greeting(my_socket socket) {
    enum { TLS = 0x0800 };
    unsigned char bytes[512];
    ssize_t count = recv(socket, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
    // The library finds the same, and reports it.
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) return CONNECTION_BROKEN;
    if (count < 5) return GREETING_PARTIAL;
    // An error instead of a greeting: the library reports it and sends nothing.
    if (bytes[4] == 0xFF) return GREETING_WITH_TLS;
    if (bytes[4] != 10) return GREETING_WITHOUT_TLS;
    const unsigned char *end = memchr(bytes + 5, 0, (size_t)count - 5);
    if (!end) return count == sizeof bytes ? GREETING_WITHOUT_TLS : GREETING_PARTIAL;
    const unsigned char *capabilities = end + 1 + 4 + 8 + 1;
    if (capabilities + 2 > bytes + count) return GREETING_PARTIAL;
    return (capabilities[0] | capabilities[1] << 8) & TLS ? GREETING_WITH_TLS : GREETING_WITHOUT_TLS;
}

// Waits for what the library waits for; 0 after the time that it gives.
static int wait_for(const struct cmariadb_table *t, MYSQL *m, int wanted) {
    struct pollfd socket = {.fd = t->mysql_get_socket(m)};
    if (wanted & MYSQL_WAIT_READ) socket.events |= POLLIN;
    if (wanted & MYSQL_WAIT_WRITE) socket.events |= POLLOUT;
    if (wanted & MYSQL_WAIT_EXCEPT) socket.events |= POLLPRI;
    int timeout = wanted & MYSQL_WAIT_TIMEOUT ? (int)t->mysql_get_timeout_value_ms(m) : -1;
    int ready = poll(&socket, 1, timeout);
    if (ready <= 0) return MYSQL_WAIT_TIMEOUT;
    int status = 0;
    // A connection that broke is told to whoever waits for anything.
    short broken = socket.revents & (POLLERR | POLLHUP | POLLNVAL);
    if (socket.revents & POLLIN || (broken && wanted & MYSQL_WAIT_READ)) status |= MYSQL_WAIT_READ;
    if (socket.revents & POLLOUT || (broken && wanted & MYSQL_WAIT_WRITE)) status |= MYSQL_WAIT_WRITE;
    if (socket.revents & POLLPRI) status |= MYSQL_WAIT_EXCEPT;
    return status ? status : MYSQL_WAIT_TIMEOUT;
}

// Waits until a server that has accepted the connection speaks, or the connection breaks; 0 after the connection's time.
static int wait_for_greeting(const struct cmariadb_table *t, MYSQL *m) {
    struct pollfd socket = {.fd = t->mysql_get_socket(m), .events = POLLIN};
    unsigned timeout = t->mysql_get_timeout_value_ms(m);
    return poll(&socket, 1, timeout ? (int)timeout : -1) > 0;
}

MYSQL *cmariadb_connect(
    const struct cmariadb_table *t, MYSQL *m, const char *host, const char *user, const char *password,
    const char *database, unsigned port, const char *socket, unsigned long flags, _Bool demands_tls, _Bool *is_exposed) {
    *is_exposed = 0;
    if (!demands_tls) return t->mysql_real_connect(m, host, user, password, database, port, socket, flags);
    // In steps, so that there is a moment between the greeting's arrival and the answer to it.
    t->mysql_options(m, MYSQL_OPT_NONBLOCK, 0);
    MYSQL *connected = NULL;
    int wanted = t->mysql_real_connect_start(&connected, m, host, user, password, database, port, socket, flags);
    _Bool is_greeted = 0;
    while (wanted) {
        int status = wait_for(t, m, wanted);
        // Once connected, the library reads what is there without waiting for it: the greeting must not come in between.
        if (!is_greeted && status & MYSQL_WAIT_WRITE && !wait_for_greeting(t, m)) status = MYSQL_WAIT_TIMEOUT;
        if (!is_greeted && status & (MYSQL_WAIT_READ | MYSQL_WAIT_WRITE)) {
            enum greeting greeting = look_at_greeting(t->mysql_get_socket(m));
            // A greeting that comes in pieces is like none: it fits into any packet of the network.
            if (greeting == GREETING_PARTIAL || greeting == GREETING_WITHOUT_TLS) {
                *is_exposed = 1;
                return NULL;
            }
            is_greeted = greeting == GREETING_WITH_TLS;
        }
        wanted = t->mysql_real_connect_cont(&connected, m, status);
    }
    return connected;
}

void cmariadb_wait_by(
    const struct cmariadb_table *t, MYSQL *m, int (*wait)(my_socket socket, my_bool is_read, int timeout)) {
    t->mysql_options(m, MARIADB_OPT_IO_WAIT, (const void *)wait);
    // With TLS the library waits by the socket alone, as long as that blocks.
    my_socket socket = t->mysql_get_socket(m);
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_NONBLOCK);
}

int cmariadb_socket_timeout(my_socket socket, _Bool is_read) {
    struct timeval time = {0};
    socklen_t size = sizeof time;
    getsockopt(socket, SOL_SOCKET, is_read ? SO_RCVTIMEO : SO_SNDTIMEO, &time, &size);
    int milliseconds = (int)(time.tv_sec * 1000 + time.tv_usec / 1000);
    return milliseconds > 0 ? milliseconds : -1;
}
