/* The Kafka bus on a real broker: the common script, order and exactness over a broker that is
 * killed, stopped or away, offsets that are not there, much and slow reading. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/kafka_internal.h"
#include "tests/support/bus_script.h"
#include "tests/support/kafka.h"
#include "tests/support/waiting.h"

struct fixture {
    struct test_kafka kafka;
    struct loop *loop;
};

static struct bus *open_bus(void *arg, const char *producer)
{
    struct fixture *f = arg;
    (void)producer;
    return test_kafka_bus(f->loop, &f->kafka);
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
    test_kafka_start(&f.kafka, "auto_create=1"); /* Leat makes its topics itself all the same */
    f.loop = loop_new();
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    loop_free(f->loop);
    test_kafka_remove(&f->kafka);
    return 0;
}

static void script(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *prefix = mem_printf("script-%d", (int)getpid());
    bus_script(&(struct bus_world){open_bus, until, pass, f}, prefix);
}

/* ---- what comes back ------------------------------------------------------------------------ */

struct delivery {
    int count;
    int code;
    int64_t offset;
};

static void on_delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct delivery *d = arg;
    (void)partition;
    d->count++;
    d->code = err ? err->code : 0;
    d->offset = offset;
}

struct answers {
    int count;
};

static void count_answer(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)err, (void)partition, (void)offset;
    ((struct answers *)arg)->count++;
}

static void on_done(void *arg, const struct err *err)
{
    if (err)
        fail_msg("%s", err->text);
    ++*(int *)arg;
}

struct reading {
    int count, failed;
    struct err err;
    int64_t next; /* offset that is due */
    size_t bytes;
    int *values; /* the records' numbers, where they are */
    size_t cap;
    struct bus_reader *pauses; /* itself, after the first record */
};

static int number_of(const char *value)
{
    long long number = -1;
    assert_true(text_to_int(value, 0, 1 << 30, &number));
    return (int)number;
}

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct reading *r = arg;
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(records[i].offset, r->next++);
        if ((size_t)r->count < r->cap)
            r->values[r->count] = number_of(records[i].value);
        r->count++;
        r->bytes += records[i].len;
    }
    if (r->pauses)
        kafka_reader_pause(r->pauses, true);
}

static void on_failed(void *arg, const struct err *err)
{
    struct reading *r = arg;
    r->failed++;
    r->err = *err;
}

static const struct bus_reader_events reader_events = {.records = on_records, .failed = on_failed};

static void make_topic(struct fixture *f, struct bus *bus, const char *name)
{
    int made = 0;
    const struct bus_topic topic = {name, 1};
    bus->ops->topics_make(bus, &topic, 1, on_done, &made);
    assert_true(wait_for_count(f->loop, &made, 1, 60000));
}

static struct bus_reader *read_topic(struct bus *bus, const char *topic, int64_t from,
                                     struct reading *reading)
{
    struct bus_position at = {.offset = from};
    snprintf(at.topic, sizeof at.topic, "%s", topic);
    reading->next = from;
    struct bus_reader *r = bus->ops->reader_open(bus, &reader_events, reading);
    bus->ops->assign(r, &topic, 1, &at, 1, BUS_EARLIEST);
    return r;
}

static void put_number(struct bus *bus, const char *topic, int number, bus_delivered *delivered,
                       void *arg)
{
    char value[16];
    snprintf(value, sizeof value, "%d", number);
    bus_publish(bus, topic, "k", 1, value, strlen(value) + 1, 0, delivered, arg);
}

/* ---- a broker that dies -----------------------------------------------------------------------
 */

#define SENT 3000

/* Each as it first appears, in the order of publishing. How many came again. */
static int check_order(const struct reading *reading, bool *there)
{
    int repeats = 0, last = -1;
    for (int i = 0; i < reading->count; i++) {
        const int value = reading->values[i];
        assert_in_range(value, 0, SENT);
        repeats += there[value];
        if (!there[value])
            assert_true(value > last);
        last = value > last ? value : last;
        there[value] = true;
    }
    return repeats;
}

/* A number that was delivered stands at its offset; one that is said not to be there is not there.
 * Where some are unknown, those around them may stand there twice (kafka.h). */
