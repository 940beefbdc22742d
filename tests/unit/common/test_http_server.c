/* The server over real sockets: the client's side runs on a thread of the pool, blocking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/server.h"
#include "tests/support/http_talk.h"

static struct loop *loop;
static struct http_server *server;
static int port;
static char trace[512];
static struct loop_timer later;

static void note(const char *what)
{
    snprintf(trace + strlen(trace), sizeof trace - strlen(trace), "%s;", what);
}

/* ---- handlers ------------------------------------------------------------------------------- */

static void echo(struct http_request *req, void *arg)
{
    size_t len;
    const char *body = http_body(req, &len);
    (void)arg;
    note(http_path(req));
    http_answer(req, 200, NULL, body, len);
}

/* Everything that a handler can read, as text. */
static void show(struct http_request *req, void *arg)
{
    (void)arg;
    struct text out = {0};
    const char *key, *value, *name = http_param(req, "name"), *rest = http_param(req, "rest");
    const char *test = http_header(req, "X-TEST"), *none = http_header(req, "x-none");
    text_printf(&out, "%s %s route=%s name=%s rest=%s test=%s none=%s q=%s", http_method(req),
                http_path(req), http_route_pattern(req), name ? name : "-", rest ? rest : "-",
                test ? test : "-", none ? none : "-",
                http_query(req, "q") ? http_query(req, "q") : "-");
    for (size_t i = 0; http_query_at(req, i, &key, &value); i++)
        text_printf(&out, " [%s=%s]", key, value);
    assert_true(strncmp(http_peer(req), "127.0.0.1:", 10) == 0);
    const size_t len = out.len;
    http_answer_take(req, 200, "text/plain", text_take(&out), len);
}

static void answer_later(void *arg)
{
    const struct http_header headers[] = {{"X-Late", "yes"}, {NULL, NULL}};
    http_answer(arg, 201, headers, "late", 4);
}

static void slow(struct http_request *req, void *arg)
{
    (void)arg;
    loop_timer_start(loop, &later, 20000, 0, answer_later, req);
}

static void failing(struct http_request *req, void *arg)
{
    struct err err = {0};
    (void)arg;
    err_set(&err, LEAT_EUNREACHABLE, "no \"bus\"\n\xff here");
    http_answer_err(req, &err);
}

static void file(struct http_request *req, void *arg)
{
    (void)arg;
    char path[] = "/tmp/leat-test-http-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    unlink(path);
    assert_int_equal(write(fd, "file content", 12), 12);
    http_answer_fd(req, 200, NULL, fd, 12);
}

static const struct http_route routes[] = {
    {.method = "POST", .pattern = "/echo", .handle = echo, .max_body = 1000},
    {.method = "POST", .pattern = "/big", .handle = echo, .max_body = 1 << 20},
    {.method = "GET", .pattern = "/echo", .handle = echo},
    {.method = "GET", .pattern = "/show/:name/x", .handle = show},
    {.method = "GET", .pattern = "/show/*rest", .handle = show},
    {.method = "GET", .pattern = "/slow", .handle = slow},
    {.method = "GET", .pattern = "/fail", .handle = failing},
    {.method = "GET", .pattern = "/file", .handle = file},
    {.method = NULL},
};

static int serve(int64_t header_us, int64_t body_us)
{
    const struct http_options options = {.max_connections = 8,
                                         .idle_us = 60 * US_PER_S,
                                         .header_us = header_us,
                                         .body_us = body_us,
                                         .server = "leat"};
    trace[0] = '\0';
    loop = loop_new();
    port = http_server_start(loop, "127.0.0.1:0", routes, NULL, &options, &server, NULL);
    talk_to(loop, port);
    return port > 0 ? 0 : -1;
}

static int setup(void **state)
{
    (void)state;
    return serve(60 * US_PER_S, 60 * US_PER_S); /* a busy machine makes clients slow */
}

static int setup_impatient(void **state)
{
    (void)state;
    return serve(200 * US_PER_MS, 200 * US_PER_MS);
}

