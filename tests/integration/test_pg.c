/* The connection on a real server: groups are transactions, and every call learns its fate. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/pg/pg.h"
#include "common/pg/pg_internal.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

struct fixture {
    struct test_database db;
    struct loop *loop;
    struct pg *pg;
    int ups, downs, notes;
    struct err down;
    char note[64];
};

struct answers { /* of one call */
    int count;
    int code;
    char state[6];
    size_t rows;
    int64_t value;
};

static void on_up(void *arg)
{
    ((struct fixture *)arg)->ups++;
}

static void on_down(void *arg, const struct err *err)
{
    struct fixture *f = arg;
    f->downs++;
    f->down = *err;
}

static void on_note(void *arg, const char *channel, const char *payload)
{
    struct fixture *f = arg;
    f->notes++;
    snprintf(f->note, sizeof f->note, "%s %s", channel, payload);
}

static void on_answer(void *arg, const struct pg_answer *answer)
{
    struct answers *a = arg;
    a->count++;
    a->code = answer->err ? answer->err->code : 0;
    snprintf(a->state, sizeof a->state, "%s", answer->sqlstate);
    a->rows = pg_row_count(answer->rows);
    if (a->rows > 0)
        a->value = pg_int(answer->rows, 0, 0);
}

static struct pg *open_at(struct fixture *f, const char *conninfo, int64_t answer_timeout_us)
{
    const struct pg_options options = {
        .conninfo = conninfo, .name = "test-pg", .answer_timeout_us = answer_timeout_us};
    const struct pg_events events = {.up = on_up, .down = on_down, .notified = on_note};
    return pg_open(f->loop, &options, &events, f);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.loop = loop_new()};
    test_database_make(&f.db);
    test_database_migrate(&f.db);
    f.pg = open_at(&f, f.db.conninfo, 0);
    assert_true(wait_for_count(f.loop, &f.ups, 1, 60000));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pg_close(f->pg);
    loop_free(f->loop);
    test_database_drop(&f->db);
    return 0;
}

/* A statement with an effect that can be counted. */
static void record(struct pg *pg, int number, struct answers *a)
{
    cleanup_pg_params struct pg_params p = {0};
    pg_add_int4(&p, number);
    pg_add_text(&p, "test");
    pg_add_text(&p, "test");
    pg_exec(pg, QUERY_MIGRATION_RECORD, &p, on_answer, a);
}

static long long recorded(struct fixture *f)
{
    return test_sql(f->db.conninfo, "SELECT count(*) FROM leat_migration WHERE name = 'test'");
}

static void group_commits_as_one(void **state)
{
    struct fixture *f = *state;
    struct answers a[3] = {0};
    for (int i = 0; i < 3; i++)
        record(f->pg, 900 + i, &a[i]);
    assert_int_equal(a[0].count, 0);
    assert_int_equal(recorded(f), 0);
    pg_sync(f->pg);
    assert_int_equal(a[0].count, 0); /* never from inside the call */
    assert_true(wait_for_count(f->loop, &a[2].count, 1, 60000));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a[i].count, 1);
        assert_int_equal(a[i].code, 0);
    }
    assert_int_equal(recorded(f), 3);
    assert_int_equal(pg_open_calls(f->pg), 0);
}

static void refused_group_leaves_nothing_and_the_next_goes_on(void **state)
{
    struct fixture *f = *state;
    struct answers a[5] = {0};
    record(f->pg, 900, &a[0]);
    record(f->pg, 900, &a[1]); /* again: a duplicate */
    record(f->pg, 901, &a[2]);
    pg_sync(f->pg);
    record(f->pg, 902, &a[3]);
    pg_sync(f->pg);
    pg_sync(f->pg); /* of nothing */
    pg_call(f->pg, QUERY_MIGRATIONS_APPLIED, NULL, on_answer, &a[4]);
    assert_true(wait_for_count(f->loop, &a[4].count, 1, 60000));
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a[i].code, LEAT_EEXISTS); /* also of the one that worked by itself */
        assert_string_equal(a[i].state, "23505");
    }
    assert_int_equal(a[3].code, 0);
    assert_int_equal(a[4].code, 0);
    assert_true(a[4].rows >= 2);
    assert_int_equal(recorded(f), 1);
}

