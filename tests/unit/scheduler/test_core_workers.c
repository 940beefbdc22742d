/* What a worker can take, what ends of attempts are tried again, and silence. */
#include "scheduler/core/state.h"
#include "tests/unit/scheduler/core_harness.h"

static void hello_as(struct harness *h, int w, struct report_hello hello)
{
    static const char *const process = "process";
    hello.boot = "boot";
    hello.workspace = "/w";
    if (!hello.executors) {
        hello.executors = (const char **)&process;
        hello.executors_count = 1;
    }
    h->lives[w] = id_of(0xe0 + w);
    h->lives[w].b[13] = (uint8_t)++h->lives_made;
    harness_report(h, w, (struct report){.kind = REPORT_KIND_HELLO, .hello = &hello});
    harness_settle(h);
}

/* ---- capacity ----------------------------------------------------------------------------------
 */

static void a_step_is_placed_where_all_of_it_fits(void **state)
{
    static const struct {
        const char *wants;
        struct report_hello has;
        bool fits;
    } ROWS[] = {
        {"{slots: 2}", {.slots = 1}, false},
        {"{slots: 2}", {.slots = 2}, true},
        {"{gpu: 1}", {.slots = 1}, false},
        {"{gpu: 1}", {.slots = 1, .gpu = 1}, true},
        {"{cpu: 2.5}", {.slots = 1, .cpu = 2}, false},
        {"{cpu: 2.5}", {.slots = 1, .cpu = 2.5}, true},
        {"{cpu: 2.5}", {.slots = 1}, true}, /* it did not say */
        {"{memory: 2GiB}", {.slots = 1, .memory = 1 << 30}, false},
        {"{memory: 2GiB}", {.slots = 1, .memory = 2LL << 30}, true},
        {"{memory: 2GiB}", {.slots = 1}, true},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        char yaml[200];
        snprintf(yaml, sizeof yaml, "name: p\nsteps: {a: {command: [a], resources: %s}}\n",
                 ROWS[i].wants);
        harness_apply(h, yaml);
        hello_as(h, 0, ROWS[i].has);
        struct uuid run = harness_run(h, "p", 1);
        assert_string_equal(step_is(h, run, 0), ROWS[i].fits ? "placed" : "-");
        for (int beat = 1; beat < 12; beat++) { /* and is not kept a worker that never could */
            harness_heartbeat(h, 0, beat);
            harness_pass(h, 2 * US_PER_S);
        }
        assert_string_equal(step_is(h, run, 0), ROWS[i].fits ? "placed" : "-");
        harness_free(h);
    }
}

static void steps_that_want_different_things_wait_apart(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  a: {command: [a], resources: {cpu: 1}}\n"
                     "  b: {command: [b], resources: {cpu: 2}}\n"
                     "  c: {command: [c], resources: {memory: 1MiB}}\n"
                     "  d: {command: [d], resources: {gpu: 1}}\n"
                     "  e: {command: [e], resources: {slots: 3}}\n"
                     "  f: {executor: noop}\n"
                     "  g: {command: [g], resources: {cpu: 1}}\n"
                     "  h: {command: [h], resources: {cpu: 0.5}}\n");
    hello_as(h, 0, (struct report_hello){.slots = 2, .cpu = 2.5, .memory = 1 << 20});
    struct uuid run = harness_run(h, "p", 1);
    assert_int_equal(orders_of(h, ORDER_KIND_START), 2); /* a, and one that fits beside it */
    assert_string_equal(step_is(h, run, 3), "-");
    assert_string_equal(step_is(h, run, 4), "-");
    assert_string_equal(step_is(h, run, 5), "-");
}