static void check_exact(const struct delivery *d, const struct reading *reading)
{
    int by_code[3] = {0};
    cleanup_free bool *there = mem_array(SENT + 1, sizeof *there);
    const int repeats = check_order(reading, there);
    for (int i = 0; i < SENT; i++) {
        by_code[d[i].code == 0 ? 0 : d[i].code == LEAT_EUNKNOWN ? 1 : 2]++;
        if (d[i].code == 0 && d[i].offset >= 0)
            assert_int_equal(reading->values[d[i].offset], i);
        if (d[i].code != LEAT_EUNKNOWN)
            assert_int_equal(there[i], d[i].code == 0);
    }
    print_message("delivered %d, unknown %d, not there %d, repeated %d\n", by_code[0], by_code[1],
                  by_code[2], repeats);
    assert_true(by_code[0] > SENT / 3 + 100); /* also after it */
    assert_true(repeats == 0 || by_code[1] > 0);
}

/* Sends it until it is there; its offset. */
static int64_t until_it_takes(struct fixture *f, struct bus *bus, const char *topic, int number)
{
    struct delivery d = {0};
    for (int tries = 0; tries < 20 && (!d.count || d.code); tries++) {
        d = (struct delivery){0};
        put_number(bus, topic, number, on_delivered, &d);
        assert_true(wait_for_count(f->loop, &d.count, 1, 60000));
    }
    assert_int_equal(d.code, 0);
    return d.offset;
}

static void exact_over_a_broker_that_is_killed(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    struct delivery *d = mem_array(SENT, sizeof *d);
    make_topic(f, bus, "killed");
    make_topic(f, bus, "back");
    pid_t up = 0;
    for (int i = 0; i < SENT; i++) {
        put_number(bus, "killed", i, on_delivered, &d[i]);
        wait_ms(f->loop, 7); /* it is away for a part of them only */
        if (i == SENT / 3) {
            test_kafka_verb(&f->kafka, "kill");
            up = test_kafka_verb_begin(&f->kafka, "up");
        } else if (i == 2 * SENT / 3) {
            test_kafka_verb_end(up);
            until_it_takes(f, bus, "back", 0);
        }
    }
    for (int i = 0; i < SENT; i++)
        assert_true(wait_for_count(f->loop, &d[i].count, 1, 60000));
    wait_ms(f->loop, 7000); /* what is unknown may still come */
    const int64_t end = until_it_takes(f, bus, "killed", SENT) + 1;
    struct reading reading = {.cap = 2 * SENT};
    reading.values = mem_array(reading.cap, sizeof(int));
    struct bus_reader *r = read_topic(bus, "killed", 0, &reading);
    assert_true(wait_for_count(f->loop, &reading.count, (int)end, 60000));
    check_exact(d, &reading);
    bus->ops->reader_close(r);
    bus->ops->close(bus);
    free(reading.values);
    free(d);
}

/* Its answer is lost: nobody can say. Nothing was sent: it is not there. */
static void unknown_and_never_sent(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    struct delivery before = {0}, lost = {0}, never = {0};
    make_topic(f, bus, "lost");
    put_number(bus, "lost", 0, on_delivered, &before);
    assert_true(wait_for_count(f->loop, &before.count, 1, 60000));
    test_kafka_signal(&f->kafka, SIGSTOP);
    wait_ms(f->loop, 300); /* until all its threads stand still */
    const int64_t began = clock_monotonic_us();
    put_number(bus, "lost", 1, on_delivered, &lost);
    assert_true(wait_for_count(f->loop, &lost.count, 1, 60000));
    assert_in_range(clock_monotonic_us() - began, 5 * US_PER_S, 30 * US_PER_S);
    assert_int_equal(lost.code, LEAT_EUNKNOWN);
    test_kafka_verb(&f->kafka, "kill");
    for (int tries = 0; tries < 5 && never.code != LEAT_EUNREACHABLE; tries++) {
        wait_ms(f->loop, 500); /* before it is noticed nobody can say */
        never = (struct delivery){0};
        put_number(bus, "lost", 2, on_delivered, &never);
        assert_true(wait_for_count(f->loop, &never.count, 1, 60000));
        assert_true(never.code == LEAT_EUNREACHABLE || never.code == LEAT_EUNKNOWN);
    }
    assert_int_equal(never.code, LEAT_EUNREACHABLE);
    test_kafka_verb(&f->kafka, "up");
    bus->ops->close(bus);
}

/* ---- offsets that are not there ----------------------------------------------------------------
 */

#define LARGE (100 * 1024)

static size_t resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d %ld", &pages), 1);
    fclose(file);
    return (size_t)pages * 4096;
}

static void put_large(struct fixture *f, struct bus *bus, const char *topic, int n)
{
    struct answers answers = {0};
    cleanup_free char *value = mem_alloc(LARGE);
    for (int i = 0; i < n; i++) {
        bus_publish(bus, topic, "k", 1, value, LARGE, 0, count_answer, &answers);
        if (i % 100 == 99)
            assert_true(wait_for_count(f->loop, &answers.count, i + 1, 60000));
    }
    assert_true(wait_for_count(f->loop, &answers.count, n, 60000));
}

