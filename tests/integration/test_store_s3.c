/* The S3 store on real services, MinIO and versitygw: the same answers as a directory's; what a
 * death, an outage, a slow or an unwilling service make of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/store/store.h"
#include "tests/support/s3_server.h"
#include "tests/support/store_script.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/waiting.h"

#define PART (5LL << 20)
#define MIB  (1LL << 20)

/* For a service to come back, on a busy machine. */
#define PATIENT_US (300 * US_PER_S)

static const char *const NAMES[] = {"minio", "versitygw"};
static struct s3_server servers[ARRAY_LEN(NAMES)];
static bool have[ARRAY_LEN(NAMES)];
static char scratch[] = "/tmp/leat-s3-XXXXXX";

/* ---- set up ---------------------------------------------------------------------------------- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static int start(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(scratch));
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
    return nftw(scratch, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Each test is run on each service that is there; on none of them it is skipped, and says so. */
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

static struct store_options options_of(const struct s3_server *server)
{
    return (struct store_options){.endpoint = server->url,
                                  .credentials = server->credentials,
                                  .part_size = PART,
                                  .spool = scratch};
}

struct opened {
    struct loop *loop;
    struct store *store;
    int over, code;
    struct store_object object;
    struct err err;
};

static void open_store(struct opened *o, const char *bucket, const struct store_options *options)
{
    cleanup_free char *where = mem_printf("s3://%s/leat", bucket);
    struct err err = {0};
    *o = (struct opened){.loop = loop_new()};
    if (store_open(o->loop, where, options, &o->store, &err) != 0)
        fail_msg("%s", err.text);
}

static void close_store(struct opened *o)
{
    store_close(o->store);
    loop_free(o->loop);
}

static void done(void *arg, const struct store_object *object, const struct err *err)
{
    struct opened *o = arg;
    o->object = *object;
    o->object.data = NULL;
    o->code = err ? err->code : 0;
    o->err = err ? *err : (struct err){0};
    o->over++;
}

static int wait_done(struct opened *o, int ms)
{
    const int wanted = 1;
    if (!wait_for_count(o->loop, &o->over, wanted, ms))
        fail_msg("not over after %d ms", ms);
    o->over = 0;
    return o->code;
}

static char *make_file(int64_t size, uint64_t seed)
{
    char *path = mem_printf("%s/file-%llu", scratch, (unsigned long long)seed);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    uint64_t block[8192], x = seed * 2654435761u + 1;
    assert_true(fd >= 0);
    for (int64_t at = 0; at < size; at += (int64_t)sizeof block) {
        for (size_t i = 0; i < ARRAY_LEN(block); i++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            block[i] = x;
        }
        const int64_t n = size - at < (int64_t)sizeof block ? size - at : (int64_t)sizeof block;
        assert_int_equal(write(fd, block, (size_t)n), n);
    }
    return path;
}

static void put_and_check(struct opened *o, const char *path, int ms)
{
    char hash[SHA256_HEX];
    cleanup_free char *back = mem_printf("%s.back", path);
    store_put_file(o->store, path, 0, done, o);
    if (wait_done(o, ms) != 0)
        fail_msg("%s", o->err.text);
    memcpy(hash, o->object.hash, sizeof hash);
    store_get_file(o->store, hash, back, 0, done, o); /* checks the hash */
    if (wait_done(o, ms) != 0)
        fail_msg("%s", o->err.text);
    unlink(back);
}

/* ---- the same answers ------------------------------------------------------------------------ */

