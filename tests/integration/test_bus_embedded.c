/* The embedded bus on a real server: the common script, its doorbells, its one producer a name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/bus/embedded.h"
#include "tests/support/bus_script.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

#define HOUR_US    (3600 * US_PER_S)
#define PATIENT_US (60 * US_PER_S) /* of a record, on a busy machine */

struct fixture {
    struct test_database db;
    struct loop *loop;
    char folder[64];
    int64_t look_us, lock_wait_us;
    bool bells;
};

static struct bus *open_bus(void *arg, const char *producer)
{
    struct fixture *f = arg;
    const struct embedded_options options = {
        .conninfo = f->db.conninfo,
        .name = "test-bus",
        .producer = producer,
        .doorbells = f->bells ? f->folder : NULL,
        .look_us = f->look_us,
        .lock_wait_us = f->lock_wait_us,
    };
    struct bus *bus = embedded_open(f->loop, &options);
    assert_true(wait_until(f->loop, bus->ops->id(bus) != NULL));
    return bus;
}

static bool until(void *arg, const int *count, int least)
{
    return wait_for_count(((struct fixture *)arg)->loop, count, least, 60000);
}

static void pass(void *arg, int ms)
{
    wait_ms(((struct fixture *)arg)->loop, ms);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.loop = loop_new(),
                         .folder = "/tmp/leat-bells.XXXXXX",
                         .bells = true,
                         .look_us = HOUR_US,
                         .lock_wait_us = 300 * US_PER_MS};
    assert_non_null(mkdtemp(f.folder));
    test_database_make(&f.db);
    test_database_migrate(&f.db);
    *state = &f;
    return 0;
}

static void empty_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(folder);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    test_database_drop(&f->db);
    empty_folder(f->folder);
    return 0;
}

/* Doorbells alone must do: the look comes once an hour. */
static void script_woken_by_doorbells(void **state)
{
    struct fixture *f = *state;
    bus_script(&(struct bus_world){open_bus, until, pass, f}, "bells");
}

static void script_woken_by_the_look(void **state)
{
    struct fixture *f = *state;
    f->bells = false;
    f->look_us = 20 * US_PER_MS;
    bus_script(&(struct bus_world){open_bus, until, pass, f}, "look");
}

/* ---- records and answers -------------------------------------------------------------------- */

struct delivery {
    int count;
    int code;
    int64_t offset;
    char text[640];
};

static void on_delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct delivery *d = arg;
    (void)partition;
    d->count++;
    d->code = err ? err->code : 0;
    d->offset = offset;
    snprintf(d->text, sizeof d->text, "%s", err ? err->text : "");
}

static void put(struct bus *bus, const char *value, struct delivery *d)
{
    bus_publish(bus, "t", NULL, 0, value, strlen(value), PATIENT_US, on_delivered, d);
}

static void on_done(void *arg, const struct err *err)
{
    assert_null(err);
    ++*(int *)arg;
}

static void make_topic(struct fixture *f, struct bus *bus)
{
    int done = 0;
    bus->ops->topics_make(bus, &(struct bus_topic){"t", 1}, 1, on_done, &done);
    assert_true(until(f, &done, 1));
}

struct reading {
    int count;
    int resets;
    int64_t next[16]; /* by partition: gaps fail the test */
    int64_t last_us;
};

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct reading *r = arg;
    for (size_t i = 0; i < n; i++) {
        assert_in_range(records[i].partition, 0, 15);
        assert_int_equal(records[i].offset, r->next[records[i].partition]);
        r->next[records[i].partition]++;
        r->count++;
    }
    r->last_us = clock_monotonic_us();
}

static void on_reset(void *arg)
{
    ((struct reading *)arg)->resets++;
}

static void on_failed(void *arg, const struct err *err)
{
    (void)arg;
    fail_msg("%s", err->text);
}

static const struct bus_reader_events reader_events = {on_records, on_reset, on_failed};

static struct bus_reader *read_all(struct bus *bus, struct reading *reading)
{
    const char *topic = "t";
    struct bus_reader *r = bus->ops->reader_open(bus, &reader_events, reading);
    bus->ops->assign(r, &topic, 1, NULL, 0, BUS_EARLIEST);
    return r;
}

/* ---- one producer a name -------------------------------------------------------------------- */

