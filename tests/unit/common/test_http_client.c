/* The client against our own server on the same loop, and against bare sockets that misbehave. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/client.h"
#include "common/http/server.h"
#include "common/http/url.h"

static struct loop *loop;
static struct http_server *server;
static struct http_client *client;
static int port;
static struct http_request *pending;

/* What the last call ended with. */
static int calls, status;
static struct err failure;
static struct text body, header;

/* ---- the server ----------------------------------------------------------------------------- */

/* "METHOD type=… x=… BODY", with a header of its own. */
static void echo(struct http_request *req, void *arg)
{
    const struct http_header headers[] = {{"X-Answer", "a, b"}, {NULL, NULL}};
    size_t len;
    struct text out = {0};
    const char *type = http_header(req, "Content-Type"), *x = http_header(req, "X-Test");
    const char *data = http_body(req, &len);
    (void)arg;
    text_printf(&out, "%s type=%s x=%s ", http_method(req), type ? type : "-", x ? x : "-");
    text_append(&out, data, len);
    http_answer(req, 200, headers, out.data, out.len);
    text_free(&out);
}

static void redirect(struct http_request *req, void *arg)
{
    const struct http_header headers[] = {{"Location", "/echo"}, {NULL, NULL}};
    (void)arg;
    http_answer(req, 302, headers, "", 0);
}

static void hold(struct http_request *req, void *arg)
{
    (void)arg;
    pending = req;
}

static void large(struct http_request *req, void *arg)
{
    (void)arg;
    char *data = mem_alloc(100000);
    http_answer_take(req, 200, "application/octet-stream", data, 100000);
}

static struct loop_timer tick;
static int ticks;
static void stream_more(void *arg)
{
    http_stream_write(arg, "tick ", 5);
    if (++ticks < 3)
        return;
    loop_timer_stop(&tick);
    http_stream_end(arg);
}

static void stream(struct http_request *req, void *arg)
{
    (void)arg;
    ticks = 0;
    http_stream_start(req, 200, NULL, NULL, NULL);
    loop_timer_start(loop, &tick, 0, 10000, stream_more, req);
}

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/echo", .handle = echo},
    {.method = "DELETE", .pattern = "/echo", .handle = echo},
    {.method = "POST", .pattern = "/echo", .handle = echo, .max_body = 1 << 20},
    {.method = "PUT", .pattern = "/echo", .handle = echo, .max_body = 1 << 20},
    {.method = "GET", .pattern = "/redirect", .handle = redirect},
    {.method = "GET", .pattern = "/hold", .handle = hold},
    {.method = "POST", .pattern = "/hold", .handle = hold, .max_body = 100},
    {.method = "GET", .pattern = "/large", .handle = large},
    {.method = "GET", .pattern = "/stream", .handle = stream},
    {.method = NULL},
};

static int setup(void **state)
{
    (void)state;
    loop = loop_new();
    client = http_client_new(loop);
    port = http_server_start(loop, "127.0.0.1:0", routes, NULL, NULL, &server, NULL);
    calls = 0;
    return port > 0 ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    loop_timer_stop(&tick);
    http_client_free(client);
    http_server_stop(server);
    if (pending)
        http_answer(pending, 200, NULL, "", 0);
    pending = NULL;
    loop_free(loop);
    text_free(&body);
    text_free(&header);
    return 0;
}

/* ---- the client ----------------------------------------------------------------------------- */

static void done(void *arg, const struct http_incoming *answer, const struct err *err)
{
    assert_true((answer == NULL) != (err == NULL));
    calls++;
    body.len = header.len = 0;
    status = answer ? answer->status : 0;
    failure = err ? *err : (struct err){0};
    text_puts(&body, answer ? answer->body : "");
    const char *value = answer ? http_incoming_header(answer, "x-answer") : NULL;
    text_puts(&header, value ? value : "none");
    if (answer && answer->len < 1000)
        assert_int_equal(strlen(answer->body), answer->len);
    if (!arg || --*(int *)arg == 0)
        loop_stop(loop);
}

static char *url_of(const char *path)
{
    return mem_printf("http://127.0.0.1:%d%s", port, path);
}

