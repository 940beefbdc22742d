#include "cli/up/postgres.h"

#include <fcntl.h>
#include <glob.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up/prepare.h"
#include "common/base/log.h"
#include "common/base/log_file.h"
#include "common/base/mem.h"

/* Why these: durable (fsync and synchronous_commit stay on); small when idle; no pause from a
 * checkpoint storm; nothing listens on TCP. */
static const char *const server_settings[] = {
    "listen_addresses=",
    "port=5432",
    "max_connections=60",
    "shared_buffers=64MB",
    "max_wal_size=2GB",
    "checkpoint_timeout=15min",
    "wal_compression=on",
    "jit=off",
    "max_parallel_workers=0",
    "max_logical_replication_workers=0",
    "wal_level=minimal",
    "max_wal_senders=0",
    "logging_collector=on",
    "log_filename=postgres.log",
    "log_rotation_age=0",
    "log_rotation_size=0", /* by us: up_postgres_turn_log */
    "log_file_mode=0640",
    "autovacuum_naptime=30s",
    "autovacuum_max_workers=2",
    "log_min_messages=warning",
    "unix_socket_permissions=0700",
};

char *up_postgres_programs(struct err *err)
{
    const char *path = getenv("PATH");
    cleanup_free char *copy = mem_string(path ? path : "");
    char *save = NULL;
    for (const char *dir = strtok_r(copy, ":", &save); dir; dir = strtok_r(NULL, ":", &save)) {
        cleanup_free char *initdb = mem_printf("%s/initdb", dir);
        cleanup_free char *server = mem_printf("%s/postgres", dir);
        if (access(initdb, X_OK) == 0 && access(server, X_OK) == 0)
            return mem_string(dir);
    }
    glob_t found = {0};
    char *programs = NULL;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0 && found.gl_pathc > 0) {
        programs = mem_string(found.gl_pathv[found.gl_pathc - 1]);
        *strrchr(programs, '/') = '\0';
    }
    globfree(&found);
    if (!programs)
        err_set(err, LEAT_ENOTFOUND,
                "no PostgreSQL server was found: apt-get install postgresql, or give --database");
    return programs;
}

int up_postgres_init(const struct up_settings *settings, const char *programs, struct err *err)
{
    cleanup_free char *version = mem_printf("%s/PG_VERSION", settings->postgres);
    if (access(version, F_OK) == 0)
        return 0;
    cleanup_free char *initdb = mem_printf("%s/initdb", programs);
    cleanup_free char *log = mem_printf("%s/initdb.log", settings->log);
    const char *argv[] = {initdb,
                          "-D",
                          settings->postgres,
                          "-U",
                          "leat",
                          "-A",
                          "trust",
                          "-E",
                          "UTF8",
                          "--locale=C.UTF-8",
                          "--data-checksums",
                          NULL};
    return up_run(argv, log, err);
}

char **up_postgres_argv(const struct up_settings *settings, const char *programs)
{
    const size_t n = ARRAY_LEN(server_settings);
    char **argv = mem_array(2 * n + 8, sizeof *argv);
    size_t i = 0;
    argv[i++] = mem_printf("%s/postgres", programs);
    argv[i++] = mem_string("-D");
    argv[i++] = mem_string(settings->postgres);
    argv[i++] = mem_string("-k");
    argv[i++] = mem_string(settings->run);
    argv[i++] = mem_string("-c");
    argv[i++] = mem_printf("log_directory=%s", settings->log);
    for (size_t k = 0; k < n; k++) {
        argv[i++] = mem_string("-c");
        argv[i++] = mem_string(server_settings[k]);
    }
    return argv;
}

void up_argv_free(char **argv)
{
    for (char **p = argv; p && *p; p++)
        free(*p);
    free(argv);
}

/* What `pg_ctl logrotate` does: the file is the request, the signal says that it is there. Should
 * we die between the rename and the signal, the collector goes on into the renamed file, and the
 * next start opens a new one. */
void up_postgres_turn_log(const struct up_settings *settings, pid_t postmaster)
{
    struct err err = {0};
    cleanup_free char *log = mem_printf("%s/postgres.log", settings->log);
    cleanup_free char *request = mem_printf("%s/logrotate", settings->postgres);
    const int turned = log_file_turn(log, LOG_FILE_SIZE, LOG_FILE_KEEP, &err);
    if (turned < 0)
        log_warn("the log of postgres cannot be turned over", LOG_ERR(&err));
    if (turned <= 0)
        return;
    cleanup_close int fd = open(request, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || kill(postmaster, SIGUSR1) != 0)
        log_warn("postgres was not told to open its log again");
}

int up_postgres_database(const struct up_settings *settings, struct err *err)
{
    cleanup_free char *maintenance =
        mem_printf("host=%s port=5432 user=leat dbname=postgres", settings->run);
    PGconn *conn = PQconnectdb(maintenance);
    int rc = 0;
    if (PQstatus(conn) != CONNECTION_OK) {
        rc = err_set(err, LEAT_EUNREACHABLE,
                     "Postgres does not answer: %.300s (see %s/postgres.log)", PQerrorMessage(conn),
                     settings->log);
    } else {
        PGresult *there = PQexec(conn, "SELECT 1 FROM pg_database WHERE datname = 'leat'");
        PGresult *made = PQntuples(there) == 0 ? PQexec(conn, "CREATE DATABASE leat") : NULL;
        if (made && PQresultStatus(made) != PGRES_COMMAND_OK)
            rc = err_set(err, LEAT_EIO, "CREATE DATABASE: %.300s", PQerrorMessage(conn));
        PQclear(there);
        PQclear(made);
    }
    PQfinish(conn);
    return rc;
}
