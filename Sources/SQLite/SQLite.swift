// module SQLite
