/* A real worker and its keeper, killed: at every failpoint of theirs, while steps run, with reports
 * lost. The attempt either ends once with the right result, or is lost and its successor does; the
 * ledger that every execution writes to shows that no attempt ran twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/one_worker.h"
#include "tests/support/waiting.h"
#include "worker/attempt/spool.h"

static struct one_worker *o;

static int setup(void **state)
{
    (void)state;
    o = one_worker_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    one_worker_close(o);
    return 0;
}

static char *read_file(const char *path)
{
    struct text t = {0};
    char buf[4096];
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    for (ssize_t n; fd >= 0 && (n = read(fd, buf, sizeof buf)) > 0;)
        text_append(&t, buf, (size_t)n);
    return text_take(&t);
}

/* Executions of an attempt, by the ledger. */
static int executions(int attempt)
{
    char path[128], id[UUID_TEXT];
    const struct uuid uuid = one_worker_id(attempt);
    uuid_format(&uuid, id);
    one_worker_path(o, path, sizeof path, "ledger");
    cleanup_free char *ledger = read_file(path);
    int n = 0;
    for (const char *at = ledger; (at = strstr(at, id)); at++)
        n++;
    return n;
}

/* A step that writes the ledger, a log over several chunks' time and an output. */
static void order_step(int attempt)
{
    char script[400];
    snprintf(script, sizeof script,
             "echo $LEAT_ATTEMPT_ID >> %s/ledger; for i in 1 2 3 4 5 6 7 8; do echo line $i; "
             "sleep 0.1; done; printf 42 > $LEAT_OUT/n; printf data > $LEAT_OUT/a",
             o->dir);
    const char *argv[] = {"sh", "-c", script};
    struct order_output outputs[] = {{"n", ORDER_OUTPUT_TYPE_INTEGER, false, NULL},
                                     {"a", ORDER_OUTPUT_TYPE_ARTIFACT, false, NULL}};
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 3,
                                .outputs = outputs,
                                .outputs_count = 2};
    one_worker_order(o, attempt, &start);
}

/* A step that does not end by itself; it has run, and the keeper has written of its log. */
static void order_long(int attempt)
{
    char id[UUID_TEXT], name[64], log[128];
    const struct uuid uuid = one_worker_id(attempt);
    uuid_format(&uuid, id);
    snprintf(name, sizeof name, "data/logs/%s", id);
    one_worker_path(o, log, sizeof log, name);
    one_worker_shell(o, attempt, "echo line 1; exec sleep 600");
    one_worker_until_file(o, log);
}

#define LOG_TEXT "line 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\nline 8\n"

struct chunk {
    int done;
    char *data;
};

static void got(void *arg, const struct store_object *object, const struct err *err)
{
    struct chunk *c = arg;
    c->done = 1;
    c->data = err ? NULL : mem_bytes(object->data, (size_t)object->size);
}

static void assert_log(int attempt, const char *expected)
{
    struct text all = {0};
    char run[UUID_TEXT], id[UUID_TEXT], name[SPOOL_NAME];
    const struct uuid run_id = {{0x77}}, attempt_id = one_worker_id(attempt);
    uuid_format(&run_id, run);
    uuid_format(&attempt_id, id);
    const json_t *log = o->seen[attempt].log;
    for (int64_t n = 1; n <= json_get_int(log, "chunks", 0); n++) {
        struct chunk c = {0};
        spool_chunk_name(name, run, "step", id, n);
        store_read(o->store, name, 0, 1 << 20, got, &c);
        assert_true(wait_for_count(o->loop, &c.done, 1, 60000));
        assert_non_null(c.data);
        text_puts(&all, c.data);
        free(c.data);
    }
    cleanup_free char *text = text_take(&all);
    assert_string_equal(text, expected);
    assert_int_equal(json_get_int(log, "bytes", -1), strlen(expected));
    char hex[SHA256_HEX];
    sha256_hex(expected, strlen(expected), hex);
    assert_string_equal(json_get_string(log, "sha256", ""), hex);
}

