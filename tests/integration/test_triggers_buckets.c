/* Directory buckets: uploads, what others put there, what happened while nobody looked, a queue
 * that is away. An object is announced once in each version, whichever way it is seen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/http_talk.h"
#include "tests/support/triggers_world.h"
#include "tests/support/waiting.h"
#include "triggers/buckets/bucket.h"

static struct triggers_world w;

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    world_source(&w, "box", "directory", "{\"bucket\":\"data\"}", NULL);
    world_read(&w);
    wait_ms(w.t.loop, 100); /* the first scan */
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static void write_file(const char *name, const char *content)
{
    char path[256];
    world_path(&w, "data", name, path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, strlen(content)), strlen(content));
    close(fd);
}

static void make_folder(const char *name)
{
    char path[256];
    world_path(&w, "data", name, path);
    assert_int_equal(mkdir(path, 0755), 0);
}

static void remove_file(const char *name)
{
    char path[256];
    world_path(&w, "data", name, path);
    assert_int_equal(unlink(path), 0);
}

static bool file_exists(const char *name)
{
    char path[256];
    world_path(&w, "data", name, path);
    return access(path, F_OK) == 0;
}

static char *upload(const char *path, const char *content)
{
    cleanup_free char *request =
        mem_printf("PUT /buckets/%s HTTP/1.1\r\nContent-Length: %zu\r\n" CLOSE "%s", path,
                   strlen(content), content);
    return exchange(request);
}

/* The record of the n-th event. An upload's is often on the queue twice, because inotify saw its
 * rename too: with one id, so that it counts once. -1 = there is none. */
static int record_of(int n)
{
    struct uuid seen[32];
    int count = 0;
    for (int i = 0; i < world_events(&w); i++) {
        struct event e = world_event(&w, i);
        bool again = false;
        for (int k = 0; k < count; k++)
            again = again || uuid_compare(&seen[k], &e.id) == 0;
        event_clear(&e);
        if (again)
            continue;
        assert_true(count < (int)ARRAY_LEN(seen));
        seen[count++] = e.id;
        if (count == n + 1)
            return i;
    }
    return -1;
}

static struct event event_of(int n)
{
    assert_true(record_of(n) >= 0);
    return world_event(&w, record_of(n));
}

/* Event n is of that type about that key; its version is the file's. */
static void is_event(int n, const char *type, const char *key)
{
    struct event e = event_of(n);
    const json_t *object = json_get_object(e.data, "object");
    assert_string_equal(e.type, type);
    assert_string_equal(e.subject, key);
    assert_string_equal(e.leatsource, "box");
    assert_string_equal(json_get_string(e.data, "bucket", ""), "data");
    assert_string_equal(json_get_string(object, "key", ""), key);
    char path[256], version[BUCKET_VERSION_TEXT];
    struct stat st;
    world_path(&w, "data", key, path);
    if (lstat(path, &st) == 0) {
        bucket_version(&st, version);
        assert_string_equal(json_get_string(object, "version", ""), version);
        assert_int_equal(json_get_int(object, "size", -1), st.st_size);
    }
    event_clear(&e);
}

#define CREATED "dev.leat.object.created"
#define DELETED "dev.leat.object.deleted"

/* So many events come, and no more. */
static void are_events(int count)
{
    assert_true(wait_until(w.t.loop, count == 0 || record_of(count - 1) >= 0));
    wait_ms(w.t.loop, 150);
    assert_int_equal(record_of(count), -1);
}

/* ---- uploads ----------------------------------------------------------------------------------
 */

static void test_an_upload_is_stored_announced_and_answered(void **state)
{
    (void)state;
    cleanup_free char *got = upload("data/a/b/it%20%2B1.csv", "1,2");
    expect(got, "HTTP/1.1 201");
    expect(got, "\"version\":\"");
    are_events(1); /* inotify saw it too */
    is_event(0, CREATED, "a/b/it +1.csv");
    struct event e = event_of(0);
    char id[UUID_TEXT];
    uuid_format(&e.id, id);
    expect(got, id);
    expect(got, json_get_string(json_get_object(e.data, "object"), "version", "?"));
    event_clear(&e);
}

static void test_the_same_key_again_is_another_version(void **state)
{
    (void)state;
    cleanup_free char *one = upload("data/x.csv", "1");
    cleanup_free char *two = upload("data/x.csv", "22");
    are_events(2);
    world_until_sql(&w, "SELECT size FROM bucket_object WHERE key = 'x.csv'", 2);
}

