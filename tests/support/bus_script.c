#include "tests/support/bus_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

#define MANY       1000
#define SEEN_MAX   4096
#define PATIENT_US (60 * US_PER_S) /* of a record, on a busy machine */

/* ---- what comes back ------------------------------------------------------------------------ */

struct delivery {
    int count;
    int code;
    int32_t partition;
    int64_t offset;
};

static void on_delivered(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    struct delivery *d = arg;
    d->count++;
    d->code = err ? err->code : 0;
    d->partition = partition;
    d->offset = offset;
}

struct seen {
    int count;
    int failed, resets;
    int code;
    struct {
        char topic[BUS_TOPIC_MAX];
        char value[32];
        int32_t partition;
        int64_t offset;
        size_t len, key_len;
        bool has_key;
    } records[SEEN_MAX];
};

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct seen *s = arg;
    assert_true(n >= 1);
    for (size_t i = 0; i < n && s->count < SEEN_MAX; i++) {
        snprintf(s->records[s->count].topic, BUS_TOPIC_MAX, "%s", records[i].topic);
        snprintf(s->records[s->count].value, 32, "%.*s",
                 (int)(records[i].len < 31 ? records[i].len : 31), (const char *)records[i].value);
        s->records[s->count].partition = records[i].partition;
        s->records[s->count].offset = records[i].offset;
        s->records[s->count].len = records[i].len;
        s->records[s->count].key_len = records[i].key_len;
        s->records[s->count].has_key = records[i].key != NULL;
        s->count++;
    }
}

static void on_reset(void *arg)
{
    ((struct seen *)arg)->resets++;
}

static void on_failed(void *arg, const struct err *err)
{
    struct seen *s = arg;
    s->failed++;
    s->code = err->code;
}

static const struct bus_reader_events reader_events = {on_records, on_reset, on_failed};

struct done {
    int count;
    int code;
};

static void on_done(void *arg, const struct err *err)
{
    struct done *d = arg;
    d->count++;
    d->code = err ? err->code : 0;
}

struct endings {
    int count;
    int code;
    int64_t sum;
    size_t partitions;
};

static void on_ends(void *arg, const struct err *err, const struct bus_position *ends, size_t n)
{
    struct endings *e = arg;
    e->count++;
    e->code = err ? err->code : 0;
    e->partitions = n;
    e->sum = 0;
    for (size_t i = 0; i < n; i++)
        e->sum += ends[i].offset;
}

/* ---- helpers -------------------------------------------------------------------------------- */

struct script {
    const struct bus_world *w;
    struct bus *bus;
    const char *prefix;
    char topic[BUS_TOPIC_MAX];
    struct seen *seen;
};

static void until(const struct script *s, const int *count, int least)
{
    if (!s->w->until(s->w->arg, count, least))
        fail_msg("%s: waited in vain for %d, have %d", s->topic, least, *count);
}

static void make_topic(struct script *s, const char *name)
{
    struct done done = {0};
    snprintf(s->topic, sizeof s->topic, "%s.%s", s->prefix, name);
    const struct bus_topic topic = {s->topic, 1};
    s->bus->ops->topics_make(s->bus, &topic, 1, on_done, &done);
    assert_int_equal(done.count, 0); /* never from inside the call */
    until(s, &done.count, 1);
    assert_int_equal(done.code, 0);
}

static void put(const struct script *s, struct bus *bus, const char *value, struct delivery *d)
{
    bus_publish(bus, s->topic, "k", 1, value, strlen(value), PATIENT_US, on_delivered, d);
}

static void put_now(const struct script *s, const char *value, struct delivery *d)
{
    *d = (struct delivery){0};
    put(s, s->bus, value, d);
    until(s, &d->count, 1);
    assert_int_equal(d->code, 0);
}

static struct bus_reader *read_from(const struct script *s, const struct bus_position *at,
                                    int64_t otherwise)
{
    const char *topic = s->topic;
    *s->seen = (struct seen){0};
    struct bus_reader *r = s->bus->ops->reader_open(s->bus, &reader_events, s->seen);
    s->bus->ops->assign(r, &topic, 1, at, at ? 1 : 0, otherwise);
    return r;
}

