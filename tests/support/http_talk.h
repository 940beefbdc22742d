/* tests/support/http_talk.h: the client's side of a test of the HTTP server, over bare sockets.
 * It blocks on a thread of the loop's pool while the loop runs the server. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/base/loop.h"
#include "common/base/text.h"
#include "common/http/server.h"

/* What every later call talks to. */
void talk_to(struct loop *loop, int port);

struct talk {
    const char *send;
    size_t len;
    int slice;       /* bytes a write; 0 = all */
    int slice_us;    /* between two slices */
    bool hang_up;    /* close without reading */
    bool half_close; /* after sending */
    bool ended;      /* the client is through */
    struct text got;
};

int dial(void); /* a connected socket */
/* loop_work(loop, talk, talked, &talk): sends, reads to the end, stops the loop. */
void talk(void *talk);
void talked(void *talk);

/* Sends, runs the loop, reads until the server closes; to be freed. */
char *exchange(const char *request);
char *exchange_slowly(const char *request, size_t len, int slice, int slice_us);
/* Sends, closes without reading; a handler stops the loop. */
void hang_up(const char *request);

/* A request with a body of `len` bytes "abcdefghij…" and further header lines; to be freed. */
char *post(const char *path, size_t len, const char *more);
char *put(const char *path, size_t len);

/* The server has so many connections, or comes to it: what a client opens and closes it sees in a
 * turn of its own. */
bool connections_are(const struct http_server *server, int count);

int count_of(const char *in, const char *what);

#define CLOSE     "Host: x\r\nConnection: close\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" CLOSE
#define expect(got, what)                                                                          \
    do {                                                                                           \
        if (!strstr(got, what))                                                                    \
            fail_msg("no '%s' in:\n%s", what, got);                                                \
    } while (0)