/* What runs there goes on, and nothing is added until enough of it is over. */
static void a_worker_may_come_back_with_less(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  a: {command: [a], resources: {gpu: 1}}\n"
                     "  b: {command: [b], resources: {gpu: 1}}\n"
                     "  c: {command: [c], needs: [a, b], resources: {gpu: 1}}\n");
    hello_as(h, 0, (struct report_hello){.slots = 8, .gpu = 2});
    struct uuid run = harness_run(h, "p", 1);
    struct held_attempt held[2];
    for (int i = 0; i < 2; i++) {
        const struct order *o = order_of(h, ORDER_KIND_START, i ? "b" : "a");
        held[i] = (struct held_attempt){.attempt = o->attempt, .nonce = o->nonce};
    }
    hello_as(h, 0, (struct report_hello){.slots = 8, .held = held, .held_count = 2});
    assert_true(h->core->workers->overfull);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_true(h->core->workers->overfull);
    finish(h, 0, "b", SUCCEEDED, NULL);
    assert_false(h->core->workers->overfull);
    assert_string_equal(step_is(h, run, 2), "-");
    hello_as(h, 0, (struct report_hello){.slots = 8, .gpu = 1});
    assert_string_equal(step_is(h, run, 2), "placed");
}

static void a_pool_without_a_name_is_the_default_one(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a], pool: default}}\n");
    hello_as(h, 0, (struct report_hello){.slots = 1, .pool = ""});
    assert_string_equal(step_is(h, harness_run(h, "p", 1), 0), "placed");
    assert_string_equal(json_string_value(json_object_get(h->rows->workers[0].info, "pool")),
                        "default");
}

/* Another version may write what this one does not know into the row. */
static void a_row_may_say_what_nobody_understands(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a], at_most_once: true}}\n");
    harness_hello(h, 0, 1, NULL, 0);
    json_t *info = h->rows->workers[0].info;
    json_array_insert_new(json_object_get(info, "executors"), 0, json_integer(7));
    json_array_insert_new(json_object_get(info, "executors"), 0, json_string("rocket"));
    json_array_insert_new(json_object_get(info, "abilities"), 0, json_null());
    json_array_insert_new(json_object_get(info, "abilities"), 0, json_string("flies"));
    harness_restart(h, 0);
    assert_string_equal(step_is(h, harness_run(h, "p", 1), 0), "placed");
}

/* It goes to another pool in the batch in which it is heard again: nobody names the one before. */
static void a_pool_goes_with_who_leaves_it(void **state)
{
    struct harness *h = *state;
    static const char *const process = "process";
    struct report_hello to = {.boot = "boot",
                              .workspace = "/w",
                              .slots = 1,
                              .pool = "b",
                              .executors = (const char **)&process,
                              .executors_count = 1};
    hello_as(h, 0, (struct report_hello){.slots = 1, .pool = "a"});
    harness_pass(h, 15 * US_PER_S);
    assert_int_equal(h->rows->workers[0].state, WORKER_UNREACHABLE);
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HEARTBEAT, .heartbeat = 1});
    h->lives[0].b[13]++;
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO, .hello = &to});
    harness_settle(h);
    assert_int_equal(HASH_COUNT(h->core->pools), 1);
    assert_string_equal(h->core->pools->name, "b");
}

/* What was named once does not stay for ever: neither a shape of work nor a pool. */
static void lanes_and_pools_go_with_who_named_them(void **state)
{
    struct harness *h = *state;
    static const char *const process = "process";
    for (int i = 1; i <= 20; i++) {
        char yaml[200], pool[16];
        snprintf(pool, sizeof pool, "pool%d", i);
        snprintf(yaml, sizeof yaml,
                 "name: p\nsteps: {a: {command: [a], pool: %s, resources: {cpu: %d}}}\n", pool, i);
        harness_apply(h, yaml);
        hello_as(h, 0,
                 (struct report_hello){.slots = 1,
                                       .pool = pool,
                                       .executors = (const char **)&process,
                                       .executors_count = 1});
        struct uuid run = harness_run(h, "p", i);
        finish(h, 0, "a", SUCCEEDED, NULL);
        assert_string_equal(run_is(h, run), "succeeded");
        assert_true(HASH_COUNT(h->core->pools) <= 2);
    }
    assert_int_equal(HASH_COUNT(h->core->versions), 1);
    assert_int_equal(HASH_COUNT(h->core->pools), 1);
    assert_null(h->core->pools->lanes->next);
}

/* ---- tried again or not ------------------------------------------------------------------------
 */

static struct uuid one_step(struct harness *h, const char *retry)
{
    char yaml[300];
    snprintf(yaml, sizeof yaml, "name: p\nsteps: {a: {command: [a], retry: {%s}}}\n", retry);
    harness_apply(h, yaml);
    harness_hello(h, 0, 1, NULL, 0);
    return harness_run(h, "p", 1);
}