static void second_of_a_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct delivery first = {0}, second = {0};
    struct bus *one = open_bus(f, "same"), *two = open_bus(f, "same");
    make_topic(f, one);
    put(one, "a", &first);
    assert_true(until(f, &first.count, 1));
    put(two, "b", &second);
    assert_true(until(f, &second.count, 1));
    assert_int_equal(second.code, LEAT_EREFUSED);
    assert_non_null(strstr(second.text, "another process publishes as 'same': test-bus"));
    put(one, "c", &first); /* the first is not disturbed */
    assert_true(until(f, &first.count, 2));
    assert_int_equal(first.offset, 1);
    one->ops->close(one);
    put(two, "d", &second);
    assert_true(until(f, &second.count, 2));
    assert_int_equal(second.code, 0);
    assert_int_equal(second.offset, 2); /* the same partition goes on */
    two->ops->close(two);
}

static void lock_frees_itself_within_the_wait(void **state)
{
    struct fixture *f = *state;
    struct delivery first = {0}, second = {0};
    f->lock_wait_us = HOUR_US; /* of this machine's business nothing depends */
    struct bus *one = open_bus(f, "same"), *two = open_bus(f, "same");
    make_topic(f, one);
    put(one, "a", &first);
    assert_true(until(f, &first.count, 1));
    put(two, "b", &second);
    wait_ms(f->loop, 150);
    assert_int_equal(second.count, 0); /* waits a little */
    one->ops->close(one);
    assert_true(until(f, &second.count, 1));
    assert_int_equal(second.code, 0);
    two->ops->close(two);
}

static void reader_may_not_publish(void **state)
{
    struct fixture *f = *state;
    struct delivery d = {0};
    struct bus *bus = open_bus(f, NULL);
    put(bus, "a", &d);
    assert_int_equal(d.count, 0);
    assert_true(until(f, &d.count, 1));
    assert_int_equal(d.code, LEAT_EREFUSED);
    bus->ops->close(bus);
}

/* ---- many at once --------------------------------------------------------------------------- */

#define PRODUCERS 8
#define EACH      400

/* Each with its own backend; the reader fails the test at a gap. */
static void readers_never_see_a_gap(void **state)
{
    struct fixture *f = *state;
    struct reading reading = {0};
    static struct delivery d[PRODUCERS][EACH];
    memset(d, 0, sizeof d);
    struct bus *producers[PRODUCERS];
    char name[16];
    for (int i = 0; i < PRODUCERS; i++) {
        snprintf(name, sizeof name, "p%d", i);
        producers[i] = open_bus(f, name);
    }
    make_topic(f, producers[0]);
    struct bus *reader_bus = open_bus(f, NULL);
    struct bus_reader *reader = read_all(reader_bus, &reading);
    for (int n = 0; n < EACH; n++) {
        for (int i = 0; i < PRODUCERS; i++)
            put(producers[i], "v", &d[i][n]);
        loop_step(f->loop, false);
    }
    assert_true(until(f, &reading.count, PRODUCERS * EACH));
    for (int i = 0; i < PRODUCERS; i++)
        for (int n = 0; n < EACH; n++) {
            assert_true(until(f, &d[i][n].count, 1));
            assert_int_equal(d[i][n].code, 0);
            assert_int_equal(d[i][n].offset, n);
        }
    reader_bus->ops->reader_close(reader);
    reader_bus->ops->close(reader_bus);
    for (int i = 0; i < PRODUCERS; i++)
        producers[i]->ops->close(producers[i]);
}