/* A reader that takes nothing reads ahead no more than is stated; what is deleted before it comes
 * there is not passed over. */
static void slow_and_overtaken_by_a_trim(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    const int n = 1000; /* 100 MB */
    int trimmed = 0;
    make_topic(f, bus, "slow");
    put_large(f, bus, "slow", n);
    struct reading reading = {0};
    const size_t before = resident();
    struct bus_reader *r = read_topic(bus, "slow", 0, &reading);
    reading.pauses = r;
    assert_true(wait_for_count(f->loop, &reading.count, 1, 60000));
    const int taken = reading.count;
    wait_ms(f->loop, 3000);
    const size_t grown = resident() - before;
    print_message("a paused reader of 100 MB took %d records and holds %zu MB\n", taken,
                  grown >> 20);
    assert_int_equal(reading.count, taken);
    assert_true(grown < 3 * (KAFKA_READ_BYTES_MAX + KAFKA_FETCH_BYTES)); /* and the allocator's */
    bus->ops->trim(bus, "slow", 0, n, on_done, &trimmed);
    assert_true(wait_for_count(f->loop, &trimmed, 1, 60000));
    reading.pauses = NULL;
    bus->ops->pause(r, false);
    assert_true(wait_for_count(f->loop, &reading.failed, 1, 60000));
    assert_int_equal(reading.err.code, LEAT_EREFUSED);
    assert_non_null(strstr(reading.err.text, "slow/0 is to be read from offset"));
    assert_non_null(strstr(reading.err.text, "set the stored offset to 1000"));
    assert_true(reading.count < n);
    bus->ops->reader_close(r);
    bus->ops->close(bus);
}

#define MANY 100000

static void a_hundred_thousand(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    struct answers answers = {0};
    struct reading reading = {.cap = MANY};
    make_topic(f, bus, "hundred-thousand");
    reading.values = mem_array(MANY, sizeof(int));
    const int64_t began = clock_monotonic_us();
    for (int i = 0; i < MANY; i++) {
        put_number(bus, "hundred-thousand", i, count_answer, &answers);
        if (i % 20000 == 19999)
            assert_true(wait_for_count(f->loop, &answers.count, i + 1, 60000));
    }
    const int64_t put = clock_monotonic_us();
    struct bus_reader *r = read_topic(bus, "hundred-thousand", 0, &reading);
    assert_true(wait_for_count(f->loop, &reading.count, MANY, 120000));
    print_message("100,000 records: published in %.1f s, read in %.1f s\n",
                  (double)(put - began) / 1e6, (double)(clock_monotonic_us() - put) / 1e6);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(reading.values[i], i);
    bus->ops->reader_close(r);
    bus->ops->close(bus);
    free(reading.values);
}

/* The bound of what waits: one more is LEAT_EFULL, and at once. */
static void full(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    const int n = KAFKA_WAITING_BYTES_MAX / BUS_RECORD_MAX;
    cleanup_free char *value = mem_alloc(BUS_RECORD_MAX);
    struct answers answers = {0};
    struct delivery over = {0};
    make_topic(f, bus, "full");
    for (int i = 0; i < n; i++)
        bus_publish(bus, "full", NULL, 0, value, BUS_RECORD_MAX, 0, count_answer, &answers);
    bus_publish(bus, "full", NULL, 0, value, 1, 0, on_delivered, &over);
    assert_true(wait_for_count(f->loop, &over.count, 1, 60000));
    assert_int_equal(over.code, LEAT_EFULL);
    assert_true(wait_for_count(f->loop, &answers.count, n, 60000));
    bus->ops->close(bus);
}

/* ---- from outside ------------------------------------------------------------------------------
 */

