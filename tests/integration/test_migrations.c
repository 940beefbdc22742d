/* Migrations on a real server: applied once, by one of many, or not at all with a clear reason. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/pg/migrate.h"
#include "schema/gen/migrations.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

struct migrator {
    struct pg *pg;
    int done;
    int code;
    int applied;
    char text[640];
};

static void on_migrated(void *arg, const struct err *err, int applied)
{
    struct migrator *m = arg;
    m->done++;
    m->code = err ? err->code : 0;
    m->applied = applied;
    snprintf(m->text, sizeof m->text, "%s", err ? err->text : "");
}

static void on_up(void *arg)
{
    struct migrator *m = arg;
    pg_migrate(m->pg, on_migrated, m);
}

#define SEVERAL 3

/* Runs `n` migrators at once on one database. */
static void migrate(const struct test_database *db, struct migrator *m, int n)
{
    struct loop *loop = loop_new();
    const struct pg_options options = {.conninfo = db->conninfo, .name = "test-migrations"};
    for (int i = 0; i < n; i++) {
        m[i] = (struct migrator){0};
        m[i].pg = pg_open(loop, &options, &(struct pg_events){.up = on_up}, &m[i]);
    }
    for (int i = 0; i < n; i++) {
        assert_true(wait_for_count(loop, &m[i].done, 1, 60000));
        assert_int_equal(m[i].done, 1);
    }
    for (int i = 0; i < n; i++)
        pg_close(m[i].pg);
    loop_free(loop);
}

static int set_up(void **state)
{
    static struct test_database db;
    test_database_make(&db);
    *state = &db;
    return 0;
}

static int tear_down(void **state)
{
    test_database_drop(*state);
    return 0;
}

static void applied_once_however_often_it_runs(void **state)
{
    struct test_database *db = *state;
    struct migrator m;
    migrate(db, &m, 1);
    assert_int_equal(m.code, 0);
    assert_int_equal(m.applied, MIGRATION_COUNT);
    assert_int_equal(test_sql(db->conninfo, "SELECT count(*) FROM leat_migration"),
                     MIGRATION_COUNT);
    migrate(db, &m, 1);
    assert_int_equal(m.code, 0);
    assert_int_equal(m.applied, 0);
}

static void several_at_once_do_no_harm(void **state)
{
    struct test_database *db = *state;
    struct migrator m[SEVERAL];
    int applied = 0;
    migrate(db, m, SEVERAL);
    for (int i = 0; i < SEVERAL; i++) {
        assert_int_equal(m[i].code, 0);
        applied += m[i].applied;
    }
    assert_int_equal(applied, MIGRATION_COUNT);
}

static void another_text_is_refused(void **state)
{
    struct test_database *db = *state;
    struct migrator m;
    migrate(db, &m, 1);
    test_sql(db->conninfo, "UPDATE leat_migration SET sha256 = 'x' WHERE number = 1");
    migrate(db, &m, 1);
    assert_int_equal(m.code, LEAT_EREFUSED);
    assert_non_null(strstr(m.text, "another text"));
}

static void newer_database_is_refused(void **state)
{
    struct test_database *db = *state;
    struct migrator m;
    migrate(db, &m, 1);
    test_sql(db->conninfo, "INSERT INTO leat_migration VALUES (9000, 'future', 'x')");
    migrate(db, &m, 1);
    assert_int_equal(m.code, LEAT_EREFUSED);
    assert_non_null(strstr(m.text, "newer than this build"));
}

static void failed_one_leaves_nothing_of_it(void **state)
{
    struct test_database *db = *state;
    struct migrator m;
    test_sql(db->conninfo, "CREATE TABLE step_live ()"); /* in the way of the first */
    migrate(db, &m, 1);
    assert_int_equal(m.code, LEAT_EINTERNAL);
    assert_non_null(strstr(m.text, "step_live"));
    assert_int_equal(test_sql(db->conninfo, "SELECT count(*) FROM pg_class WHERE relname = "
                                            "'leader'"),
                     0);
    test_sql(db->conninfo, "DROP TABLE step_live");
    migrate(db, &m, 1);
    assert_int_equal(m.code, 0);
    assert_int_equal(m.applied, MIGRATION_COUNT);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(applied_once_however_often_it_runs),
        TEST(several_at_once_do_no_harm),
        TEST(another_text_is_refused),
        TEST(newer_database_is_refused),
        TEST(failed_one_leaves_nothing_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
