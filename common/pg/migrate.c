#include "common/pg/migrate.h"

#include <string.h>

#include "common/base/failpoint.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "schema/gen/migrations.h"

/* Each migration: BEGIN, take the lock (released by the end of the transaction), read what is
 * applied under it, apply the first that is missing, record it, COMMIT. Whoever comes second finds
 * it applied and goes on with the next. */
struct migrating {
    struct pg *pg;
    pg_migrated *done;
    void *arg;
    int applied; /* by us */
    int next;    /* index of the one being applied */
};

static void begin_round(struct migrating *m);

static void finish(struct migrating *m, const struct err *err)
{
    cleanup_free struct migrating *gone = m;
    gone->done(gone->arg, err, gone->applied);
}

static void refuse(struct migrating *m, const struct err *err)
{
    struct err copy = *err;
    pg_script(m->pg, "ROLLBACK", NULL, NULL);
    finish(m, &copy);
}

static void committed(void *arg, const struct pg_answer *answer)
{
    struct migrating *m = arg;
    struct err err = {0};
    if (answer->err) {
        err = *answer->err;
        err_wrap(&err, "commit of migration %s", MIGRATIONS[m->next].name);
        finish(m, &err);
        return;
    }
    if (failpoint_hit(FAILPOINT_MIGRATION_AFTER)) {
        err_set(&err, LEAT_EINTERNAL, "failpoint");
        finish(m, &err);
        return;
    }
    m->applied++;
    log_info("migration applied", LOG_S("name", MIGRATIONS[m->next].name));
    begin_round(m);
}

static void recorded(void *arg, const struct pg_answer *answer)
{
    struct migrating *m = arg;
    if (answer->err)
        refuse(m, answer->err);
    else
        pg_script(m->pg, "COMMIT", committed, m);
}

static void applied(void *arg, const struct pg_answer *answer)
{
    struct migrating *m = arg;
    const struct migration *mine = &MIGRATIONS[m->next];
    struct err err = {0};
    if (answer->err)
        err = *answer->err;
    else if (failpoint_hit(FAILPOINT_MIGRATION_BEFORE))
        err_set(&err, LEAT_EINTERNAL, "failpoint");
    if (err.code) {
        err_wrap(&err, "migration %s", mine->name);
        refuse(m, &err);
        return;
    }
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int4(&p, mine->number);
    pg_add_text(&p, mine->name);
    pg_add_text(&p, mine->sha256);
    pg_call(m->pg, QUERY_MIGRATION_RECORD, &p, recorded, m);
}

/* 0 when the database's row i is our migration i. */
static int compare(const struct pg_rows *rows, size_t i, struct err *err)
{
    const int64_t number = pg_int(rows, i, 0);
    if (i >= (size_t)MIGRATION_COUNT)
        return err_set(err, LEAT_EREFUSED,
                       "the database is newer than this build: it has migration %lld (%s), this "
                       "build knows %d; install the newer version, or restore a backup made "
                       "before the upgrade",
                       (long long)number, pg_text(rows, i, 1), MIGRATION_COUNT);
    const struct migration *mine = &MIGRATIONS[i];
    if (number != mine->number || strcmp(pg_text(rows, i, 2), mine->sha256) != 0)
        return err_set(err, LEAT_EREFUSED,
                       "migration %lld (%s) of the database has another text than %s of this "
                       "build; this database was made by a build that was never released: use "
                       "that build or another database",
                       (long long)number, pg_text(rows, i, 1), mine->name);
    return 0;
}

static void on_applied_list(void *arg, const struct pg_answer *answer)
{
    struct migrating *m = arg;
    struct err err = {0};
    if (answer->err) {
        refuse(m, answer->err);
        return;
    }
    const size_t have = pg_row_count(answer->rows);
    for (size_t i = 0; i < have; i++)
        if (compare(answer->rows, i, &err) < 0) {
            refuse(m, &err);
            return;
        }
    if (have >= (size_t)MIGRATION_COUNT) {
        pg_script(m->pg, "ROLLBACK", NULL, NULL);
        finish(m, NULL);
        return;
    }
    m->next = (int)have;
    pg_script(m->pg, MIGRATIONS[have].text, applied, m);
}

static void begun(void *arg, const struct pg_answer *answer)
{
    struct migrating *m = arg;
    if (answer->err)
        finish(m, answer->err);
    else
        pg_call(m->pg, QUERY_MIGRATIONS_APPLIED, NULL, on_applied_list, m);
}

/* The lock is waited for, however long. The table of migrations is made under it. */
static void begin_round(struct migrating *m)
{
    pg_script(m->pg,
              "BEGIN;"
              "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0;"
              "SELECT pg_advisory_xact_lock(x'6c656174'::int, 1);"
              "CREATE TABLE IF NOT EXISTS leat_migration ("
              "    number integer PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
              "    at timestamptz NOT NULL DEFAULT now())",
              begun, m);
}

void pg_migrate(struct pg *pg, pg_migrated *done, void *arg)
{
    struct migrating *m = mem_alloc(sizeof *m);
    *m = (struct migrating){.pg = pg, .done = done, .arg = arg};
    begin_round(m);
}
