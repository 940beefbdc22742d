/* Housekeeping: what is deleted from the queue, and what never. */
#include "schema/gen/messages.h"
#include "tests/unit/scheduler/shell_harness.h"

#define HOUR_US   (3600 * US_PER_S)
#define MINUTE_US (60 * US_PER_S)
#define ORDERS    TOPIC_ORDERS_PREFIX "w1"

/* Time in which whatever the shell commits is committed and the house is kept. */
static void pass(struct shell_harness *h, int64_t us)
{
    for (; us > 0; us -= US_PER_S / 2) {
        harness_wait(h, US_PER_S / 2);
        if (h->db.kept)
            TAKE(h->db.kept)(h->db.arg, NULL);
        if (h->db.committed)
            harness_commit_answers(h, DB_COMMITTED);
    }
}

static void commands_go_an_hour_after_they_were_committed(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    harness_append(h, TOPIC_COMMANDS, "{ not json");
    pass(h, 5 * MINUTE_US);
    harness_append(h, TOPIC_COMMANDS, "{ nor this");
    pass(h, 50 * MINUTE_US);
    assert_int_equal(memory_log_first(h->log, TOPIC_COMMANDS, 0), 0);
    pass(h, 15 * MINUTE_US); /* at most an eighth of the age later */
    assert_true(memory_log_first(h->log, TOPIC_COMMANDS, 0) >= 1);
    pass(h, 15 * MINUTE_US);
    assert_int_equal(memory_log_first(h->log, TOPIC_COMMANDS, 0), 2);
}

static void what_is_not_committed_stays(void **state)
{
    struct shell_harness *h = *state;
    harness_lead(h);
    pass(h, 2 * HOUR_US);
    harness_append(h, TOPIC_COMMANDS, "{ not json");
    harness_wait(h, 2 * HOUR_US); /* the commit is never answered */
    assert_int_equal(memory_log_first(h->log, TOPIC_COMMANDS, 0), 0);
}

static void append_order(struct shell_harness *h)
{
    memory_log_make_topic(h->log, ORDERS, 0);
    memory_log_append(h->log, ORDERS, "leader", NULL, "{}", 2);
}

/* It may come back and read on; that this leader has rebuilt its memory says nothing about it. */
static void orders_of_a_silent_worker_stay(void **state)
{
    struct shell_harness *h = *state;
    h->worker = "w1";
    append_order(h);
    harness_lead(h);
    pass(h, 2 * HOUR_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 0);
    harness_append(h, TOPIC_COMMANDS, "{ not json");
    harness_commit_answers(h, DB_NOT_IN);
    harness_wait(h, 3 * US_PER_S);
    TAKE(h->db.migrated)(h->db.arg, NULL);
    harness_load_answers(h);
    pass(h, 10 * MINUTE_US);
    assert_int_equal(shell_state(h->shell), SHELL_LEADING);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 0);
}

static void say(struct shell_harness *h, int64_t n, unsigned char life, int64_t orders)
{
    size_t len;
    struct report report = {.v = 1,
                            .kind = REPORT_KIND_HEARTBEAT,
                            .worker = "w1",
                            .incarnation = {{life}},
                            .n = n,
                            .heartbeat = n,
                            .orders = orders};
    cleanup_free char *text = report_encode(&report, &len);
    harness_append(h, TOPIC_REPORTS, text);
}

/* A heartbeat every 8 s, for `us`. */
static void beat(struct shell_harness *h, int64_t *n, unsigned char life, int64_t orders,
                 int64_t us)
{
    for (; us > 0; us -= 8 * US_PER_S) {
        say(h, ++*n, life, orders);
        pass(h, 8 * US_PER_S);
    }
}

static void orders_go_when_their_worker_has_read_them(void **state)
{
    struct shell_harness *h = *state;
    int64_t n = 0;
    h->worker = "w1";
    harness_lead(h);
    append_order(h);
    append_order(h);
    append_order(h);
    beat(h, &n, 1, 0, 2 * HOUR_US); /* it is heard, and reads nothing: its journal is full, say */
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 0);
    beat(h, &n, 2, 3, 5 * MINUTE_US); /* another life is not believed before its hello */
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 0);
    beat(h, &n, 1, 2, 5 * MINUTE_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 2);
    append_order(h);
    beat(h, &n, 1, 4, 50 * MINUTE_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 3); /* the fourth is not over age */
    beat(h, &n, 1, 4, 30 * MINUTE_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 4);
}

/* What it has read goes on going by age when it falls silent, the rest waits: for key-age. */
static void orders_of_a_worker_that_never_comes_back_go(void **state)
{
    struct shell_harness *h = *state;
    int64_t n = 0;
    h->worker = "w1";
    harness_lead(h);
    append_order(h);
    append_order(h);
    beat(h, &n, 1, 1, MINUTE_US);
    pass(h, 3 * HOUR_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 1);
    pass(h, HARNESS_KEYS_US - 4 * HOUR_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 1);
    pass(h, 2 * HOUR_US);
    assert_int_equal(memory_log_first(h->log, ORDERS, 0), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, shell_setup, shell_teardown)
        T(commands_go_an_hour_after_they_were_committed),
        T(what_is_not_committed_stays),
        T(orders_of_a_silent_worker_stay),
        T(orders_go_when_their_worker_has_read_them),
        T(orders_of_a_worker_that_never_comes_back_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
