/* POST /hooks/SOURCE from socket to queue: every answer, the limits at and over their edge, sources
 * that appear, change and go, a queue and a Postgres that are away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/http_talk.h"
#include "tests/support/triggers_world.h"
#include "tests/support/waiting.h"
#include "triggers/catalog.h"
#include "triggers/hooks/hooks.h"

static struct triggers_world w;

#define KEY  "Authorization: Bearer " WORLD_SECRET "\r\n"
#define JSON "Content-Type: application/json\r\n"

static int setup(void **state)
{
    (void)state;
    world_open(&w);
    world_source(&w, "any", "generic", "{\"type\":\"dev.example.any\"}", "hook-secret");
    world_source(&w, "code", "github", "{}", "hook-secret");
    world_source(&w, "unset", "generic", "{}", NULL);
    world_sql(&w, "UPDATE source SET secret = 'never-set' WHERE name = 'unset'");
    world_source(&w, "box", "directory", "{}", NULL);
    world_source(&w, "odd", "newer-provider", "{}", NULL);
    world_read(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_close(&w);
    return 0;
}

static char *request_of(const char *source, const char *headers, const char *body, size_t len)
{
    struct text t = {0};
    text_printf(&t, "POST /hooks/%s HTTP/1.1\r\nContent-Length: %zu\r\n%s" CLOSE, source, len,
                headers);
    text_append(&t, body, len);
    return text_take(&t);
}

static char *send_to(const char *source, const char *headers, const char *body)
{
    cleanup_free char *request = request_of(source, headers, body, strlen(body));
    return exchange(request);
}

static void answers(const char *source, const char *headers, const char *body, const char *status,
                    const char *words)
{
    cleanup_free char *got = send_to(source, headers, body);
    expect(got, status);
    expect(got, words);
}

static void test_taken_and_on_the_queue(void **state)
{
    (void)state;
    cleanup_free char *got = send_to("any", KEY JSON "X-Delivery-Id: 7\r\n", "{\"a\":1}");
    expect(got, "HTTP/1.1 202");
    assert_int_equal(world_events(&w), 1);
    struct event e = world_event(&w, 0);
    char id[UUID_TEXT];
    uuid_format(&e.id, id);
    expect(got, id);
    assert_string_equal(e.type, "dev.example.any");
    assert_string_equal(e.leatsource, "any");
    event_clear(&e);
    cleanup_free char *again = send_to("any", KEY JSON "X-Delivery-Id: 7\r\n", "{\"a\":1}");
    expect(again, id); /* a repeat has the same id; the inbox drops it */
    cleanup_free char *other = send_to("any", KEY JSON "X-Delivery-Id: 8\r\n", "{\"a\":1}");
    assert_null(strstr(other, id));
}

static void test_every_refusal(void **state)
{
    (void)state;
    answers("nobody", KEY JSON, "{}", "HTTP/1.1 404", "no source of that name");
    answers("box", KEY JSON, "{}", "HTTP/1.1 404", "takes no requests");
    answers("odd", KEY JSON, "{}", "HTTP/1.1 404", "no source of that name");
    answers("any", JSON, "{}", "HTTP/1.1 401", "WWW-Authenticate: Bearer");
    answers("any", "Authorization: Bearer wrong\r\n" JSON, "{", "HTTP/1.1 401", "Bearer SECRET");
    answers("unset", "Authorization: Bearer \r\n" JSON, "{}", "HTTP/1.1 401", "Bearer SECRET");
    answers("any", KEY, "{}", "HTTP/1.1 415", "this source takes application/json");
    answers("any", KEY "Content-Type: text/plain\r\n", "{}", "HTTP/1.1 415", "application/json");
    answers("any", KEY "Content-Type: application/jsonx\r\n", "{}", "HTTP/1.1 415",
            "application/json");
    answers("any", KEY JSON "Content-Encoding: gzip\r\n", "{}", "HTTP/1.1 415", "Content-Encoding");
    answers("any", KEY JSON, "{\"a\":}", "HTTP/1.1 400", "1:6");
    answers("code", JSON, "{}", "HTTP/1.1 401", "X-Hub-Signature-256");
    assert_int_equal(world_events(&w), 0);
    answers("any",
            KEY "Content-Type: application/json; charset=utf-8\r\nContent-Encoding: identity\r\n",
            "{}", "HTTP/1.1 202", "event");
}

