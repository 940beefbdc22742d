#include "common/base/clock.h"
#include "common/base/log.h"
#include "worker/attempt/attempt.h"
#include "worker/worker.h"

#define GRACE_US  (2 * US_PER_S) /* as the keeper gives when it is ended */
#define LOOK_US   (20 * US_PER_MS)
#define BOUND_US  (8 * US_PER_S)
#define WHY_ENDED "its worker was told to end, and its steps with it"

/* In the journal first: should this life end in the middle, the next knows why they ended. */
static void ask_all(struct worker *w)
{
    struct attempt *a, *next;
    w->ending_asked = true;
    hello_again(w);
    HASH_ITER (hh, w->attempts, a, next)
        attempt_put_asked(a, ASKED_END, GRACE_US, WHY_ENDED);
    worker_journal(w);
    HASH_ITER (hh, w->attempts, a, next)
        attempt_ask(a, ASKED_END, GRACE_US, WHY_ENDED);
}

static bool is_done(const struct worker *w)
{
    const struct executor *docker = w->executors[ORDER_START_EXECUTOR_DOCKER];
    return w->ending_asked && !w->attempts && (!docker || docker_executor_idle(docker));
}

static void look(void *arg)
{
    struct worker *w = arg;
    if (!w->ending_asked && w->settled)
        ask_all(w);
    const bool late = clock_monotonic_us() >= w->ending_until_us;
    if (late && !is_done(w))
        log_warn("not everything has ended in time; the next worker of this data folder goes on",
                 LOG_I("attempts", HASH_COUNT(w->attempts)));
    if (late || is_done(w))
        loop_stop(w->loop);
}

void ending_begin(struct worker *w)
{
    if (w->ending)
        return;
    log_info("the worker ends, and what it runs with it",
             LOG_I("attempts", HASH_COUNT(w->attempts)));
    w->ending = true;
    w->ending_until_us = clock_monotonic_us() + BOUND_US;
    loop_timer_start(w->loop, &w->ending_look, 0, LOOK_US, look, w);
}