static void a_policy_means_some_ends_only(void **state)
{
    static const struct {
        const char *retry;
        int outcome;
        const char *then;
    } ROWS[] = {
        {"attempts: 3", FAILED, "waiting"},
        {"attempts: 3, on: [timed_out]", FAILED, "failed"},
        {"attempts: 3, on: [timed_out]", REPORT_RESULT_OUTCOME_TIMED_OUT, "waiting"},
        {"attempts: 3, on: [failed]", REPORT_RESULT_OUTCOME_TIMED_OUT, "failed"},
        {"attempts: 3, exit_codes: [3]", FAILED, "waiting"}, /* the harness's is 3 */
        {"attempts: 3, exit_codes: [2, 3]", FAILED, "waiting"},
        {"attempts: 3, exit_codes: [4]", FAILED, "failed"},
        {"attempts: 3, not_exit_codes: [3]", FAILED, "failed"},
        {"attempts: 3, not_exit_codes: [4]", FAILED, "waiting"},
        {"attempts: 3, on: [failed]", REPORT_RESULT_OUTCOME_LOST, "failed"},
        {"attempts: 3", REPORT_RESULT_OUTCOME_LOST, "placed"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        struct uuid run = one_step(h, ROWS[i].retry);
        finish(h, 0, "a", ROWS[i].outcome, NULL);
        if (strcmp(step_is(h, run, 0), ROWS[i].then) != 0)
            fail_msg("%s: %s", ROWS[i].retry, step_is(h, run, 0));
        harness_free(h);
    }
}

/* ---- reports -----------------------------------------------------------------------------------
 */

static void report_result(struct harness *h, const struct report_result *result, const char *at)
{
    const struct order *o = order_of(h, ORDER_KIND_START, "a");
    harness_report(
        h, 0,
        (struct report){.kind = REPORT_KIND_FINISHED,
                        .attempt = o->attempt,
                        .nonce = o->nonce,
                        .at = at,
                        .result = result ? (struct report_result *)(uintptr_t)result : NULL});
    harness_settle(h);
}

static void an_end_that_says_nothing_changes_nothing(void **state)
{
    struct harness *h = *state;
    struct uuid run = one_step(h, "attempts: 1");
    report_result(h, NULL, NULL);
    report_result(h, &(struct report_result){.outcome = REPORT_RESULT_OUTCOME_NONE}, NULL);
    assert_string_equal(step_is(h, run, 0), "placed");
    const struct order *o = order_of(h, ORDER_KIND_START, "a");
    harness_report(
        h, 0,
        (struct report){.kind = REPORT_KIND_PROGRESS, .attempt = o->attempt, .nonce = o->nonce});
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "placed");
}

static void an_end_keeps_its_reason_image_and_time(void **state)
{
    static const struct {
        const char *at, *reason;
    } ROWS[] = {{"2026-11-23T08:00:00Z", "no disk"}, {"soon", ""}, {NULL, NULL}};
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        struct uuid run = one_step(h, "attempts: 2");
        report_result(h,
                      &(struct report_result){.outcome = FAILED,
                                              .exit_code = i ? 3 : -1,
                                              .reason = ROWS[i].reason,
                                              .image = i ? NULL : "sha256:1"},
                      ROWS[i].at);
        assert_string_equal(step_is(h, run, 0), "waiting");
        harness_pass(h, 400 * US_PER_S);
        harness_hello(h, 0, 1, NULL, 0);
        report_result(h, &(struct report_result){.outcome = FAILED, .exit_code = 3, .image = "i"},
                      NULL);
        assert_string_equal(run_is(h, run), "failed");
        assert_string_equal(row_of_result(h, run, 0)->reason, "exit code 3");
        harness_free(h);
    }
}

static void who_is_not_this_life_is_not_heard(void **state)
{
    struct harness *h = *state;
    struct uuid run = one_step(h, "attempts: 1, lost: 0");
    for (int i = 1; i < 12; i++) { /* heartbeats of another life */
        struct uuid other = id_of(99);
        struct uuid mine = h->lives[0];
        h->lives[0] = other;
        harness_heartbeat(h, 0, i);
        h->lives[0] = mine;
        harness_pass(h, 12 * US_PER_S);
    }
    core_drained(h->core, INT64_MAX, &h->now);
    harness_settle(h);
    assert_string_equal(run_is(h, run), "failed");
}