static struct bus_position at(const struct script *s, int32_t partition, int64_t offset)
{
    struct bus_position p = {.partition = partition, .offset = offset};
    snprintf(p.topic, sizeof p.topic, "%s", s->topic);
    return p;
}

/* ---- the steps ------------------------------------------------------------------------------ */

static void unknown_topic(struct script *s)
{
    struct delivery d = {0};
    snprintf(s->topic, sizeof s->topic, "%s.nobody-made-it", s->prefix);
    bus_publish(s->bus, s->topic, "k", 1, "x", 1, 0, on_delivered, &d);
    assert_int_equal(d.count, 0);
    until(s, &d.count, 1);
    assert_int_equal(d.code, LEAT_ENOTFOUND);
}

static void made_twice_is_one(struct script *s)
{
    struct delivery d;
    struct endings e = {0};
    make_topic(s, "twice");
    put_now(s, "a", &d);
    make_topic(s, "twice");
    put_now(s, "b", &d);
    const struct bus_topic both[] = {{s->topic, 1}, {s->topic, 1}};
    struct done done = {0};
    s->bus->ops->topics_make(s->bus, both, 2, on_done, &done);
    until(s, &done.count, 1);
    assert_int_equal(done.code, 0);
    const char *topic = s->topic;
    s->bus->ops->ends(s->bus, &topic, 1, on_ends, &e);
    until(s, &e.count, 1);
    assert_int_equal(e.code, 0);
    assert_int_equal(e.sum, 2);
}

static void offsets_count_up(struct script *s)
{
    struct delivery d[3] = {0};
    make_topic(s, "offsets");
    for (int i = 0; i < 3; i++)
        put(s, s->bus, "v", &d[i]);
    until(s, &d[2].count, 1);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(d[i].code, 0);
        assert_int_equal(d[i].count, 1);
        assert_int_equal(d[i].offset, i);
        assert_int_equal(d[i].partition, d[0].partition);
    }
}

static void content_comes_back(struct script *s)
{
    struct delivery d[3] = {0};
    make_topic(s, "content");
    bus_publish(s->bus, s->topic, NULL, 0, "no key", 6, PATIENT_US, on_delivered, &d[0]);
    until(s, &d[0].count, 1);
    bus_publish(s->bus, s->topic, "key", 3, "a\0b", 3, PATIENT_US, on_delivered, &d[1]);
    until(s, &d[1].count, 1);
    bus_publish(s->bus, s->topic, "key", 3, NULL, 0, PATIENT_US, on_delivered, &d[2]);
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    until(s, &s->seen->count, 3);
    size_t lens = 0, keyless = 0;
    for (int i = 0; i < 3; i++) {
        lens += s->seen->records[i].len;
        keyless += !s->seen->records[i].has_key;
        assert_string_equal(s->seen->records[i].topic, s->topic);
    }
    assert_int_equal(lens, 9);
    assert_int_equal(keyless, 1);
    s->bus->ops->reader_close(r);
}

static void many_keep_their_order(struct script *s)
{
    make_topic(s, "many");
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    struct delivery *d = mem_array(MANY, sizeof *d);
    char value[16];
    for (int i = 0; i < MANY; i++) {
        snprintf(value, sizeof value, "%d", i);
        put(s, s->bus, value, &d[i]);
    }
    until(s, &s->seen->count, MANY);
    for (int i = 0; i < MANY; i++) {
        snprintf(value, sizeof value, "%d", i);
        assert_string_equal(s->seen->records[i].value, value);
        assert_int_equal(s->seen->records[i].offset, i);
    }
    until(s, &d[MANY - 1].count, 1);
    s->bus->ops->reader_close(r);
    free(d);
}

/* A reader from the end of the topic that has looked where that is. Nobody tells of it; but it
 * looks for all of its topics at once, and gives what it finds in the other one. */
