/* Each failpoint around COMMIT, once: what the outcome says and what the probe finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "scheduler/shell/db_pg.h"
#include "tests/support/db_script.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

static struct test_database database;
static struct loop *loop;

static void on_look(void *arg, const struct err *err, const struct db_leadership *now)
{
    (void)now;
    *(int *)arg = err ? 1 : 2;
}

static struct db *open_db(void *arg)
{
    (void)arg;
    const struct db_pg_options options = {.conninfo = database.conninfo, .name = "test-fail"};
    struct db *db = db_pg_open(loop, &options);
    for (int answer = 1, i = 0; i < 3000 && answer != 2; i++) {
        answer = 0;
        db->ops->look(db, on_look, &answer);
        assert_true(wait_for_count(loop, &answer, 1, 60000));
        wait_ms(loop, 20);
    }
    return db;
}

static bool until(void *arg, const int *count, int least)
{
    (void)arg;
    return wait_for_count(loop, count, least, 60000);
}

static void outcomes_agree_with_the_rows(void **state)
{
    (void)state;
    static const struct {
        enum db_outcome outcome;
        int in;
    } expected[] = {
        {DB_COMMITTED, 1}, /* nothing armed */
        {DB_NOT_IN, 0},    /* commit-sent-before:2 */
        {DB_UNKNOWN, -1},  /* commit-sent-after:3: either */
        {DB_UNKNOWN, 1},   /* commit-answered-before, at the second answer that is good */
        {DB_COMMITTED, 1},
    };
    const struct db_world world = {open_db, NULL, until, NULL};
    const struct db_step s = {&world, open_db(NULL)};
    struct db_leadership now;
    struct batch *b = batch_new();
    assert_int_equal(db_step_take_over(&s, 0, 0, &now), 0);
    assert_int_equal(db_step_migrate(&s), 0);
    int64_t tx_seq = 0;
    for (int i = 0; i < 5; i++) {
        const struct uuid id = {{(uint8_t)(i + 1)}};
        batch_clear(b);
        b->epoch = 1;
        b->tx_seq = tx_seq;
        *batch_add_inbox(b) = (struct batch_inbox){id, 1};
        assert_int_equal(db_step_commit(&s, b), expected[i].outcome);
        assert_true(wait_until(loop, db_step_probe(&s, 1, &now) == 0));
        assert_in_range(now.tx_seq, tx_seq, tx_seq + 1);
        if (expected[i].in >= 0)
            assert_int_equal(now.tx_seq, tx_seq + expected[i].in);
        tx_seq = now.tx_seq;
        assert_int_equal(test_sql(database.conninfo, "SELECT count(*) FROM inbox"), tx_seq);
    }
    batch_free(b);
    s.db->ops->close(s.db);
}

static void every_armed_point_was_reached(void **state)
{
    (void)state;
    char line[64];
    int lines = 0;
    FILE *log = fopen(getenv("LEAT_FAILPOINT_LOG"), "r");
    assert_non_null(log);
    while (fgets(line, sizeof line, log))
        lines++;
    fclose(log);
    assert_int_equal(lines, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_agree_with_the_rows),
        cmocka_unit_test(every_armed_point_was_reached),
    };
    char path[] = "/tmp/leat-failpoints.XXXXXX";
    const int fd = mkstemp(path);
    if (fd < 0)
        return 1;
    setenv("LEAT_FAILPOINT_LOG", path, 1);
    setenv("LEAT_FAILPOINT",
           "commit-sent-before:2:error,commit-sent-after:3:error,commit-answered-before:4:error",
           1);
    loop = loop_new();
    test_database_make(&database);
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    loop_free(loop);
    test_database_drop(&database);
    remove(path);
    return failed;
}
