/* The client's side of a test of the HTTP server: blocking, on a thread of the loop's pool. */
#include "tests/support/http_talk.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"

static struct loop *loop;
static int port;

void talk_to(struct loop *on, int server_port)
{
    loop = on;
    port = server_port;
}

int dial(void)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct timeval wait = {60, 0};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        abort();
    return fd;
}

static void send_slices(const struct talk *t, int fd)
{
    const size_t slice = t->slice ? (size_t)t->slice : t->len;
    for (size_t done = 0; done < t->len;) {
        const size_t n = t->len - done < slice ? t->len - done : slice;
        const ssize_t sent = send(fd, t->send + done, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        done += (size_t)sent;
        if (t->slice_us)
            usleep((useconds_t)t->slice_us);
    }
}

void talk(void *arg)
{
    struct talk *t = arg;
    char buf[16384];
    const int fd = dial();
    send_slices(t, fd);
    if (t->hang_up)
        usleep(30000);
    if (t->half_close)
        shutdown(fd, SHUT_WR);
    for (ssize_t n = 1; n > 0 && !t->hang_up;) {
        n = recv(fd, buf, sizeof buf, 0);
        if (n > 0)
            text_append(&t->got, buf, (size_t)n);
    }
    close(fd);
}

void talked(void *arg)
{
    struct talk *t = arg;
    t->ended = true;
    if (!t->hang_up)
        loop_stop(loop);
}

/* Sends, reads until the server closes; to be freed by the caller. */
char *exchange_slowly(const char *request, size_t len, int slice, int slice_us)
{
    struct talk t = {.send = request, .len = len, .slice = slice, .slice_us = slice_us};
    loop_work(loop, talk, talked, &t);
    loop_run(loop);
    return text_take(&t.got);
}

char *exchange(const char *request)
{
    return exchange_slowly(request, strlen(request), 0, 0);
}

void hang_up(const char *request)
{
    struct talk t = {.send = request, .len = strlen(request), .hang_up = true};
    loop_work(loop, talk, talked, &t);
    loop_run(loop);
    while (!t.ended)
        loop_step(loop, true);
}

bool connections_are(const struct http_server *server, int count)
{
    const int64_t end = clock_monotonic_us() + 60 * US_PER_S;
    while (http_server_connections(server) != count && clock_monotonic_us() < end)
        loop_step(loop, false);
    return http_server_connections(server) == count;
}

int count_of(const char *in, const char *what)
{
    int n = 0;
    for (const char *p = strstr(in, what); p; p = strstr(p + 1, what))
        n++;
    return n;
}

char *post(const char *path, size_t len, const char *more)
{
    struct text t = {0};
    text_printf(&t, "POST %s HTTP/1.1\r\nContent-Length: %zu\r\n%s" CLOSE, path, len, more);
    for (size_t i = 0; i < len; i++)
        text_append(&t, "abcdefghij" + i % 10, 1);
    return text_take(&t);
}

char *put(const char *path, size_t len)
{
    cleanup_free char *as_post = post(path, len, "");
    return mem_printf("PUT%s", as_post + strlen("POST"));
}
