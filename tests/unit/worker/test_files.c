/* Files of workspaces and buckets: names, links, limits, removal, listing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "worker/attempt/files.h"
#include "worker/executor/bucket.h"

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][512];
    static int next;
    next = (next + 1) % 4;
    snprintf(path[next], sizeof path[0], "%s/%s", dir, name);
    return path[next];
}

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/leat-files.XXXXXX");
    assert_non_null(mkdtemp(dir));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tree_remove_now(dir);
    assert_int_not_equal(access(dir, F_OK), 0);
    return 0;
}

static void make(const char *name, const char *text)
{
    struct err err = {0};
    assert_int_equal(folder_make_above(dir, name, &err), 0);
    assert_int_equal(file_write(in_dir(name), text, strlen(text), 0644, &err), 0);
}

static void test_names(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "model.pkl", "...", "a b", "\xc3\xbc"};
    static const char *const bad[] = {"", ".", "..", "a/b", "/a", "a\nb", "a\x7f"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(file_name_ok(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(file_name_ok(bad[i]));
    char longest[257];
    memset(longest, 'n', 256);
    longest[255] = '\0';
    assert_true(file_name_ok(longest));
    longest[255] = 'n';
    longest[256] = '\0';
    assert_false(file_name_ok(longest));
}

static void test_write_never_follows(void **state)
{
    (void)state;
    struct err err = {0};
    make("there", "old");
    assert_int_equal(file_write(in_dir("there"), "new", 3, 0644, &err), LEAT_EIO);
    assert_int_equal(symlink(in_dir("elsewhere"), in_dir("link")), 0);
    assert_int_equal(file_write(in_dir("link"), "new", 3, 0644, &err), LEAT_EIO);
    assert_int_not_equal(access(in_dir("elsewhere"), F_OK), 0);
}

static void test_read_limits_and_kinds(void **state)
{
    (void)state;
    struct err err = {0};
    char *data = NULL;
    size_t len = 0;
    make("five", "12345");
    assert_int_equal(file_read(in_dir("five"), 5, &data, &len, &err), 0);
    assert_string_equal(data, "12345");
    assert_int_equal(len, 5);
    free(data);
    assert_int_equal(file_read(in_dir("five"), 4, &data, &len, &err), LEAT_ELIMIT);
    assert_int_equal(file_read(in_dir("none"), 4, &data, &len, &err), LEAT_ENOTFOUND);
    assert_int_equal(file_read(dir, 4, &data, &len, &err), LEAT_EINPUT);
    assert_int_equal(symlink(in_dir("five"), in_dir("link")), 0);
    assert_int_equal(file_read(in_dir("link"), 9, &data, &len, &err), LEAT_EINPUT);
    assert_int_equal(mkfifo(in_dir("pipe"), 0600), 0);
    assert_int_equal(file_read(in_dir("pipe"), 9, &data, &len, &err), LEAT_EINPUT);
}

static void test_removal_follows_no_link(void **state)
{
    (void)state;
    make("keep/precious", "x");
    make("work/a/b/c", "x");
    assert_int_equal(symlink(in_dir("keep"), in_dir("work/a/link")), 0);
    assert_int_equal(chmod(in_dir("work/a/b"), 0500), 0);
    tree_remove_now(in_dir("work"));
    assert_int_not_equal(access(in_dir("work"), F_OK), 0);
    assert_int_equal(access(in_dir("keep/precious"), F_OK), 0);
    assert_int_equal(symlink(in_dir("keep"), in_dir("top")), 0);
    tree_remove_now(in_dir("top"));
    assert_int_equal(access(in_dir("keep/precious"), F_OK), 0);
    tree_remove_now(in_dir("nothing"));
}

static char *keys(const struct bucket_list *list)
{
    struct text t = {0};
    for (size_t i = 0; i < list->count; i++)
        text_printf(&t, "%s ", list->objects[i].key);
    return text_take(&t);
}

static void assert_keys(const char *prefix, const char *suffix, const char *expected)
{
    struct bucket_list list = {0};
    struct err err = {0};
    assert_int_equal(bucket_scan(in_dir("b"), prefix, suffix, &list, &err), 0);
    cleanup_free char *found = keys(&list);
    assert_string_equal(found, expected);
    bucket_list_free(&list);
}

static void test_bucket_is_listed_by_prefix_and_suffix(void **state)
{
    (void)state;
    make("b/z.csv", "1");
    make("b/a/x.csv", "1");
    make("b/a.csv", "1");
    make("b/a/y.txt", "1");
    make("b/.leat-upload-7.csv", "half");
    make("b/a/.leat-tmp/x.csv", "half");
    assert_int_equal(symlink("/etc/passwd", in_dir("b/l.csv")), 0);
    assert_keys("", "", "a.csv a/x.csv a/y.txt z.csv ");
    assert_keys("", ".csv", "a.csv a/x.csv z.csv ");
    assert_keys("a/", "", "a/x.csv a/y.txt ");
    assert_keys("nothing", "", "");
    struct bucket_list list = {0};
    struct err err = {0};
    assert_true(bucket_scan(in_dir("none"), "", "", &list, &err) < 0);
    make("b/back\\slash", "1");
    assert_int_equal(bucket_scan(in_dir("b"), "", "", &list, &err), LEAT_EINPUT);
    assert_non_null(strstr(err.text, "back\\slash"));
    bucket_list_free(&list);
}

static void test_manifest(void **state)
{
    (void)state;
    struct bucket_list list = {0};
    bucket_add(&list, "k \"quoted\"\xe2\x80\xae");
    struct bucket_object *o = &list.objects[0];
    snprintf(o->version, sizeof o->version, "1-2-3");
    o->size = 3;
    o->modified_us = 0;
    cleanup_free char *text = bucket_manifest("b", &list);
    cleanup_json json_t *json = json_read(text, strlen(text), NULL, NULL);
    const json_t *object = json_array_get(json_get_array(json, "objects"), 0);
    assert_string_equal(json_get_string(json, "bucket", ""), "b");
    assert_string_equal(json_get_string(object, "key", ""), o->key);
    assert_string_equal(json_get_string(object, "version", ""), "1-2-3");
    assert_string_equal(json_get_string(object, "modified", ""), "1970-01-01T00:00:00.000000Z");
    assert_int_equal(json_get_int(object, "size", 0), 3);
    bucket_list_free(&list);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_names),
        T(test_write_never_follows),
        T(test_read_limits_and_kinds),
        T(test_removal_follows_no_link),
        T(test_bucket_is_listed_by_prefix_and_suffix),
        T(test_manifest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
