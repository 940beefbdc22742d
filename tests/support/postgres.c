#include "tests/support/postgres.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/base/mem.h"
#include "common/pg/migrate.h"
#include "tests/support/waiting.h"

static void give_up(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

PGconn *test_connect(const char *conninfo)
{
    PGconn *conn = PQconnectdb(conninfo);
    if (PQstatus(conn) != CONNECTION_OK)
        give_up("the test cannot connect", PQerrorMessage(conn));
    return conn;
}

long long test_sql(const char *conninfo, const char *sql)
{
    PGconn *conn = test_connect(conninfo);
    PGresult *r = PQexec(conn, sql);
    const ExecStatusType status = PQresultStatus(r);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK)
        give_up(sql, PQerrorMessage(conn));
    long long value = 0;
    if (PQntuples(r) > 0 && PQnfields(r) > 0)
        value = strtoll(PQgetvalue(r, 0, 0), NULL, 10);
    PQclear(r);
    PQfinish(conn);
    return value;
}

void test_until_a_lock_is_waited_for(struct loop *loop, const char *conninfo)
{
    if (!wait_until(loop,
                    test_sql(conninfo, "SELECT count(*) FROM pg_locks l JOIN pg_database d ON "
                                       "d.oid = l.database WHERE NOT granted AND datname = "
                                       "current_database()") > 0))
        give_up("nobody waits for a lock", conninfo);
}

/* ---- databases ------------------------------------------------------------------------------ */

static const char *shared_cluster(void)
{
    const char *conninfo = getenv("LEAT_TEST_PG");
    if (!conninfo || !*conninfo)
        give_up("LEAT_TEST_PG is not set",
                "run this through dev/run-integration, or set it to the conninfo of a cluster "
                "where databases may be made (dev/postgres start DIR prints one)");
    return conninfo;
}

/* `name` is of our own making: letters and digits. */
static void on_database(const char *verb, const char *name, const char *how)
{
    char sql[160];
    snprintf(sql, sizeof sql, "%s DATABASE %s%s", verb, name, how);
    test_sql(shared_cluster(), sql);
}

void test_database_make(struct test_database *db)
{
    static int count;
    snprintf(db->name, sizeof db->name, "t_%d_%d", (int)getpid(), ++count);
    on_database("CREATE", db->name, "");
    snprintf(db->conninfo, sizeof db->conninfo, "%s dbname=%s", shared_cluster(), db->name);
}

void test_database_drop(struct test_database *db)
{
    on_database("DROP", db->name, " WITH (FORCE)");
}

struct migrating {
    struct loop *loop;
    struct pg *pg;
    bool done;
};

static void migrated(void *arg, const struct err *err, int applied)
{
    struct migrating *m = arg;
    (void)applied;
    if (err)
        give_up("the test's database cannot be migrated", err->text);
    m->done = true;
}

static void migrate_now(void *arg)
{
    struct migrating *m = arg;
    pg_migrate(m->pg, migrated, m);
}

void test_database_migrate(struct test_database *db)
{
    struct migrating m = {.loop = loop_new()};
    const struct pg_options options = {.conninfo = db->conninfo, .name = "test-migrate"};
    m.pg = pg_open(m.loop, &options, &(struct pg_events){.up = migrate_now}, &m);
    while (!m.done)
        loop_step(m.loop, true);
    pg_close(m.pg);
    loop_free(m.loop);
}

/* ---- clusters ------------------------------------------------------------------------------- */

/* Runs dev/postgres; its first line of output goes to `out` when that is given. */
static void run_script(const char *verb, const char *dir, const char *how, char *out, size_t size)
{
    int ends[2];
    if (pipe(ends) < 0)
        give_up("pipe", strerror(errno));
    const pid_t pid = fork();
    if (pid == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("dev/postgres", "dev/postgres", verb, dir, how, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    size_t len = 0;
    char rest[256];
    ssize_t n;
    while ((n = read(ends[0], rest, sizeof rest)) > 0)
        for (ssize_t i = 0; i < n && out && len + 1 < size; i++)
            out[len++] = rest[i];
    close(ends[0]);
    if (out)
        out[strcspn(out, "\n")] = '\0';
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0)
        give_up("dev/postgres failed (run tests from the project's folder)", verb);
}

void test_cluster_start(struct test_cluster *cluster)
{
    *cluster = (struct test_cluster){.dir = "/tmp/leat-own.XXXXXX"};
    if (!mkdtemp(cluster->dir))
        give_up("mkdtemp", strerror(errno));
    run_script("start", cluster->dir, NULL, cluster->conninfo, sizeof cluster->conninfo);
}

void test_cluster_crash(struct test_cluster *cluster)
{
    run_script("stop", cluster->dir, "immediate", NULL, 0);
}

void test_cluster_again(struct test_cluster *cluster)
{
    run_script("start", cluster->dir, NULL, NULL, 0);
}

void test_cluster_remove(struct test_cluster *cluster)
{
    run_script("remove", cluster->dir, NULL, NULL, 0);
}
