/* worker/executor/docker/pull.h: an image onto the engine. */
#pragma once
#include "common/base/err.h"
#include "worker/executor/docker/engine.h"

struct pull;

struct pull_events {
    void (*said)(void *arg, const char *line);      /* progress, a line for people, a few in all */
    void (*done)(void *arg, const struct err *err); /* once; NULL = the image is there */
};

/* `login` USER:PASSWORD or NULL; neither kept nor logged. Goes on for ever: the engine decides. */
struct pull *pull_open(struct engine *engine, const char *image, const char *login,
                       const struct pull_events *events, void *arg);
void pull_close(struct pull *p); /* no event comes after it; takes NULL */
/* X-Registry-Auth of "USER:PASSWORD": URL-safe base64 of JSON; malloc'd, to be wiped. */
char *pull_auth(const char *image, const char *login);
