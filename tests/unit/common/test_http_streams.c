/* What goes on for a while: pending answers, streams, uploads, and clients that leave meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/server.h"
#include "tests/support/cpu.h"
#include "tests/support/http_talk.h"

static struct loop *loop;
static struct http_server *server;
static int port;
static char trace[512];
static struct http_request *pending;
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

static void answer_later(void *arg)
{
    const struct http_header headers[] = {{"X-Late", "yes"}, {NULL, NULL}};
    http_answer(arg, 201, headers, "late", 4);
}

static int slowed;
static void slow(struct http_request *req, void *arg)
{
    (void)arg;
    slowed++;
    loop_timer_start(loop, &later, 20000, 0, answer_later, req);
}

static void on_gone(void *arg)
{
    note("gone");
    assert_ptr_equal(arg, pending);
    if (!http_is_gone(pending))
        note("notice");
    http_answer(pending, 200, NULL, "x", 1);
    pending = NULL;
    loop_stop(loop);
}

static void hold(struct http_request *req, void *arg)
{
    (void)arg;
    pending = req;
    http_on_gone(req, on_gone, req);
}

static int written;
static void write_more(void *arg)
{
    if (written++ < 3) {
        http_stream_write(arg, "more.", 5);
        return;
    }
    http_stream_end(arg);
}

static void write_later(void *arg)
{
    http_stream_write(arg, "first.", 6);
}

/* One piece after a while, then one each time the last has gone out. */
static void stream(struct http_request *req, void *arg)
{
    (void)arg;
    const struct http_header headers[] = {{"Content-Type", "text/event-stream"}, {NULL, NULL}};
    written = 0;
    http_stream_start(req, 200, headers, write_more, req);
    loop_timer_start(loop, &later, 20000, 0, write_later, req);
}

static void stream_gone(void *arg)
{
    note("stream gone");
    assert_ptr_equal(arg, pending);
    http_stream_write(pending, "x", 1);
    http_stream_end(pending);
    pending = NULL;
    loop_stop(loop);
}

static void stream_hold(struct http_request *req, void *arg)
{
    (void)arg;
    pending = req;
    http_on_gone(req, stream_gone, req);
    http_stream_start(req, 200, NULL, NULL, NULL);
    http_stream_write(req, "hello", 5);
}

static size_t uploaded, pieces;
static void resume_upload(void *arg)
{
    note("resume");
    http_resume(arg);
}

static void upload_begin(struct http_request *req, void *arg)
{
    (void)arg;
    struct err err = {0};
    uploaded = pieces = 0;
    http_set_context(req, &uploaded);
    if (http_query(req, "refuse")) {
        err_set(&err, LEAT_EAUTH, "no token");
        http_answer_err(req, &err);
    }
}

static void upload_piece(struct http_request *req, void *arg, const void *data, size_t len)
{
    (void)arg, (void)data;
    struct err err = {0};
    assert_ptr_equal(http_context(req), &uploaded);
    assert_false(loop_timer_armed(&later)); /* paused means paused */
    uploaded += len;
    if (http_query(req, "full") && uploaded > 100000) {
        err_set(&err, LEAT_EFULL, "no space");
        http_answer_err(req, &err);
    } else if (http_query(req, "pause") && ++pieces < 4) {
        http_pause(req);
        loop_timer_start(loop, &later, 5000, 0, resume_upload, req);
    }
}

static void upload_end(struct http_request *req, void *arg)
{
    (void)arg;
    char text[64];
    assert_false(loop_timer_armed(&later));
    snprintf(text, sizeof text, "%zu of %lld", uploaded, (long long)http_body_announced(req));
    http_answer(req, 201, NULL, text, strlen(text));
}

static void upload_gone(struct http_request *req, void *arg)
{
    (void)arg;
    note("upload gone");
    loop_timer_stop(&later);
    if (http_is_gone(req))
        loop_stop(loop);
}

static const struct http_upload upload = {upload_begin, upload_piece, upload_end, upload_gone};

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/echo", .handle = echo},
    {.method = "GET", .pattern = "/slow", .handle = slow},
    {.method = "GET", .pattern = "/hold", .handle = hold},
    {.method = "GET", .pattern = "/stream", .handle = stream},
    {.method = "GET", .pattern = "/stream/hold", .handle = stream_hold},
    {.method = "PUT", .pattern = "/up/:name", .upload = &upload, .max_body = 4 << 20},
    {.method = NULL},
};

