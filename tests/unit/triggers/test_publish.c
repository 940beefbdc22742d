/* An event on its way to the queue: its id, its envelope, its data at and over 256 KiB, and what
 * the caller hears when queue or store fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"
#include "tests/support/bus_memory.h"
#include "tests/support/folder.h"
#include "tests/support/waiting.h"
#include "triggers/publish.h"

static struct triggers t;
static struct memory_log *queue;
static char dir[FOLDER_PATH];
static struct {
    int count, code;
    struct uuid id;
} told;

static int setup(void **state)
{
    (void)state;
    memset(&told, 0, sizeof told);
    folder_make(dir);
    t = (struct triggers){.loop = loop_new()};
    queue = memory_log_new(memory_clock_of_loop(t.loop), NULL);
    memory_log_make_topic(queue, TOPIC_EVENTS, 1);
    t.bus = memory_bus_open(queue, &(struct memory_bus_options){.producer = "triggers"});
    assert_int_equal(
        store_open(t.loop, dir, &(struct store_options){.keep_free = -1}, &t.store, NULL), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    t.bus->ops->close(t.bus);
    store_close(t.store);
    memory_log_free(queue);
    loop_free(t.loop);
    folder_remove(dir);
    return 0;
}

static void heard(void *arg, const struct uuid *id, const struct err *err)
{
    (void)arg;
    told.count++;
    told.id = *id;
    told.code = err ? err->code : 0;
}

static int publish(const struct draft *draft)
{
    told.count = 0;
    publish_event(&t, draft, heard, NULL);
    assert_int_equal(told.count, 0); /* later, from the loop */
    assert_true(wait_for_count(t.loop, &told.count, 1, 60000));
    wait_ms(t.loop, 5);
    assert_int_equal(told.count, 1);
    return told.code;
}

static struct event published(int64_t offset)
{
    size_t len = 0;
    struct event event = {0};
    const void *value = memory_log_value(queue, TOPIC_EVENTS, 0, offset, &len);
    assert_non_null(value);
    assert_int_equal(event_decode(value, len, &event, NULL), 0);
    return event;
}

static const struct draft plain = {
    .source = "s", .origin = "/o", .type = "dev.example.x", .delivery = "d", .delivery_len = 1};

static void test_the_envelope(void **state)
{
    (void)state;
    cleanup_json json_t *data = json_pack("{s:i}", "a", 1), *vars = json_pack("{s:s}", "_X", "y");
    const struct draft draft = {.source = "cron",
                                .origin = "/pipelines/p/triggers/t",
                                .type = "dev.leat.cron",
                                .subject = "sub",
                                .time_us = 1768000000000000,
                                .delivery = "d",
                                .delivery_len = 1,
                                .pipeline = "p",
                                .trigger = "t",
                                .vars = vars,
                                .data = data};
    assert_int_equal(publish(&draft), 0);
    struct event e = published(0);
    assert_string_equal(e.specversion, "1.0");
    assert_int_equal(uuid_compare(&e.id, &told.id), 0);
    assert_string_equal(e.source, "/pipelines/p/triggers/t");
    assert_string_equal(e.type, "dev.leat.cron");
    assert_string_equal(e.subject, "sub");
    assert_string_equal(e.time, "2026-01-09T23:06:40.000000Z");
    assert_string_equal(e.datacontenttype, "application/json");
    assert_string_equal(e.leatsource, "cron");
    assert_string_equal(e.leatpipeline, "p");
    assert_string_equal(e.leattrigger, "t");
    assert_true(json_equal(e.data, data) && json_equal(e.vars, vars));
    assert_null(e.dataref);
    event_clear(&e);
}

static void test_what_is_not_given_is_not_there(void **state)
{
    (void)state;
    const int64_t before = clock_wall_us();
    assert_int_equal(publish(&plain), 0);
    struct event e = published(0);
    int64_t at = 0;
    assert_int_equal(clock_parse(e.time, &at), 0);
    assert_true(at >= before && at <= clock_wall_us());
    assert_true(!e.subject && !e.datacontenttype && !e.data && !e.vars && !e.dataref &&
                !e.leatpipeline && !e.leattrigger);
    event_clear(&e);
}

static void test_the_id_is_of_source_and_delivery(void **state)
{
    (void)state;
    const struct draft other_source = {.source = "s2", .delivery = "d", .delivery_len = 1};
    const struct draft other_key = {.source = "s", .delivery = "e", .delivery_len = 1};
    const struct draft with_nul = {.source = "s", .delivery = "d\0e", .delivery_len = 3};
    const struct draft other_type = {
        .source = "s", .type = "z", .delivery = "d", .delivery_len = 1};
    const struct draft none = {.source = "s"};
    const struct uuid id = publish_id(&plain),
                      ids[] = {publish_id(&other_source), publish_id(&other_key),
                               publish_id(&with_nul), publish_id(&none)};
    const struct uuid same = publish_id(&other_type), fresh = publish_id(&none);
    char text[UUID_TEXT];
    for (size_t i = 0; i < ARRAY_LEN(ids); i++)
        assert_true(uuid_compare(&id, &ids[i]) != 0);
    assert_int_equal(uuid_compare(&id, &same), 0);
    assert_true(uuid_compare(&ids[3], &fresh) != 0); /* nothing names it: each is its own */
    uuid_format(&id, text);
    assert_int_equal(text[14], '5');
    uuid_format(&fresh, text);
    assert_int_equal(text[14], '7');
}

