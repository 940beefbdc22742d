#include "tests/support/store_script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"

struct script {
    struct loop *loop;
    struct store *store;
    const char *folder;
    struct text *told;
    struct store_object last;
    int code, fd;
    bool over;
};

/* ---- one operation at a time ----------------------------------------------------------------- */

static void done(void *arg, const struct store_object *object, const struct err *err)
{
    struct script *s = arg;
    free(s->last.data);
    s->last = *object;
    s->last.data = object->data ? mem_bytes(object->data, (size_t)object->size) : NULL;
    s->code = err ? err->code : 0;
    s->over = true;
}

static void fd_done(void *arg, int fd, int64_t size, const struct err *err)
{
    struct script *s = arg;
    s->fd = fd;
    s->last.size = size;
    s->code = err ? err->code : 0;
    s->over = true;
}

/* Runs what was just started to its end and writes its answer down. */
static int answer(struct script *s, const char *what)
{
    while (!s->over)
        loop_step(s->loop, true);
    s->over = false;
    text_printf(s->told, "%s: %s", what, s->code ? err_name(s->code) : "ok");
    if (s->code == 0)
        text_printf(s->told, " size %lld hash %.12s exists %d", (long long)s->last.size,
                    s->last.hash, s->last.exists);
    text_puts(s->told, "\n");
    return s->code;
}

/* ---- files ----------------------------------------------------------------------------------- */

static char *path_in(const struct script *s, const char *name)
{
    return mem_printf("%s/%s", s->folder, name);
}

/* Bytes that differ from block to block and from size to size. */
static void make_file(const char *path, int64_t size, mode_t mode)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    char block[65536];
    for (int64_t at = 0; at < size;) {
        memset(block, (int)(at / 65536 % 251), sizeof block);
        memcpy(block, &at, sizeof at);
        memcpy(block + sizeof at, &size, sizeof size);
        const size_t n = size - at < (int64_t)sizeof block ? (size_t)(size - at) : sizeof block;
        assert_int_equal(write(fd, block, n), (ssize_t)n);
        at += (int64_t)n;
    }
}

static void hash_of_file(const char *path, char out[SHA256_HEX])
{
    struct sha256_stream *stream = sha256_start();
    uint8_t digest[SHA256_BYTES];
    char block[65536];
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (ssize_t n; (n = read(fd, block, sizeof block)) > 0;)
        sha256_add(stream, block, (size_t)n);
    sha256_end(stream, digest);
    hex_encode(digest, sizeof digest, out);
}

/* ---- objects --------------------------------------------------------------------------------- */

static void put_and_get(struct script *s, int64_t size)
{
    cleanup_free char *in = path_in(s, "in"), *out = path_in(s, "out");
    char hash[SHA256_HEX], back[SHA256_HEX];
    make_file(in, size, 0600);
    hash_of_file(in, hash);
    store_put_file(s->store, in, 0, done, s);
    assert_int_equal(answer(s, "put_file"), 0);
    assert_string_equal(s->last.hash, hash);
    store_put_file(s->store, in, STORE_MOVE, done, s);
    assert_int_equal(answer(s, "put_file again, moved"), 0);
    assert_int_equal(access(in, F_OK), -1);
    store_exists(s->store, hash, done, s);
    assert_int_equal(answer(s, "exists"), 0);
    assert_true(s->last.exists);
    store_get_file(s->store, hash, out, STORE_EXEC, done, s);
    assert_int_equal(answer(s, "get_file"), 0);
    hash_of_file(out, back);
    assert_string_equal(back, hash);
    store_get_file(s->store, hash, out, 0, done, s);
    assert_int_equal(answer(s, "get_file onto one that is there"), LEAT_EEXISTS);
    unlink(out);
    store_open_fd(s->store, hash, fd_done, s);
    assert_int_equal(answer(s, "open_fd"), 0);
    assert_int_equal(lseek(s->fd, 0, SEEK_CUR), 0);
    assert_int_equal(lseek(s->fd, 0, SEEK_END), size);
    close(s->fd);
}

