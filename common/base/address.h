/* common/base/address.h: "HOST:PORT" of things that listen or are called. Pure, except resolve. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include "common/base/err.h"

#define ADDRESS_HOST 256

struct address {
    char host[ADDRESS_HOST]; /* without the brackets of "[::1]:80" */
    uint16_t port;
};

/* "127.0.0.1:8080", "localhost:0", "[::1]:8080", ":8080" (every address: host is ""). */
int address_parse(const char *text, struct address *out, struct err *err);

/* True when what is bound there can be reached from this machine alone: 127.0.0.0/8, ::1,
 * "localhost", a unix socket ("unix:/path" or "/path"). With or without a port. Anything that
 * cannot be read as one of these is false. */
bool address_is_loopback(const char *text);

/* A bound, listening, non-blocking, close-on-exec socket. Port 0 takes a free one; *port is the
 * one bound. Resolves names, so it may block: at start only. */
int address_listen(const char *text, int backlog, int *fd, uint16_t *port, struct err *err);
