/* The scheduler's database on a real server: the common script, what breaks around COMMIT, and what
 * a batch costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <libpq-fe.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "scheduler/shell/db_pg.h"
#include "scheduler/shell/db_pg_internal.h"
#include "tests/support/db_script.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

#define WAIT_MS 60000 /* for what must come, however busy the machine is */

struct fixture {
    struct test_database db;
    const char *conninfo;
    struct loop *loop;
    struct db_world world;
};

/* Both of its connections: one looks, the other takes over. A machine that is busy may take seconds
 * to make either. */
static struct db *open_db(void *arg)
{
    struct fixture *f = arg;
    const struct db_pg_options options = {.conninfo = f->conninfo, .name = "test-db"};
    struct db *db = db_pg_open(f->loop, &options);
    const struct db_pg *pg = db_pg_of(db);
    const int64_t end = clock_monotonic_us() + WAIT_MS * US_PER_MS;
    while (!pg_is_up(pg->batch) || !pg_is_up(pg->side)) {
        assert_true(clock_monotonic_us() < end);
        wait_ms(f->loop, 20);
    }
    return db;
}

static void prepare(void *arg)
{
    const struct fixture *f = arg;
    test_sql(f->conninfo, "INSERT INTO bus_topic (name) VALUES ('leat.changes'), "
                          "('leat.orders.w1'), ('leat.events') ON CONFLICT DO NOTHING;"
                          "INSERT INTO pipeline VALUES ('p', 'h1', false, false, 1, 1);"
                          "INSERT INTO pipeline_version VALUES ('p', 'h1', 1, '', '{}');"
                          "UPDATE catalog SET gen = 1");
}

static bool until(void *arg, const int *count, int least)
{
    return wait_for_count(((struct fixture *)arg)->loop, count, least, WAIT_MS);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.loop = loop_new()};
    f.world = (struct db_world){open_db, prepare, until, &f};
    test_database_make(&f.db);
    f.conninfo = f.db.conninfo;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    test_database_drop(&f->db);
    return 0;
}

static void script(void **state)
{
    struct fixture *f = *state;
    db_script(&f->world);
    /* 2 orders and a change, then three changes; nothing of what was refused */
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM bus_record"), 6);
    assert_int_equal(test_sql(f->conninfo, "SELECT sum(next) FROM bus_partition"), 6);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM attempt_done"), 1);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM command_done"), 1);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM run"), 3);
}

/* One that leads, on a prepared database. */
static struct db_step lead(struct fixture *f)
{
    struct db_leadership now;
    const struct db_step s = {&f->world, open_db(f)};
    assert_int_equal(db_step_take_over(&s, 0, 0, &now), 0);
    assert_int_equal(db_step_migrate(&s), 0);
    prepare(f);
    return s;
}

static struct uuid run_of(int n)
{
    struct uuid id = uuid_v7_now(clock_wall_us() / 1000);
    id.b[6] = 0x70;
    id.b[12] = (uint8_t)n;
    id.b[13] = id.b[14] = id.b[15] = 0;
    return id;
}

/* ---- around COMMIT -------------------------------------------------------------------------- */

struct outcome {
    int count;
    enum db_outcome outcome;
};

static void on_committed(void *arg, enum db_outcome outcome, const struct err *err)
{
    struct outcome *o = arg;
    (void)err;
    o->count++;
    o->outcome = outcome;
}

/* The backend is ended while the batch waits in it: the answer must agree with the probe, and the
 * probe with the rows. */
static void backend_ended_in_the_batch(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    struct batch *b = batch_new();
    const struct uuid run = run_of(1);
    struct outcome o = {0};
    struct db_leadership now = {0};
    PGconn *blocker = test_connect(f->conninfo);
    PQclear(PQexec(blocker, "BEGIN; LOCK TABLE step_live"));
    b->epoch = 1;
    db_step_place(b, &run, 3);
    s.db->ops->commit(s.db, &DB_STEP_BUS, b, on_committed, &o);
    test_until_a_lock_is_waited_for(f->loop, f->conninfo);
    test_sql(f->conninfo, "SELECT pg_terminate_backend(backend_pid) FROM leader");
    assert_true(until(f, &o.count, 1));
    PQfinish(blocker);
    assert_int_equal(o.outcome, DB_NOT_IN); /* ended by a statement: certain */
    assert_true(wait_until(f->loop, db_step_probe(&s, 1, &now) == 0));
    assert_int_equal(now.tx_seq, 0);
    assert_int_equal(db_step_commit(&s, b), DB_COMMITTED);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM step_live"), 3);
    /* the new connection is the one that a standby would end */
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM leader l JOIN pg_stat_activity a "
                                           "ON a.pid = l.backend_pid AND a.backend_start = "
                                           "l.backend_start"),
                     1);
    batch_free(b);
    s.db->ops->close(s.db);
}