/* One call to our server, to its end. */
static void send_to(const char *path, struct http_outgoing call)
{
    cleanup_free char *url = url_of(path);
    call.url = url;
    const int before = calls;
    http_send(client, &call, done, NULL);
    assert_int_equal(calls, before); /* never before it returns */
    loop_run(loop);
    assert_int_equal(calls, before + 1);
}

static void test_methods_and_headers(void **state)
{
    (void)state;
    const struct http_header headers[] = {{"X-Test", "yes"}, {NULL, NULL}};
    const struct http_header typed[] = {
        {"Content-Type", "application/json"}, {"X-Test", ""}, {NULL, NULL}};
    send_to("/echo", (struct http_outgoing){.headers = headers});
    assert_int_equal(status, 200);
    assert_string_equal(body.data, "GET type=- x=yes ");
    assert_string_equal(header.data, "a, b");
    send_to("/echo", (struct http_outgoing){.method = "POST", .body = "b\ndy", .body_len = 4});
    assert_string_equal(body.data, "POST type=- x=- b\ndy");
    send_to("/echo", (struct http_outgoing){.method = "POST"});
    assert_string_equal(body.data, "POST type=- x=- ");
    send_to("/echo",
            (struct http_outgoing){.method = "PUT", .headers = typed, .body = "{}", .body_len = 2});
    assert_string_equal(body.data, "PUT type=application/json x= {}");
    send_to("/echo", (struct http_outgoing){.method = "DELETE"});
    assert_string_equal(body.data, "DELETE type=- x=- ");
    send_to("/echo", (struct http_outgoing){.method = "HEAD"});
    assert_int_equal(status, 200);
    assert_string_equal(body.data, "");
    assert_int_equal(http_server_connections(server), 1); /* kept alive all the while */
}

static void test_http_errors_are_answers(void **state)
{
    (void)state;
    send_to("/none", (struct http_outgoing){0});
    assert_int_equal(status, 404);
    assert_non_null(strstr(body.data, "\"code\":\"not_found\""));
    send_to("/redirect", (struct http_outgoing){0});
    assert_int_equal(status, 302); /* not followed */
}

static void test_refused_large_body_is_an_answer(void **state)
{
    (void)state;
    cleanup_free char *large_body = mem_alloc(4 << 20);
    send_to("/echo",
            (struct http_outgoing){.method = "POST", .body = large_body, .body_len = 4 << 20});
    assert_int_equal(status, 413);
}

static void test_answer_over_the_limit(void **state)
{
    (void)state;
    send_to("/large", (struct http_outgoing){.max_answer = 100000});
    assert_int_equal(status, 200);
    send_to("/large", (struct http_outgoing){.max_answer = 99999});
    assert_int_equal(failure.code, LEAT_ELIMIT);
    assert_non_null(strstr(failure.text, "99999"));
}

static void test_nobody_listens(void **state)
{
    (void)state;
    http_server_stop(server);
    server = NULL;
    send_to("/echo", (struct http_outgoing){.method = "POST"});
    assert_int_equal(failure.code, LEAT_EUNREACHABLE);
    assert_non_null(strstr(failure.text, "/echo"));
}

static void test_bad_urls(void **state)
{
    (void)state;
    static const char *const bad[] = {"http://", "file:///etc/passwd", "http://[::1",
                                      "gopher://x/"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        const struct http_outgoing call = {.url = bad[i]};
        http_send(client, &call, done, NULL);
        loop_run(loop);
        assert_int_equal(failure.code, LEAT_EINPUT);
    }
}

/* Sent and not answered: nothing happened by a GET, nobody knows about a POST. */
static void test_timeout(void **state)
{
    (void)state;
    const int64_t limit = 2 * US_PER_S; /* within it the server has the request */
    const int64_t start = clock_monotonic_us();
    send_to("/hold", (struct http_outgoing){.timeout_us = limit});
    assert_int_equal(failure.code, LEAT_EUNREACHABLE);
    assert_true(clock_monotonic_us() - start >= limit);
    assert_true(clock_monotonic_us() - start < 60 * US_PER_S);
    http_answer(pending, 200, NULL, "", 0);
    pending = NULL;
    send_to("/hold", (struct http_outgoing){
                         .method = "POST", .body = "x", .body_len = 1, .timeout_us = limit});
    assert_int_equal(failure.code, LEAT_EUNKNOWN);
}

