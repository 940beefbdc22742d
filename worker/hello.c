#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "common/base/abilities.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "worker/attempt/attempt.h"
#include "worker/worker.h"

#define BEATS_UNANSWERED 8 /* then the leader is away: fewer are enough to be found again */
#define BEAT_SLOW_US     (10 * US_PER_S)

void hello_beat(struct worker *w)
{
    /* A heartbeat is named by its report's number, which never comes again. */
    struct report report = {.kind = REPORT_KIND_HEARTBEAT,
                            .heartbeat = w->reports.next_n,
                            /* Only an open reader has made sure that the offset is this bus's. */
                            .orders = w->reader ? w->orders_next : 0};
    w->beat_us = clock_monotonic_us();
    lease_sent(&w->lease, report.heartbeat, clock_boottime_us());
    reports_push(&w->reports, &report, NULL);
}

static void beat(void *arg)
{
    struct worker *w = arg;
    const int64_t now = clock_monotonic_us();
    const bool away = reports_heartbeats(&w->reports) >= BEATS_UNANSWERED;
    if (!away || now - w->beat_us >= BEAT_SLOW_US)
        hello_beat(w);
    reports_look(&w->reports, now);
    if (w->worked && !w->attempts) { /* a burst leaves much behind that an idle worker needs not */
        malloc_trim(0);
        w->worked = false;
    }
}

static size_t list_held(struct worker *w, struct held_attempt *held)
{
    size_t n = 0;
    for (const struct attempt *a = w->attempts; a; a = a->hh.next)
        held[n++] = (struct held_attempt){a->id, a->nonce};
    return n;
}

/* The first is what a step gets that names none. A step without an image is a process where there
 * are both. */
static size_t list_executors(const struct worker *w, const char *names[WORKER_EXECUTORS])
{
    const struct executor *docker = w->executors[ORDER_START_EXECUTOR_DOCKER];
    const char *why;
    size_t n = 0;
    if (w->ending) /* nothing is placed here any more */
        return 0;
    if (docker &&
        (docker_executor_engine(docker, &why) || w->config->executor == WORKER_EXECUTOR_DOCKER))
        names[n++] = "docker";
    if (w->config->executor != WORKER_EXECUTOR_DOCKER)
        names[n++] = "process";
    names[n++] = "noop";
    names[n++] = "objects";
    return n;
}

/* For the person who wonders why a step is what it is: to be freed. */
static char *choice_of(const struct worker *w)
{
    const struct executor *docker = w->executors[ORDER_START_EXECUTOR_DOCKER];
    const char *why = "";
    const char *version = docker ? docker_executor_engine(docker, &why) : NULL;
    if (!docker)
        return mem_string("processes: executor is process");
    if (version)
        return mem_printf("containers: docker %.80s at %.150s", version, w->config->docker_host);
    return mem_printf("%s until a docker engine answers: %.200s",
                      w->config->executor == WORKER_EXECUTOR_DOCKER ? "nothing" : "processes", why);
}

static void say(struct worker *w)
{
    const char *executors[WORKER_EXECUTORS], *abilities[ABILITY_COUNT];
    memcpy(abilities, ABILITY_TEXTS, sizeof abilities);
    cleanup_free struct held_attempt *held = mem_array(HASH_COUNT(w->attempts), sizeof *held);
    cleanup_free char *runtime = choice_of(w);
    struct sysinfo machine = {0};
    sysinfo(&machine);
    struct report_hello hello = {
        .boot = w->boot,
        .slots = w->config->slots,
        .pool = w->config->pool,
        .cpu = get_nprocs(),
        .memory = (int64_t)machine.totalram * machine.mem_unit,
        .executors = executors,
        .executors_count = list_executors(w, executors),
        .abilities = abilities,
        .abilities_count = ABILITY_COUNT,
        .runtime = runtime,
        .workspace = w->workspaces,
        .held = held,
        .held_count = list_held(w, held),
        .orders = w->orders_next,
        .epoch = w->epoch,
        .version = LEAT_VERSION,
    };
    struct report report = {.kind = REPORT_KIND_HELLO, .hello = &hello};
    reports_push(&w->reports, &report, NULL);
    log_info("what steps with an image run in", LOG_S("runtime", runtime));
    log_info("hello", LOG_S("worker", w->id), LOG_I("slots", hello.slots),
             LOG_I("held", hello.held_count), LOG_I("orders", hello.orders));
}

void hello_again(struct worker *w)
{
    say(w);
}

void hello_say(struct worker *w)
{
    say(w);
    lease_begin(&w->lease, clock_boottime_us());
    for (struct attempt *a = w->attempts; a; a = a->hh.next)
        if (a->state == WORK_FINISHED)
            attempt_resend(a);
    w->settled = true;
    hello_beat(w);
    loop_timer_start(w->loop, &w->beat, LEASE_BEAT, LEASE_BEAT, beat, w);
}
