#ifndef CMARIADB_H
#define CMARIADB_H
#endif