/* A leader that hangs with its transaction open holds the leader row's lock: the standby ends its
 * backend first, so it need not wait for it. */
static void hanging_leader_is_ended(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    const struct db_step standby = {&f->world, open_db(f)};
    struct batch *b = batch_new();
    const struct uuid run = run_of(1);
    struct outcome o = {0};
    struct db_leadership now;
    PGconn *blocker = test_connect(f->conninfo);
    PQclear(PQexec(blocker, "BEGIN; LOCK TABLE step_live"));
    b->epoch = 1;
    db_step_place(b, &run, 3);
    s.db->ops->commit(s.db, &DB_STEP_BUS, b, on_committed, &o);
    test_until_a_lock_is_waited_for(f->loop, f->conninfo);
    const int64_t began = clock_monotonic_us();
    assert_int_equal(db_step_take_over(&standby, 1, 0, &now), 0);
    assert_true(clock_monotonic_us() - began <
                9500 * US_PER_MS); /* a lock is waited for for 10 s */
    assert_int_equal(now.epoch, 2);
    assert_int_equal(now.tx_seq, 0);
    assert_true(until(f, &o.count, 1));
    assert_int_equal(o.outcome, DB_NOT_IN);
    PQfinish(blocker);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM run_live"), 0);
    batch_free(b);
    s.db->ops->close(s.db);
    standby.db->ops->close(standby.db);
}

/* Its pid alone does not condemn a backend: it may be somebody else's by now. */
static void another_backend_of_that_pid_is_spared(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    const struct db_step standby = {&f->world, open_db(f)};
    struct db_leadership now;
    PGconn *bystander = test_connect(f->conninfo);
    char sql[160];
    snprintf(sql, sizeof sql, "UPDATE leader SET backend_pid = %d, backend_start = now()",
             PQbackendPID(bystander));
    test_sql(f->conninfo, sql);
    assert_int_equal(db_step_take_over(&standby, 1, 0, &now), 0);
    PGresult *r = PQexec(bystander, "SELECT 1");
    assert_int_equal(PQresultStatus(r), PGRES_TUPLES_OK);
    PQclear(r);
    PQfinish(bystander);
    s.db->ops->close(s.db);
    standby.db->ops->close(standby.db);
}

/* Postgres crashes again and again while batches go in; whatever each outcome was, what the probe
 * says is what the tables hold. */
static void server_crashes_around_commits(void **state)
{
    struct fixture *f = *state;
    struct test_cluster own;
    test_cluster_start(&own);
    f->conninfo = own.conninfo;
    struct db_step s = lead(f);
    struct batch *b = batch_new();
    int64_t tx_seq = 0, committed = 0;
    for (int round = 0; round < 4; round++) {
        for (int n = 0; n < 20; n++) {
            struct outcome o = {0};
            const struct uuid run = run_of(round * 20 + n);
            batch_clear(b);
            b->epoch = 1;
            b->tx_seq = tx_seq;
            db_step_place(b, &run, 50);
            s.db->ops->commit(s.db, &DB_STEP_BUS, b, on_committed, &o);
            if (n == 19) {
                loop_step(f->loop, false);
                test_cluster_crash(&own);
            }
            assert_true(until(f, &o.count, 1));
            if (n == 19)
                break;
            assert_int_equal(o.outcome, DB_COMMITTED);
            tx_seq++;
            committed++;
        }
        test_cluster_again(&own);
        struct db_leadership now = {0};
        assert_true(wait_until(f->loop, db_step_probe(&s, 1, &now) == 0));
        assert_in_range(now.tx_seq, tx_seq, tx_seq + 1);
        committed += now.tx_seq - tx_seq;
        tx_seq = now.tx_seq;
        assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM run_live"), committed);
        assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM step_live"), committed * 50);
        assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM bus_record"), committed * 51);
    }
    batch_free(b);
    s.db->ops->close(s.db);
    test_cluster_remove(&own);
}

