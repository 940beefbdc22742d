/* The directory store: what comes back, what is refused, what a crash or a full disk leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/store/manifest.h"
#include "common/store/store.h"

static struct loop *loop;
static struct store *store;
static char top[] = "/tmp/leat-test-store-XXXXXX";
static struct store_object result;
static struct err failure;

static void done(void *arg, const struct store_object *object, const struct err *err)
{
    (void)arg;
    free(result.data);
    result = *object;
    result.data = object->data ? mem_bytes(object->data, (size_t)object->size) : NULL;
    failure = err ? *err : (struct err){0};
    loop_stop(loop);
}

static int opened;

static void fd_done(void *arg, int fd, int64_t size, const struct err *err)
{
    opened = fd;
    *(int64_t *)arg = size;
    failure = err ? *err : (struct err){0};
    loop_stop(loop);
}

/* Runs the operation that was just started to its end; its error's code. */
static int wait_done(void)
{
    loop_run(loop);
    return failure.code;
}

static char *path_in(const char *name)
{
    return mem_printf("%s/%s", top, name);
}

static void put_text(const char *name, const void *data, size_t len, mode_t mode)
{
    cleanup_free char *path = path_in(name);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
}

static char *get_text(const char *name, size_t *len)
{
    cleanup_free char *path = path_in(name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return NULL;
    char *data = mem_alloc((size_t)st.st_size + 1);
    assert_int_equal(read(fd, data, (size_t)st.st_size), st.st_size);
    *len = (size_t)st.st_size;
    return data;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int setup(void **state)
{
    (void)state;
    memcpy(top + strlen(top) - 6, "XXXXXX", 6);
    assert_non_null(mkdtemp(top));
    cleanup_free char *where = path_in("deep/er/store");
    loop = loop_new();
    return store_open(loop, where, NULL, &store, NULL);
}

static int teardown(void **state)
{
    (void)state;
    free(result.data);
    result.data = NULL;
    store_close(store);
    loop_free(loop);
    nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    return 0;
}

static int entries_in(const char *name)
{
    cleanup_free char *path = path_in(name);
    int n = 0;
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (struct dirent *e = readdir(dir); e; e = readdir(dir))
        n += e->d_name[0] != '.';
    closedir(dir);
    return n;
}

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static void test_bytes_by_hash(void **state)
{
    (void)state;
    store_put_bytes(store, "abc", 3, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_string_equal(result.hash, ABC);
    assert_int_equal(result.size, 3);
    store_put_bytes(store, "abc", 3, done, NULL); /* again: the same */
    assert_int_equal(wait_done(), 0);
    store_put_bytes(store, "", 0, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_string_equal(result.hash, EMPTY);
    struct stat st;
    cleanup_free char *path =
        path_in("deep/er/store/objects/ba/"
                "7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0444);
    assert_int_equal(entries_in("deep/er/store/tmp"), 0);
    store_read(store, ABC, 0, 100, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_string_equal(result.data, "abc");
}

/* Sizes around the edges of "small" and of a block. */
static void test_files_of_every_size_come_back(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 262143, 262144, 262145, 3000000};
    char *data = mem_alloc(3000000);
    for (size_t i = 0; i < 3000000; i++)
        data[i] = (char)(i * 31 >> 3);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        char hex[SHA256_HEX];
        put_text("in", data, sizes[i], 0600);
        cleanup_free char *in = path_in("in"), *out = path_in("out");
        store_put_file(store, in, 0, done, NULL);
        assert_int_equal(wait_done(), 0);
        sha256_hex(data, sizes[i], hex);
        assert_string_equal(result.hash, hex);
        assert_int_equal(result.size, (int64_t)sizes[i]);
        assert_int_equal(access(in, F_OK), 0);
        store_get_file(store, hex, out, 0, done, NULL);
        assert_int_equal(wait_done(), 0);
        size_t len = 0;
        cleanup_free char *got = get_text("out", &len);
        assert_int_equal(len, sizes[i]);
        assert_memory_equal(got, data, len);
        assert_int_equal(unlink(out), 0);
    }
    free(data);
}

static void test_moved_files_are_gone_and_read_only(void **state)
{
    (void)state;
    static const size_t sizes[] = {10, 100000};
    cleanup_free char *data = mem_alloc(100000);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        for (int again = 0; again < 2; again++) {
            put_text("in", data, sizes[i], 0666);
            cleanup_free char *in = path_in("in");
            store_put_file(store, in, STORE_MOVE, done, NULL);
            assert_int_equal(wait_done(), 0);
            assert_int_equal(access(in, F_OK), -1);
            struct stat st;
            cleanup_free char *name =
                mem_printf("deep/er/store/objects/%.2s/%s", result.hash, result.hash + 2);
            cleanup_free char *path = path_in(name);
            assert_int_equal(stat(path, &st), 0);
            assert_int_equal(st.st_mode & 0777, 0444);
            assert_int_equal(st.st_size, (off_t)sizes[i]);
        }
}

/* Somebody else can still write through the other name: it must be a copy. */
static void test_hard_linked_file_is_copied_when_moved(void **state)
{
    (void)state;
    cleanup_free char *data = mem_alloc(100000);
    put_text("in", data, 100000, 0666);
    cleanup_free char *in = path_in("in"), *other = path_in("other");
    assert_int_equal(link(in, other), 0);
    store_put_file(store, in, STORE_MOVE, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_int_equal(access(in, F_OK), -1);
    put_text("other", "changed", 7, 0666);
    store_exists(store, result.hash, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_true(result.exists);
    assert_int_equal(result.size, 100000);
}

static void test_what_is_no_file_is_refused(void **state)
{
    (void)state;
    cleanup_free char *in = path_in("in"), *link = path_in("link"), *fifo = path_in("fifo");
    put_text("in", "x", 1, 0600);
    assert_int_equal(symlink("in", link), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    const char *const bad[] = {link, fifo, top};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        store_put_file(store, bad[i], 0, done, NULL);
        assert_int_equal(wait_done(), LEAT_EINPUT);
        assert_non_null(strstr(failure.text, bad[i]));
    }
    store_put_file(store, "/nowhere/at/all", 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_ENOTFOUND);
}

static void test_get_refuses(void **state)
{
    (void)state;
    cleanup_free char *out = path_in("out"), *deep = path_in("no/out");
    store_get_file(store, ABC, out, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_ENOTFOUND);
    assert_int_equal(access(out, F_OK), -1);
    store_get_file(store, "../../etc/passwd", out, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EINPUT);
    store_put_bytes(store, "abc", 3, done, NULL);
    assert_int_equal(wait_done(), 0);
    store_get_file(store, ABC, deep, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EIO);
    put_text("out", "mine", 4, 0600);
    store_get_file(store, ABC, out, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EEXISTS);
    size_t len;
    cleanup_free char *kept = get_text("out", &len);
    assert_string_equal(kept, "mine");
}

static void test_damaged_object_is_named_and_not_delivered(void **state)
{
    (void)state;
    store_put_bytes(store, "abc", 3, done, NULL);
    assert_int_equal(wait_done(), 0);
    cleanup_free char *name = mem_printf("deep/er/store/objects/%.2s/%s", ABC, ABC + 2);
    cleanup_free char *path = path_in(name), *out = path_in("out");
    assert_int_equal(unlink(path), 0);
    put_text(name, "abd", 3, 0644);
    store_get_file(store, ABC, out, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EIO);
    assert_non_null(strstr(failure.text, ABC));
    assert_int_equal(access(out, F_OK), -1);
}

static void test_named_objects(void **state)
{
    (void)state;
    static const int flags[] = {0, STORE_DURABLE};
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        cleanup_free char *name = mem_printf("logs/run/step%zu/000001", i);
        store_read(store, name, 0, 10, done, NULL);
        assert_int_equal(wait_done(), LEAT_ENOTFOUND);
        store_put_named(store, name, "line\n", 5, flags[i], done, NULL);
        assert_int_equal(wait_done(), 0);
        assert_int_equal(result.size, 5);
        store_put_named(store, name, "other", 5, flags[i], done, NULL);
        assert_int_equal(wait_done(), LEAT_EEXISTS);
        store_put_named(store, name, "again!", 6, flags[i] | STORE_REPLACE, done, NULL);
        assert_int_equal(wait_done(), 0);
        store_read(store, name, 2, 3, done, NULL);
        assert_int_equal(wait_done(), 0);
        assert_string_equal(result.data, "ain");
        store_read(store, name, 6, 3, done, NULL);
        assert_int_equal(wait_done(), 0);
        assert_int_equal(result.size, 0);
        store_exists(store, name, done, NULL);
        assert_int_equal(wait_done(), 0);
        assert_true(result.exists && result.size == 6);
        for (int again = 0; again < 2; again++) {
            store_remove(store, name, done, NULL);
            assert_int_equal(wait_done(), 0);
        }
        store_exists(store, name, done, NULL);
        assert_int_equal(wait_done(), 0);
        assert_false(result.exists);
    }
    store_read(store, "logs/run", 0, 10, done, NULL); /* a folder is no object */
    assert_int_equal(wait_done(), LEAT_ENOTFOUND);
    assert_int_equal(entries_in("deep/er/store/tmp"), 0);
}

static void test_named_file(void **state)
{
    (void)state;
    int64_t size = 0;
    cleanup_free char *in = path_in("in");
    put_text("in", "merged", 6, 0600);
    store_put_named_file(store, "logs/all", in, STORE_MOVE | STORE_DURABLE, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_int_equal(result.size, 6);
    assert_int_equal(access(in, F_OK), -1);
    store_open_fd(store, "logs/all", fd_done, &size);
    assert_int_equal(wait_done(), 0);
    assert_true(opened >= 0);
    close(opened);
    assert_int_equal(size, 6);
    store_open_fd(store, "logs/none", fd_done, &size);
    assert_int_equal(wait_done(), LEAT_ENOTFOUND);
    store_open_fd(store, "../x", fd_done, &size);
    assert_int_equal(wait_done(), LEAT_EINPUT);
}

static void test_names(void **state)
{
    (void)state;
    char longest[STORE_NAME_MAX + 2], segment[257];
    static const char *const good[] = {"a",   "a/b", "a b/ü.csv", "..a",
                                       "a..", "...", "-x",        ".hidden"};
    static const char *const bad[] = {"",     "/a",    "a/",   "a//b", ".",     "..",    "a/..",
                                      "../a", "a/./b", "a\nb", "a\\b", "a\x7f", "a\xff", "\xc3"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(store_name_ok(good[i]));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(store_name_ok(bad[i]));
    memset(segment, 'x', 256);
    segment[255] = '\0';
    assert_true(store_name_ok(segment));
    segment[255] = 'x';
    segment[256] = '\0';
    assert_false(store_name_ok(segment));
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = i % 2 ? '/' : 'a';
    longest[STORE_NAME_MAX - 1] = 'a';
    longest[STORE_NAME_MAX] = '\0';
    assert_true(store_name_ok(longest));
    longest[STORE_NAME_MAX] = 'a';
    longest[STORE_NAME_MAX + 1] = '\0';
    assert_false(store_name_ok(longest));
    static const char *const own[] = {"objects/x", "tmp/x", "tmp"};
    for (size_t i = 0; i < ARRAY_LEN(own); i++) {
        store_put_named(store, own[i], "x", 1, 0, done, NULL);
        assert_int_equal(wait_done(), LEAT_EINPUT);
    }
    assert_false(store_hash_ok("abc"));
    assert_false(store_hash_ok("BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
    assert_true(store_hash_ok(ABC));
}

static void make_tree(void)
{
    static const char *const folders[] = {"tree", "tree/a", "tree/a/b", "tree/empty"};
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        cleanup_free char *path = path_in(folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    put_text("tree/z.csv", "start,end\n", 10, 0600);
    put_text("tree/a/b/run.sh", "#!/bin/sh\n", 10, 0700);
    put_text("tree/a-b", "", 0, 0640);
}

static void test_folder(void **state)
{
    (void)state;
    make_tree();
    cleanup_free char *tree = path_in("tree"), *back = path_in("back");
    store_put_folder(store, tree, done, NULL);
    assert_int_equal(wait_done(), 0);
    assert_int_equal(result.size, 20);
    assert_int_equal(result.files, 3);
    char hash[SHA256_HEX];
    memcpy(hash, result.hash, sizeof hash);
    store_read(store, hash, 0, 10000, done, NULL);
    assert_int_equal(wait_done(), 0);
    cleanup_manifest struct manifest m = {0};
    assert_int_equal(manifest_decode(result.data, (size_t)result.size, &m, NULL), 0);
    assert_int_equal(m.count, 4);
    assert_string_equal(m.entries[0].path, "a-b");
    assert_string_equal(m.entries[1].path, "a/b/run.sh");
    assert_int_equal(m.entries[1].mode, 0755);
    assert_string_equal(m.entries[2].path, "empty");
    store_get_folder(store, hash, back, done, NULL);
    assert_int_equal(wait_done(), 0);
    size_t len;
    cleanup_free char *csv = get_text("back/z.csv", &len);
    assert_string_equal(csv, "start,end\n");
    cleanup_free char *script = path_in("back/a/b/run.sh"), *empty = path_in("back/empty/");
    assert_int_equal(access(script, X_OK), 0);
    assert_int_equal(access(empty, F_OK), 0);
    store_put_folder(store, back, done, NULL); /* the same folder, the same hash */
    assert_int_equal(wait_done(), 0);
    assert_string_equal(result.hash, hash);
    store_get_folder(store, hash, back, done, NULL);
    assert_int_equal(wait_done(), LEAT_EEXISTS);
}

static void test_folder_refuses_links_and_leaves_nothing_half(void **state)
{
    (void)state;
    make_tree();
    cleanup_free char *tree = path_in("tree"), *link = path_in("tree/a/link"),
                      *back = path_in("back");
    store_put_folder(store, tree, done, NULL);
    assert_int_equal(wait_done(), 0);
    char hash[SHA256_HEX], file[SHA256_HEX];
    memcpy(hash, result.hash, sizeof hash);
    assert_int_equal(symlink("/etc", link), 0);
    store_put_folder(store, tree, done, NULL);
    assert_int_equal(wait_done(), LEAT_EINPUT);
    assert_non_null(strstr(failure.text, link));
    sha256_hex("start,end\n", 10, file);
    store_remove(store, file, done, NULL); /* the last one of the folder */
    assert_int_equal(wait_done(), 0);
    store_get_folder(store, hash, back, done, NULL);
    assert_int_equal(wait_done(), LEAT_ENOTFOUND);
    assert_int_equal(access(back, F_OK), -1);
    store_put_folder(store, link, done, NULL);
    assert_int_equal(wait_done(), LEAT_EINPUT);
    store_get_folder(store, ABC, back, done, NULL);
    assert_int_equal(wait_done(), LEAT_ENOTFOUND);
    store_put_bytes(store, "abc", 3, done, NULL);
    assert_int_equal(wait_done(), 0);
    store_get_folder(store, ABC, back, done, NULL); /* not a manifest */
    assert_int_equal(wait_done(), LEAT_EINPUT);
}

static void test_manifest_refuses(void **state)
{
    (void)state;
#define FILE_(path, mode, size, hash)                                                              \
    "{\"path\":\"" path "\",\"mode\":" mode ",\"size\":" size ",\"sha256\":\"" hash "\"}"
#define LIST(files) "{\"kind\":\"folder\",\"files\":[" files "]}"
    static const char *const bad[] = {
        "",
        "[]",
        "{\"kind\":\"folder\"}",
        "{\"kind\":\"other\",\"files\":[]}",
        LIST("1"),
        LIST(FILE_("../a", "420", "1", ABC)),
        LIST(FILE_("/a", "420", "1", ABC)),
        LIST(FILE_("a", "511", "1", ABC)),
        LIST(FILE_("a", "420", "-1", ABC)),
        LIST(FILE_("a", "420", "1", "abc")),
        LIST(FILE_("a", "420", "1", ABC) "," FILE_("a", "420", "1", ABC)),
        "{\"kind\":\"folder\",\"files\":[],\"folders\":[\"a\",\"a\"]}",
        "{\"kind\":\"folder\",\"files\":[],\"folders\":[\"..\"]}",
        "{\"kind\":\"folder\",\"files\":[],\"folders\":{}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct manifest m = {0};
        struct err err = {0};
        assert_int_equal(manifest_decode(bad[i], strlen(bad[i]), &m, &err), LEAT_EINPUT);
        assert_int_equal(err.code, LEAT_EINPUT);
        assert_null(m.entries);
    }
    struct manifest m = {0};
    const char *good = LIST(FILE_("a", "420", "1", ABC));
    assert_int_equal(manifest_decode(good, strlen(good), &m, NULL), 0);
    cleanup_text struct text out = {0};
    manifest_encode(&m, &out);
    assert_string_equal(out.data, good);
    manifest_free(&m);
}

static void test_full(void **state)
{
    (void)state;
    static const struct store_options options = {.keep_free = INT64_MAX / 2};
    struct store *full = NULL;
    cleanup_free char *where = path_in("full"), *in = path_in("in");
    cleanup_free char *data = mem_alloc(100000);
    put_text("in", data, 100000, 0600);
    assert_int_equal(store_open(loop, where, &options, &full, NULL), 0);
    store_put_bytes(full, "abc", 3, done, NULL);
    assert_int_equal(wait_done(), LEAT_EFULL);
    assert_non_null(strstr(failure.text, where));
    assert_non_null(strstr(failure.text, "3 bytes"));
    store_put_file(full, in, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EFULL);
    assert_non_null(strstr(failure.text, "100000 bytes"));
    store_put_named(full, "a", "abc", 3, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EFULL);
    store_put_named_file(full, "a", in, 0, done, NULL);
    assert_int_equal(wait_done(), LEAT_EFULL);
    store_close(full);
}

static void test_open_cleans_old_leftovers_only(void **state)
{
    (void)state;
    static const struct timeval old[2] = {{1000000000, 0}, {1000000000, 0}};
    put_text("deep/er/store/tmp/old", "x", 1, 0600);
    put_text("deep/er/store/tmp/new", "x", 1, 0600);
    cleanup_free char *path = path_in("deep/er/store/tmp/old"), *where = path_in("deep/er/store");
    assert_int_equal(utimes(path, old), 0);
    struct store *again = NULL;
    assert_int_equal(store_open(loop, where, NULL, &again, NULL), 0);
    assert_int_equal(access(path, F_OK), -1);
    assert_int_equal(entries_in("deep/er/store/tmp"), 1);
    store_close(again);
}

static void test_open_refuses(void **state)
{
    (void)state;
    struct err err = {0};
    struct store *none = NULL;
    put_text("file", "x", 1, 0600);
    cleanup_free char *file = path_in("file"), *below = path_in("file/store");
    assert_int_equal(store_open(loop, file, NULL, &none, &err), LEAT_EIO);
    assert_int_equal(store_open(loop, below, NULL, &none, &err), LEAT_EIO);
    assert_int_equal(store_open(loop, "gs://bucket", NULL, &none, &err), LEAT_EINPUT);
    assert_null(none);
}

/* Many at once, equal ones among them. */
static int left;
static void count_down(void *arg, const struct store_object *object, const struct err *err)
{
    (void)arg;
    assert_null(err);
    assert_true(store_hash_ok(object->hash));
    if (--left == 0)
        loop_stop(loop);
}

static void test_many_at_once(void **state)
{
    (void)state;
    left = 200;
    for (int i = 0; i < 200; i++) {
        char data[16];
        const int n = snprintf(data, sizeof data, "object %d", i % 50);
        store_put_bytes(store, data, (size_t)n, count_down, NULL);
    }
    loop_run(loop);
    assert_int_equal(left, 0);
    assert_int_equal(entries_in("deep/er/store/tmp"), 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_bytes_by_hash),
        T(test_files_of_every_size_come_back),
        T(test_moved_files_are_gone_and_read_only),
        T(test_hard_linked_file_is_copied_when_moved),
        T(test_what_is_no_file_is_refused),
        T(test_get_refuses),
        T(test_damaged_object_is_named_and_not_delivered),
        T(test_named_objects),
        T(test_named_file),
        T(test_names),
        T(test_folder),
        T(test_folder_refuses_links_and_leaves_nothing_half),
        T(test_manifest_refuses),
        T(test_full),
        T(test_open_cleans_old_leftovers_only),
        T(test_open_refuses),
        T(test_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
