/* Any bytes on a connection of a real server: it answers or closes, and goes on serving. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/server.h"

#define STEPS_MAX 100000

static struct loop *loop;
static struct http_server *server;
static int port;

/* Reads all that there is to read, and answers it back. */
static void echo(struct http_request *req, void *arg)
{
    size_t len;
    const char *key, *value, *body = http_body(req, &len);
    (void)arg;
    for (size_t i = 0; http_query_at(req, i, &key, &value); i++)
        if (strlen(key) + strlen(value) > 65536)
            abort();
    (void)http_header(req, "Authorization");
    (void)http_param(req, "key");
    http_answer(req, 200, NULL, body, len);
}

static void later(void *req)
{
    http_answer(req, 202, NULL, "later", 5);
}

static void defer(struct http_request *req, void *arg)
{
    (void)arg;
    loop_defer(loop, later, req);
}

static void begin(struct http_request *req, void *arg)
{
    struct err err = {0};
    (void)arg;
    if (http_query(req, "no")) {
        err_set(&err, LEAT_EREFUSED, "%s", http_query(req, "no"));
        http_answer_err(req, &err);
    }
}

static void resume(void *req)
{
    http_resume(req);
}

static void piece(struct http_request *req, void *arg, const void *data, size_t len)
{
    (void)arg, (void)data, (void)len;
    if (!http_query(req, "pause") || http_context(req))
        return;
    http_set_context(req, req);
    http_pause(req);
    loop_defer(loop, resume, req);
}

static void gone(struct http_request *req, void *arg)
{
    (void)req, (void)arg;
}

static const struct http_upload upload = {begin, piece, echo, gone};
static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/", .handle = echo},
    {.method = "POST", .pattern = "/hooks/:key", .handle = defer, .max_body = 1000},
    {.method = "POST", .pattern = "/*key", .handle = echo, .max_body = 100},
    {.method = "PUT", .pattern = "/buckets/:bucket/*key", .upload = &upload, .max_body = 500},
    {.method = NULL},
};

static int dial(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const struct linger reset = {1, 0}; /* no TIME_WAIT: thousands a second */
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) != 0)
        abort();
    return fd;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char buf[16384];
    if (!loop) {
        loop = loop_new();
        port = http_server_start(loop, "127.0.0.1:0", routes, NULL, NULL, &server, NULL);
        if (port <= 0)
            abort();
    }
    const int fd = dial();
    (void)!send(fd, data, len < 100000 ? len : 100000, MSG_NOSIGNAL | MSG_DONTWAIT);
    for (int i = 0; i < 20; i++) {
        loop_step(loop, false);
        while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
            continue;
    }
    close(fd);
    for (int i = 0; http_server_connections(server) > 0; i++) {
        loop_step(loop, false);
        if (i > STEPS_MAX)
            abort(); /* the server has not noticed */
    }
    return 0;
}