/* ---- housekeeping --------------------------------------------------------------------------- */

#define DAY_US (86400LL * US_PER_S)

struct kept {
    int count, failed;
};

static void on_kept(void *arg, const struct err *err)
{
    struct kept *kept = arg;
    kept->count++;
    kept->failed += err != NULL;
    if (err)
        print_message("housekeeping: %s\n", err->text);
}

static struct kept keep_house(struct fixture *f, const struct db_step *s)
{
    const struct db_ages ages = {.history_us = 90 * DAY_US, .keys_us = 30 * DAY_US};
    struct kept kept = {0};
    s->db->ops->housekeep(s->db, clock_wall_us(), &ages, on_kept, &kept);
    assert_true(until(f, &kept.count, 1));
    return kept;
}

/* It gives up when somebody holds a table for 0.2 s (the server's own vacuum too, and a disk that
 * stands still), and is called again, as the leader does. */
static void keep_whole_house(struct fixture *f, const struct db_step *s)
{
    int calls = 1;
    while (keep_house(f, s).failed && calls++ < 20)
        wait_ms(f->loop, 250);
    assert_true(calls <= 20);
}

static long long count(struct fixture *f, const char *table)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM %s", table);
    return test_sql(f->conninfo, sql);
}

static void keys_over_age_are_deleted(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    test_sql(f->conninfo,
             "INSERT INTO inbox SELECT gen_random_uuid(), now() - interval '31 days' FROM "
             "generate_series(1, 5000);" /* more than one statement takes */
             "INSERT INTO inbox SELECT gen_random_uuid(), now() - interval '29 days' FROM "
             "generate_series(1, 7);"
             "INSERT INTO run_tombstone VALUES (gen_random_uuid(), now() - interval '31 days'), "
             "(gen_random_uuid(), now());"
             "INSERT INTO idempotency VALUES ('a', gen_random_uuid(), now() - interval '31 days'), "
             "('b', gen_random_uuid(), now());"
             "INSERT INTO command_done VALUES (gen_random_uuid(), 'run', 'refused', '', now() - "
             "interval '31 days'), (gen_random_uuid(), 'run', 'refused', '', now())");
    keep_whole_house(f, &s);
    assert_int_equal(count(f, "inbox"), 7);
    assert_int_equal(count(f, "run_tombstone"), 1);
    assert_int_equal(count(f, "idempotency"), 1);
    assert_int_equal(count(f, "command_done"), 1);
    s.db->ops->close(s.db);
}

/* A finished run of each week of `weeks` past ones, with a result, an attempt and an event. */
static void make_history(struct fixture *f, int weeks)
{
    char sql[2400];
    snprintf(
        sql, sizeof sql,
        "SELECT leat_partitions_make(now() - w * interval '7 days') "
        "FROM generate_series(0, %d) AS w;"
        "CREATE TABLE old AS SELECT w, now() - w * interval '7 days' AS at, "
        "uuid_at(now() - w * interval '7 days') AS run FROM generate_series(0, %d) AS w;"
        "INSERT INTO run_done (id, pipeline, version, name, number, experiment, state, params, "
        "created, finished) SELECT run, 'p', 'h1', 'n', w, 'e', 'succeeded', '{}', at, at "
        "FROM old;"
        "INSERT INTO step_result (run, step, state, attempt, finished) SELECT run, 0, "
        "'succeeded', 1, at FROM old;"
        "INSERT INTO attempt_done (run, step, attempt, attempt_id, state, finished) SELECT "
        "run, 0, 1, gen_random_uuid(), 'lost', at FROM old;"
        "INSERT INTO event SELECT gen_random_uuid(), at, 's', 't', '{}', '[]' FROM old",
        weeks, weeks);
    test_sql(f->conninfo, sql);
}

static long long weeks_of(struct fixture *f, const char *table)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM pg_inherits WHERE inhparent = '%s'::regclass",
             table);
    return test_sql(f->conninfo, sql);
}

/* 90 days: weeks that ended before, so what is 98 days old is gone and what is 84 days old is not.
 */