static void assert_right(int attempt)
{
    const struct seen_attempt *s = &o->seen[attempt];
    assert_string_equal(s->reason, "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    assert_int_equal(json_integer_value(json_object_get(s->outputs, "n")), 42);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "a"), "size", 0), 4);
    assert_log(attempt, LOG_TEXT);
    assert_int_equal(executions(attempt), 1);
}

/* Nothing of any attempt is left once all are acknowledged. */
static void assert_nothing_left(void)
{
    char path[128];
    one_worker_path(o, path, sizeof path, "data/work");
    assert_true(wait_until(o->loop, rmdir(path) == 0));
    one_worker_path(o, path, sizeof path, "data/logs");
    assert_true(wait_until(o->loop, rmdir(path) == 0));
}

#ifdef LEAT_FAILPOINTS
/* ---- the matrix
 * ----------------------------------------------------------------------------------- */

enum expected { LOST, FOLLOWED };

static const struct {
    const char *failpoint;
    enum expected expected; /* of the attempt that it strikes */
} worker_points[] = {
    {"order-journalled-before", LOST},
    {"order-journalled-after", LOST},
    {"spawn-before", LOST},
    {"spawn-after", LOST},
    {"exit-seen-before", FOLLOWED},
    {"exit-seen-after", FOLLOWED},
    {"log-closed-before", FOLLOWED},
    {"log-closed-after", FOLLOWED},
    {"output-stored-before", FOLLOWED},
    {"output-stored-after", FOLLOWED},
    {"report-publish-before", FOLLOWED},
    {"report-publish-after", FOLLOWED},
};

static void test_worker_dies_at_each_failpoint(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(worker_points); i++) {
        const int first = (int)i * 2 + 1, second = first + 1;
        /* The first batch of orders may be a grant, which passes the same point. */
        const bool orders = strstr(worker_points[i].failpoint, "order-") != NULL;
        print_message("%s\n", worker_points[i].failpoint);
        one_worker_start(o, NULL, NULL);
        one_worker_kill(o, SIGKILL);
        if (orders)
            o->mute = true;
        one_worker_start(o, worker_points[i].failpoint, NULL);
        order_step(first);
        const int status = one_worker_wait(o);
        o->mute = false;
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
        one_worker_start(o, NULL, NULL);
        one_worker_over(o, first);
        assert_int_equal(o->seen[first].lost, worker_points[i].expected == LOST);
        if (o->seen[first].lost) {
            assert_int_equal(executions(first), 0);
            order_step(second);
            one_worker_finished(o, second);
            assert_right(second);
        } else {
            assert_right(first);
        }
        one_worker_pass(o, 200);
        one_worker_kill(o, SIGKILL);
    }
    one_worker_start(o, NULL, NULL);
    assert_nothing_left();
}

static const struct {
    const char *failpoint;
    int outcome;
    int executions;
} keeper_points[] = {
    {"keeper-fork-before", REPORT_RESULT_OUTCOME_LOST, 0},
    {"keeper-fork-after", REPORT_RESULT_OUTCOME_LOST, -1}, /* killed at once, or a little later */
    {"keeper-exit-before", REPORT_RESULT_OUTCOME_LOST, 1},
    {"keeper-exit-after", REPORT_RESULT_OUTCOME_SUCCEEDED, 1},
};

static void test_keeper_dies_at_each_failpoint(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(keeper_points); i++) {
        const int first = (int)i * 2 + 1, second = first + 1;
        print_message("%s\n", keeper_points[i].failpoint);
        const pid_t old = one_worker_keeper(o);
        if (old)
            kill(old, SIGKILL);
        one_worker_start(o, keeper_points[i].failpoint, NULL);
        order_step(first);
        one_worker_finished(o, first);
        assert_int_equal(o->seen[first].outcome, keeper_points[i].outcome);
        if (keeper_points[i].executions >= 0)
            assert_int_equal(executions(first), keeper_points[i].executions);
        assert_true(executions(first) <= 1);
        one_worker_pass(o, 200);
        if (!wait_until(o->loop, one_worker_keeper(o) > 0)) /* the next one */
            fail_msg("no keeper followed the one that died");
        one_worker_kill(o, SIGKILL);
        one_worker_signal_keeper(o, SIGKILL); /* it has the failpoint too */
        one_worker_start(o, NULL, NULL);
        order_step(second);
        one_worker_finished(o, second);
        assert_right(second);
        one_worker_kill(o, SIGKILL);
    }
}

/* A full disk, say: nothing is taken in, and all of it is when it can be written again. */
static void test_order_that_cannot_be_journalled_is_read_again(void **state)
{
    (void)state;
    o->mute = true; /* a grant passes the same point */
    one_worker_start(o, "order-journalled-before:1:error", NULL);
    const int64_t ordered = clock_monotonic_us();
    order_step(1);
    one_worker_pass(o, 500);
    o->mute = false;
    one_worker_finished(o, 1);
    assert_right(1);
    /* It takes 0.8 s, and a second later it is read again. */
    assert_true(clock_monotonic_us() - ordered >= 1800 * US_PER_MS);
}
#endif