/* No answer tells a caller without the secret whether the name or the body is right. */
static void test_the_secret_comes_first(void **state)
{
    (void)state;
    cleanup_free char *malformed = send_to("any", "Content-Type: x\r\n", "{");
    cleanup_free char *fine = send_to("any", JSON, "{}");
    expect(malformed, "HTTP/1.1 401");
    expect(fine, "HTTP/1.1 401");
    assert_null(strstr(malformed, WORLD_SECRET));
}

static void test_a_ping(void **state)
{
    (void)state;
    uint8_t digest[SHA256_BYTES];
    char hex[SHA256_HEX];
    hmac_sha256(WORLD_SECRET, strlen(WORLD_SECRET), "{}", 2, digest);
    hex_encode(digest, sizeof digest, hex);
    cleanup_free char *headers =
        mem_printf(JSON "X-GitHub-Event: ping\r\nX-Hub-Signature-256: sha256=%s\r\n", hex);
    answers("code", headers, "{}", "HTTP/1.1 204", "");
    assert_int_equal(world_events(&w), 0);
}

/* ---- limits ---------------------------------------------------------------------------------- */

/* One line more than fits. Ours is 32 KiB for the request line and all headers; the library under
 * the server has no room for more either and then answers 431 in words of its own. */
static void test_header_at_32_kib_and_over(void **state)
{
    (void)state;
    const char *const start = "POST /hooks/any HTTP/1.1\r\nContent-Length: 2\r\n" KEY JSON "X: ";
    const char *const end = "\r\n" CLOSE;
    for (size_t over = 0; over < 2; over++) {
        cleanup_text struct text t = {0};
        text_puts(&t, start);
        while (t.len < 32768 + over - strlen(end))
            text_puts(&t, "x");
        text_puts(&t, end);
        assert_int_equal(t.len, 32768 + over);
        text_puts(&t, "{}");
        cleanup_free char *got = exchange(t.data);
        expect(got, over ? "HTTP/1.1 431" : "HTTP/1.1 202");
    }
    assert_int_equal(world_events(&w), 1);
}

static void test_body_at_25_mib_and_over(void **state)
{
    (void)state;
    const size_t most = (size_t)HOOK_BODY_MAX;
    assert_int_equal(most, 25 * 1024 * 1024);
    for (size_t over = 0; over < 2; over++) {
        char *body = mem_alloc(most + over);
        memset(body, 'x', most + over);
        body[0] = body[most + over - 1] = '"';
        cleanup_free char *request = request_of("any", KEY JSON, body, most + over);
        free(body);
        cleanup_free char *got =
            exchange_slowly(request, strstr(request, "\r\n\r\n") + 4 - request + most + over, 0, 0);
        expect(got, over ? "HTTP/1.1 413" : "HTTP/1.1 202");
    }
    assert_int_equal(world_events(&w), 1);
    struct event e = world_event(&w, 0);
    assert_non_null(e.dataref); /* over 256 KiB: in the store before it was on the queue */
    event_clear(&e);
}

static void test_depth_64_and_65(void **state)
{
    (void)state;
    for (int depth = 64; depth <= 65; depth++) {
        cleanup_text struct text t = {0};
        for (int i = 0; i < depth; i++)
            text_puts(&t, "[");
        for (int i = 0; i < depth; i++)
            text_puts(&t, "]");
        answers("any", KEY JSON, t.data, depth > 64 ? "HTTP/1.1 400" : "HTTP/1.1 202", "");
    }
}

/* ---- sources come and go ----------------------------------------------------------------------
 */

static void test_a_source_applied_just_now_is_found(void **state)
{
    (void)state;
    world_source(&w, "late", "generic", "{}", "hook-secret"); /* and nobody says so */
    answers("late", KEY JSON, "{}", "HTTP/1.1 202", "event");
}

