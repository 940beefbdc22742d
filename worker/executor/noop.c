/* The noop executor: everything that a step takes but the process. Each attempt succeeds in the
 * loop's next iteration; all that were started in one are told together. */
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/executor/executor.h"

struct noop_executor {
    struct executor base;
    struct executor_owner owner;
    struct uuid *attempts; /* started, not yet told */
    size_t count, cap;
    bool telling, closed;
};

static void tell(void *arg)
{
    struct noop_executor *n = arg;
    if (n->closed) {
        free(n);
        return;
    }
    const int64_t now = clock_wall_us();
    const struct executor_exit exit = {.started_us = now, .finished_us = now, .reason = ""};
    n->telling = false;
    for (size_t i = 0; i < n->count; i++) {
        const struct uuid attempt = n->attempts[i]; /* the array may grow below */
        n->owner.events->exited(n->owner.arg, &attempt, &exit);
    }
    n->count = 0;
}

static int noop_start(struct executor *ex, const struct executor_spec *spec, struct err *err)
{
    (void)err;
    struct noop_executor *n = (struct noop_executor *)ex;
    MEM_ROOM(n->attempts, n->count, n->cap);
    n->attempts[n->count++] = spec->attempt;
    if (!n->telling)
        loop_defer(n->owner.loop, tell, n);
    n->telling = true;
    return 0;
}

/* It ends by itself, at once. */
static void noop_stop(struct executor *ex, const struct uuid *attempt, int64_t grace_us)
{
    (void)ex;
    (void)attempt;
    (void)grace_us;
}

static void noop_lease(struct executor *ex, int64_t end_us)
{
    (void)ex;
    (void)end_us;
}

/* What an earlier life had started and not finished, it had not done. */
static bool noop_adopt(struct executor *ex, const struct executor_spec *spec)
{
    (void)ex;
    (void)spec;
    return false;
}

static void noop_settle(struct executor *ex)
{
    (void)ex;
}

static void noop_forget(struct executor *ex, const struct uuid *attempt)
{
    (void)ex;
    (void)attempt;
}

static void noop_close(struct executor *ex)
{
    struct noop_executor *n = (struct noop_executor *)ex;
    free(n->attempts);
    n->closed = true;
    if (!n->telling)
        free(n);
}

static void ready(void *arg)
{
    struct noop_executor *n = arg;
    n->telling = false;
    if (n->closed) {
        free(n);
        return;
    }
    n->owner.events->ready(n->owner.arg, &n->base);
    if (n->count > 0)
        tell(n);
}

struct executor *noop_executor_open(const struct executor_owner *owner)
{
    static const struct executor_ops ops = {
        .name = "noop",
        .start = noop_start,
        .stop = noop_stop,
        .lease = noop_lease,
        .adopt = noop_adopt,
        .settle = noop_settle,
        .forget = noop_forget,
        .close = noop_close,
    };
    struct noop_executor *n = mem_alloc(sizeof *n);
    n->base.ops = &ops;
    n->owner = *owner;
    n->telling = true;
    loop_defer(owner->loop, ready, n);
    return &n->base;
}