/* How often it looks for who is to be left, a client that only sends too, follows from these. */
static int setup_short_bodies(void **state)
{
    (void)state;
    return serve(60 * US_PER_S, 2 * US_PER_S);
}

static int teardown(void **state)
{
    (void)state;
    loop_timer_stop(&later);
    http_server_stop(server);
    loop_free(loop);
    return 0;
}

/* ---- tests ---------------------------------------------------------------------------------- */

static void test_get_and_headers(void **state)
{
    (void)state;
    cleanup_free char *got = exchange("GET /show/a%20b/x?q=1%2B1&empty=&flag&q=2&p=a+b%zz&s=a+b "
                                      "HTTP/1.1\r\nx-test: yes\r\n" CLOSE);
    expect(got, "HTTP/1.1 200 OK\r\n");
    expect(got, "Content-Type: text/plain\r\n");
    expect(got, "Server: leat\r\n");
    expect(got, "GET /show/a%20b/x route=/show/:name/x name=a b rest=- test=yes none=- q=1+1 "
                "[q=1+1] [empty=] [flag=] [q=2] [s=a b]");
}

static void test_rest_parameter_is_decoded_but_not_resolved(void **state)
{
    (void)state;
    cleanup_free char *got = exchange(GET("/show/a/../%2e%2e/b%2Fc"));
    expect(got, "rest=a/../../b/c test");
    cleanup_free char *empty = exchange(GET("/show/"));
    expect(empty, "rest= test");
    cleanup_free char *absolute = exchange(GET("http://host:1/show/y"));
    expect(absolute, "GET /show/y route");
}

static void test_broken_escapes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {GET("/show/%zz"), GET("/show/%4"), GET("/show/a%00b"),
                                      GET("/show/%")};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_free char *got = exchange(bad[i]);
        expect(got, "HTTP/1.1 400");
        expect(got, "\"code\":\"bad_input\"");
    }
}

static void test_unknown_path_and_method(void **state)
{
    (void)state;
    cleanup_free char *path = exchange(GET("/nothing"));
    expect(path, "HTTP/1.1 404");
    expect(path, "Content-Type: application/problem+json\r\n");
    expect(path, "\"type\":\"urn:leat:error:not_found\",\"title\":\"Not Found\",\"status\":404");
    cleanup_free char *method = exchange("DELETE /echo HTTP/1.1\r\n" CLOSE);
    expect(method, "HTTP/1.1 405");
    expect(method, "Allow: POST, GET, HEAD\r\n");
    cleanup_free char *empty_name = exchange(GET("/show//x"));
    expect(empty_name, "rest=/x");
    cleanup_free char *more = exchange(GET("/echo/"));
    expect(more, "HTTP/1.1 404");
}

static void test_problem_answer(void **state)
{
    (void)state;
    cleanup_free char *got = exchange(GET("/fail"));
    expect(got, "HTTP/1.1 503");
    expect(got, "Retry-After: 1\r\n");
    expect(got, "\"detail\":\"no \\\"bus\\\"\\n\\ufffd here\",\"code\":\"unreachable\"}");
}

static void test_head_has_the_length_and_no_body(void **state)
{
    (void)state;
    cleanup_free char *got = exchange("HEAD /file HTTP/1.1\r\n" CLOSE);
    expect(got, "HTTP/1.1 200");
    expect(got, "Content-Length: 12\r\n");
    assert_null(strstr(got, "file content"));
}

static void test_file_answer(void **state)
{
    (void)state;
    cleanup_free char *got = exchange(GET("/file"));
    expect(got, "\r\n\r\nfile content");
}

