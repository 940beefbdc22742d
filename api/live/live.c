/* GET /api/v1/runs/ID/events. */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api/changes.h"
#include "api/live/internal.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/metrics.h"

enum { READERS, WATCHES, RE_READ };
static struct metric table[] = {
    [READERS] = {.kind = METRIC_GAUGE,
                 .name = "leat_api_streams",
                 .help = "Clients that read a run's events."},
    [WATCHES] = {.kind = METRIC_GAUGE,
                 .name = "leat_api_streamed_runs",
                 .help = "Runs whose events are read."},
    [RE_READ] = {.kind = METRIC_COUNTER,
                 .name = "leat_api_stream_rereads_total",
                 .help = "Times that the streamed runs were read from Postgres again."},
};

/* ---- what changes --------------------------------------------------------------------------- */

static struct watch *watched(const struct live *live, const struct uuid *run)
{
    struct watch *w;
    HASH_FIND(hh, live->watches, run, sizeof *run, w);
    return w;
}

static void take_step(struct watch *w, int64_t tx_seq, const struct change_step *s)
{
    const int state = machine_parse(&MACHINE_STEP, s->state);
    if (state < 0)
        w->view.stale = true; /* of a newer leader: Postgres is asked */
    else
        view_step(&w->view, tx_seq,
                  &(struct told){.step = (int32_t)s->step,
                                 .iteration = (int32_t)s->iteration,
                                 .state = state,
                                 .attempt = (int32_t)s->attempt,
                                 .attempt_id = s->attempt_id,
                                 .reason = s->reason,
                                 .chunks = -1});
}

/* Steps before runs: a run that is over has all of its steps. Each watched run once at the end. */
static void take_change(void *arg, const struct change *change)
{
    struct live *live = arg;
    struct watch *w, *next;
    if (!live->watches)
        return;
    for (size_t i = 0; i < change->steps_count; i++)
        if ((w = watched(live, &change->steps[i].run)) != NULL)
            take_step(w, change->tx_seq, &change->steps[i]);
    for (size_t i = 0; i < change->runs_count; i++)
        if ((w = watched(live, &change->runs[i].run)) != NULL)
            view_run(&w->view, change->tx_seq, machine_parse(&MACHINE_RUN, change->runs[i].state),
                     change->runs[i].reason);
    HASH_ITER (hh, live->watches, w, next) {
        w->view.stale |= change->partial;
        watch_pump(w);
        watch_read(w);
        watch_release(w);
    }
}

static void missed(void *arg)
{
    struct live *live = arg;
    struct watch *w, *next;
    if (live->watches)
        metric_add(&table[RE_READ], 1);
    HASH_ITER (hh, live->watches, w, next) {
        w->view.stale = true;
        watch_read(w);
    }
}

/* ---- time ----------------------------------------------------------------------------------- */

static void stop_when_idle(struct live *live)
{
    if (live->watches)
        return;
    loop_timer_stop(&live->tick);
    loop_timer_stop(&live->probe);
}

static void tick(void *arg)
{
    struct live *live = arg;
    struct watch *w, *next_watch;
    const int64_t now = clock_monotonic_us();
    HASH_ITER (hh, live->watches, w, next_watch) {
        struct reader *r, *next;
        w->users++;
        DL_FOREACH_SAFE(w->readers, r, next)
        reader_tick(r, now);
        w->users--;
        watch_read(w);
        watch_release(w);
    }
    metric_set(&table[READERS], live->readers);
    metric_set(&table[WATCHES], HASH_COUNT(live->watches));
    stop_when_idle(live);
}

static void probe_round(void *arg)
{
    struct live *live = arg;
    struct watch *w, *next;
    HASH_ITER (hh, live->watches, w, next) {
        if (!w->probe_at && !machine_is_terminal(&MACHINE_RUN, w->view.state))
            w->probe_at = w->view.cells;
        watch_probe(w);
    }
}

struct live *live_open(struct api *api)
{
    struct live *live = mem_alloc(sizeof *live);
    live->api = api;
    metrics_register(table, ARRAY_LEN(table));
    changes_listen(api->changes, &(struct changes_listener){take_change, missed, live});
    return live;
}

/* ---- the call ------------------------------------------------------------------------------- */

static void begin(struct api *api, struct http_request *req, const struct uuid *run)
{
    struct live *live = api->live;
    struct err err = {0};
    struct position position = {0};
    const char *last = http_header(req, "Last-Event-ID");
    if (http_is_gone(req)) {
        http_stream_end(req);
    } else if (live->readers >= LIVE_READERS_MAX) {
        api_refuse(req, LEAT_EFULL, "%d streams are open, more are not served: try again",
                   LIVE_READERS_MAX);
    } else if (position_read(last ? last : "", &position, &err) < 0) {
        http_answer_err(req, &err);
    } else {
        if (!loop_timer_armed(&live->tick)) {
            loop_timer_start(api->loop, &live->tick, LIVE_TICK_US, LIVE_TICK_US, tick, live);
            loop_timer_start(api->loop, &live->probe, LIVE_PROBE_US, LIVE_PROBE_US, probe_round,
                             live);
        }
        struct watch *w = watch_of(live, run);
        watch_read(w);
        reader_begin(w, req, &position);
    }
}

void api_run_events(struct http_request *req, void *arg)
{
    if (strcmp(http_method(req), "HEAD") == 0)
        http_answer(req, 200, (struct http_header[]){{"Content-Type", "text/event-stream"}, {0}},
                    "", 0);
    else
        api_find_run(arg, req, begin);
}
