/* Frames between worker and keeper, and the keeper's table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "worker/keeper/table.h"
#include "worker/keeper/wire.h"

static const struct uuid SOME = {{1, 2, 3}};

static struct text start_frame(void)
{
    static const char *argv[] = {"a", "", "b\nc \xff", NULL};
    static const char *env[] = {"X=1", NULL};
    const struct keeper_start start = {.attempt = SOME,
                                       .log_limit = 1,
                                       .timeout_us = 2,
                                       .grace_us = 3,
                                       .fuse_slack_us = -1,
                                       .lease_end_us = INT64_MAX,
                                       .workdir = "/w",
                                       .log_path = "/l",
                                       .argv = argv,
                                       .env = env};
    struct text out = {0};
    assert_int_equal(keeper_put_start(&out, &start, NULL), 0);
    return out;
}

static void test_start_round_trip(void **state)
{
    (void)state;
    struct text out = start_frame();
    struct keeper_frame f;
    assert_int_equal(keeper_get(out.data, out.len, &f, NULL), out.len);
    assert_int_equal(f.kind, KEEPER_START);
    assert_memory_equal(f.start.attempt.b, SOME.b, 16);
    assert_string_equal(f.start.argv[1], "");
    assert_string_equal(f.start.argv[2], "b\nc \xff");
    assert_null(f.start.argv[3]);
    assert_string_equal(f.start.env[0], "X=1");
    assert_true(f.start.lease_end_us == INT64_MAX && f.start.fuse_slack_us == -1);
    keeper_start_clear(&f.start);
    text_free(&out);
}

static void test_exit_and_plain_round_trip(void **state)
{
    (void)state;
    struct text out = {0};
    const struct keeper_exit exit = {.exit_code = 137,
                                     .flags = KEEPER_FUSED | KEEPER_TRUNCATED,
                                     .started_us = 1,
                                     .finished_us = 2,
                                     .log_bytes = 3,
                                     .reason = "why"};
    keeper_put_exit(&out, &SOME, &exit);
    keeper_put(&out, KEEPER_STARTED, &SOME, 42, 99);
    struct keeper_frame f;
    const int64_t first = keeper_get(out.data, out.len, &f, NULL);
    assert_true(first > 0);
    assert_int_equal(f.exit.exit_code, 137);
    assert_int_equal(f.exit.flags, KEEPER_FUSED | KEEPER_TRUNCATED);
    assert_string_equal(f.exit.reason, "why");
    assert_true(keeper_get(out.data + first, out.len - (size_t)first, &f, NULL) > 0);
    assert_true(f.kind == KEEPER_STARTED && f.number == 42 && f.pid == 99);
    text_free(&out);
}

/* Every prefix is "not yet"; every shortened body is an error, never a read past the end. */
static void test_parts_and_broken_frames(void **state)
{
    (void)state;
    struct text out = start_frame();
    struct keeper_frame f;
    for (size_t len = 0; len < out.len; len++) {
        cleanup_free char *part = mem_bytes(out.data, len);
        assert_int_equal(keeper_get(part, len, &f, NULL), 0);
    }
    for (uint32_t body = 1; body < out.len - 4; body++) {
        cleanup_free char *broken = mem_bytes(out.data, body + 4);
        memcpy(broken, &body, sizeof body);
        assert_int_equal(keeper_get(broken, body + 4, &f, NULL), LEAT_EINPUT);
    }
    static const char zero[8] = {0};
    assert_int_equal(keeper_get(zero, sizeof zero, &f, NULL), LEAT_EINPUT);
    const uint32_t huge = KEEPER_FRAME_MAX + 1;
    char big[8] = {0};
    memcpy(big, &huge, sizeof huge);
    assert_int_equal(keeper_get(big, sizeof big, &f, NULL), LEAT_EINPUT);
    out.data[4] = 77;
    assert_int_equal(keeper_get(out.data, out.len, &f, NULL), LEAT_EINPUT);
    text_free(&out);
}

static void test_table_outlives_its_process_and_grows(void **state)
{
    (void)state;
    enum { N = 1000 };
    char dir[] = "/tmp/leat-table.XXXXXX";
    assert_non_null(mkdtemp(dir));
    struct table t;
    struct err err = {0};
    bool same = true;
    assert_int_equal(table_open(&t, dir, &same, &err), 0);
    assert_false(same); /* it is new */
    for (int i = 0; i < N; i++) {
        struct uuid u = {{(uint8_t)i, (uint8_t)(i >> 8)}};
        const int64_t slot = table_add(&t, &u, &err);
        assert_true(slot >= 0);
        table_at(&t, (size_t)slot)->pid = i;
        record_move(table_at(&t, (size_t)slot), i % 2 ? RECORD_BEGUN : RECORD_EXITED);
    }
    const size_t capacity = t.capacity;
    table_close(&t);
    assert_int_equal(table_open(&t, dir, &same, &err), 0);
    assert_true(same);
    assert_int_equal(t.capacity, capacity);
    int begun = 0, used = 0;
    for (size_t i = 0; i < t.capacity; i++) {
        const struct keeper_record *r = table_at(&t, i);
        used += record_state(r) != RECORD_FREE;
        begun += record_state(r) == RECORD_BEGUN;
        assert_true(record_state(r) != RECORD_BEGUN || r->pid % 2 == 1);
    }
    assert_int_equal(used, N);
    assert_int_equal(begun, N / 2);
    for (size_t i = 0; i < t.capacity; i++)
        if (record_state(table_at(&t, i)) != RECORD_FREE)
            table_remove(&t, i);
    assert_int_equal(t.free_count, t.capacity);
    table_close(&t);
    char path[64];
    snprintf(path, sizeof path, "%s/%s", dir, KEEPER_TABLE);
    unlink(path);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_round_trip),
        cmocka_unit_test(test_exit_and_plain_round_trip),
        cmocka_unit_test(test_parts_and_broken_frames),
        cmocka_unit_test(test_table_outlives_its_process_and_grows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