static struct bus_reader *read_from_the_end(const struct script *s)
{
    struct script beacon = *s;
    struct delivery d;
    make_topic(&beacon, "beacon");
    put_now(&beacon, "beacon", &d);
    const char *topics[] = {s->topic, beacon.topic};
    const struct bus_position from = at(&beacon, d.partition, d.offset);
    *s->seen = (struct seen){0};
    struct bus_reader *r = s->bus->ops->reader_open(s->bus, &reader_events, s->seen);
    s->bus->ops->assign(r, topics, 2, &from, 1, BUS_END);
    until(s, &s->seen->count, 1);
    assert_string_equal(s->seen->records[0].value, "beacon");
    return r;
}

static void positions_are_kept_to(struct script *s)
{
    struct delivery d;
    make_topic(s, "positions");
    put_now(s, "0", &d);
    put_now(s, "1", &d);
    put_now(s, "2", &d);
    struct bus_position from = at(s, d.partition, 2);
    struct bus_reader *r = read_from(s, &from, BUS_EARLIEST);
    until(s, &s->seen->count, 1);
    assert_string_equal(s->seen->records[0].value, "2");
    s->bus->ops->reader_close(r);
    r = read_from_the_end(s);
    put_now(s, "3", &d);
    until(s, &s->seen->count, 2);
    assert_string_equal(s->seen->records[1].value, "3");
    s->bus->ops->reader_close(r);
    from = at(s, d.partition, 4); /* the very end is a good place to stand */
    r = read_from(s, &from, BUS_EARLIEST);
    put_now(s, "4", &d);
    until(s, &s->seen->count, 1);
    assert_string_equal(s->seen->records[0].value, "4");
    assert_int_equal(s->seen->failed, 0);
    s->bus->ops->reader_close(r);
}

static void assigned_before_it_is_there(struct script *s)
{
    struct delivery d;
    snprintf(s->topic, sizeof s->topic, "%s.later", s->prefix);
    struct bus_reader *r = read_from_the_end(s);
    make_topic(s, "later");
    put_now(s, "first", &d);
    until(s, &s->seen->count, 2);
    assert_string_equal(s->seen->records[1].value, "first");
    assert_int_equal(s->seen->records[1].offset, 0);
    s->bus->ops->reader_close(r);
}

static void paused_gives_nothing(struct script *s)
{
    struct delivery d;
    make_topic(s, "paused");
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    put_now(s, "0", &d);
    until(s, &s->seen->count, 1);
    s->bus->ops->pause(r, true);
    put_now(s, "1", &d);
    s->w->pass(s->w->arg, 300);
    assert_int_equal(s->seen->count, 1);
    s->bus->ops->pause(r, false);
    until(s, &s->seen->count, 2);
    assert_string_equal(s->seen->records[1].value, "1");
    s->bus->ops->reader_close(r);
}

static void assignment_replaces_the_one_before(struct script *s)
{
    struct delivery d;
    make_topic(s, "replaced");
    put_now(s, "0", &d);
    put_now(s, "1", &d);
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    until(s, &s->seen->count, 2);
    const struct bus_position from = at(s, d.partition, 1);
    const char *topic = s->topic;
    s->bus->ops->assign(r, &topic, 1, &from, 1, BUS_EARLIEST);
    until(s, &s->seen->count, 3);
    s->w->pass(s->w->arg, 50);
    assert_int_equal(s->seen->count, 3);
    assert_string_equal(s->seen->records[2].value, "1");
    s->bus->ops->assign(r, NULL, 0, NULL, 0, BUS_EARLIEST); /* reads nothing */
    put_now(s, "2", &d);
    s->w->pass(s->w->arg, 100);
    assert_int_equal(s->seen->count, 3);
    s->bus->ops->reader_close(r);
}

static void trimmed_is_gone_and_never_skipped(struct script *s)
{
    struct delivery d;
    struct done done = {0};
    make_topic(s, "trimmed");
    for (int i = 0; i < 5; i++)
        put_now(s, "v", &d);
    s->bus->ops->trim(s->bus, s->topic, d.partition, 3, on_done, &done);
    until(s, &done.count, 1);
    assert_int_equal(done.code, 0);
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    until(s, &s->seen->count, 2);
    assert_int_equal(s->seen->records[0].offset, 3);
    s->bus->ops->reader_close(r);
    struct bus_position from = at(s, d.partition, 2);
    r = read_from(s, &from, BUS_EARLIEST);
    until(s, &s->seen->failed, 1);
    assert_int_equal(s->seen->count, 0);
    s->bus->ops->reader_close(r);
    from = at(s, d.partition, 6); /* one past the end */
    r = read_from(s, &from, BUS_EARLIEST);
    until(s, &s->seen->failed, 1);
    s->bus->ops->reader_close(r);
    s->bus->ops->trim(s->bus, s->topic, d.partition, 3, on_done, &done); /* again: nothing to do */
    until(s, &done.count, 2);
    assert_int_equal(done.code, 0);
}

