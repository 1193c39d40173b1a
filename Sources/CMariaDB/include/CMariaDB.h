// The MariaDB client library, opened on first use: linked, it would cost every start of a function 4 ms,
// whether or not the first event needs the database.
#ifndef CMARIADB_H
#define CMARIADB_H

#include <mariadb/errmsg.h>
#include <mariadb/mysql.h>
#include <poll.h>

// The one list of what is used. A direct call that bypasses the table does not link.
#define CMARIADB_FUNCTIONS(X)                                                                                     \
    X(mysql_server_init) X(mysql_init) X(mysql_options) X(mysql_real_connect) X(mysql_close) X(mysql_errno)       \
    X(mysql_error) X(mysql_real_query) X(mysql_affected_rows) X(mysql_field_count) X(mysql_use_result)            \
    X(mysql_free_result) X(mysql_get_socket) X(mysql_get_ssl_cipher) X(mysql_stmt_init) X(mysql_stmt_prepare)     \
    X(mysql_stmt_param_count) X(mysql_stmt_bind_param) X(mysql_stmt_execute) X(mysql_stmt_affected_rows)          \
    X(mysql_stmt_bind_result) X(mysql_stmt_fetch) X(mysql_stmt_fetch_column) X(mysql_stmt_free_result)            \
    X(mysql_stmt_errno) X(mysql_stmt_error) X(mysql_stmt_close)                                                   \
    X(mysql_real_connect_start) X(mysql_real_connect_cont) X(mysql_get_timeout_value_ms)

struct cmariadb_table {
#define CMARIADB_FIELD(name) __typeof__(&name) _Nonnull name;
    CMARIADB_FUNCTIONS(CMARIADB_FIELD)
#undef CMARIADB_FIELD
    // OpenSSL's, which the library speaks TLS with. What somebody else left in this thread's list of errors would pass for an
    // error of the connection wherever it has to wait, and the library does not empty the list.
    void (*_Nonnull forget_tls_errors)(void);
};

/// The library's functions; null when it could not be opened: see `cmariadb_error`.
const struct cmariadb_table *_Nullable cmariadb(void);
const char *_Nonnull cmariadb_error(void);

// `mysql_options` reads its argument at a width that depends on the option: one shim per width keeps the trap here.
static inline int cmariadb_set_bool(const struct cmariadb_table *_Nonnull t, MYSQL *_Nonnull m, enum mysql_option o, _Bool v) {
    my_bool value = v;
    return t->mysql_options(m, o, &value);
}

static inline int cmariadb_set_uint(const struct cmariadb_table *_Nonnull t, MYSQL *_Nonnull m, enum mysql_option o, unsigned v) {
    return t->mysql_options(m, o, &v);
}

static inline int cmariadb_set_text(const struct cmariadb_table *_Nonnull t, MYSQL *_Nonnull m, enum mysql_option o, const char *_Nonnull v) {
    return t->mysql_options(m, o, v);
}

// Connects and logs in; null where that failed. With `demands_tls` nothing is sent to a server whose greeting offers no TLS: the
// library by itself would log in, name and scrambled password in the clear, unless it verifies the certificate. It gives that up
// by setting `*is_exposed`, with no error in `m`.
MYSQL *_Nullable cmariadb_connect(
    const struct cmariadb_table *_Nonnull t, MYSQL *_Nonnull m, const char *_Nullable host, const char *_Nonnull user,
    const char *_Nonnull password, const char *_Nonnull database, unsigned port, const char *_Nullable socket,
    unsigned long flags, _Bool demands_tls, _Bool *_Nonnull is_exposed);

// Has an established connection wait by `wait` instead of by itself: it is given the socket, whether to read or to write, and the
// milliseconds, and answers 1, 0 when they are over, or -1, with errno. The socket does not block from then on.
void cmariadb_wait_by(
    const struct cmariadb_table *_Nonnull t, MYSQL *_Nonnull m, int (*_Nonnull wait)(my_socket socket, my_bool is_read, int timeout));

// The time that the socket itself would wait, in milliseconds; -1 for ever.
int cmariadb_socket_timeout(my_socket socket, _Bool is_read);

// A macro with a cast in it, which Swift does not import.
static inline unsigned long cmariadb_found_rows_flag(void) { return CLIENT_FOUND_ROWS; }

// Messages are never null, which a pointer returned through a function pointer cannot say.
static inline const char *_Nonnull cmariadb_message(const struct cmariadb_table *_Nonnull t, MYSQL *_Nonnull m) {
    return t->mysql_error(m);
}

static inline const char *_Nonnull cmariadb_statement_message(const struct cmariadb_table *_Nonnull t, MYSQL_STMT *_Nonnull s) {
    return t->mysql_stmt_error(s);
}

// The library's own accessor copies the metadata at every call; this reads it in place.
static inline const MYSQL_FIELD *_Nullable cmariadb_statement_fields(const MYSQL_STMT *_Nonnull s, unsigned *_Nonnull count) {
    *count = s->field_count;
    return s->fields;
}

#endif