static void objects(struct script *s, int64_t part)
{
    const int64_t sizes[] = {0, 1, 65536, 65537, 300000, part - 1, part, part + 1, 2 * part};
    char hash[SHA256_HEX];
    cleanup_free char *out = path_in(s, "none"), *link = path_in(s, "link");
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
        put_and_get(s, sizes[i]);
    store_put_bytes(s->store, "abc", 3, done, s);
    assert_int_equal(answer(s, "put_bytes"), 0);
    memcpy(hash, s->last.hash, sizeof hash);
    store_put_bytes(s->store, "abc", 3, done, s);
    assert_int_equal(answer(s, "put_bytes again"), 0);
    store_put_bytes(s->store, "", 0, done, s);
    assert_int_equal(answer(s, "put_bytes of none"), 0);
    store_remove(s->store, hash, done, s);
    assert_int_equal(answer(s, "remove"), 0);
    store_exists(s->store, hash, done, s);
    assert_int_equal(answer(s, "exists no more"), 0);
    assert_false(s->last.exists);
    store_remove(s->store, hash, done, s);
    assert_int_equal(answer(s, "remove what is absent"), 0);
    store_get_file(s->store, hash, out, 0, done, s);
    assert_int_equal(answer(s, "get what is absent"), LEAT_ENOTFOUND);
    assert_int_equal(access(out, F_OK), -1);
    store_open_fd(s->store, hash, fd_done, s);
    assert_int_equal(answer(s, "open what is absent"), LEAT_ENOTFOUND);
    assert_int_equal(symlink("/etc/passwd", link), 0);
    store_put_file(s->store, link, 0, done, s);
    assert_int_equal(answer(s, "put a link"), LEAT_EINPUT);
    store_put_file(s->store, out, 0, done, s);
    assert_int_equal(answer(s, "put a file that is absent"), LEAT_ENOTFOUND);
    store_get_file(s->store, "no-hash", out, 0, done, s);
    assert_int_equal(answer(s, "get by no hash"), LEAT_EINPUT);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void expect_text(struct script *s, const char *name, int64_t offset, size_t max,
                        const char *text, int64_t total)
{
    store_read(s->store, name, offset, max, done, s);
    assert_int_equal(answer(s, "read"), 0);
    assert_int_equal(s->last.size, (int64_t)strlen(text));
    assert_int_equal(s->last.total, total);
    assert_memory_equal(s->last.data, text, strlen(text));
}

static void odd_names(struct script *s)
{
    static const char *const odd[] = {"odd/a b+c%20d.csv", "odd/qu\"o'te&x=y?z#f",
                                      "odd/\xc3\xbc\xe2\x82\xac", "odd/..a/...",
                                      "odd/~$!*(),;:@[]{}|^`<>"};
    for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
        store_put_named(s->store, odd[i], odd[i], strlen(odd[i]), 0, done, s);
        assert_int_equal(answer(s, odd[i]), 0);
        expect_text(s, odd[i], 0, 1000, odd[i], (int64_t)strlen(odd[i]));
        store_remove(s->store, odd[i], done, s);
        assert_int_equal(answer(s, odd[i]), 0);
        store_exists(s->store, odd[i], done, s);
        assert_int_equal(answer(s, odd[i]), 0);
        assert_false(s->last.exists);
    }
}

static void names(struct script *s)
{
    static const char name[] = "logs/r/s/000001";
    store_put_named(s->store, name, "0123456789", 10, 0, done, s);
    assert_int_equal(answer(s, "put_named"), 0);
    store_put_named(s->store, name, "abc", 3, 0, done, s);
    assert_int_equal(answer(s, "put_named again"), LEAT_EEXISTS);
    store_put_named(s->store, name, "0123456789", 10, 0, done, s);
    assert_int_equal(answer(s, "put_named the same again"), LEAT_EEXISTS);
    expect_text(s, name, 0, 100, "0123456789", 10);
    expect_text(s, name, 3, 4, "3456", 10);
    expect_text(s, name, 9, 100, "9", 10);
    expect_text(s, name, 10, 100, "", 10);
    expect_text(s, name, 1000, 100, "", 10);
    expect_text(s, name, 0, 0, "", 10);
    store_put_named(s->store, name, "abc", 3, STORE_REPLACE | STORE_DURABLE, done, s);
    assert_int_equal(answer(s, "replace"), 0);
    expect_text(s, name, 0, 100, "abc", 3);
    store_put_named(s->store, "logs/empty", NULL, 0, 0, done, s);
    assert_int_equal(answer(s, "put_named of none"), 0);
    expect_text(s, "logs/empty", 0, 100, "", 0);
    store_read(s->store, "logs/none", 0, 10, done, s);
    assert_int_equal(answer(s, "read what is absent"), LEAT_ENOTFOUND);
    const char *const bad[] = {"", "/a", "a//b", "../a", "objects/ab", "tmp/x", "a\nb"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        store_put_named(s->store, bad[i], "x", 1, 0, done, s);
        assert_int_equal(answer(s, "a bad name"), LEAT_EINPUT);
    }
    odd_names(s);
}

static void named_files(struct script *s, int64_t part)
{
    cleanup_free char *in = path_in(s, "in");
    const int64_t sizes[] = {10, part + 1};
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        make_file(in, sizes[i], 0600);
        cleanup_free char *name = mem_printf("merged/%lld", (long long)sizes[i]);
        store_put_named_file(s->store, name, in, 0, done, s);
        assert_int_equal(answer(s, "put_named_file"), 0);
        store_put_named_file(s->store, name, in, 0, done, s);
        assert_int_equal(answer(s, "put_named_file again"), LEAT_EEXISTS);
        store_put_named_file(s->store, name, in, STORE_REPLACE | STORE_MOVE, done, s);
        assert_int_equal(answer(s, "put_named_file over it"), 0);
        assert_int_equal(access(in, F_OK), -1);
        store_exists(s->store, name, done, s);
        assert_int_equal(answer(s, "exists"), 0);
        assert_int_equal(s->last.size, sizes[i]);
    }
}

/* ---- folders --------------------------------------------------------------------------------- */