static int setup(void **state)
{
    static const struct http_options options = {
        .max_connections = 8, .idle_us = 60 * US_PER_S, .server = "leat"};
    (void)state;
    trace[0] = '\0';
    uploaded = 0;
    loop = loop_new();
    port = http_server_start(loop, "127.0.0.1:0", routes, NULL, &options, &server, NULL);
    talk_to(loop, port);
    return port > 0 ? 0 : -1;
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

static void test_stream(void **state)
{
    (void)state;
    cleanup_free char *got = exchange(GET("/stream"));
    expect(got, "Content-Type: text/event-stream\r\n");
    expect(got, "Transfer-Encoding: chunked\r\n");
    expect(got, "6\r\nfirst.\r\n5\r\nmore.\r\n5\r\nmore.\r\n5\r\nmore.\r\n0\r\n\r\n");
}

static void test_client_hangs_up_while_pending(void **state)
{
    (void)state;
    hang_up("GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(trace, "gone;notice;");
    cleanup_free char *got = exchange(GET("/echo"));
    expect(got, "HTTP/1.1 200");
    assert_true(connections_are(server, 0));
}

/* A handler that did not ask for the notice answers into the void. */
static void test_answer_after_the_client_has_gone(void **state)
{
    (void)state;
    struct talk t = {.send = "GET /slow HTTP/1.1\r\nHost: x\r\n\r\n", .hang_up = true};
    t.len = strlen(t.send);
    loop_work(loop, talk, talked, &t);
    slowed = 0;
    while (!t.ended || !slowed || loop_timer_armed(&later))
        loop_step(loop, true);
    assert_true(connections_are(server, 0));
}

static void test_client_hangs_up_during_stream(void **state)
{
    (void)state;
    hang_up("GET /stream/hold HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_string_equal(trace, "stream gone;");
}

static void test_upload(void **state)
{
    (void)state;
    cleanup_free char *request = put("/up/a", 3 << 20);
    cleanup_free char *got = exchange(request);
    expect(got, "HTTP/1.1 201");
    expect(got, "\r\n\r\n3145728 of 3145728");
    cleanup_free char *empty = put("/up/a", 0);
    cleanup_free char *got_empty = exchange(empty);
    expect(got_empty, "0 of 0");
}

static void test_upload_can_be_paused(void **state)
{
    (void)state;
    cleanup_free char *request = put("/up/a?pause", 1 << 20);
    cleanup_free char *got = exchange(request);
    expect(got, "1048576 of 1048576");
    assert_string_equal(trace, "resume;resume;resume;");
    trace[0] = '\0';
    cleanup_free char *last = put("/up/a?pause", 10); /* paused in the last piece */
    cleanup_free char *got_last = exchange(last);
    expect(got_last, "10 of 10");
    assert_string_equal(trace, "resume;");
    cleanup_free char *chunked =
        exchange("PUT /up/a?pause HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE
                 "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n");
    expect(chunked, "7 of -1");
}

static void test_upload_refused_at_the_start_or_in_the_middle(void **state)
{
    (void)state;
    cleanup_free char *request = put("/up/a?refuse", 3 << 20);
    cleanup_free char *got = exchange(request);
    expect(got, "HTTP/1.1 401");
    expect(got, "WWW-Authenticate: Bearer\r\n");
    cleanup_free char *small = put("/up/a?refuse", 10);
    cleanup_free char *got_small = exchange(small);
    expect(got_small, "HTTP/1.1 401");
    cleanup_free char *full = put("/up/a?full", 3 << 20);
    cleanup_free char *got_full = exchange(full);
    expect(got_full, "HTTP/1.1 503");
    assert_string_equal(trace, "");
}

static void test_upload_over_its_limit(void **state)
{
    (void)state;
    cleanup_free char *request = put("/up/a", (4 << 20) + 1);
    cleanup_free char *got = exchange(request);
    expect(got, "HTTP/1.1 413");
    cleanup_text struct text t = {0};
    text_puts(&t, "PUT /up/a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" CLOSE);
    for (int i = 0; i < 5 << 10; i++)
        text_printf(&t, "400\r\n%01024d\r\n", 0);
    text_puts(&t, "0\r\n\r\n");
    cleanup_free char *chunked = exchange_slowly(t.data, t.len, 0, 0);
    expect(chunked, "HTTP/1.1 413");
    assert_string_equal(trace, "upload gone;");
}

static void test_upload_broken_off(void **state)
{
    (void)state;
    hang_up("PUT /up/a HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nabc");
    assert_string_equal(trace, "upload gone;");
}

static void test_stop_with_everything_open(void **state)
{
    (void)state;
    const int idle = dial(), half = dial(), held = dial();
    assert_int_equal(
        write(half, "PUT /up/a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc", 53), 53);
    assert_int_equal(write(held, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n", 31), 31);
    while (!pending || uploaded < 3)
        loop_step(loop, true);
    http_server_stop(server); /* upload gone; the held one is told and answers */
    server = NULL;
    assert_null(pending);
    assert_non_null(strstr(trace, "upload gone;"));
    assert_non_null(strstr(trace, "gone;"));
    close(idle);
    close(half);
    close(held);
}

/* It has no body, so that the stream's client has gone as soon as it began. */
static void test_head_of_a_stream(void **state)
{
    (void)state;
    cleanup_free char *streamed = exchange("HEAD /stream HTTP/1.1\r\n" CLOSE);
    expect(streamed, "HTTP/1.1 200");
    assert_null(strstr(streamed, "first"));
    loop_timer_stop(&later); /* the handler would go on */
    assert_true(http_is_gone(later.arg));
    assert_int_equal(http_stream_write(later.arg, "x", 1), 0);
    http_stream_end(later.arg);
}

/* Kept-alive connections and a pending request cost nothing while nothing happens. */
static void test_waiting_costs_nothing(void **state)
{
    (void)state;
    static const char *const requests[] = {"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n",
                                           "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n"};
    int fds[2];
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        fds[i] = dial();
        const ssize_t len = (ssize_t)strlen(requests[i]);
        assert_int_equal(write(fds[i], requests[i], (size_t)len), len);
    }
    while (!pending)
        loop_step(loop, true);
    loop_timer_start(loop, &later, 400 * US_PER_MS, 0, (loop_fn *)loop_stop, loop);
    const int64_t before = cpu_us();
    loop_run(loop);
    assert_true(cpu_us() - before < 40 * US_PER_MS);
    close(fds[0]);
    close(fds[1]);
    loop_run(loop); /* until the pending one is told */
    assert_null(pending);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_stream),
        T(test_client_hangs_up_while_pending),
        T(test_answer_after_the_client_has_gone),
        T(test_client_hangs_up_during_stream),
        T(test_upload),
        T(test_upload_can_be_paused),
        T(test_upload_refused_at_the_start_or_in_the_middle),
        T(test_upload_over_its_limit),
        T(test_upload_broken_off),
        T(test_stop_with_everything_open),
        T(test_head_of_a_stream),
        T(test_waiting_costs_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
