/* The embedded bus while Postgres dies: what was answered "durable" is there once, at its offset;
 * what was answered "not there" is not; a cut append is looked up, not doubled. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/bus/embedded.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

#define MESSAGES_MAX 40000

/* Longer than a busy machine needs to come back and find out what is in. */
#define PATIENT_US (60 * US_PER_S)

struct sent {
    struct fixture *f;
    int number;
    int answers;
    int code;
    int64_t offset;
};

struct fixture {
    struct test_cluster own;
    struct loop *loop;
    struct bus *bus;
    struct bus_reader *reader;
    struct sent *sent;
    int sent_count, answered, unknown;
    int *copies;      /* of each message, as the reader saw them last */
    int64_t *read_at; /* and where */
    int64_t next;     /* offset that the reader expects */
    int resets, read;
};

static void on_delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct sent *s = arg;
    (void)partition;
    s->answers++;
    s->code = err ? err->code : 0;
    s->offset = offset;
    s->f->answered++;
    s->f->unknown += s->code == LEAT_EUNKNOWN;
}

static void publish(struct fixture *f, int64_t deadline_us)
{
    assert_true(f->sent_count < MESSAGES_MAX);
    struct sent *s = &f->sent[f->sent_count];
    *s = (struct sent){.f = f, .number = f->sent_count++};
    bus_publish(f->bus, "t", NULL, 0, &s->number, sizeof s->number, deadline_us, on_delivered, s);
}

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct fixture *f = arg;
    for (size_t i = 0; i < n; i++) {
        int number;
        if (records[i].partition != 0)
            continue;
        assert_int_equal(records[i].offset, f->next);
        f->next++;
        memcpy(&number, records[i].value, sizeof number);
        f->copies[number]++;
        f->read_at[number] = records[i].offset;
        f->read++;
    }
}

static void assign(struct fixture *f)
{
    const char *topic = "t";
    f->next = 0; /* nothing was committed: all that was read is forgotten */
    f->read = 0;
    memset(f->copies, 0, MESSAGES_MAX * sizeof *f->copies);
    f->bus->ops->assign(f->reader, &topic, 1, NULL, 0, BUS_EARLIEST);
}

static void on_reset(void *arg)
{
    struct fixture *f = arg;
    f->resets++;
    assign(f);
}

static void on_failed(void *arg, const struct err *err)
{
    (void)arg;
    fail_msg("%s", err->text);
}

static void on_done(void *arg, const struct err *err)
{
    assert_null(err);
    ++*(int *)arg;
}

static void open_all(struct fixture *f, bool sync_commit_off)
{
    static const struct bus_reader_events events = {on_records, on_reset, on_failed};
    const struct embedded_options options = {.conninfo = f->own.conninfo,
                                             .name = "test-crash",
                                             .producer = "p",
                                             .sync_commit_off = sync_commit_off,
                                             .look_us = 20 * US_PER_MS};
    int made = 0;
    f->bus = embedded_open(f->loop, &options);
    assert_true(wait_until(f->loop, f->bus->ops->id(f->bus) != NULL));
    f->bus->ops->topics_make(f->bus, &(struct bus_topic){"t", 1}, 1, on_done, &made);
    assert_true(wait_for_count(f->loop, &made, 1, 60000));
    f->reader = f->bus->ops->reader_open(f->bus, &events, f);
    assign(f);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.loop = loop_new()};
    f.sent = mem_array(MESSAGES_MAX, sizeof *f.sent);
    f.copies = mem_array(MESSAGES_MAX, sizeof *f.copies);
    f.read_at = mem_array(MESSAGES_MAX, sizeof *f.read_at);
    test_cluster_start(&f.own);
    struct test_database db = {0};
    snprintf(db.conninfo, sizeof db.conninfo, "%s", f.own.conninfo);
    test_database_migrate(&db);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    f->bus->ops->reader_close(f->reader);
    f->bus->ops->close(f->bus);
    loop_free(f->loop);
    test_cluster_remove(&f->own);
    free(f->sent);
    free(f->copies);
    free(f->read_at);
    return 0;
}

/* Publishes for about `ms`, a few in each turn of the loop. */
static void publish_for(struct fixture *f, int ms)
{
    const int64_t end = clock_monotonic_us() + ms * US_PER_MS;
    while (clock_monotonic_us() < end) {
        for (int i = 0; i < 3; i++)
            publish(f, PATIENT_US);
        wait_ms(f->loop, 2);
    }
}

static void expect_exactly_once(struct fixture *f)
{
    assert_true(wait_for_count(f->loop, &f->answered, f->sent_count, 120000));
    assert_int_equal(f->answered, f->sent_count);
    int durable = 0;
    for (int i = 0; i < f->sent_count; i++)
        durable += f->sent[i].code == 0;
    if (!wait_for_count(f->loop, &f->read, durable, 60000))
        fail_msg("%d of %d were read, after %d resets", f->read, durable, f->resets);
    wait_ms(f->loop, 100);
    for (int i = 0; i < f->sent_count; i++) {
        const struct sent *s = &f->sent[i];
        assert_int_equal(s->answers, 1);
        if (s->code == 0) {
            assert_int_equal(f->copies[i], 1);
            assert_int_equal(f->read_at[i], s->offset);
        } else if (s->code == LEAT_EUNKNOWN) {
            assert_in_range(f->copies[i], 0, 1);
        } else {
            assert_int_equal(f->copies[i], 0);
        }
    }
}

