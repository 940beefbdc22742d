/* worker/executor/docker/bring.h: a container's outputs, from the engine's archives of it into
 * folders of the worker's own. Can be done again from the beginning at any time until the container
 * is removed: what an earlier try left is removed first. */
#pragma once
#include "common/base/loop.h"
#include "worker/executor/docker/engine.h"

struct bring_part {
    const char *from;   /* in the container, absolute */
    const char *folder; /* here; its files on the way lie beside it, without a name */
    const char *name;   /* what is at `from` becomes this in it; NULL = what is below `from` does */
};

struct bring_site {
    struct engine *engine;
    struct loop *loop;
    const char *name; /* of the container */
    const struct bring_part *parts;
    size_t count;
    int64_t most; /* bytes of all archives together; more is LEAT_ELIMIT */
};

/* `err`: LEAT_ENOTFOUND = there is no such container; LEAT_EUNREACHABLE = the engine has gone. What
 * the container does not have (any more) brings nothing, or an empty folder. */
typedef void bring_done_fn(void *arg, const struct err *err);

struct bring;
/* Copies the site. `done` once, from the loop, unless it was closed. */
struct bring *bring_open(const struct bring_site *site, bring_done_fn *done, void *arg);
void bring_close(struct bring *b); /* takes NULL */
