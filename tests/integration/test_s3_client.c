/* common/s3 on real services: listings of several pages, downloads that break, uploads that nobody
 * goes on with, versions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/s3/internal.h"
#include "tests/support/s3_server.h"
#include "tests/support/tcp_proxy.h"

#define KEYS 2100 /* three pages */

static const char *const NAMES[] = {"minio", "versitygw"};
static struct s3_server servers[ARRAY_LEN(NAMES)];
static bool have[ARRAY_LEN(NAMES)];

static int start(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        have[i] = s3_server_start(&servers[i], NAMES[i]);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
        if (have[i])
            s3_server_remove(&servers[i]);
    return 0;
}

static void on_each(void (*test)(const struct s3_server *server))
{
    int ran = 0;
    for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
        if (have[i])
            test(&servers[i]);
        ran += have[i];
    }
    if (!ran)
        skip();
}

static void put(struct s3 *s3, const char *key, const char *text)
{
    struct err err = {0};
    const struct s3_body body = {.data = text, .len = (int64_t)strlen(text)};
    if (s3_put(s3, key, &body, 0, NULL, &err) != 0)
        fail_msg("%s", err.text);
}

/* ---- listings -------------------------------------------------------------------------------- */

struct seen {
    size_t count, versions, gone, most;
    int64_t bytes;
    char last[S3_KEY_MAX + 1];
    bool ordered;
};

static bool see(void *arg, const struct s3_object *object)
{
    struct seen *s = arg;
    s->ordered = s->ordered && (s->count == 0 || strcmp(s->last, object->key) < 0);
    snprintf(s->last, sizeof s->last, "%s", object->key);
    s->gone += object->deleted;
    s->count += !object->deleted;
    s->versions += *object->version != '\0';
    s->bytes += object->size;
    assert_true(object->deleted || strlen(object->etag) == 32);
    assert_true(object->modified_us > clock_wall_us() - 600 * US_PER_S);
    return s->count != s->most;
}

static struct seen list(struct s3 *s3, const char *prefix, bool versions, size_t most)
{
    struct seen s = {.most = most, .ordered = true};
    struct err err = {0};
    if (s3_list(s3, prefix, versions, see, &s, &err) != 0)
        fail_msg("%s", err.text);
    return s;
}

static void fill(struct s3 *s3)
{
    for (int i = 0; i < KEYS; i++) {
        cleanup_free char *key = mem_printf("many/a b+%%%04d", i);
        put(s3, key, "abc");
    }
    put(s3, "other/\xc3\xbc&<x>\n", "abc");
    put(s3, "many/a b+%0000", "abcd"); /* again */
    put(s3, "many/gone", "x");
    assert_int_equal(s3_remove(s3, "many/gone", NULL), 0);
}

static void pages(const struct s3_server *server)
{
    struct s3 *plain = s3_server_bucket(server, "pages", false);
    struct s3 *versioned = s3_server_bucket(server, "pages-versions", true);
    fill(plain);
    fill(versioned);
    for (int i = 0; i < 2; i++) {
        struct seen s = list(i ? versioned : plain, "many/", i, 0);
        fprintf(stderr, "%s, versions %d: %zu objects, %zu with a version, %zu markers\n",
                server->name, i, s.count, s.versions, s.gone);
        assert_int_equal(s.count, KEYS);
        assert_int_equal(s.bytes, KEYS * 3 + 1);
        if (i) /* each has one, and so has the marker of the removal */
            assert_int_equal(s.versions, KEYS + s.gone);
        else
            assert_true(s.ordered && s.versions == 0 && s.gone == 0);
        s = list(i ? versioned : plain, "other/", i, 0);
        assert_int_equal(s.count, 1);
        assert_string_equal(s.last, "other/\xc3\xbc&<x>\n");
        assert_int_equal(list(i ? versioned : plain, "many/", i, 10).count, 10);
        assert_int_equal(list(i ? versioned : plain, "none/", i, 0).count, 0);
    }
    s3_close(plain);
    s3_close(versioned);
}

static void test_pages(void **state)
{
    (void)state;
    on_each(pages);
}

/* ---- downloads ------------------------------------------------------------------------------- */

struct got {
    struct sha256_stream *stream;
    int64_t bytes;
};

static bool take(void *arg, const void *data, size_t len)
{
    struct got *g = arg;
    sha256_add(g->stream, data, len);
    g->bytes += (int64_t)len;
    return true;
}