static void server_dies_while_publishing(void **state)
{
    struct fixture *f = *state;
    open_all(f, false);
    for (int round = 0; round < 3; round++) {
        publish_for(f, 300);
        for (int i = 0; i < 10; i++) /* certainly under way when it dies */
            publish(f, PATIENT_US);
        loop_step(f->loop, false);
        test_cluster_crash(&f->own);
        publish_for(f, 200); /* waits for the server to come back */
        test_cluster_again(&f->own);
        publish_for(f, 300);
    }
    expect_exactly_once(f);
    assert_int_equal(f->unknown, 0); /* all were found out in time */
    assert_in_range(f->resets, 1, 6);
}

static void deadline_passes_while_the_server_is_away(void **state)
{
    struct fixture *f = *state;
    open_all(f, false);
    publish_for(f, 100);
    test_cluster_crash(&f->own);
    wait_ms(f->loop, 50);             /* it is noticed: what comes now is certainly not sent */
    const int before = f->sent_count; /* of these some may be under way, with more time */
    for (int i = 0; i < 20; i++)
        publish(f, 300 * US_PER_MS);
    for (int i = before; i < f->sent_count; i++)
        assert_true(wait_for_count(f->loop, &f->sent[i].answers, 1, 60000));
    for (int i = before; i < f->sent_count; i++) {
        assert_int_equal(f->sent[i].answers, 1);
        assert_int_equal(f->sent[i].code, LEAT_EUNREACHABLE);
    }
    test_cluster_again(&f->own);
    publish_for(f, 200);
    expect_exactly_once(f);
}

static void backends_are_ended_while_publishing(void **state)
{
    struct fixture *f = *state;
    PGconn *killer = test_connect(f->own.conninfo);
    open_all(f, false);
    for (int round = 0; round < 20; round++) {
        publish_for(f, 60);
        for (int i = 0; i < 50; i++)
            publish(f, PATIENT_US);
        loop_step(f->loop, false);
        PQclear(PQexec(killer, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                               "application_name = 'test-crash'"));
    }
    PQfinish(killer);
    expect_exactly_once(f);
    assert_int_equal(f->unknown, 0);
    assert_in_range(f->resets, 1, 40);
}

/* Commits that do not wait for the disk may be lost; what is left has no gap, and the producer goes
 * on behind it. */
static void lost_tail_leaves_no_gap(void **state)
{
    struct fixture *f = *state;
    open_all(f, true);
    for (int round = 0; round < 3; round++) {
        publish_for(f, 150);
        test_cluster_crash(&f->own);
        test_cluster_again(&f->own);
    }
    publish_for(f, 200);
    assert_true(wait_for_count(f->loop, &f->answered, f->sent_count, 120000));
    const int left = (int)test_sql(f->own.conninfo, "SELECT count(*) FROM bus_record");
    assert_true(wait_for_count(f->loop, &f->read, left, 60000)); /* gaps fail in on_records */
    assert_int_equal(test_sql(f->own.conninfo, "SELECT next FROM bus_partition"), left);
    for (int i = 0; i < f->sent_count; i++)
        assert_in_range(f->copies[i], 0, 1);
}

/* A producer that is killed leaves its name to the next one. */
static void killed_producer_frees_its_name(void **state)
{
    struct fixture *f = *state;
    open_all(f, false);
    publish(f, PATIENT_US); /* takes partition 0 */
    assert_true(wait_for_count(f->loop, &f->answered, 1, 60000));
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t child = fork();
    if (child == 0) { /* a process of its own, with nothing of ours but the address */
        struct loop *loop = loop_new();
        struct sent s = {.f = f};
        const struct embedded_options options = {
            .conninfo = f->own.conninfo, .name = "child", .producer = "q"};
        struct bus *bus = embedded_open(loop, &options);
        bus_publish(bus, "t", NULL, 0, "\0\0\0\0", 4, PATIENT_US, on_delivered, &s);
        wait_for_count(loop, &s.answers, 1, 60000);
        (void)!write(ends[1], "x", 1);
        for (;;)
            loop_step(loop, true);
    }
    char byte;
    assert_int_equal(read(ends[0], &byte, 1), 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(ends[0]);
    close(ends[1]);
    const struct embedded_options options = {
        .conninfo = f->own.conninfo, .name = "next", .producer = "q", .lock_wait_us = PATIENT_US};
    struct bus *next = embedded_open(f->loop, &options);
    struct sent s = {.f = f};
    bus_publish(next, "t", NULL, 0, "\0\0\0\0", 4, PATIENT_US, on_delivered, &s);
    assert_true(wait_for_count(f->loop, &s.answers, 1, 120000));
    assert_int_equal(s.code, 0);
    assert_int_equal(s.offset, 1);
    next->ops->close(next);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(server_dies_while_publishing),        TEST(deadline_passes_while_the_server_is_away),
        TEST(backends_are_ended_while_publishing), TEST(lost_tail_leaves_no_gap),
        TEST(killed_producer_frees_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
