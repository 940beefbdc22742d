/* The cron clock on its rows: what Postgres keeps of slots, applies under way, a queue that is
 * away. Which slots are due is tests/unit/triggers/cron. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "tests/support/triggers_world.h"
#include "tests/support/waiting.h"
#include "triggers/cron/clock.h"

static struct triggers_world w;

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

/* Pipeline p with one cron trigger, as the front compiles it. */
static void apply(const char *schedule, const char *missed)
{
    char sql[600];
    snprintf(sql, sizeof sql,
             "INSERT INTO pipeline_version (pipeline, hash, number, file, ir) "
             "SELECT 'p', 'h' || count(*), count(*) + 1, '', "
             "'{\"triggers\":[{\"kind\":\"cron\",\"name\":\"t\","
             "\"schedule\":\"%s\",\"timezone\":\"UTC\",\"missed\":\"%s\"}]}' FROM pipeline_version",
             schedule, missed);
    world_sql(&w, sql);
    world_sql(
        &w,
        "INSERT INTO pipeline (name, version, gen) SELECT 'p', hash, 1 FROM pipeline_version "
        "ORDER BY number DESC LIMIT 1 ON CONFLICT (name) DO UPDATE SET version = excluded.version");
}

/* The last slot was so many minutes before this one's begin. */
static void last_was(int minutes)
{
    char sql[300];
    snprintf(sql, sizeof sql,
             "INSERT INTO cron_slot VALUES ('p', 't', date_trunc('minute', now()) - interval '%d "
             "minutes') "
             "ON CONFLICT (pipeline, trigger) DO UPDATE SET last = excluded.last",
             minutes);
    world_sql(&w, sql);
}

static void follow(void)
{
    clock_follow(w.t.cron);
    wait_ms(w.t.loop, 200);
}

/* So that no minute begins between two looks, however busy the machine is. */
static void away_from_the_edge(void)
{
    const int64_t minute = 60 * US_PER_S, at = clock_wall_us() % minute;
    if (at > 30 * US_PER_S)
        wait_ms(w.t.loop, (int)((minute - at) / US_PER_MS) + 50);
}

static void test_a_new_trigger_begins_now(void **state)
{
    (void)state;
    away_from_the_edge();
    apply("* * * * *", "all");
    follow();
    assert_int_equal(world_events(&w), 0); /* what lies before it was never promised */
    world_until_sql(&w, "SELECT count(*) FROM cron_slot", 1);
    assert_int_equal(world_events(&w), 0);
}

static void test_missed_slots_fire_once_each_across_restarts(void **state)
{
    (void)state;
    away_from_the_edge();
    apply("* * * * *", "all");
    last_was(3);
    follow();
    assert_true(world_until_events(&w, 3));
    wait_ms(w.t.loop, 100);
    world_restart(&w);
    follow();
    assert_int_equal(world_events(&w), 3);
    struct event e = world_event(&w, 0);
    assert_string_equal(e.type, "dev.leat.cron");
    assert_string_equal(e.leatsource, "cron");
    assert_string_equal(e.leatpipeline, "p");
    assert_string_equal(e.leattrigger, "t");
    assert_string_equal(e.time, json_get_string(e.data, "slot", ""));
    assert_string_equal(e.source, "/pipelines/p/triggers/t");
    event_clear(&e);
}

/* Died after the queue took the slot and before Postgres did: the same id again. */
static void test_a_slot_that_was_not_kept_has_the_same_id(void **state)
{
    (void)state;
    away_from_the_edge();
    apply("* * * * *", "latest");
    last_was(3);
    follow();
    assert_true(world_until_events(&w, 1));
    last_was(3);
    world_restart(&w);
    follow();
    assert_true(world_until_events(&w, 2));
    struct event a = world_event(&w, 0), b = world_event(&w, 1);
    assert_int_equal(uuid_compare(&a.id, &b.id), 0);
    event_clear(&a);
    event_clear(&b);
}

static void test_the_queue_is_away(void **state)
{
    (void)state;
    away_from_the_edge();
    apply("* * * * *", "all");
    last_was(2);
    memory_log_set_down(w.queue, true);
    follow();
    assert_int_equal(world_events(&w), 0);
    assert_int_equal(
        test_sql(w.db.conninfo,
                 "SELECT count(*) FROM cron_slot WHERE last > now() - interval '90 s'"),
        0);
    memory_log_set_down(w.queue, false);
    assert_true(world_until_events(&w, 2)); /* tried again by itself, in order */
    struct event a = world_event(&w, 0), b = world_event(&w, 1);
    assert_true(strcmp(a.subject, b.subject) < 0);
    event_clear(&a);
    event_clear(&b);
}

/* An apply while a slot is on its way neither fires it twice nor loses it. */
static void test_an_apply_while_a_slot_is_on_its_way(void **state)
{
    (void)state;
    away_from_the_edge();
    apply("* * * * *", "latest");
    last_was(2);
    memory_log_set_down(w.queue, true);
    clock_follow(w.t.cron);
    apply("*/1 * * * *", "latest");
    clock_follow(w.t.cron);
    clock_follow(w.t.cron);
    wait_ms(w.t.loop, 200);
    memory_log_set_down(w.queue, false);
    assert_true(world_until_events(&w, 1));
    wait_ms(w.t.loop, 1500);
    assert_int_equal(world_events(&w), 1);
}

static void test_paused_deleted_and_broken(void **state)
{
    (void)state;
    away_from_the_edge();
    apply("* * * * *", "all");
    last_was(2);
    world_sql(&w, "UPDATE pipeline SET paused = true");
    follow();
    world_sql(&w, "UPDATE pipeline SET paused = false, deleted = true");
    follow();
    world_sql(
        &w,
        "UPDATE pipeline_version SET ir = jsonb_set(ir, '{triggers,0,timezone}', '\"No/Where\"')");
    world_sql(&w, "UPDATE pipeline SET deleted = false");
    follow();
    assert_int_equal(world_events(&w), 0);
    world_sql(&w,
              "UPDATE pipeline_version SET ir = jsonb_set(ir, '{triggers,0,timezone}', '\"UTC\"')");
    follow();
    assert_true(world_until_events(&w, 2));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_new_trigger_begins_now),
        T(test_missed_slots_fire_once_each_across_restarts),
        T(test_a_slot_that_was_not_kept_has_the_same_id),
        T(test_the_queue_is_away),
        T(test_an_apply_while_a_slot_is_on_its_way),
        T(test_paused_deleted_and_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