static void test_keys_that_are_none(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "data/",      "data/..%2Fx",  "data/a/../b",    "data/a//b",  "data//a", "data/.",
        "data/a%0Ab", "data/.leat-x", "data/a/.leat-x", "data/a%5Cb", "data/a/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_free char *got = upload(bad[i], "x");
        if (!strstr(got, "HTTP/1.1 400"))
            fail_msg("%s: %s", bad[i], got);
    }
    cleanup_free char *other = upload("nobody/x", "x");
    expect(other, "HTTP/1.1 404");
    are_events(0);
}

/* 512 bytes, the last of the segments 255 at most. */
static void test_a_key_at_the_limit_and_over(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        cleanup_text struct text path = {0};
        text_puts(&path, "data/");
        for (int i = 1; i <= 512 + over; i++)
            text_puts(&path, i % 200 == 0 ? "/" : "k");
        cleanup_free char *got = upload(path.data, "x");
        expect(got, over ? "HTTP/1.1 400" : "HTTP/1.1 201");
    }
    for (int over = 0; over < 2; over++) {
        cleanup_text struct text path = {0};
        text_puts(&path, "data/");
        for (int i = 0; i < 255 + over; i++)
            text_puts(&path, "s");
        cleanup_free char *got = upload(path.data, "x");
        expect(got, over ? "HTTP/1.1 400" : "HTTP/1.1 201");
    }
}

static void test_an_object_over_5_gib_is_refused_before_it_is_sent(void **state)
{
    (void)state;
    cleanup_free char *got =
        exchange("PUT /buckets/data/x HTTP/1.1\r\nContent-Length: 5368709121\r\n"
                 "Expect: 100-continue\r\n" CLOSE);
    expect(got, "HTTP/1.1 413");
    assert_null(strstr(got, "100 Continue"));
    assert_false(file_exists("x"));
}

static void test_an_upload_that_breaks_off_leaves_nothing(void **state)
{
    (void)state;
    cleanup_free char *got =
        exchange_slowly("PUT /buckets/data/x HTTP/1.1\r\nContent-Length: 10\r\n"
                        "Host: x\r\n\r\nabc",
                        strlen("PUT /buckets/data/x HTTP/1.1\r\nContent-Length: 10\r\n"
                               "Host: x\r\n\r\nabc"),
                        0, 0);
    (void)got;
    are_events(0);
    assert_false(file_exists("x"));
    assert_int_equal(test_sql(w.db.conninfo, "SELECT count(*) FROM bucket_object"), 0);
}

/* A folder of the key that is a link would lead out of the bucket. */
static void test_a_link_among_the_folders_is_not_followed(void **state)
{
    (void)state;
    char link[256], escaped[300];
    world_path(&w, "data", "out", link);
    snprintf(escaped, sizeof escaped, "%s/escaped", w.dir);
    assert_int_equal(symlink(w.dir, link), 0);
    cleanup_free char *got = upload("data/out/escaped", "x");
    expect(got, "HTTP/1.1 503");
    assert_int_not_equal(access(escaped, F_OK), 0);
    are_events(0);
}

static void test_the_queue_is_away_during_an_upload(void **state)
{
    (void)state;
    memory_log_set_down(w.queue, true);
    cleanup_free char *got = upload("data/x.csv", "1");
    expect(got, "HTTP/1.1 503");
    expect(got, "Retry-After: 1");
    memory_log_set_down(w.queue, false);
    assert_true(file_exists("x.csv")); /* it is there: the scan that makes up for it announces it */
    are_events(1);
    is_event(0, CREATED, "x.csv");
    cleanup_free char *again = upload("data/x.csv", "1");
    expect(again, "HTTP/1.1 201");
}

/* ---- others ------------------------------------------------------------------------------------
 */

static void test_files_that_others_put_there(void **state)
{
    (void)state;
    write_file("a.csv", "1");
    are_events(1);
    is_event(0, CREATED, "a.csv");
    write_file("a.csv", "22");
    are_events(2);
    remove_file("a.csv");
    are_events(3);
    is_event(2, DELETED, "a.csv");
    world_until_sql(&w, "SELECT count(*) FROM bucket_object", 0);
}