static void test_a_secret_set_after_the_source(void **state)
{
    (void)state;
    answers("unset", KEY JSON, "{}", "HTTP/1.1 401", "");
    world_source(&w, "other", "generic", "{}", "never-set"); /* makes the secret */
    answers("unset", KEY JSON, "{}", "HTTP/1.1 202", "");
}

static void test_a_source_that_went_away(void **state)
{
    (void)state;
    world_sql(&w, "DELETE FROM source WHERE name = 'any'");
    world_read(&w);
    answers("any", KEY JSON, "{}", "HTTP/1.1 404", "");
}

/* A secret under another name's row does not open: the source is there, nobody can prove anything.
 */
static void test_a_secret_that_was_moved(void **state)
{
    (void)state;
    world_sql(&w, "INSERT INTO secret (name, sealed) SELECT 'never-set', sealed FROM secret "
                  "WHERE name = 'hook-secret'");
    world_read(&w);
    answers("unset", KEY JSON, "{}", "HTTP/1.1 401", "");
}

static void test_callers_of_one_reading_share_it(void **state)
{
    (void)state;
    const int before = w.changes;
    for (int i = 0; i < 100; i++)
        catalog_read(w.t.catalog, NULL, NULL);
    assert_true(wait_for_count(w.t.loop, &w.changes, before + 2, 60000));
    wait_ms(w.t.loop, 300);
    assert_int_equal(w.changes - before, 2); /* the one under way and the one after it */
}

/* ---- when others are away ---------------------------------------------------------------------
 */

static void test_a_queue_that_is_away_is_a_503(void **state)
{
    (void)state;
    memory_log_set_down(w.queue, true);
    answers("any", KEY JSON "X-Delivery-Id: 1\r\n", "{}", "HTTP/1.1 503", "Retry-After: 1");
    memory_log_set_down(w.queue, false);
    answers("any", KEY JSON "X-Delivery-Id: 1\r\n", "{}", "HTTP/1.1 202", "event");
    assert_int_equal(world_events(&w), 1);
}

/* Known sources go on without Postgres; what would need it says so. */
static void test_postgres_is_away(void **state)
{
    (void)state;
    cleanup_free char *healthy = exchange(GET("/healthz"));
    expect(healthy, "HTTP/1.1 200");
    struct pg *real = w.t.pg;
    w.t.pg = pg_open(w.t.loop, &(struct pg_options){.conninfo = "host=/nonexistent"}, NULL, NULL);
    answers("any", KEY JSON, "{}", "HTTP/1.1 202", "event");
    answers("nobody", KEY JSON, "{}", "HTTP/1.1 503", "Retry-After: 1");
    cleanup_free char *sick = exchange(GET("/healthz"));
    expect(sick, "HTTP/1.1 503");
    pg_close(w.t.pg);
    w.t.pg = real;
    answers("nobody", KEY JSON, "{}", "HTTP/1.1 404", "");
}

static void test_requests_are_counted_by_declared_source(void **state)
{
    (void)state;
    answers("any", KEY JSON, "{}", "HTTP/1.1 202", "");
    answers("made-up-name", KEY JSON, "{}", "HTTP/1.1 404", "");
    cleanup_free char *got = exchange(GET("/metrics"));
    expect(got, "leat_hook_requests_total{source=\"any\",status=\"202\"}");
    expect(got, "leat_hook_requests_total{source=\"unknown\",status=\"404\"}");
    assert_null(strstr(got, "made-up-name")); /* a label that callers could choose would grow */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_taken_and_on_the_queue),
        T(test_every_refusal),
        T(test_the_secret_comes_first),
        T(test_a_ping),
        T(test_header_at_32_kib_and_over),
        T(test_body_at_25_mib_and_over),
        T(test_depth_64_and_65),
        T(test_a_source_applied_just_now_is_found),
        T(test_a_secret_set_after_the_source),
        T(test_a_source_that_went_away),
        T(test_a_secret_that_was_moved),
        T(test_callers_of_one_reading_share_it),
        T(test_a_queue_that_is_away_is_a_503),
        T(test_postgres_is_away),
        T(test_requests_are_counted_by_declared_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