static void test_body_at_the_limit_and_over(void **state)
{
    (void)state;
    cleanup_free char *at = post("/echo", 1000, "");
    cleanup_free char *got = exchange(at);
    expect(got, "HTTP/1.1 200");
    expect(got, strstr(at, "abcdefghij"));
    cleanup_free char *over = post("/echo", 1001, "");
    cleanup_free char *refused = exchange(over);
    expect(refused, "HTTP/1.1 413");
    expect(refused, "the body is over 1000 bytes");
    cleanup_free char *none = exchange("GET /echo HTTP/1.1\r\nContent-Length: 1\r\n" CLOSE "x");
    expect(none, "HTTP/1.1 413");
    assert_string_equal(trace, "/echo;");
}

/* The answer must come although the body, of many megabytes, is being sent all the while. */
static void test_far_too_large_body_is_answered_at_once(void **state)
{
    (void)state;
    cleanup_free char *request = post("/big", 6 << 20, "");
    cleanup_free char *got = exchange(request);
    expect(got, "HTTP/1.1 413");
    expect(got, "Connection: close\r\n");
    assert_int_equal(count_of(got, "HTTP/1.1"), 1);
}

/* "Expect: 100-continue": refused before a byte of the body is sent. */
static void test_expect_continue(void **state)
{
    (void)state;
    cleanup_free char *got = exchange(
        "POST /big HTTP/1.1\r\nContent-Length: 99999999\r\nExpect: 100-continue\r\n" CLOSE);
    expect(got, "HTTP/1.1 413");
    assert_null(strstr(got, "100 Continue"));
    cleanup_free char *small =
        exchange("POST /echo HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n" CLOSE "ok");
    expect(small, "HTTP/1.1 100 Continue");
    expect(small, "\r\n\r\nok");
}

static void test_chunked_body(void **state)
{
    (void)state;
    cleanup_free char *got = exchange("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
                                      "3\r\nabc\r\n4;ext=1\r\ndefg\r\n0\r\n\r\n");
    expect(got, "\r\n\r\nabcdefg");
    cleanup_text struct text over = {0};
    text_puts(&over, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE);
    for (int i = 0; i < 11; i++)
        text_printf(&over, "64\r\n%0100d\r\n", 0);
    text_puts(&over, "0\r\n\r\n");
    cleanup_free char *refused = exchange(over.data);
    expect(refused, "HTTP/1.1 413");
    cleanup_free char *broken = exchange(
        "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE "zz\r\nabc\r\n0\r\n\r\n");
    expect(broken, "HTTP/1.1 400");
}

static void test_endless_chunked_body_is_refused(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    text_puts(&t, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE);
    for (int i = 0; i < 3000; i++)
        text_printf(&t, "3e8\r\n%01000d\r\n", 0);
    cleanup_free char *got = exchange_slowly(t.data, t.len, 0, 0);
    expect(got, "HTTP/1.1 413");
}

static void test_header_at_the_limit_and_over(void **state)
{
    (void)state;
    const char *start = "GET /echo HTTP/1.1\r\nX: ";
    const char *end = "\r\n" CLOSE;
    const size_t fill = 32768 - strlen(start) - strlen(end);
    for (size_t extra = 0; extra < 2; extra++) {
        cleanup_text struct text t = {0};
        text_puts(&t, start);
        for (size_t i = 0; i < fill + extra; i++)
            text_puts(&t, "x");
        text_puts(&t, end);
        assert_int_equal(t.len, 32768 + extra);
        cleanup_free char *got = exchange(t.data);
        expect(got, extra ? "HTTP/1.1 431" : "HTTP/1.1 200");
    }
    cleanup_text struct text huge = {0};
    text_puts(&huge, start);
    for (size_t i = 0; i < 300000; i++)
        text_puts(&huge, "x");
    text_puts(&huge, end);
    cleanup_free char *got = exchange(huge.data);
    assert_true(!*got || strstr(got, "HTTP/1.1 431"));
}

static void test_malformed_requests(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x16\x03\x01\r\n\r\n", "GET\r\n\r\n",
                                      "GET / HTTP/1.1\r\n\r\n", /* no Host */
                                      "GET / HTTP/9.9\r\n" CLOSE};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct talk t = {.send = bad[i], .len = strlen(bad[i]), .half_close = true};
        loop_work(loop, talk, talked, &t);
        loop_run(loop);
        assert_null(t.got.data ? strstr(t.got.data, " 200") : NULL);
        text_free(&t.got);
    }
    cleanup_free char *got = exchange(GET("/echo")); /* still serving */
    expect(got, "HTTP/1.1 200");
}