/* Only its attempt and nonce count: it may have been written before the worker was started again.
 */
static void a_report_of_its_last_life_counts(void **state)
{
    struct harness *h = *state;
    struct uuid run = one_step(h, "attempts: 1, lost: 0");
    const struct order *o = order_of(h, ORDER_KIND_START, "a");
    struct held_attempt held = {.attempt = o->attempt, .nonce = o->nonce};
    const struct uuid last = h->lives[0];
    harness_hello(h, 0, 1, &held, 1);
    const int64_t heard = h->core->workers->heard_us;
    h->now.mono_us += US_PER_S;
    h->lives[0] = last;
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    assert_true(h->core->workers->heard_us == heard); /* it is no word of this life */
}

/* What it holds under another nonce is not what it was given. */
static void a_held_attempt_needs_its_nonce(void **state)
{
    struct harness *h = *state;
    struct uuid run = one_step(h, "attempts: 1, lost: 0");
    const struct order *o = order_of(h, ORDER_KIND_START, "a");
    struct held_attempt held = {.attempt = o->attempt, .nonce = o->nonce + 1};
    harness_hello(h, 0, 1, &held, 1);
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(order_of(h, ORDER_KIND_CANCEL, NULL));
}

/* ---- silence -----------------------------------------------------------------------------------
 */

static void drain(struct harness *h)
{
    core_drained(h->core, INT64_MAX, &h->now);
    harness_settle(h);
}

/* Each attempt is judged by its own patience, the machine by the leader's. */
static void the_impatient_is_lost_first(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  a: {command: [a], lost_after: 30s, retry: {lost: 0}}\n"
                     "  b: {command: [b], lost_after: 60s, retry: {lost: 0}}\n");
    harness_hello(h, 0, 2, NULL, 0);
    struct uuid run = harness_run(h, "p", 1);
    harness_pass(h, 10 * US_PER_S);
    harness_pass(h, 30 * US_PER_S);
    drain(h);
    assert_string_equal(step_is(h, run, 0), "failed");
    assert_string_equal(step_is(h, run, 1), "placed");
    harness_pass(h, 30 * US_PER_S);
    drain(h);
    assert_string_equal(step_is(h, run, 1), "failed");
    assert_int_equal(h->rows->workers[0].state, WORKER_UNREACHABLE); /* holds nothing, not gone */
    harness_pass(h, 30 * US_PER_S);
    drain(h);
    assert_int_equal(h->rows->workers[0].state, WORKER_GONE);
}

/* Its row is gone; its attempts have their time like those of any that is silent. */
static void a_worker_without_a_row_is_silent(void **state)
{
    struct harness *h = *state;
    struct uuid run = one_step(h, "attempts: 1, lost: 0");
    json_decref(h->rows->workers[0].info);
    h->rows->workers_count = 0;
    harness_restart(h, 0);
    harness_settle(h);
    assert_string_equal(step_is(h, run, 0), "placed");
    harness_pass(h, 101 * US_PER_S);
    drain(h);
    assert_string_equal(run_is(h, run), "failed");
    assert_int_equal(h->rows->workers_count, 1);
    assert_int_equal(h->rows->workers[0].state, WORKER_GONE);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(a_step_is_placed_where_all_of_it_fits),    T(steps_that_want_different_things_wait_apart),
        T(a_worker_may_come_back_with_less),         T(a_pool_without_a_name_is_the_default_one),
        T(a_row_may_say_what_nobody_understands),    T(a_pool_goes_with_who_leaves_it),
        T(lanes_and_pools_go_with_who_named_them),   T(a_policy_means_some_ends_only),
        T(an_end_that_says_nothing_changes_nothing), T(an_end_keeps_its_reason_image_and_time),
        T(who_is_not_this_life_is_not_heard),        T(a_report_of_its_last_life_counts),
        T(a_held_attempt_needs_its_nonce),           T(the_impatient_is_lost_first),
        T(a_worker_without_a_row_is_silent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