static void old_weeks_are_dropped_and_new_ones_made(void **state)
{
    static const char *const tables[] = {"run_done", "step_result", "attempt_done", "event"};
    struct fixture *f = *state;
    struct db_step s = lead(f);
    make_history(f, 20);
    test_sql(f->conninfo, "DROP TABLE step_result_rest"); /* any order of dropping must do */
    test_sql(f->conninfo, "CREATE TABLE step_result_rest PARTITION OF step_result DEFAULT");
    keep_whole_house(f, &s);
    for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
        const long long left = count(f, tables[i]), weeks = weeks_of(f, tables[i]);
        assert_in_range(left, 13, 14);         /* today's, and those of 12 or 13 past weeks */
        assert_int_equal(weeks, left + 2 + 1); /* two to come, and the rest */
    }
    assert_int_equal(count(f, "run_done WHERE created < now() - interval '98 days'"), 0);
    assert_int_equal(count(f, "run_done WHERE created > now() - interval '84 days'"), 12);
    keep_whole_house(f, &s); /* again: nothing */
    s.db->ops->close(s.db);
}

/* The log says which week went: it is the oldest, by the name that it had. */
static void a_dropped_week_is_told_by_its_name(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    make_history(f, 20);
    const char *const sql =
        "WITH oldest AS (SELECT min(inhrelid::regclass::text) AS name FROM pg_inherits "
        "WHERE inhparent = 'attempt_done'::regclass AND inhrelid::regclass::text <> "
        "'attempt_done_rest') "
        "SELECT (name = leat_history_drop(now() - interval '90 days'))::int FROM oldest";
    assert_int_equal(test_sql(f->conninfo, sql), 1);
    s.db->ops->close(s.db);
}

static void causes_go_with_history_unless_their_run_lives(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    test_sql(
        f->conninfo,
        "CREATE TABLE cause AS SELECT n, gen_random_uuid() AS run FROM generate_series(1, 3) AS n;"
        "INSERT INTO run_cause SELECT run, gen_random_uuid(), gen_random_uuid(), now() - "
        "CASE n WHEN 3 THEN interval '89 days' ELSE interval '91 days' END FROM cause;"
        "INSERT INTO run_live (id, pipeline, version, name, number, experiment, state, params, "
        "created) SELECT run, 'p', 'h1', 'n', 1, 'e', 'running', '{}', now() FROM cause WHERE n = "
        "2");
    keep_whole_house(f, &s);
    assert_int_equal(count(f, "run_cause"), 2);
    assert_int_equal(count(f, "run_cause c JOIN cause USING (run) WHERE n > 1"), 2);
    s.db->ops->close(s.db);
}

/* A run may live longer than history is kept; its results, what it is a retry of and its event
 * stay. */
static void what_is_live_keeps_its_week(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    make_history(f, 20);
    test_sql(
        f->conninfo,
        "INSERT INTO run_live (id, pipeline, version, name, number, experiment, state, params, "
        "created) SELECT run_at, 'p', 'h1', 'n', 1, 'e', 'running', '{}', now() - interval "
        "'140 days' FROM (SELECT uuid_at(now() - interval '140 days' + interval '1 ms') AS "
        "run_at) AS x;"
        "INSERT INTO run_live (id, pipeline, version, name, number, experiment, state, params, "
        "created, retry_of, event) SELECT uuid_at(now()), 'p', 'h1', 'n', 2, 'e', 'pending', "
        "'{}', now(), (SELECT run FROM old WHERE w = 18), (SELECT id FROM event ORDER BY "
        "received LIMIT 1 OFFSET 4)"); /* that of week 16 */
    keep_whole_house(f, &s);
    assert_int_equal(count(f, "step_result s JOIN old o ON o.run = s.run WHERE o.w = 20"), 1);
    assert_int_equal(count(f, "step_result s JOIN old o ON o.run = s.run WHERE o.w = 18"), 1);
    assert_int_equal(count(f, "step_result s JOIN old o ON o.run = s.run WHERE o.w = 17"), 0);
    assert_int_equal(count(f, "event e JOIN old o ON o.at = e.received WHERE o.w = 16"), 1);
    test_sql(f->conninfo, "DELETE FROM run_live");
    keep_whole_house(f, &s);
    assert_int_equal(count(f, "run_done WHERE created < now() - interval '98 days'"), 0);
    s.db->ops->close(s.db);
}

/* A batch, or a long report of somebody, holds the table: housekeeping gives up soon, so that
 * nobody waits behind it, and comes again. */
