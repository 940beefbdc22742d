/* tests/support/postgres.h: real Postgres for tests. Blocking; what goes wrong ends the program
 * with a clear text: a test without its database has not passed. */
#pragma once
#include <stdbool.h>
#include <libpq-fe.h>
#include "common/base/loop.h"

/* A fresh database in the cluster that LEAT_TEST_PG names (dev/run-integration starts one). */
struct test_database {
    char conninfo[256];
    char name[64];
};
void test_database_make(struct test_database *db);
void test_database_migrate(struct test_database *db); /* to this build's shape */
void test_database_drop(struct test_database *db);    /* also when somebody is connected */

/* A cluster of the test's own, to be killed and started again. */
struct test_cluster {
    char dir[64];
    char conninfo[160];
};
void test_cluster_start(struct test_cluster *cluster);
void test_cluster_crash(struct test_cluster *cluster); /* pg_ctl stop -m immediate */
void test_cluster_again(struct test_cluster *cluster);
void test_cluster_remove(struct test_cluster *cluster);

/* The observer's own connection, which shares nothing with the code under test. */
PGconn *test_connect(const char *conninfo);
/* Runs a statement on a fresh connection; the first value of its first row, 0 without one. */
long long test_sql(const char *conninfo, const char *sql);
/* Runs the loop until somebody in this database waits for a lock: what was sent is there. */
void test_until_a_lock_is_waited_for(struct loop *loop, const char *conninfo);