static void statement_that_cannot_be_prepared_says_why(void **state)
{
    struct fixture *f = *state;
    struct answers a[2] = {0};
    test_sql(f->db.conninfo, "ALTER TABLE leat_migration RENAME TO away");
    record(f->pg, 900, &a[0]);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &a[0].count, 1, 60000));
    assert_int_equal(a[0].code, LEAT_EUNREACHABLE); /* not migrated yet */
    assert_string_equal(a[0].state, "42P01");
    test_sql(f->db.conninfo, "ALTER TABLE away RENAME TO leat_migration");
    record(f->pg, 900, &a[1]);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &a[1].count, 1, 60000));
    assert_int_equal(a[1].code, 0);
}

static void dropped_before_the_sync_is_not_done(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    record(f->pg, 900, &a);
    pg_send(f->pg);
    pg_drop(f->pg, "the test says so");
    pg_sync(f->pg);
    assert_int_equal(a.count, 0);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, LEAT_EUNREACHABLE);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
    assert_int_equal(recorded(f), 0);
    assert_string_equal(f->down.text, "the test says so");
}

static void sent_on_a_broken_connection_is_answered_once(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0}, b = {0};
    pg_drop(f->pg, "cut");
    record(f->pg, 900, &a); /* not noticed yet: it is still up */
    pg_send(f->pg);
    pg_sync(f->pg);
    pg_script(f->pg, "SELECT 1", NULL, NULL);
    record(f->pg, 901, &b);
    pg_send(f->pg);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &b.count, 1, 60000));
    wait_ms(f->loop, 20);
    assert_int_equal(a.count, 1);
    assert_int_equal(b.count, 1);
    assert_int_equal(a.code, LEAT_EUNREACHABLE);
    assert_int_equal(recorded(f), 0);
}

static void sent_behind_a_script_waits_for_it(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    pg_close(f->pg);
    f->pg = open_at(f, f->db.conninfo, 2 * US_PER_S);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
    pg_script(f->pg, "SELECT pg_sleep(3)", NULL, NULL); /* a script may take its time */
    record(f->pg, 900, &a);
    pg_send(f->pg);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, 0);
    assert_int_equal(recorded(f), 1);
}

static void sent_group_commits_at_its_sync(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    record(f->pg, 900, &a);
    pg_send(f->pg);
    wait_ms(f->loop, 50);
    assert_int_equal(a.count, 0);
    assert_int_equal(recorded(f), 0);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, 0);
    assert_int_equal(recorded(f), 1);
}

static void dropped_after_the_sync_is_unknown(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    record(f->pg, 900, &a);
    pg_sync(f->pg);
    pg_drop(f->pg, "cut");
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, LEAT_EUNKNOWN);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
}

/* Nothing outside tells that a refusal was read while its group is open. */
static bool wait_for_refusal(struct fixture *f)
{
    return wait_until(f->loop, f->pg->first && f->pg->first->refused);
}

static void refused_before_the_connection_broke_is_certain(void **state)
{
    struct fixture *f = *state;
    struct answers first = {0}, second = {0};
    record(f->pg, 900, &first);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &first.count, 1, 60000));
    record(f->pg, 900, &first);
    pg_send(f->pg);
    assert_true(wait_for_refusal(f)); /* it is read, the group is still open */
    pg_drop(f->pg, "cut");
    assert_true(wait_for_count(f->loop, &first.count, 2, 60000));
    assert_int_equal(first.code, LEAT_EEXISTS);
    assert_int_equal(second.count, 0);
}