static void housekeeping_waits_for_nobody(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    make_history(f, 20);
    PGconn *reader = PQconnectdb(f->conninfo);
    assert_int_equal(PQstatus(reader), CONNECTION_OK);
    PQclear(PQexec(reader, "BEGIN"));
    PQclear(PQexec(reader, "SELECT count(*) FROM run_done"));
    const int64_t began = clock_monotonic_us();
    assert_int_equal(keep_house(f, &s).failed, 1);
    assert_true(clock_monotonic_us() - began < 30 * US_PER_S);
    assert_true(count(f, "run_done") > 14);
    assert_int_equal(count(f, "inbox"), 0);
    PQclear(PQexec(reader, "COMMIT"));
    PQfinish(reader);
    keep_whole_house(f, &s);
    assert_in_range(count(f, "run_done"), 13, 14);
    s.db->ops->close(s.db);
}

static void rows_of_no_week_go_by_their_end(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    test_sql(
        f->conninfo,
        "CREATE TABLE old AS SELECT gen_random_uuid() AS run, n FROM generate_series(1, 5003) "
        "AS n;"
        "INSERT INTO step_result (run, step, state, attempt, finished) SELECT run, 0, "
        "'succeeded', 1, now() - CASE WHEN n <= 3 THEN interval '89 days' ELSE interval '91 "
        "days' END FROM old;"
        "INSERT INTO run_live (id, pipeline, version, name, number, experiment, state, params, "
        "created) SELECT run, 'p', 'h1', 'n', 1, 'e', 'running', '{}', now() FROM old "
        "WHERE n = 4");
    keep_whole_house(f, &s);
    assert_int_equal(count(f, "step_result_rest"), 4);
    s.db->ops->close(s.db);
}

/* ---- what a batch costs --------------------------------------------------------------------- */

static int compare_int64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static void measure(struct fixture *f, const struct db_step *s, int steps, int64_t *tx_seq)
{
    enum { TIMES = 40 };
    int64_t placed[TIMES], finished[TIMES];
    struct batch *b = batch_new();
    const int times = steps >= 1000 ? 10 : TIMES;
    for (int i = 0; i < times; i++) {
        const struct uuid run = run_of(i);
        for (int finish = 0; finish < 2; finish++) {
            batch_clear(b);
            b->epoch = 1;
            b->tx_seq = (*tx_seq)++;
            if (finish)
                db_step_finish(b, &run, steps);
            else
                db_step_place(b, &run, steps);
            struct outcome o = {0};
            const int64_t began = clock_monotonic_us();
            s->db->ops->commit(s->db, &DB_STEP_BUS, b, on_committed, &o);
            while (o.count == 0)
                loop_step(f->loop, true);
            (finish ? finished : placed)[i] = clock_monotonic_us() - began;
            assert_int_equal(o.outcome, DB_COMMITTED);
        }
    }
    batch_free(b);
    qsort(placed, (size_t)times, sizeof placed[0], compare_int64);
    qsort(finished, (size_t)times, sizeof finished[0], compare_int64);
    const int64_t both = placed[times / 2] + finished[times / 2];
    print_message("commit of %d steps, p50: placed %lld us, finished %lld us, %.0f steps/s\n",
                  steps, (long long)placed[times / 2], (long long)finished[times / 2],
                  steps * 1e6 / (double)both);
}

static void cost_of_a_batch(void **state)
{
    struct fixture *f = *state;
    struct db_step s = lead(f);
    int64_t tx_seq = 0;
    measure(f, &s, 1, &tx_seq);
    measure(f, &s, 100, &tx_seq);
    measure(f, &s, 1000, &tx_seq);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM step_live"), 0);
    assert_int_equal(test_sql(f->conninfo, "SELECT count(*) FROM step_result"),
                     40 + 40 * 100 + 10 * 1000);
    s.db->ops->close(s.db);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(script),
        TEST(backend_ended_in_the_batch),
        TEST(hanging_leader_is_ended),
        TEST(another_backend_of_that_pid_is_spared),
        TEST(server_crashes_around_commits),
        TEST(keys_over_age_are_deleted),
        TEST(old_weeks_are_dropped_and_new_ones_made),
        TEST(a_dropped_week_is_told_by_its_name),
        TEST(causes_go_with_history_unless_their_run_lives),
        TEST(what_is_live_keeps_its_week),
        TEST(housekeeping_waits_for_nobody),
        TEST(rows_of_no_week_go_by_their_end),
        TEST(cost_of_a_batch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
