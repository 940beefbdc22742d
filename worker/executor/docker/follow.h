/* worker/executor/docker/follow.h: a container's log from the engine into the attempt's file. The
 * engine gives it from the beginning each time; what the file has already is passed over, byte by
 * byte, so that a broken stream or another life of the worker repeats nothing and misses nothing.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "worker/executor/docker/engine.h"

struct follow;

struct follow_site {
    struct engine *engine;
    const char *name;     /* of the container */
    const char *log_path; /* borrowed as long as it lives */
    int64_t base;         /* first bytes of the file that are not the container's */
    int64_t limit;        /* of the file */
};

/* The stream has ended: `err` NULL = by the engine's word that there is no more (or by the limit).
 */
typedef void follow_done_fn(void *arg, const struct err *err);

/* `wait`: goes on while the container writes; else to the present end. */
struct follow *follow_open(const struct follow_site *site, bool wait, follow_done_fn *done,
                           void *arg);
void follow_close(struct follow *f); /* no done comes after it; takes NULL */
bool follow_truncated(const struct follow *f);