static void size_limit(struct script *s)
{
    struct delivery fits = {0}, over = {0};
    cleanup_free char *big = mem_alloc(BUS_RECORD_MAX + 1);
    make_topic(s, "size");
    bus_publish(s->bus, s->topic, "k", 1, big, BUS_RECORD_MAX, PATIENT_US, on_delivered, &fits);
    bus_publish(s->bus, s->topic, "k", 1, big, BUS_RECORD_MAX + 1, 0, on_delivered, &over);
    assert_int_equal(over.count, 0);
    until(s, &fits.count, 1);
    until(s, &over.count, 1);
    assert_int_equal(fits.code, 0);
    assert_int_equal(over.code, LEAT_ELIMIT);
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    until(s, &s->seen->count, 1);
    assert_int_equal(s->seen->records[0].len, BUS_RECORD_MAX);
    s->bus->ops->reader_close(r);
}

static void producers_do_not_mix(struct script *s)
{
    struct bus *other = s->w->open(s->w->arg, "script-other");
    struct delivery d[20] = {0};
    make_topic(s, "two");
    struct bus_reader *r = read_from(s, NULL, BUS_EARLIEST);
    for (int i = 0; i < 20; i++)
        put(s, i % 2 ? other : s->bus, "v", &d[i]);
    until(s, &s->seen->count, 20);
    int64_t next[64] = {0};
    for (int i = 0; i < 20; i++) {
        const int32_t partition = s->seen->records[i].partition;
        assert_in_range(partition, 0, 63);
        assert_int_equal(s->seen->records[i].offset, next[partition]++);
    }
    for (int i = 0; i < 20; i++)
        until(s, &d[i].count, 1);
    const struct uuid *mine = s->bus->ops->id(s->bus), *its = other->ops->id(other);
    assert_non_null(mine);
    assert_non_null(its);
    assert_int_equal(uuid_compare(mine, its), 0);
    s->bus->ops->reader_close(r);
    other->ops->close(other);
}

static void close_answers_everything(struct script *s)
{
    struct bus *other = s->w->open(s->w->arg, "script-closing");
    struct delivery d[2] = {0};
    struct done done = {0};
    struct endings e = {0};
    make_topic(s, "closing");
    put(s, other, "v", &d[0]);
    put(s, other, "v", &d[1]);
    const char *topic = s->topic;
    const struct bus_topic again = {topic, 1};
    other->ops->ends(other, &topic, 1, on_ends, &e);
    other->ops->topics_make(other, &again, 1, on_done, &done);
    other->ops->close(other);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(d[i].count, 1);
        assert_true(d[i].code == LEAT_EUNREACHABLE || d[i].code == LEAT_EUNKNOWN);
    }
    assert_int_equal(e.count, 1);
    assert_int_equal(done.count, 1);
}

void bus_script(const struct bus_world *world, const char *prefix)
{
    static void (*const steps[])(struct script *) = {
        unknown_topic,
        made_twice_is_one,
        offsets_count_up,
        content_comes_back,
        many_keep_their_order,
        positions_are_kept_to,
        assigned_before_it_is_there,
        paused_gives_nothing,
        assignment_replaces_the_one_before,
        trimmed_is_gone_and_never_skipped,
        size_limit,
        producers_do_not_mix,
        close_answers_everything,
    };
    struct script s = {.w = world, .prefix = prefix};
    s.seen = mem_alloc(sizeof *s.seen);
    s.bus = world->open(world->arg, "script");
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        steps[i](&s);
    s.bus->ops->close(s.bus);
    free(s.seen);
}
