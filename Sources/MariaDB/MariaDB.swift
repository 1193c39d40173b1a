// module MariaDB