/* ---- deaths at any time
 * --------------------------------------------------------------------------- */

static void test_worker_dies_while_a_step_runs(void **state)
{
    (void)state;
    static const int signals[] = {SIGKILL, SIGTERM, SIGKILL};
    char ledger[128];
    one_worker_start(o, NULL, NULL);
    order_step(1);
    one_worker_path(o, ledger, sizeof ledger, "ledger");
    one_worker_until_file(o, ledger);
    for (size_t i = 0; i < ARRAY_LEN(signals); i++) {
        one_worker_kill(o, signals[i]);
        usleep(100000);
        one_worker_start(o, NULL, NULL);
    }
    one_worker_finished(o, 1);
    assert_right(1);
    assert_false(o->seen[1].lost);
    assert_nothing_left();
}

static void test_step_ends_while_the_worker_is_dead(void **state)
{
    (void)state;
    char ledger[128];
    one_worker_start(o, NULL, NULL);
    order_step(1);
    one_worker_path(o, ledger, sizeof ledger, "ledger");
    one_worker_until_file(o, ledger);
    one_worker_kill(o, SIGKILL);
    one_worker_pass(o, 1500);
    one_worker_start(o, NULL, NULL);
    one_worker_finished(o, 1);
    assert_right(1);
}

/* The cancel is journalled; the worker dies with the keeper not told. */
static void test_cancel_survives_the_worker(void **state)
{
    (void)state;
    char ledger[128];
    one_worker_start(o, NULL, NULL);
    char script[300];
    snprintf(script, sizeof script, "echo $LEAT_ATTEMPT_ID >> %s/ledger; exec sleep 60", o->dir);
    one_worker_shell(o, 1, script);
    one_worker_path(o, ledger, sizeof ledger, "ledger");
    one_worker_until_file(o, ledger);
    one_worker_signal_keeper(o, SIGSTOP);
    struct order cancel = {.kind = ORDER_KIND_CANCEL,
                           .attempt = one_worker_id(1),
                           .nonce = 1,
                           .grace_us = US_PER_S,
                           .reason = "asked for"};
    one_worker_send(o, &cancel);
    one_worker_pass(o, 300);
    one_worker_kill(o, SIGKILL);
    const pid_t keeper = one_worker_keeper(o);
    one_worker_spawn(o, NULL, NULL);
    one_worker_pass(o, 300);
    kill(keeper, SIGCONT);
    one_worker_finished(o, 1);
    assert_int_equal(o->seen[1].outcome, REPORT_RESULT_OUTCOME_CANCELLED);
    assert_string_equal(o->seen[1].reason, "asked for");
}

static void test_idle_keeper_ends_with_its_worker(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    assert_true(wait_until(o->loop, one_worker_keeper(o) > 0));
    one_worker_kill(o, SIGTERM);
    assert_true(wait_until(o->loop, one_worker_keeper(o) == 0));
    one_worker_start(o, NULL, NULL);
    one_worker_shell(o, 1, "exit 0");
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
}

static void test_keeper_is_killed(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order_long(1);
    one_worker_signal_keeper(o, SIGKILL);
    one_worker_finished(o, 1);
    assert_int_equal(o->seen[1].outcome, REPORT_RESULT_OUTCOME_LOST);
    assert_non_null(o->seen[1].log); /* what it wrote until then */
    order_step(2);
    one_worker_finished(o, 2);
    assert_right(2);
    assert_nothing_left();
}

static void test_both_are_killed(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    order_long(1);
    one_worker_kill(o, SIGKILL);
    one_worker_signal_keeper(o, SIGKILL);
    one_worker_start(o, NULL, NULL);
    one_worker_finished(o, 1);
    assert_int_equal(o->seen[1].outcome, REPORT_RESULT_OUTCOME_LOST);
    assert_false(o->seen[1].lost); /* it was held: the new keeper knew of it */
}

/* ---- reports and leases
 * --------------------------------------------------------------------------- */