static void terminated_backend_rolls_back(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0}, b = {0};
    char sql[80];
    PGconn *blocker = test_connect(f->db.conninfo);
    PQclear(PQexec(blocker, "BEGIN; LOCK TABLE leat_migration"));
    record(f->pg, 900, &a);
    pg_sync(f->pg);
    record(f->pg, 901, &b);
    pg_sync(f->pg);
    test_until_a_lock_is_waited_for(f->loop, f->db.conninfo);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", pg_backend_pid(f->pg));
    test_sql(f->db.conninfo, sql);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, LEAT_EUNREACHABLE); /* while the statement ran: certain */
    assert_int_equal(b.code, LEAT_EUNREACHABLE); /* and so is what came after it */
    PQfinish(blocker);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
    assert_int_equal(recorded(f), 0);
}

/* More than the server reads at once waits behind a statement when its backend is ended: its last
 * words come together with a reset connection. Nothing has a time limit here. */
static void backend_that_ends_with_calls_unread_is_noticed(void **state)
{
    enum { BEHIND = 120 }; /* more than 8 KiB, less than a socket holds */
    struct fixture *f = *state;
    struct answers a = {0};
    char sql[80];
    PGconn *blocker = test_connect(f->db.conninfo);
    PQclear(PQexec(blocker, "BEGIN; LOCK TABLE leat_migration"));
    for (int i = 0; i < BEHIND; i++) {
        record(f->pg, 900 + i, &a);
        pg_sync(f->pg);
    }
    test_until_a_lock_is_waited_for(f->loop, f->db.conninfo);
    snprintf(sql, sizeof sql, "SELECT pg_terminate_backend(%d)", pg_backend_pid(f->pg));
    test_sql(f->db.conninfo, sql);
    usleep(300000); /* a busy client: it comes back to words and error at once */
    assert_true(wait_for_count(f->loop, &a.count, BEHIND, 60000));
    PQfinish(blocker);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
    assert_int_equal(recorded(f), 0);
}

static void silent_server_counts_as_lost(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    pg_close(f->pg);
    f->pg = open_at(f, f->db.conninfo, 300 * US_PER_MS);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
    const int downs = f->downs;
    wait_ms(f->loop, 400); /* idle: silence is no fault */
    assert_int_equal(f->downs, downs);
    const int backend = pg_backend_pid(f->pg);
    kill(backend, SIGSTOP);
    record(f->pg, 900, &a);
    pg_sync(f->pg);
    const bool answered = wait_for_count(f->loop, &a.count, 1, 60000);
    kill(backend, SIGCONT);
    assert_true(answered);
    assert_int_equal(a.code, LEAT_EUNKNOWN);
}

static void calls_while_away_are_refused_at_once(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    pg_close(f->pg);
    f->pg = open_at(f, "host=/nonexistent", 0);
    record(f->pg, 900, &a);
    pg_sync(f->pg);
    assert_int_equal(a.count, 0);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, LEAT_EUNREACHABLE);
    assert_true(wait_for_count(f->loop, &f->downs, 3, 60000)); /* keeps trying */
}

static void close_answers_what_is_open(void **state)
{
    struct fixture *f = *state;
    struct answers a[3] = {0};
    record(f->pg, 900, &a[0]);
    pg_sync(f->pg);
    record(f->pg, 901, &a[1]);
    pg_sync(f->pg);
    record(f->pg, 902, &a[2]); /* never synced */
    pg_close(TAKE(f->pg));
    assert_int_equal(a[0].code, LEAT_EUNKNOWN);
    assert_int_equal(a[1].code, LEAT_EUNKNOWN);
    assert_int_equal(a[2].code, LEAT_EUNREACHABLE);
    assert_int_equal(a[0].count + a[1].count + a[2].count, 3);
}

struct closer {
    struct pg *pg;
    int count;
};

static void close_now(void *arg, const struct pg_answer *answer)
{
    struct closer *c = arg;
    (void)answer;
    c->count++;
    pg_close(TAKE(c->pg));
}

static void may_be_closed_from_a_callback(void **state)
{
    struct fixture *f = *state;
    struct closer c = {.pg = TAKE(f->pg)};
    struct answers a = {0};
    pg_exec(c.pg, QUERY_BUS_ID, NULL, close_now, &c);
    record(c.pg, 900, &a); /* of the same group: its fate is known */
    pg_sync(c.pg);
    record(c.pg, 901, &a);
    pg_sync(c.pg);
    assert_true(wait_for_count(f->loop, &a.count, 2, 60000));
    assert_int_equal(c.count, 1);
}