/* The line breaks twice: the rest is asked for, of the same object. */
static void broken(const struct s3_server *server)
{
    int port;
    const size_t size = 20UL << 20;
    struct tcp_proxy *proxy = tcp_proxy_start(server->port, &port);
    cleanup_free char *url = mem_printf("http://127.0.0.1:%d", port);
    cleanup_free char *data = mem_alloc(size);
    struct s3 *direct = s3_server_bucket(server, "broken", false);
    struct s3 *s3 = s3_server_open(server, "broken", url);
    struct err err = {0};
    for (size_t i = 0; i < size; i++)
        data[i] = (char)(i * 2654435761u >> 13);
    const struct s3_body body = {.data = data, .len = (int64_t)size};
    assert_int_equal(s3_put(direct, "big", &body, 0, NULL, &err), 0);
    struct got g = {.stream = sha256_start()};
    uint8_t digest[SHA256_BYTES], expected[SHA256_BYTES];
    tcp_proxy_drop_after(proxy, 7 << 20);
    const struct s3_get get = {.key = "big", .max = -1};
    if (s3_get(s3, &get, take, &g, NULL, &err) != 0)
        fail_msg("%s", err.text);
    sha256_end(g.stream, digest);
    sha256(data, size, expected);
    assert_int_equal(g.bytes, (int64_t)size);
    assert_memory_equal(digest, expected, sizeof digest);
    assert_true(tcp_proxy_connections(proxy) >= 2);
    s3_close(s3);
    s3_close(direct);
    tcp_proxy_stop(proxy);
}

static void test_a_download_that_breaks_goes_on(void **state)
{
    (void)state;
    on_each(broken);
}

static bool count_bytes(void *arg, const void *data, size_t len)
{
    (void)data;
    *(int64_t *)arg += (int64_t)len;
    return true;
}

static void versions(const struct s3_server *server)
{
    struct s3 *s3 = s3_server_bucket(server, "versions", true);
    cleanup_s3_answer struct s3_answer first = {0}, now = {0};
    struct err err = {0};
    int64_t bytes = 0;
    put(s3, "k", "first");
    assert_int_equal(s3_head(s3, "k", NULL, &first, &err), 0);
    assert_string_not_equal(first.version, "");
    put(s3, "k", "the second");
    assert_int_equal(s3_head(s3, "k", NULL, &now, &err), 0);
    assert_string_not_equal(first.version, now.version);
    const struct s3_get old = {.key = "k", .version = first.version, .max = -1};
    assert_int_equal(s3_get(s3, &old, count_bytes, &bytes, NULL, &err), 0);
    assert_int_equal(bytes, 5);
    const struct s3_get changed = {.key = "k", .etag = first.etag, .max = -1};
    assert_int_equal(s3_get(s3, &changed, count_bytes, &bytes, NULL, &err), LEAT_EEXISTS);
    const struct s3_get present = {.key = "k", .etag = now.etag, .max = -1};
    bytes = 0;
    assert_int_equal(s3_get(s3, &present, count_bytes, &bytes, NULL, &err), 0);
    assert_int_equal(bytes, 10);
    assert_int_equal(s3_remove(s3, "k", &err), 0);
    assert_int_equal(s3_head(s3, "k", NULL, NULL, &err), LEAT_ENOTFOUND);
    assert_int_equal(s3_head(s3, "k", first.version, NULL, &err), 0);
    s3_close(s3);
}

static void test_versions(void **state)
{
    (void)state;
    on_each(versions);
}

/* ---- uploads that nobody goes on with -------------------------------------------------------- */

static void begin_upload(struct s3 *s3, const char *key)
{
    cleanup_s3_answer struct s3_answer a = {0};
    const struct s3_body none = {.data = ""};
    const struct s3_call call = {.method = "POST", .key = key, .query = "uploads=", .body = &none};
    assert_int_equal(s3_request(s3, &call, &a, NULL), 0);
}

/* MinIO lists uploads by their exact key only: the prefix is one here. */
static void stale(const struct s3_server *server)
{
    struct s3 *s3 = s3_server_bucket(server, "stale", false);
    struct err err = {0};
    int count = -1;
    begin_upload(s3, "objects/ab/cd");
    begin_upload(s3, "objects/ab/cd");
    const int64_t now = clock_wall_us();
    assert_int_equal(s3_abort_stale(s3, "objects/ab/cd", now - 60 * US_PER_S, &count, &err), 0);
    assert_int_equal(count, 0);
    assert_int_equal(s3_abort_stale(s3, "objects/ab/cd", now + 60 * US_PER_S, &count, &err), 0);
    assert_int_equal(count, 2);
    assert_int_equal(s3_abort_stale(s3, "objects/ab/cd", now + 60 * US_PER_S, &count, &err), 0);
    assert_int_equal(count, 0);
    s3_close(s3);
}

static void test_stale_uploads(void **state)
{
    (void)state;
    on_each(stale);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages),
        cmocka_unit_test(test_a_download_that_breaks_goes_on),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_stale_uploads),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