/* A server that takes the request and closes; on a thread. */
static void take_and_close(void *arg)
{
    char buf[4096];
    const int listener = *(int *)arg;
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    poll(&wait, 1, 60000);
    const int fd = accept(listener, NULL, NULL);
    if (fd >= 0 && read(fd, buf, sizeof buf) > 0)
        close(fd);
}

static void nothing(void *arg)
{
    (void)arg;
}

static void test_server_closes_without_an_answer(void **state)
{
    (void)state;
    int listener = -1;
    uint16_t at = 0;
    assert_int_equal(address_listen("127.0.0.1:0", 5, &listener, &at, NULL), 0);
    loop_work(loop, take_and_close, nothing, &listener);
    cleanup_free char *url = mem_printf("http://127.0.0.1:%u/x", at);
    const struct http_outgoing call = {.method = "POST", .url = url};
    http_send(client, &call, done, NULL);
    loop_run(loop);
    assert_int_equal(failure.code, LEAT_EUNKNOWN);
    close(listener);
}

static struct text pieces;
static size_t pieces_wanted;
static bool piece(void *arg, int code, const void *data, size_t len)
{
    assert_ptr_equal(arg, &pieces);
    assert_int_equal(code, 200);
    text_append(&pieces, data, len);
    return pieces.len < pieces_wanted;
}

static void stream_done(void *arg, const struct http_incoming *answer, const struct err *err)
{
    assert_ptr_equal(arg, &pieces);
    done(NULL, answer, err);
}

static void test_streaming(void **state)
{
    (void)state;
    static const size_t wanted[] = {1000, 6};
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        cleanup_free char *url = url_of("/stream");
        const struct http_outgoing call = {.url = url, .timeout_us = -1};
        pieces_wanted = wanted[i];
        http_send_streaming(client, &call, piece, stream_done, &pieces);
        loop_run(loop);
        assert_int_equal(failure.code, 0);
        assert_int_equal(status, 200);
        assert_string_equal(body.data, "");
        assert_string_equal(pieces.data, i == 0 ? "tick tick tick " : "tick tick ");
        text_free(&pieces);
    }
    while (ticks < 3) /* the server's side goes on to its end */
        loop_step(loop, true);
}

static struct http_transfer *victim;
static bool cancel_in_piece(void *arg, int code, const void *data, size_t len)
{
    (void)arg, (void)code, (void)data, (void)len;
    http_cancel(victim);
    loop_stop(loop);
    return true;
}

static void never(void *arg, const struct http_incoming *answer, const struct err *err)
{
    (void)arg, (void)answer, (void)err;
    fail_msg("a cancelled call must not call back");
}

static void test_cancel(void **state)
{
    (void)state;
    cleanup_free char *held = url_of("/hold"), *streamed = url_of("/stream");
    const struct http_outgoing hold_call = {.url = held}, stream_call = {.url = streamed};
    http_cancel(http_send(client, &hold_call, never, NULL)); /* before it began */
    struct http_transfer *t = http_send(client, &hold_call, never, NULL);
    while (!pending)
        loop_step(loop, true);
    http_cancel(t); /* while it waits */
    http_answer(pending, 200, NULL, "", 0);
    pending = NULL;
    victim = http_send_streaming(client, &stream_call, cancel_in_piece, never, NULL);
    loop_run(loop);                             /* from within its own callback */
    http_send(client, &hold_call, never, NULL); /* left to http_client_free */
    while (ticks < 3)
        loop_step(loop, true);
}

static void test_many_at_once(void **state)
{
    (void)state;
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    /* Two sockets each, and some that the libraries want. */
    const int many = files.rlim_cur < 600 ? (int)files.rlim_cur / 4 : 200;
    int left = many;
    cleanup_free char *url = url_of("/echo");
    const struct http_outgoing call = {.method = "POST", .url = url, .body = "x", .body_len = 1};
    for (int i = 0; i < many; i++)
        http_send(client, &call, done, &left);
    loop_run(loop);
    assert_int_equal(left, 0);
    assert_int_equal(calls, many);
    assert_int_equal(status, 200);
}

/* ---- blocking, from a thread ----------------------------------------------------------------- */