static void test_a_rename_is_one_that_goes_and_one_that_comes(void **state)
{
    (void)state;
    char from[256], to[256];
    write_file("a.csv", "1");
    are_events(1);
    world_path(&w, "data", "a.csv", from);
    world_path(&w, "data", "b.csv", to);
    assert_int_equal(rename(from, to), 0);
    are_events(3);
    is_event(1, DELETED, "a.csv");
    is_event(2, CREATED, "b.csv");
}

static void test_folders_in_folders(void **state)
{
    (void)state;
    make_folder("x");
    make_folder("x/y");
    write_file("x/y/one.csv", "1"); /* perhaps before the watch was there */
    are_events(1);
    is_event(0, CREATED, "x/y/one.csv");
    write_file("x/y/two.csv", "1"); /* now it is */
    are_events(2);
    is_event(1, CREATED, "x/y/two.csv");
}

static void test_what_is_no_object(void **state)
{
    (void)state;
    char path[256];
    write_file(".leat-half", "1");
    world_path(&w, "data", "link", path);
    assert_int_equal(symlink("/etc/passwd", path), 0);
    world_path(&w, "data", "pipe", path);
    assert_int_equal(mkfifo(path, 0644), 0);
    make_folder("empty");
    bucket_scan(buckets_find(w.t.buckets, "data"));
    are_events(0);
}

/* ---- while nobody looked -----------------------------------------------------------------------
 */

static void test_a_restart_announces_what_is_new_alone(void **state)
{
    (void)state;
    write_file("stays.csv", "1");
    write_file("changes.csv", "1");
    write_file("goes.csv", "1");
    are_events(3);
    world_restart(&w);
    are_events(3);
    write_file("before.csv", "1");
    are_events(4);
    /* Nobody looks: the bucket is not declared. */
    world_sql(&w, "DELETE FROM source");
    world_read(&w);
    write_file("changes.csv", "22");
    write_file("new.csv", "1");
    remove_file("goes.csv");
    are_events(4);
    world_source(&w, "box", "directory", "{\"bucket\":\"data\"}", NULL);
    world_restart(&w);
    are_events(7);
    world_until_sql(&w, "SELECT count(*) FROM bucket_object", 4);
}

/* Died after the queue took it and before Postgres did: announced again, under the same id. */
static void test_an_announcement_that_was_not_kept(void **state)
{
    (void)state;
    write_file("a.csv", "1");
    are_events(1);
    world_until_sql(&w, "SELECT count(*) FROM bucket_object", 1);
    world_sql(&w, "DELETE FROM bucket_object");
    world_restart(&w);
    assert_true(world_until_events(&w, 2));
    struct event a = world_event(&w, 0), b = world_event(&w, 1);
    assert_int_equal(uuid_compare(&a.id, &b.id), 0);
    event_clear(&a);
    event_clear(&b);
}

static void test_what_dead_uploads_left_is_removed(void **state)
{
    (void)state;
    write_file(".leat-0123456789abcdef01234567", "half");
    world_restart(&w);
    assert_true(wait_until(w.t.loop, !file_exists(".leat-0123456789abcdef01234567")));
    are_events(0);
}

/* The queue is away while files come and go: what is true in the end is announced in the end. */
static void test_changes_while_the_queue_is_away(void **state)
{
    (void)state;
    write_file("goes.csv", "1");
    are_events(1);
    memory_log_set_down(w.queue, true);
    write_file("a.csv", "1");
    wait_ms(w.t.loop, 50);
    write_file("a.csv", "22");
    remove_file("goes.csv");
    wait_ms(w.t.loop, 100);
    assert_int_equal(world_events(&w), 1);
    memory_log_set_down(w.queue, false);
    are_events(3); /* 5 s later, by the scan */
    world_until_sql(&w, "SELECT size FROM bucket_object", 2);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_an_upload_is_stored_announced_and_answered),
        T(test_the_same_key_again_is_another_version),
        T(test_keys_that_are_none),
        T(test_a_key_at_the_limit_and_over),
        T(test_an_object_over_5_gib_is_refused_before_it_is_sent),
        T(test_an_upload_that_breaks_off_leaves_nothing),
        T(test_a_link_among_the_folders_is_not_followed),
        T(test_the_queue_is_away_during_an_upload),
        T(test_files_that_others_put_there),
        T(test_a_rename_is_one_that_goes_and_one_that_comes),
        T(test_folders_in_folders),
        T(test_what_is_no_object),
        T(test_a_restart_announces_what_is_new_alone),
        T(test_an_announcement_that_was_not_kept),
        T(test_what_dead_uploads_left_is_removed),
        T(test_changes_while_the_queue_is_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