static void test_pipelined_requests_are_answered_in_order(void **state)
{
    (void)state;
    cleanup_free char *got =
        exchange("GET /slow HTTP/1.1\r\nHost: x\r\n\r\n"
                 "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nABC"
                 "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n"
                 "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nXYZ"
                 "GET /file HTTP/1.1\r\n" CLOSE);
    assert_int_equal(count_of(got, "HTTP/1.1 "), 5);
    const char *late = strstr(got, "late"), *abc = strstr(got, "ABC"),
               *last = strstr(got, "file c");
    assert_true(late && abc && last && late < abc && abc < last);
    assert_int_equal(count_of(got, " 404 "), 2);
    expect(got, "X-Late: yes\r\n");
}

static void test_body_byte_by_byte(void **state)
{
    (void)state;
    cleanup_free char *request = post("/echo", 30, "");
    cleanup_free char *got = exchange_slowly(request, strlen(request), 1, 100);
    expect(got, "\r\n\r\nabcdefghij");
}

static void test_slow_clients_are_cut_off(void **state)
{
    (void)state;
    cleanup_free char *header = exchange("GET /echo HTTP/1.1\r\nHost: x\r\nX-Half");
    assert_null(strstr(header, " 200"));
    const int64_t start = clock_monotonic_us();
    cleanup_free char *body =
        exchange("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
    expect(body, "HTTP/1.1 408");
    const int64_t took = clock_monotonic_us() - start;
    assert_true(took >= 200 * US_PER_MS && took < 30 * US_PER_S);
    assert_string_equal(trace, "");
    assert_true(connections_are(server, 0));
}

static void test_too_many_connections(void **state)
{
    (void)state;
    int fds[8];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++)
        fds[i] = dial();
    assert_true(connections_are(server, 8));
    cleanup_free char *got = exchange("GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"); /* closed by us */
    expect(got, "HTTP/1.1 503");
    expect(got, "too many connections");
    close(fds[0]);
    assert_true(connections_are(server, 7));
    cleanup_free char *again = exchange(GET("/echo"));
    expect(again, "HTTP/1.1 200");
    for (size_t i = 1; i < ARRAY_LEN(fds); i++)
        close(fds[i]);
}

static void test_address_in_use(void **state)
{
    (void)state;
    struct err err = {0};
    struct http_server *other = NULL;
    cleanup_free char *taken = mem_printf("127.0.0.1:%d", port);
    assert_int_equal(http_server_start(loop, taken, routes, NULL, NULL, &other, &err), LEAT_EIO);
    expect(err.text, taken);
    assert_null(other);
    assert_int_equal(http_server_start(loop, "nonsense", routes, NULL, NULL, &other, &err),
                     LEAT_EINPUT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_get_and_headers),
        T(test_rest_parameter_is_decoded_but_not_resolved),
        T(test_broken_escapes_are_refused),
        T(test_unknown_path_and_method),
        T(test_problem_answer),
        T(test_head_has_the_length_and_no_body),
        T(test_file_answer),
        T(test_body_at_the_limit_and_over),
        T(test_far_too_large_body_is_answered_at_once),
        T(test_expect_continue),
        T(test_chunked_body),
        cmocka_unit_test_setup_teardown(test_endless_chunked_body_is_refused, setup_short_bodies,
                                        teardown),
        T(test_header_at_the_limit_and_over),
        T(test_malformed_requests),
        T(test_pipelined_requests_are_answered_in_order),
        T(test_body_byte_by_byte),
        cmocka_unit_test_setup_teardown(test_slow_clients_are_cut_off, setup_impatient, teardown),
        T(test_too_many_connections),
        T(test_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
