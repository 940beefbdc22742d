/* worker/executor/docker/bring.h: a container's outputs, from the engine's archive of it into the
 * worker's own folder. Can be done again from the beginning at any time until the container is
 * removed: the folder is emptied first. */
#pragma once
#include "common/base/loop.h"
#include "worker/executor/docker/engine.h"

struct bring_site {
    struct engine *engine;
    struct loop *loop;
    const char *name;   /* of the container */
    const char *from;   /* folder in it, absolute */
    const char *folder; /* here; its files on the way lie beside it, without a name */
};

/* `err`: LEAT_ENOTFOUND = there is no such container; LEAT_EUNREACHABLE = the engine has gone. A
 * container that has no such folder any more brings an empty one. */
typedef void bring_done_fn(void *arg, const struct err *err);

struct bring;
/* Copies the site. `done` once, from the loop, unless it was closed. */
struct bring *bring_open(const struct bring_site *site, bring_done_fn *done, void *arg);
void bring_close(struct bring *b); /* takes NULL */