static void tell_of(const char *where, const struct store_options *options, struct text *told)
{
    char folder[] = "/tmp/leat-s3-script-XXXXXX";
    assert_non_null(mkdtemp(folder));
    store_script(where, options, folder, PART, told);
    nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void same_as_directory(const struct s3_server *server)
{
    cleanup_text struct text expected = {0}, told = {0};
    cleanup_free char *folder = mem_printf("%s/directory-%s", scratch, server->name);
    const struct store_options options = options_of(server);
    s3_close(s3_server_bucket(server, "script", false));
    tell_of(folder, NULL, &expected);
    tell_of("s3://script/some/prefix", &options, &told);
    assert_string_equal(told.data, expected.data);
}

static void test_same_answers(void **state)
{
    (void)state;
    on_each(same_as_directory);
}

static void with_versions(const struct s3_server *server)
{
    cleanup_text struct text expected = {0}, told = {0};
    cleanup_free char *folder = mem_printf("%s/versions-%s", scratch, server->name);
    const struct store_options options = options_of(server);
    s3_close(s3_server_bucket(server, "script-versions", true));
    tell_of(folder, NULL, &expected);
    tell_of("s3://script-versions", &options, &told);
    assert_string_equal(told.data, expected.data);
}

static void test_same_answers_with_versions(void **state)
{
    (void)state;
    on_each(with_versions);
}

/* The bucket in the host's name, which is signed and resolved as such: BUCKET.localhost, that curl
 * takes to loopback by itself. versitygw is started without a domain of its own. */
static void with_the_bucket_in_the_host(const struct s3_server *server)
{
    cleanup_text struct text expected = {0}, told = {0};
    cleanup_free char *folder = mem_printf("%s/host-%s", scratch, server->name);
    cleanup_free char *endpoint = mem_printf("http://localhost:%d", server->port);
    struct store_options options = options_of(server);
    if (strcmp(server->name, "minio") != 0)
        return;
    options.endpoint = endpoint;
    options.style = S3_HOST;
    s3_close(s3_server_bucket(server, "script-host", false));
    tell_of(folder, NULL, &expected);
    tell_of("s3://script-host/a/prefix", &options, &told);
    assert_string_equal(told.data, expected.data);
}

static void test_same_answers_with_the_bucket_in_the_host(void **state)
{
    (void)state;
    on_each(with_the_bucket_in_the_host);
}

/* ---- sizes, deaths --------------------------------------------------------------------------- */

static void large(const struct s3_server *server)
{
    const struct store_options options = options_of(server);
    struct opened o;
    s3_close(s3_server_bucket(server, "large", false));
    open_store(&o, "large", &options);
    cleanup_free char *path = make_file(200 * MIB, 200);
    put_and_check(&o, path, 120000);
    unlink(path);
    close_store(&o);
}

static void test_large(void **state)
{
    (void)state;
    on_each(large);
}

static void through_proxy(const struct s3_server *server, const char *bucket, int64_t retry_us,
                          struct tcp_proxy **proxy, struct opened *o)
{
    int port;
    struct store_options options = options_of(server);
    s3_close(s3_server_bucket(server, bucket, false));
    *proxy = tcp_proxy_start(server->port, &port);
    cleanup_free char *url = mem_printf("http://127.0.0.1:%d", port);
    options.endpoint = url;
    options.retry_us = retry_us;
    open_store(o, bucket, &options);
}

/* The line is cut in the middle of an upload: what was sent is not sent again. */
static void resumed(const struct s3_server *server)
{
    struct tcp_proxy *proxy;
    struct opened o;
    through_proxy(server, "resumed", 1, &proxy, &o);
    cleanup_free char *path = make_file(40 * MIB, 40);
    tcp_proxy_cut_after(proxy, 22 * MIB);
    store_put_file(o.store, path, 0, done, &o);
    assert_int_equal(wait_done(&o, 60000), LEAT_EUNREACHABLE);
    tcp_proxy_cut_after(proxy, -1);
    const int64_t before = tcp_proxy_sent(proxy);
    put_and_check(&o, path, 120000);
    const int64_t again = tcp_proxy_sent(proxy) - before;
    fprintf(stderr, "%s: 40 MiB cut after 22: %lld KiB sent by the second put\n", server->name,
            (long long)again / 1024);
    assert_true(again < 21 * MIB); /* 4 parts of 5 MiB were there */
    assert_true(again >= 20 * MIB);
    close_store(&o);
    tcp_proxy_stop(proxy);
}

static void test_an_interrupted_upload_is_resumed(void **state)
{
    (void)state;
    on_each(resumed);
}

/* kill -9 of the service in the middle; one operation that goes on by itself. */
static void killed(const struct s3_server *server)
{
    struct tcp_proxy *proxy;
    struct opened o;
    through_proxy(server, "killed", PATIENT_US, &proxy, &o);
    cleanup_free char *path = make_file(60 * MIB, 60);
    const int64_t before = tcp_proxy_sent(proxy);
    store_put_file(o.store, path, 0, done, &o);
    for (int i = 0; tcp_proxy_sent(proxy) - before < 12 * MIB && i < 1000; i++)
        wait_ms(o.loop, 10);
    s3_server_kill(server);
    assert_int_equal(o.over, 0);
    wait_ms(o.loop, 1500);
    s3_server_up(server);
    if (wait_done(&o, 300000) != 0)
        fail_msg("%s", o.err.text);
    const int64_t sent = tcp_proxy_sent(proxy) - before;
    fprintf(stderr, "%s: 60 MiB with a kill -9 between: %lld KiB sent\n", server->name,
            (long long)sent / 1024);
    assert_true(sent < 76 * MIB);
    put_and_check(&o, path, 120000);
    close_store(&o);
    tcp_proxy_stop(proxy);
}

static void test_killed_in_the_middle(void **state)
{
    (void)state;
    on_each(killed);
}

/* ---- slow and away --------------------------------------------------------------------------- */

#define SLOW_DOWN                                                                                  \
    "HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\n%s"           \
    "Content-Length: 62\r\n\r\n<Error><Code>SlowDown</Code><Message>Reduce</Message></Error> "

static void slowed(const struct s3_server *server)
{
    struct tcp_proxy *proxy;
    struct opened o;
    through_proxy(server, "slowed", PATIENT_US, &proxy, &o);
    cleanup_free char *plain = mem_printf(SLOW_DOWN, "");
    cleanup_free char *patient = mem_printf(SLOW_DOWN, "Retry-After: 2\r\n");
    cleanup_free char *path = make_file(100000, 1);
    /* The kept connection is used first: cut it. */
    tcp_proxy_cut_all(proxy);
    tcp_proxy_answer(proxy, 3, plain);
    put_and_check(&o, path, 120000);
    tcp_proxy_cut_all(proxy);
    tcp_proxy_answer(proxy, 1, patient);
    const int64_t began = clock_monotonic_us();
    store_exists(o.store, o.object.hash, done, &o);
    assert_int_equal(wait_done(&o, 60000), 0);
    assert_true(clock_monotonic_us() - began >= 2 * US_PER_S);
    unlink(path);
    close_store(&o);
    tcp_proxy_stop(proxy);
}

static void test_slow_down(void **state)
{
    (void)state;
    on_each(slowed);
}

/* Away at the start and for a while: nothing fails, all goes on when it is back. */
static void away(const struct s3_server *server)
{
    struct opened o;
    struct store_options options = options_of(server);
    options.retry_us = PATIENT_US;
    s3_close(s3_server_bucket(server, "away", false));
    s3_server_kill(server);
    open_store(&o, "away", &options);
    store_put_named(o.store, "logs/1", "one", 3, 0, done, &o);
    store_put_bytes(o.store, "two", 3, done, &o);
    wait_ms(o.loop, 4000);
    assert_int_equal(o.over, 0);
    s3_server_up(server);
    assert_true(wait_for_count(o.loop, &o.over, 2, 300000));
    assert_int_equal(o.code, 0);
    close_store(&o);
    /* Who has no patience is told. */
    s3_server_kill(server);
    options.retry_us = 1;
    open_store(&o, "away", &options);
    store_put_bytes(o.store, "three", 5, done, &o);
    assert_int_equal(wait_done(&o, 60000), LEAT_EUNREACHABLE);
    close_store(&o);
    s3_server_up(server);
}

static void test_away(void **state)
{
    (void)state;
    on_each(away);
}

/* ---- what a person has to mend --------------------------------------------------------------- */

static void refuse(const char *where, const struct store_options *options, int code,
                   const char *advice)
{
    struct loop *loop = loop_new();
    struct store *store = NULL;
    struct err err = {0};
    if (store_open(loop, where, options, &store, &err) != code)
        fail_msg("%s: %d, not %d: %s", where, err.code, code, err.text);
    if (!strstr(err.text, advice))
        fail_msg("'%s' says nothing of '%s'", err.text, advice);
    assert_null(strstr(err.text, "not-the-secret"));
    loop_free(loop);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void unwilling(const struct s3_server *server)
{
    struct store_options options = options_of(server);
    refuse("s3://no-such-bucket", &options, LEAT_EREFUSED, "make the bucket");
    s3_close(s3_server_bucket(server, "unwilling", false));
    cleanup_free char *wrong = mem_printf("%s/wrong", scratch);
    write_file(wrong, "leat:not-the-secret\n");
    options.credentials = wrong;
    refuse("s3://unwilling", &options, LEAT_EAUTH, "secret key is wrong");
    write_file(wrong, "[default]\naws_access_key_id = nobody\n"
                      "aws_secret_access_key=not-the-secret\n");
    refuse("s3://unwilling", &options, LEAT_EAUTH, "key id");
    write_file(wrong, "nothing of use\n");
    refuse("s3://unwilling", &options, LEAT_EAUTH, "KEY:SECRET");
    options = options_of(server);
    refuse("s3://Bad_Bucket", &options, LEAT_EINPUT, "bucket");
    refuse("s3://unwilling/../x", &options, LEAT_EINPUT, "PREFIX");
    options.endpoint = "ftp://x";
    refuse("s3://unwilling", &options, LEAT_EINPUT, "http");
}

static void test_what_a_person_mends(void **state)
{
    (void)state;
    on_each(unwilling);
}

/* What both services say of a request that is two hours old, word for word; libcurl's clock cannot
 * be set apart from the machine's. */
static void skewed(const struct s3_server *server)
{
    static const char skew[] =
        "HTTP/1.1 403 Forbidden\r\nContent-Type: application/xml\r\nConnection: close\r\n\r\n"
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>RequestTimeTooSkewed</Code>"
        "<Message>The difference between the request time and the server's time is too large."
        "</Message><Resource>/x</Resource></Error>";
    int port;
    struct store_options options = options_of(server);
    struct tcp_proxy *proxy = tcp_proxy_start(server->port, &port);
    cleanup_free char *url = mem_printf("http://127.0.0.1:%d", port);
    options.endpoint = url;
    tcp_proxy_answer(proxy, 1, skew);
    refuse("s3://skewed", &options, LEAT_EAUTH, "set this machine's clock");
    tcp_proxy_stop(proxy);
}

static void test_clock_skew(void **state)
{
    (void)state;
    on_each(skewed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_answers),
        cmocka_unit_test(test_same_answers_with_versions),
        cmocka_unit_test(test_same_answers_with_the_bucket_in_the_host),
        cmocka_unit_test(test_large),
        cmocka_unit_test(test_an_interrupted_upload_is_resumed),
        cmocka_unit_test(test_killed_in_the_middle),
        cmocka_unit_test(test_slow_down),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_what_a_person_mends),
        cmocka_unit_test(test_clock_skew),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
