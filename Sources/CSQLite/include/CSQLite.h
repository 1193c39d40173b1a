// SQLite, linked as an archive: it adds nothing to the start of a process.
#ifndef CSQLITE_H
#define CSQLITE_H

#include <sqlite3.h>

// `SQLITE_TRANSIENT` is a cast to a function pointer, which Swift does not import: SQLite copies the bytes at once.
static inline int csqlite_bind_text(sqlite3_stmt *_Nonnull s, int index, const void *_Nullable bytes, sqlite3_uint64 count) {
    return sqlite3_bind_text64(s, index, bytes ? bytes : "", count, SQLITE_TRANSIENT, SQLITE_UTF8);
}

static inline int csqlite_bind_blob(sqlite3_stmt *_Nonnull s, int index, const void *_Nullable bytes, sqlite3_uint64 count) {
    return sqlite3_bind_blob64(s, index, bytes ? bytes : "", count, SQLITE_TRANSIENT);
}

#endif
