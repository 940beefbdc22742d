#include "tests/support/tcp_proxy.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/mem.h"

#define PAIRS 64

struct pair {
    int client, server; /* -1 = free */
    bool answer;        /* in the server's place */
};

struct tcp_proxy {
    int target, listener;
    pthread_t thread;
    pthread_mutex_t lock;
    _Atomic bool stop;
    _Atomic int answers, connections, open;
    _Atomic int64_t sent, cut_at;      /* cut_at < 0 = never */
    _Atomic int64_t received, drop_at; /* likewise */
    char *text;
    struct pair pairs[PAIRS];
};

static void drop(struct tcp_proxy *x, struct pair *p)
{
    if (p->client >= 0)
        atomic_fetch_sub(&x->open, 1);
    if (p->client >= 0)
        close(p->client);
    if (p->server >= 0)
        close(p->server);
    *p = (struct pair){-1, -1, false};
}

static int dial(int port)
{
    const struct sockaddr_in to = {.sin_family = AF_INET,
                                   .sin_port = htons((uint16_t)port),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool is_cut(const struct tcp_proxy *x)
{
    const int64_t at = atomic_load(&x->cut_at);
    return at >= 0 && atomic_load(&x->sent) >= at;
}

static void take(struct tcp_proxy *x)
{
    const int client = accept4(x->listener, NULL, NULL, SOCK_CLOEXEC);
    struct pair *p = x->pairs;
    while (p < x->pairs + PAIRS && p->client >= 0)
        p++;
    if (client < 0 || p == x->pairs + PAIRS || is_cut(x)) {
        close(client);
        return;
    }
    atomic_fetch_add(&x->connections, 1);
    atomic_fetch_add(&x->open, 1);
    *p = (struct pair){client, -1, atomic_load(&x->answers) > 0};
    if (p->answer)
        atomic_fetch_sub(&x->answers, 1);
    else if ((p->server = dial(x->target)) < 0)
        drop(x, p);
}

static bool write_all(int fd, const char *data, ssize_t len)
{
    while (len > 0) {
        const ssize_t n = send(fd, data, (size_t)len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        data += n;
        len -= n;
    }
    return true;
}

static void pass(struct tcp_proxy *x, struct pair *p, int from, int to)
{
    char buffer[65536];
    const ssize_t n = recv(from, buffer, sizeof buffer, 0);
    if (n <= 0 || !write_all(to, buffer, n)) {
        drop(x, p);
        return;
    }
    if (from == p->client) {
        atomic_fetch_add(&x->sent, n);
        return;
    }
    const int64_t drop_at = atomic_load(&x->drop_at);
    if (atomic_fetch_add(&x->received, n) + n >= drop_at && drop_at >= 0) {
        atomic_store(&x->drop_at, -1);
        drop(x, p);
    }
}

static void say(struct tcp_proxy *x, struct pair *p)
{
    char buffer[65536];
    (void)!recv(p->client, buffer, sizeof buffer, 0);
    pthread_mutex_lock(&x->lock);
    (void)write_all(p->client, x->text, (ssize_t)strlen(x->text));
    pthread_mutex_unlock(&x->lock);
    shutdown(p->client, SHUT_WR);
    while (recv(p->client, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
        ;
    drop(x, p);
}

static void turn(struct tcp_proxy *x)
{
    struct pollfd fds[1 + 2 * PAIRS] = {{x->listener, POLLIN, 0}};
    for (size_t i = 0; i < PAIRS; i++) {
        fds[1 + 2 * i] = (struct pollfd){x->pairs[i].client, POLLIN, 0};
        fds[2 + 2 * i] = (struct pollfd){x->pairs[i].server, POLLIN, 0};
    }
    if (poll(fds, 1 + 2 * PAIRS, 20) < 0)
        return;
    for (size_t i = 0; i < PAIRS; i++) {
        struct pair *p = &x->pairs[i];
        if (p->client >= 0 && is_cut(x))
            drop(x, p);
        else if (p->client >= 0 && fds[1 + 2 * i].revents && p->answer)
            say(x, p);
        else if (p->client >= 0 && fds[1 + 2 * i].revents)
            pass(x, p, p->client, p->server);
        else if (p->server >= 0 && fds[2 + 2 * i].revents)
            pass(x, p, p->server, p->client);
    }
    if (fds[0].revents)
        take(x);
}

static void *run(void *arg)
{
    struct tcp_proxy *x = arg;
    while (!atomic_load(&x->stop))
        turn(x);
    return NULL;
}

struct tcp_proxy *tcp_proxy_start(int target, int *port)
{
    struct tcp_proxy *x = mem_alloc(sizeof *x);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof at;
    x->target = target;
    x->cut_at = x->drop_at = -1;
    for (size_t i = 0; i < PAIRS; i++)
        x->pairs[i] = (struct pair){-1, -1, false};
    pthread_mutex_init(&x->lock, NULL);
    x->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(x->listener, (struct sockaddr *)&at, len) != 0 || listen(x->listener, 64) != 0 ||
        getsockname(x->listener, (struct sockaddr *)&at, &len) != 0 ||
        pthread_create(&x->thread, NULL, run, x) != 0)
        abort();
    *port = ntohs(at.sin_port);
    return x;
}

void tcp_proxy_stop(struct tcp_proxy *x)
{
    atomic_store(&x->stop, true);
    pthread_join(x->thread, NULL);
    for (size_t i = 0; i < PAIRS; i++)
        drop(x, &x->pairs[i]);
    close(x->listener);
    pthread_mutex_destroy(&x->lock);
    free(x->text);
    free(x);
}

void tcp_proxy_answer(struct tcp_proxy *x, int count, const char *text)
{
    pthread_mutex_lock(&x->lock);
    free(x->text);
    x->text = mem_string(text);
    pthread_mutex_unlock(&x->lock);
    atomic_store(&x->answers, count);
}

void tcp_proxy_cut_after(struct tcp_proxy *x, int64_t bytes)
{
    atomic_store(&x->cut_at, bytes < 0 ? -1 : atomic_load(&x->sent) + bytes);
}

void tcp_proxy_drop_after(struct tcp_proxy *x, int64_t bytes)
{
    atomic_store(&x->drop_at, atomic_load(&x->received) + bytes);
}

int64_t tcp_proxy_sent(const struct tcp_proxy *x)
{
    return atomic_load(&x->sent);
}

void tcp_proxy_cut_all(struct tcp_proxy *x)
{
    tcp_proxy_cut_after(x, 0);
    while (atomic_load(&x->open) > 0)
        usleep(1000);
    tcp_proxy_cut_after(x, -1);
}

int tcp_proxy_connections(const struct tcp_proxy *x)
{
    return atomic_load(&x->connections);
}