static void folders(struct script *s)
{
    cleanup_free char *in = path_in(s, "tree"), *deep = path_in(s, "tree/a"),
                      *empty = path_in(s, "tree/empty"), *one = path_in(s, "tree/a/one"),
                      *two = path_in(s, "tree/two"), *out = path_in(s, "back"),
                      *back = path_in(s, "back/a/one"), *none = path_in(s, "back/empty");
    char hash[SHA256_HEX], first[SHA256_HEX], second[SHA256_HEX];
    struct stat st;
    mkdir(in, 0755);
    mkdir(deep, 0755);
    mkdir(empty, 0755);
    make_file(one, 100000, 0755);
    make_file(two, 3, 0644);
    store_put_folder(s->store, in, done, s);
    assert_int_equal(answer(s, "put_folder"), 0);
    assert_int_equal(s->last.files, 2);
    memcpy(hash, s->last.hash, sizeof hash);
    store_get_folder(s->store, hash, out, done, s);
    assert_int_equal(answer(s, "get_folder"), 0);
    hash_of_file(one, first);
    hash_of_file(back, second);
    assert_string_equal(first, second);
    assert_int_equal(stat(back, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0755);
    assert_int_equal(access(none, F_OK), 0);
    store_get_folder(s->store, hash, out, done, s);
    assert_int_equal(answer(s, "get_folder onto one that is there"), LEAT_EEXISTS);
}

static void names_are(struct script *s, const char *hash, struct store_names most, int code,
                      const char *want)
{
    store_list_folder(s->store, hash, most, done, s);
    assert_int_equal(answer(s, "list_folder"), code);
    if (code == 0) {
        assert_string_equal(s->last.data, want);
        assert_int_equal(s->last.size, strlen(want));
    }
}

/* What stands at the top: once each, by bytes, whatever is in the names. */
static void names_in_folders(struct script *s)
{
    static const char *const FILES[] = {"listed/b/2",      "listed/b/1",   "listed/b-0",
                                        "listed/a b",      "listed/\"q\"", "listed/$(id)",
                                        "listed/\xc3\xa9", "listed/Z"};
    static const char WANT[] =
        "[\"\\\"q\\\"\",\"$(id)\",\"Z\",\"a b\",\"b\",\"b-0\",\"empty\",\"\xc3\xa9\"]";
    cleanup_free char *in = path_in(s, "listed"), *deep = path_in(s, "listed/b"),
                      *empty = path_in(s, "listed/empty"), *bad = path_in(s, "listed/new\nline"),
                      *raw = path_in(s, "listed/\xff");
    char hash[SHA256_HEX];
    mkdir(in, 0755);
    mkdir(deep, 0755);
    mkdir(empty, 0755);
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        cleanup_free char *path = path_in(s, FILES[i]);
        make_file(path, 1, 0644);
    }
    store_put_folder(s->store, in, done, s);
    assert_int_equal(answer(s, "put_folder"), 0);
    memcpy(hash, s->last.hash, sizeof hash);
    names_are(s, hash, (struct store_names){8, sizeof WANT - 1}, 0, WANT);
    names_are(s, hash, (struct store_names){7, sizeof WANT - 1}, LEAT_ELIMIT, NULL);
    names_are(s, hash, (struct store_names){8, sizeof WANT - 2}, LEAT_ELIMIT, NULL);
    names_are(s, "00", (struct store_names){8, 100}, LEAT_EINPUT, NULL);
    /* Names that cannot be kept never get that far. */
    make_file(bad, 1, 0644);
    store_put_folder(s->store, in, done, s);
    assert_int_equal(answer(s, "put_folder with a newline in a name"), LEAT_EINPUT);
    unlink(bad);
    make_file(raw, 1, 0644);
    store_put_folder(s->store, in, done, s);
    assert_int_equal(answer(s, "put_folder with a name that is not UTF-8"), LEAT_EINPUT);
}

/* ---- all ------------------------------------------------------------------------------------- */

static void count_done(void *arg, const struct store_object *object, const struct err *err)
{
    (void)object;
    *(int *)arg += err ? 1000 : 1;
}

static void many_at_once(struct script *s)
{
    int count = 0;
    char bytes[64];
    for (int i = 0; i < 100; i++) {
        const int n = snprintf(bytes, sizeof bytes, "%d", i / 2);
        store_put_bytes(s->store, bytes, (size_t)n, count_done, &count);
    }
    while (count < 100)
        loop_step(s->loop, true);
    assert_int_equal(count, 100);
}

void store_script(const char *where, const struct store_options *options, const char *folder,
                  int64_t part, struct text *told)
{
    struct err err = {0};
    struct script s = {.loop = loop_new(), .folder = folder, .told = told};
    if (store_open(s.loop, where, options, &s.store, &err) != 0)
        fail_msg("%s", err.text);
    objects(&s, part);
    names(&s);
    named_files(&s, part);
    folders(&s);
    names_in_folders(&s);
    many_at_once(&s);
    store_close(s.store);
    /* What was put is there for another process. */
    assert_int_equal(store_open(s.loop, where, options, &s.store, &err), 0);
    expect_text(&s, "logs/r/s/000001", 0, 100, "abc", 3);
    store_close(s.store);
    free(s.last.data);
    loop_free(s.loop);
}
