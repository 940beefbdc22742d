/* One client of a stream. It is told what changed after what it was told before, whenever it has
 * room: a slow one is told fewer states on the way, never a wrong one, and costs a bounded buffer.
 */
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api/live/internal.h"
#include "api/live/sse.h"
#include "common/base/clock.h"
#include "common/base/mem.h"

#define RETRY_MS 1000

bool reader_has_room(const struct reader *r)
{
    return http_stream_pending(r->req) < LIVE_BUFFER;
}

void reader_write(struct reader *r, const struct text *out)
{
    r->wrote_us = clock_monotonic_us();
    if (r->pending == 0)
        r->moved_us = r->wrote_us;
    r->pending = http_stream_write(r->req, out->data, out->len);
}

/* ---- the end -------------------------------------------------------------------------------- */

void reader_over(struct reader *r)
{
    struct watch *w = r->watch;
    if (r->req) {
        DL_DELETE(w->readers, r);
        w->live->readers--;
        http_stream_end(r->req);
        r->req = NULL;
    }
    if (r->reads > 0 || r->pumping)
        return;
    while (r->tails)
        tail_free(r->tails);
    position_free(&r->position);
    free(r->only);
    free(r);
    w->users--;
    watch_release(w);
}

static void client_gone(void *arg)
{
    reader_over(arg);
}

/* ---- telling -------------------------------------------------------------------------------- */

static void take_cell(struct reader *r, struct cell *c)
{
    if (position_done(&r->position, c->key.step, c->key.iteration))
        return;
    struct tail *t = tail_of(r, c);
    if (!t && tail_wanted(r, c))
        t = tail_open(r, c);
    if (!cell_is_over(c)) {
        if (c->state >= 0)
            tell_step(r, c);
    } else if (!t) {
        position_add_done(&r->position, c->key.step, c->key.iteration);
        tell_step(r, c);
    } else if (!t->ending) {
        t->ending = true; /* its log first */
        r->ending++;
    }
}

/* True when there is nothing more to tell at present. */
static bool take_cells(struct reader *r)
{
    for (struct cell *c = view_after(&r->watch->view, r->version); c; c = c->next) {
        if (!reader_has_room(r) || r->ending >= LIVE_ENDING)
            return false;
        take_cell(r, c);
        r->version = c->version;
    }
    return true;
}

static bool is_through(const struct reader *r)
{
    const struct view *v = &r->watch->view;
    return !v->stale && !r->watch->asking && machine_is_terminal(&MACHINE_RUN, v->state) &&
           !r->tails && !view_after(v, r->version);
}

static void tell_all(struct reader *r)
{
    const struct view *v = &r->watch->view;
    if (v->state_version > r->run_version) {
        r->run_version = v->state_version;
        tell_run(r);
    }
    bool all = take_cells(r);
    tails_read(r);
    while (!all && reader_has_room(r) && r->ending < LIVE_ENDING) { /* some ended at once */
        all = take_cells(r);
        tails_read(r);
    }
    if (!is_through(r))
        return;
    tell_end(r);
    reader_over(r);
}

void reader_pump(struct reader *r)
{
    if (r->pumping || !r->req || !r->watch->view.known)
        return;
    r->pumping = true;
    tell_all(r);
    r->pumping = false;
    if (!r->req)
        reader_over(r);
}

static void drained(void *arg)
{
    struct reader *r = arg;
    r->pending = 0;
    reader_pump(r);
}

/* ---- time ----------------------------------------------------------------------------------- */

void reader_tick(struct reader *r, int64_t now_us)
{
    const size_t pending = http_stream_pending(r->req);
    if (pending == 0 || pending < r->pending)
        r->moved_us = now_us;
    r->pending = pending;
    if (now_us - r->moved_us >= LIVE_STALL_US) {
        http_stream_cut(r->req); /* it comes back by its Last-Event-ID */
        reader_over(r);
        return;
    }
    if (now_us - r->wrote_us >= LIVE_HEARTBEAT_US) {
        cleanup_text struct text out = {0};
        sse_heartbeat(&out);
        reader_write(r, &out);
    }
    tails_unstick(r);
    reader_pump(r);
}

/* ---- the beginning -------------------------------------------------------------------------- */

void reader_begin(struct watch *w, struct http_request *req, struct position *position)
{
    static const struct http_header headers[] = {{"Content-Type", "text/event-stream"},
                                                 {"Cache-Control", "no-store"},
                                                 {"X-Accel-Buffering", "no"},
                                                 {0}};
    const char *logs = http_query(req, "logs"), *step = http_query(req, "step");
    cleanup_text struct text out = {0};
    struct reader *r = mem_alloc(sizeof *r);
    *r = (struct reader){.watch = w,
                         .req = req,
                         .position = *position,
                         .with_logs = !logs || strcmp(logs, "false") != 0,
                         .only = mem_string(step)};
    *position = (struct position){0};
    r->moved_us = r->wrote_us = clock_monotonic_us();
    DL_APPEND(w->readers, r);
    w->users++;
    w->live->readers++;
    http_stream_start(req, 200, headers, drained, r);
    http_on_gone(req, client_gone, r);
    sse_retry(&out, RETRY_MS);
    reader_write(r, &out);
    reader_pump(r);
}