/* A string whose JSON text has `bytes` bytes. */
static json_t *text_of(size_t bytes)
{
    char *data = mem_alloc(bytes);
    memset(data, 'x', bytes - 2);
    json_t *v = json_stringn(data, bytes - 2);
    free(data);
    return v;
}

static void test_data_at_the_limit_travels_along(void **state)
{
    (void)state;
    cleanup_json json_t *data = text_of(256 * 1024);
    struct draft draft = plain;
    draft.data = data;
    assert_int_equal(publish(&draft), 0);
    struct event e = published(0);
    assert_null(e.dataref);
    assert_true(json_equal(e.data, data));
    event_clear(&e);
}

static struct {
    int count;
    char *data;
    size_t len;
} stored;

static void read_back(void *arg, const struct store_object *object, const struct err *err)
{
    (void)arg;
    stored.count++;
    assert_null(err);
    stored.len = (size_t)object->size;
    stored.data = mem_bytes(object->data, stored.len);
}

static void test_data_over_the_limit_goes_to_the_store_first(void **state)
{
    (void)state;
    cleanup_json json_t *data = text_of(256 * 1024 + 1);
    struct draft draft = plain;
    draft.data = data;
    assert_int_equal(publish(&draft), 0);
    struct event e = published(0);
    assert_null(e.data);
    assert_string_equal(e.datacontenttype, "application/json");
    stored.count = 0;
    store_read(t.store, e.dataref, 0, 1 << 20, read_back, NULL);
    assert_true(wait_for_count(t.loop, &stored.count, 1, 60000));
    cleanup_json json_t *back = json_loadb(stored.data, stored.len, JSON_DECODE_ANY, NULL);
    assert_true(json_equal(back, data));
    free(stored.data);
    event_clear(&e);
}

/* Neither may be published without the other. */
static void test_a_store_that_fails_keeps_the_event_back(void **state)
{
    (void)state;
    cleanup_json json_t *data = text_of(256 * 1024 + 1);
    struct draft draft = plain;
    draft.data = data;
    store_close(t.store);
    const struct store_options full = {.keep_free = INT64_MAX / 2};
    assert_int_equal(store_open(t.loop, dir, &full, &t.store, NULL), 0);
    assert_int_equal(publish(&draft), LEAT_EFULL);
    assert_int_equal(memory_log_end(queue, TOPIC_EVENTS, 0), 0);
}

static void test_a_queue_that_is_away(void **state)
{
    (void)state;
    memory_log_set_down(queue, true);
    assert_int_equal(publish(&plain), LEAT_EUNREACHABLE);
    const struct uuid first = told.id;
    memory_log_set_down(queue, false);
    assert_int_equal(publish(&plain), 0);
    assert_int_equal(uuid_compare(&first, &told.id), 0); /* the repeat has the same id */
    assert_int_equal(memory_log_end(queue, TOPIC_EVENTS, 0), 1);
}

static void fate(void *ctx, enum memory_op op, const char *topic, struct memory_fate *out)
{
    (void)ctx, (void)topic;
    if (op == MEMORY_PUBLISH)
        *out = (struct memory_fate){.error = LEAT_EUNKNOWN, .took_effect = true};
}

/* The queue took it and its word was lost: the caller hears of a failure, the record is there. */
static void test_an_unknown_outcome_is_told_as_a_failure(void **state)
{
    (void)state;
    t.bus->ops->close(t.bus);
    t.bus =
        memory_bus_open(queue, &(struct memory_bus_options){.producer = "triggers", .fate = fate});
    assert_int_equal(publish(&plain), LEAT_EUNKNOWN);
    struct event e = published(0);
    assert_int_equal(uuid_compare(&e.id, &told.id), 0);
    event_clear(&e);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_the_envelope),
        T(test_what_is_not_given_is_not_there),
        T(test_the_id_is_of_source_and_delivery),
        T(test_data_at_the_limit_travels_along),
        T(test_data_over_the_limit_goes_to_the_store_first),
        T(test_a_store_that_fails_keeps_the_event_back),
        T(test_a_queue_that_is_away),
        T(test_an_unknown_outcome_is_told_as_a_failure),
    };
    metrics_register(TRIGGER_METRIC, TRIGGER_METRIC_COUNT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