struct blocking {
    struct http_outgoing call;
    http_piece_fn *piece;
    void *arg;
    struct http_incoming answer;
    struct err err;
    int rc;
};

static void call_blocking(void *arg)
{
    struct blocking *b = arg;
    b->rc = http_call(&b->call, b->piece, b->arg, &b->answer, &b->err);
}

static void call_ended(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void test_blocking_call(void **state)
{
    (void)state;
    cleanup_free char *url = url_of("/echo"), *streamed = url_of("/stream");
    struct blocking b = {.call = {.method = "POST", .url = url, .body = "abc", .body_len = 3}};
    loop_work(loop, call_blocking, call_ended, &b);
    loop_run(loop);
    assert_int_equal(b.rc, 0);
    assert_int_equal(b.answer.status, 200);
    assert_string_equal(b.answer.body, "POST type=- x=- abc");
    assert_string_equal(http_incoming_header(&b.answer, "X-ANSWER"), "a, b");
    assert_null(http_incoming_header(&b.answer, "X"));
    http_incoming_free(&b.answer);
    http_incoming_free(&b.answer);
    pieces_wanted = 1000;
    struct blocking s = {.call = {.url = streamed}, .piece = piece, .arg = &pieces};
    loop_work(loop, call_blocking, call_ended, &s);
    loop_run(loop);
    assert_int_equal(s.rc, 0);
    assert_string_equal(pieces.data, "tick tick tick ");
    assert_string_equal(s.answer.body, "");
    http_incoming_free(&s.answer);
    text_free(&pieces);
}

static void answer_on_unix_socket(void *arg)
{
    static const char text[] =
        "HTTP/1.1 100 Continue\r\nX-Early: 1\r\n\r\n"
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Late: 1\r\nX-Empty:\r\n\r\nok";
    char buf[4096];
    const int fd = accept(*(int *)arg, NULL, NULL);
    if (fd >= 0 && read(fd, buf, sizeof buf) > 0)
        (void)!write(fd, text, sizeof text - 1);
    close(fd);
}

static void test_unix_socket_and_interim_answers(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/leat-test-client-%d", (int)getpid());
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    unlink(at.sun_path);
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 1), 0);
    struct blocking b = {.call = {.url = "http://docker/version", .unix_socket = at.sun_path}};
    loop_work(loop, answer_on_unix_socket, nothing, &listener);
    loop_work(loop, call_blocking, call_ended, &b);
    loop_run(loop);
    assert_int_equal(b.rc, 0);
    assert_string_equal(b.answer.body, "ok");
    assert_null(http_incoming_header(&b.answer, "X-Early"));
    assert_string_equal(http_incoming_header(&b.answer, "X-Late"), "1");
    assert_string_equal(http_incoming_header(&b.answer, "X-Empty"), "");
    http_incoming_free(&b.answer);
    close(listener);
    unlink(at.sun_path);
}

static void test_url_escapes(void **state)
{
    (void)state;
    cleanup_text struct text t = {0};
    url_escape(&t, "a b/ü+%\0~", 10, NULL);
    assert_string_equal(t.data, "a%20b%2F%C3%BC%2B%25%00~");
    t.len = 0;
    url_escape(&t, "a/b c", 5, "/");
    assert_string_equal(t.data, "a/b%20c");
    cleanup_free char *back = url_unescape("a%20b%2f%C3%bc+", 15, false);
    assert_string_equal(back, "a b/ü+");
    cleanup_free char *plus = url_unescape("a+b", 3, true);
    assert_string_equal(plus, "a b");
    static const char *const bad[] = {"%", "%1", "%g1", "%1g", "%00", "a%"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_null(url_unescape(bad[i], strlen(bad[i]), false));
    assert_null(url_unescape("%41", 2, false)); /* cut short by its length */
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_methods_and_headers),
        T(test_http_errors_are_answers),
        T(test_refused_large_body_is_an_answer),
        T(test_answer_over_the_limit),
        T(test_nobody_listens),
        T(test_bad_urls),
        T(test_timeout),
        T(test_server_closes_without_an_answer),
        T(test_streaming),
        T(test_cancel),
        T(test_many_at_once),
        T(test_blocking_call),
        T(test_unix_socket_and_interim_answers),
        T(test_url_escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