static void test_unacknowledged_reports_come_again(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    one_worker_pass(o, 200);
    o->swallow = 1;
    struct order_start start = {.executor = ORDER_START_EXECUTOR_NOOP};
    one_worker_order(o, 1, &start);
    one_worker_finished(o, 1); /* after three grants that lack it */
    assert_true(o->ignored > 0);
    assert_int_equal(o->seen[1].finished, 1);
}

static void test_finished_report_survives_the_worker(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    one_worker_pass(o, 200);
    o->swallow = 1;
    order_step(1);
    while (o->swallow > 0)
        one_worker_pass(o, 10);
    one_worker_kill(o, SIGKILL);
    one_worker_start(o, NULL, NULL);
    one_worker_finished(o, 1);
    assert_false(o->seen[1].lost);
    assert_right(1);
    assert_nothing_left();
}

/* From the heartbeat that was granted last to the end of what may be lost after 5.5 s: the lease,
 * what is left of those when 5 s are kept for the end, less its grace. */
#define FUSED_US (10 * US_PER_S + 500 * US_PER_MS - 300 * US_PER_MS)

static void test_lapsed_lease_takes_nothing_in(void **state)
{
    (void)state;
    const char *argv[] = {"sleep", "60"};
    struct order_start fused = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 2,
                                .lost_after_us = 5500 * US_PER_MS};
    const int64_t before = clock_monotonic_us(); /* any heartbeat */
    one_worker_start(o, NULL, NULL);
    one_worker_order(o, 3, &fused);
    one_worker_pass(o, 100);
    o->mute = true;
    assert_int_equal(one_worker_finished(o, 3)->outcome, REPORT_RESULT_OUTCOME_LOST);
    assert_true(clock_monotonic_us() - before >= FUSED_US);
    assert_non_null(strstr(o->seen[3].reason, "lease"));
    struct order_start start = {.executor = ORDER_START_EXECUTOR_NOOP};
    one_worker_order(o, 1, &start);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_REFUSED);
    assert_string_equal(o->seen[1].reason, "the worker's lease has lapsed");
    o->mute = false;
    int attempt = 10;
    one_worker_until_it_takes(o, &attempt); /* when the next heartbeat is answered */
    one_worker_order(o, 2, &start);
    assert_int_equal(one_worker_finished(o, 2)->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
}

/* The leader heard the hello and was never heard again itself: what it started before its first
 * grant is ended when the lease that began with the hello would have it so. */
static void test_start_before_the_first_grant_has_a_fuse(void **state)
{
    (void)state;
    const char *argv[] = {"sleep", "60"};
    struct order_start fused = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 2,
                                .lost_after_us = 5500 * US_PER_MS};
    o->mute = true;
    const int64_t before = clock_monotonic_us();
    one_worker_start(o, NULL, NULL);
    const int64_t hello = clock_monotonic_us();
    one_worker_order(o, 1, &fused);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_LOST);
    assert_int_equal(o->seen[1].started, 1);
    assert_true(clock_monotonic_us() - before >= FUSED_US);
    assert_true(clock_monotonic_us() - hello < 50 * US_PER_S); /* it would run for 60 */
    assert_non_null(strstr(o->seen[1].reason, "lease"));
}

static void test_data_folder_belongs_to_one_worker(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    const pid_t first = o->pid;
    one_worker_spawn(o, NULL, NULL); /* a second at the same time */
    const int second = one_worker_wait(o);
    assert_int_equal(WEXITSTATUS(second), 4);
    o->pid = first;
    one_worker_kill(o, SIGTERM);
    static const char *const other[] = {"--name=other", NULL};
    one_worker_spawn(o, NULL, other);
    const int renamed = one_worker_wait(o);
    assert_int_equal(WEXITSTATUS(renamed), 4);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
#ifdef LEAT_FAILPOINTS
        T(test_worker_dies_at_each_failpoint),
        T(test_keeper_dies_at_each_failpoint),
        T(test_order_that_cannot_be_journalled_is_read_again),
#endif
        T(test_worker_dies_while_a_step_runs),
        T(test_step_ends_while_the_worker_is_dead),
        T(test_cancel_survives_the_worker),
        T(test_idle_keeper_ends_with_its_worker),
        T(test_keeper_is_killed),
        T(test_both_are_killed),
        T(test_unacknowledged_reports_come_again),
        T(test_finished_report_survives_the_worker),
        T(test_lapsed_lease_takes_nothing_in),
        T(test_start_before_the_first_grant_has_a_fuse),
        T(test_data_folder_belongs_to_one_worker),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