static int compare_int64(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* From publish to the record's callback, over two connections and a doorbell. */
static void latency_is_small(void **state)
{
    struct fixture *f = *state;
    enum { TIMES = 200 };
    int64_t us[TIMES];
    struct reading reading = {0};
    struct delivery d = {0};
    struct bus *bus = open_bus(f, "p");
    make_topic(f, bus);
    struct bus_reader *reader = read_all(bus, &reading);
    for (int i = 0; i < TIMES; i++) {
        const int64_t began = clock_monotonic_us();
        put(bus, "v", &d);
        while (reading.count <= i)
            loop_step(f->loop, true);
        us[i] = reading.last_us - began;
    }
    qsort(us, TIMES, sizeof us[0], compare_int64);
    print_message("publish to record: p50 %lld us, p99 %lld us\n", (long long)us[TIMES / 2],
                  (long long)us[TIMES * 99 / 100]);
    assert_true(us[TIMES / 2] < US_PER_S); /* woken: a look comes once an hour */
    bus->ops->reader_close(reader);
    bus->ops->close(bus);
}

/* The bus has asked all that it has to ask, by the server's word, and heard the answers. */
static void until_idle(struct fixture *f)
{
    for (int idle = 0, tries = 0; idle < 3; tries++) {
        assert_in_range(tries, 0, 1000);
        wait_ms(f->loop, 20);
        idle = test_sql(f->db.conninfo,
                        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'test-bus' "
                        "AND datname = current_database() AND state <> 'idle'") == 0
                   ? idle + 1
                   : 0;
    }
}

/* The leader's transaction makes the partition and the record behind the bus's back, and rings. */
static void ring_alone_finds_a_new_partition(void **state)
{
    struct fixture *f = *state;
    struct reading reading = {0};
    struct bus *bus = open_bus(f, NULL);
    make_topic(f, bus);
    struct bus_reader *reader = read_all(bus, &reading);
    until_idle(f);
    test_sql(f->db.conninfo, "INSERT INTO bus_partition SELECT id, 0, 'leader', 1 FROM bus_topic;"
                             "INSERT INTO bus_record SELECT id, 0, 0, NULL, 'v' FROM bus_topic");
    wait_ms(f->loop, 50);
    assert_int_equal(reading.count, 0); /* the look comes once an hour */
    bus->ops->ring(bus, "t");
    assert_true(until(f, &reading.count, 1));
    bus->ops->reader_close(reader);
    bus->ops->close(bus);
}

/* ---- ends of things ------------------------------------------------------------------------- */

static void readers_may_outlive_their_bus(void **state)
{
    struct fixture *f = *state;
    struct reading reading = {0};
    struct bus *bus = open_bus(f, "p");
    make_topic(f, bus);
    struct bus_reader *reader = read_all(bus, &reading);
    const struct bus_ops *ops = bus->ops;
    wait_ms(f->loop, 20);
    ops->close(bus);
    wait_ms(f->loop, 20);
    assert_int_equal(reading.resets, 0);
    ops->reader_close(reader);
}

struct closer {
    struct bus *bus;
    int count;
};

static void close_bus_now(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct closer *c = arg;
    (void)err;
    (void)partition;
    (void)offset;
    c->count++;
    struct bus *bus = TAKE(c->bus);
    if (bus)
        bus->ops->close(bus);
}

static void may_be_closed_from_a_delivery(void **state)
{
    struct fixture *f = *state;
    struct closer c = {.bus = open_bus(f, "p")};
    make_topic(f, c.bus);
    for (int i = 0; i < 5; i++)
        bus_publish(c.bus, "t", NULL, 0, "v", 1, 0, close_bus_now, &c);
    assert_true(until(f, &c.count, 5));
    wait_ms(f->loop, 20);
    assert_int_equal(c.count, 5);
}

static void deadline_is_kept_without_a_server(void **state)
{
    struct fixture *f = *state;
    struct delivery d = {0};
    const struct embedded_options options = {.conninfo = "host=/nonexistent", .producer = "p"};
    struct bus *bus = embedded_open(f->loop, &options);
    const int64_t began = clock_monotonic_us();
    bus_publish(bus, "t", NULL, 0, "v", 1, 200 * US_PER_MS, on_delivered, &d);
    assert_true(until(f, &d.count, 1));
    const int64_t took = clock_monotonic_us() - began;
    assert_int_equal(d.code, LEAT_EUNREACHABLE);
    assert_in_range(took, 200 * US_PER_MS, 30 * US_PER_S);
    assert_null(bus->ops->id(bus));
    bus->ops->close(bus);
}

static void too_many_waiting_is_full(void **state)
{
    struct fixture *f = *state;
    struct delivery d = {0}, last = {0};
    const struct embedded_options options = {.conninfo = "host=/nonexistent", .producer = "p"};
    struct bus *bus = embedded_open(f->loop, &options);
    for (int i = 0; i < 100000; i++)
        put(bus, "v", &d);
    put(bus, "v", &last);
    assert_true(until(f, &last.count, 1));
    assert_int_equal(last.code, LEAT_EFULL);
    assert_int_equal(d.count, 0);
    bus->ops->close(bus);
    assert_int_equal(d.count, 100000);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(script_woken_by_doorbells),
        TEST(script_woken_by_the_look),
        TEST(second_of_a_name_is_refused),
        TEST(lock_frees_itself_within_the_wait),
        TEST(reader_may_not_publish),
        TEST(readers_never_see_a_gap),
        TEST(latency_is_small),
        TEST(ring_alone_finds_a_new_partition),
        TEST(readers_may_outlive_their_bus),
        TEST(may_be_closed_from_a_delivery),
        TEST(deadline_is_kept_without_a_server),
        TEST(too_many_waiting_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