static void probe(void **state)
{
    struct fixture *f = *state;
    struct err err = {0};
    struct kafka_probe seen;
    const struct kafka_options there = {.brokers = f->kafka.address, .name = "probe"};
    const struct kafka_options away = {.brokers = "127.0.0.1:1", .name = "probe"};
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    assert_int_equal(kafka_probe(&there, 60000, &seen, &err), 0);
    assert_int_equal(seen.brokers, 1);
    assert_string_equal(seen.missing, "leat.commands, leat.events, leat.reports, leat.changes");
    for (int i = 0; i < 100; i++, wait_ms(f->loop, 10))
        assert_null(kafka_seen(bus)); /* what is not there yet survives nothing, and not nothing */
    make_topic(f, bus, TOPIC_EVENTS);
    for (int tries = 0; tries < 100; tries++, wait_ms(f->loop, 100)) { /* told a moment later */
        assert_int_equal(kafka_probe(&there, 60000, &seen, &err), 0);
        if (!strstr(seen.missing, TOPIC_EVENTS))
            break;
    }
    assert_string_equal(seen.missing, "leat.commands, leat.reports, leat.changes");
    assert_string_equal(seen.denied, "");
    assert_int_equal(seen.replicas, 1);
    assert_int_equal(seen.min_insync, 1);
    assert_int_equal(seen.under_replicated + seen.leaderless, 0);
    assert_true(seen.unlimited);
    assert_false(seen.power_loss); /* one copy */
    const int64_t looked = clock_monotonic_us();
    assert_true(wait_until(f->loop, kafka_seen(bus) != NULL));
    assert_true(clock_monotonic_us() - looked < 50 * US_PER_S); /* not a minute later */
    assert_int_equal(kafka_seen(bus)->min_insync, 1);
    bus->ops->close(bus);
    const int64_t began = clock_monotonic_us();
    assert_int_equal(kafka_probe(&away, 1000, &seen, &err), LEAT_EUNREACHABLE);
    assert_in_range(clock_monotonic_us() - began, 0, 30 * US_PER_S);
}

/* ---- the bus changes under us ------------------------------------------------------------------
 */

static void delete_topic(struct kafka *k, const char *name)
{
    rd_kafka_DeleteTopic_t *topic = rd_kafka_DeleteTopic_new(name);
    rd_kafka_queue_t *queue = rd_kafka_queue_new(k->client->rk);
    rd_kafka_DeleteTopics(k->client->rk, &topic, 1, NULL, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 60000);
    assert_non_null(event);
    assert_int_equal(rd_kafka_event_error(event), 0);
    rd_kafka_event_destroy(event);
    rd_kafka_queue_destroy(queue);
    rd_kafka_DeleteTopic_destroy(topic);
}

static void a_producer_that_may_not_go_on_is_made_anew(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    struct kafka *k = (struct kafka *)bus;
    struct delivery before = {0}, after = {0};
    make_topic(f, bus, "fatal");
    put_number(bus, "fatal", 0, on_delivered, &before);
    assert_true(wait_for_count(f->loop, &before.count, 1, 60000));
    rd_kafka_test_fatal_error(k->client->rk, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                              "a test");
    wait_ms(f->loop, 200);
    put_number(bus, "fatal", 1, on_delivered, &after);
    assert_true(wait_for_count(f->loop, &after.count, 1, 60000));
    assert_int_equal(after.code, 0);
    assert_int_equal(after.offset, 1);
    bus->ops->close(bus);
}

/* Formatted anew under the same cluster id: its name is gone, so it is another bus; a reader of a
 * topic that is gone says so. */
static void another_bus(void **state)
{
    struct fixture *f = *state;
    struct bus *bus = test_kafka_bus(f->loop, &f->kafka);
    const struct uuid first = *bus->ops->id(bus);
    struct reading reading = {0};
    make_topic(f, bus, "gone");
    struct bus_reader *r = read_topic(bus, "gone", 0, &reading);
    struct delivery d = {0};
    put_number(bus, "gone", 0, on_delivered, &d);
    assert_true(wait_for_count(f->loop, &reading.count, 1, 60000)); /* it has been there */
    delete_topic((struct kafka *)bus, "gone");
    delete_topic((struct kafka *)bus, KAFKA_BUS_TOPIC);
    assert_true(wait_for_count(f->loop, &reading.failed, 1, 60000));
    assert_non_null(strstr(reading.err.text, "the topic gone is gone"));
    bus->ops->reader_close(r);
    struct bus *second = test_kafka_bus(f->loop, &f->kafka);
    for (int i = 0; i < 100 && uuid_compare(&first, second->ops->id(second)) == 0; i++) {
        second->ops->close(second); /* the name's end has not gone round yet */
        wait_ms(f->loop, 100);
        second = test_kafka_bus(f->loop, &f->kafka);
    }
    assert_int_not_equal(uuid_compare(&first, second->ops->id(second)), 0);
    assert_true(wait_until(f->loop, uuid_compare(bus->ops->id(bus), second->ops->id(second)) == 0));
    second->ops->close(second);
    bus->ops->close(bus);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(script),
        cmocka_unit_test(a_hundred_thousand),
        cmocka_unit_test(full),
        cmocka_unit_test(probe),
        cmocka_unit_test(slow_and_overtaken_by_a_trim),
        cmocka_unit_test(a_producer_that_may_not_go_on_is_made_anew),
        cmocka_unit_test(exact_over_a_broker_that_is_killed),
        cmocka_unit_test(unknown_and_never_sent),
        cmocka_unit_test(another_bus),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
