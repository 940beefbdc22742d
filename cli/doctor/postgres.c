/* Postgres, and the queue in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "cli/up/database.h"
#include "cli/up/postgres.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/open.h"
#include "schema/gen/queries.h"

#define VERSION_LEAST     150000 /* 15, of Debian 12: the oldest that the tests run on */
#define CONNECTIONS_LEAST 10     /* free ones; the daemons hold about that many */

bool doctor_postgres_sleeps(const struct doctor *d)
{
    return !d->settings->database && !d->running;
}

PGconn *doctor_connect(const struct doctor *d, struct err *err)
{
    return up_database_connect(d->settings->conninfo, err);
}

/* A private cluster that does not run: can it be run? */
static void look_at_programs(const struct doctor *d, struct finding *f)
{
    struct err err = {0};
    cleanup_free char *programs = up_postgres_programs(&err);
    cleanup_free char *made = mem_printf("%s/PG_VERSION", d->settings->postgres);
    if (!programs)
        found(f, DOCTOR_WRONG, "apt-get install postgresql, or give --database", "%s", err.text);
    else
        found(f, DOCTOR_OK, NULL, "its programs are in %s; the private server %s", programs,
              access(made, F_OK) == 0 ? "does not run now" : "is made by leat up");
}

static bool is_true(const PGresult *r, int column)
{
    return PQgetvalue(r, 0, column)[0] == 't';
}

static void judge_server(const PGresult *r, struct finding *f)
{
    long long number = 0, room = 0;
    const char *version = PQgetvalue(r, 0, 1);
    text_to_int(PQgetvalue(r, 0, 0), 0, 99999999, &number);
    text_to_int(PQgetvalue(r, 0, 6), -100000, 100000, &room);
    if (number < VERSION_LEAST)
        found(f, DOCTOR_WRONG, "use 15 or newer", "PostgreSQL %s is too old", version);
    else if (is_true(r, 2))
        found(f, DOCTOR_WRONG, "give --database the primary", "this server is a standby");
    else if (is_true(r, 5))
        found(f, DOCTOR_WRONG, "ALTER ROLE … RESET default_transaction_read_only",
              "this login may only read");
    else if (!is_true(r, 3))
        found(f, DOCTOR_WRONG, "set fsync and full_page_writes on",
              "fsync or full_page_writes is off: a power cut can destroy everything");
    else if (!is_true(r, 4))
        found(f, DOCTOR_WARNING, "set synchronous_commit on for this login",
              "synchronous_commit is off: a power cut forgets what was answered 202");
    else if (room < CONNECTIONS_LEAST)
        found(f, DOCTOR_WARNING, "raise max_connections, or end what holds them",
              "PostgreSQL %s has %lld free connections", version, room);
    else
        found(f, DOCTOR_OK, NULL, "PostgreSQL %s answers, %lld connections free", version, room);
}

void doctor_postgres(const struct doctor *d, struct finding *f)
{
    struct err err = {0};
    if (doctor_postgres_sleeps(d)) {
        look_at_programs(d, f);
        return;
    }
    PGconn *conn = doctor_connect(d, &err);
    if (!conn) {
        found(f, DOCTOR_WRONG,
              d->settings->database
                  ? "start it; check the address, the login and pg_hba.conf with psql"
                  : "read postgres.log in the log folder; leat down, then leat up starts it anew",
              "does not answer: %s", err.text);
        return;
    }
    PGresult *r = PQexec(conn, QUERIES[QUERY_DOCTOR_SERVER].text);
    if (PQresultStatus(r) == PGRES_TUPLES_OK)
        judge_server(r, f);
    else
        found(f, DOCTOR_WRONG, "see the server's log", "%s", PQresultErrorMessage(r));
    PQclear(r);
    PQfinish(conn);
}

/* ---- the queue ----------------------------------------------------------------------------- */

static void look_into_tables(PGconn *conn, struct finding *f)
{
    PGresult *there = PQexec(conn, QUERIES[QUERY_DOCTOR_TABLES].text);
    PGresult *bus = NULL;
    if (PQresultStatus(there) != PGRES_TUPLES_OK)
        found(f, DOCTOR_WRONG, "see the server's log", "%s", PQresultErrorMessage(there));
    else if (!is_true(there, 0))
        found(f, DOCTOR_OK, NULL, "embedded, made by the first scheduler that leads");
    else if (PQresultStatus(bus = PQexec(conn, QUERIES[QUERY_DOCTOR_BUS].text)) != PGRES_TUPLES_OK)
        found(f, DOCTOR_WRONG, "give this login the rights of the tables' owner", "%s",
              PQresultErrorMessage(bus));
    else
        found(f, DOCTOR_OK, NULL, "embedded, %s partitions, %s messages to be read",
              PQgetvalue(bus, 0, 0), PQgetvalue(bus, 0, 1));
    PQclear(there);
    PQclear(bus);
}

static void look_at_embedded(const struct doctor *d, struct finding *f)
{
    struct err err = {0};
    if (doctor_postgres_sleeps(d)) {
        found(f, DOCTOR_OK, NULL, "embedded, in the private Postgres");
        return;
    }
    PGconn *conn = doctor_connect(d, &err);
    if (!conn) {
        found(f, DOCTOR_WRONG, "mend postgres", "it lies in Postgres, which does not answer");
        return;
    }
    look_into_tables(conn, f);
    PQfinish(conn);
}

void doctor_bus(const struct doctor *d, struct finding *f)
{
    const char *bus = d->settings->bus;
    if (strcmp(bus, "embedded") == 0)
        look_at_embedded(d, f);
    else if (bus_is_kafka(bus))
        doctor_kafka(d, f);
    else
        found(f, DOCTOR_WRONG, "--bus embedded or kafka://HOST:PORT,…", "there is no bus '%s'",
              bus);
}