static void script_and_groups_take_turns(void **state)
{
    struct fixture *f = *state;
    struct answers a[5] = {0};
    record(f->pg, 900, &a[0]);
    pg_sync(f->pg);
    pg_script(f->pg, "BEGIN; DELETE FROM leat_migration WHERE name = 'test'", on_answer, &a[1]);
    record(f->pg, 901, &a[2]);
    pg_sync(f->pg);
    pg_script(f->pg, "ROLLBACK", on_answer, &a[3]);
    record(f->pg, 902, &a[4]);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &a[4].count, 1, 60000));
    for (int i = 0; i < 5; i++)
        assert_int_equal(a[i].code, 0);
    assert_int_equal(recorded(f), 2); /* 900 and 902 */
}

static void failed_script_is_rolled_back(void **state)
{
    struct fixture *f = *state;
    struct answers a[3] = {0};
    pg_script(f->pg, "BEGIN; INSERT INTO leat_migration VALUES (900, 'test', ''); SELECT 1 / 0",
              on_answer, &a[0]);
    record(f->pg, 901, &a[1]);
    pg_sync(f->pg);
    assert_true(wait_for_count(f->loop, &a[1].count, 1, 60000));
    assert_int_equal(a[0].code, LEAT_EINPUT);
    assert_string_equal(a[0].state, "22012");
    assert_int_equal(a[1].code, 0);
    assert_int_equal(recorded(f), 1);
    pg_call(f->pg, QUERY_BUS_ID, NULL, NULL, NULL);
    pg_script(f->pg, "SELECT 1", on_answer, &a[2]);
    assert_true(wait_for_count(f->loop, &a[2].count, 1, 60000));
}

static void notifications_arrive(void **state)
{
    struct fixture *f = *state;
    struct answers a = {0};
    pg_call(f->pg, QUERY_CATALOG_LISTEN, NULL, on_answer, &a);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    test_sql(f->db.conninfo, "NOTIFY leat_catalog, '17'");
    assert_true(wait_for_count(f->loop, &f->notes, 1, 60000));
    assert_string_equal(f->note, "leat_catalog 17");
}

static void comes_back_after_a_crash(void **state)
{
    struct fixture *f = *state;
    struct test_cluster own;
    struct answers a = {0};
    test_cluster_start(&own);
    pg_close(f->pg);
    f->ups = 0;
    f->pg = open_at(f, own.conninfo, 0);
    assert_true(wait_for_count(f->loop, &f->ups, 1, 60000));
    test_cluster_crash(&own);
    assert_true(wait_for_count(f->loop, &f->downs, 1, 60000));
    assert_false(pg_is_up(f->pg));
    test_cluster_again(&own);
    assert_true(wait_for_count(f->loop, &f->ups, 2, 60000));
    pg_script(f->pg, "SELECT 1", on_answer, &a);
    assert_true(wait_for_count(f->loop, &a.count, 1, 60000));
    assert_int_equal(a.code, 0);
    test_cluster_remove(&own);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(group_commits_as_one),
        TEST(refused_group_leaves_nothing_and_the_next_goes_on),
        TEST(statement_that_cannot_be_prepared_says_why),
        TEST(dropped_before_the_sync_is_not_done),
        TEST(sent_on_a_broken_connection_is_answered_once),
        TEST(sent_behind_a_script_waits_for_it),
        TEST(sent_group_commits_at_its_sync),
        TEST(dropped_after_the_sync_is_unknown),
        TEST(refused_before_the_connection_broke_is_certain),
        TEST(terminated_backend_rolls_back),
        TEST(backend_that_ends_with_calls_unread_is_noticed),
        TEST(silent_server_counts_as_lost),
        TEST(calls_while_away_are_refused_at_once),
        TEST(close_answers_what_is_open),
        TEST(may_be_closed_from_a_callback),
        TEST(script_and_groups_take_turns),
        TEST(failed_script_is_rolled_back),
        TEST(notifications_arrive),
        TEST(comes_back_after_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
