/* One run that somebody reads: what Postgres and the change records tell of it, and which chunks of
 * its running attempts' logs are there. */
#include <inttypes.h>
#include <stdlib.h>
#include <utlist.h>

#include "api/live/internal.h"
#include "common/base/log.h"
#include "common/base/mem.h"

struct watch *watch_of(struct live *live, const struct uuid *run)
{
    struct watch *w;
    HASH_FIND(hh, live->watches, run, sizeof *run, w);
    if (w)
        return w;
    w = mem_alloc(sizeof *w);
    w->live = live;
    w->view.run = *run;
    HASH_ADD(hh, live->watches, view.run, sizeof w->view.run, w);
    return w;
}

void watch_release(struct watch *w)
{
    if (w->users > 0 || w->asking || w->probes > 0)
        return;
    HASH_DEL(w->live->watches, w);
    view_free(&w->view);
    free(w);
}

void watch_pump(struct watch *w)
{
    struct reader *r, *next;
    w->users++; /* the last reader may go */
    DL_FOREACH_SAFE(w->readers, r, next)
    reader_pump(r);
    w->users--;
}

/* ---- Postgres ------------------------------------------------------------------------------- */

static void take_names(void *arg, const struct pg_answer *answer)
{
    struct watch *w = arg;
    struct view *v = &w->view;
    const size_t n = answer->err ? 0 : pg_row_count(answer->rows);
    if (n == 0 || v->steps)
        return;
    v->steps = mem_array(n, sizeof *v->steps);
    for (; v->step_count < n; v->step_count++)
        v->steps[v->step_count] = mem_string(pg_text(answer->rows, v->step_count, 0));
}

static void take_row(struct view *v, const struct pg_rows *rows, size_t i)
{
    const char *state = pg_text_or_null(rows, i, 7);
    if (pg_is_null(rows, i, 5))
        return; /* no step has a row yet */
    view_step(v, pg_int(rows, i, 0),
              &(struct told){.step = (int32_t)pg_int(rows, i, 5),
                             .iteration = (int32_t)pg_int(rows, i, 6),
                             .state = state ? machine_parse(&MACHINE_STEP, state) : -1,
                             .attempt = (int32_t)pg_int(rows, i, 8),
                             .attempt_id = pg_uuid(rows, i, 9),
                             .log_run = pg_uuid(rows, i, 12),
                             .reason = pg_text(rows, i, 10),
                             .chunks = pg_int(rows, i, 11)});
}

static void take_rows(struct watch *w, const struct pg_rows *rows)
{
    struct view *v = &w->view;
    const size_t n = pg_row_count(rows);
    if (!v->name) {
        v->name = mem_string(pg_text(rows, 0, 3));
        v->pipeline = mem_string(pg_text(rows, 0, 4));
    }
    view_run(v, pg_int(rows, 0, 0), machine_parse(&MACHINE_RUN, pg_text(rows, 0, 1)),
             pg_text(rows, 0, 2));
    for (size_t i = 0; i < n; i++)
        take_row(v, rows, i);
    v->known = true;
}

static void run_is_gone(struct watch *w)
{
    w->users++;
    while (w->readers)
        reader_over(w->readers);
    w->users--;
}

static void answered(void *arg, const struct pg_answer *answer)
{
    struct watch *w = arg;
    w->asking = false;
    if (answer->err) {
        w->view.stale = true; /* the tick asks again */
        log_warn("a run cannot be read for its stream", LOG_ERR(answer->err));
    } else if (pg_row_count(answer->rows) == 0) {
        run_is_gone(w);
    } else {
        take_rows(w, answer->rows);
        watch_pump(w);
        watch_read(w); /* something may have been missed meanwhile */
    }
    watch_release(w);
}

void watch_read(struct watch *w)
{
    struct pg *pg = w->live->api->pg;
    struct pg_params params = {0};
    if (w->asking || (w->view.known && !w->view.stale))
        return;
    w->asking = true;
    w->view.stale = false;
    pg_add_uuid(&params, &w->view.run);
    if (!w->view.steps) {
        pg_exec(pg, QUERY_API_LIVE_STEPS, &params, take_names, w);
        pg_add_uuid(&params, &w->view.run);
    }
    pg_call(pg, QUERY_API_LIVE, &params, answered, w);
    pg_params_free(&params);
}

/* ---- the logs of running attempts ----------------------------------------------------------- */

struct probe {
    struct watch *watch;
    int32_t step, iteration;
    struct uuid attempt;
};

static void look_for_next(struct watch *w, const struct cell *c, const struct known_attempt *t);

static void probed(void *arg, const struct store_object *object, const struct err *err)
{
    struct probe *p = arg;
    struct watch *w = p->watch;
    const struct cell *c = view_cell(&w->view, p->step, p->iteration);
    struct known_attempt *t = cell_try_by_id(c, &p->attempt);
    w->probes--;
    free(p);
    if (!err && object->exists) {
        t->chunks++;
        watch_pump(w);
        if (w->readers && !t->over)
            look_for_next(w, c, t); /* several may have come at once */
    }
    watch_probe(w);
    watch_release(w);
}

static void look_for_next(struct watch *w, const struct cell *c, const struct known_attempt *t)
{
    char run[UUID_TEXT], attempt[UUID_TEXT];
    struct probe *p = mem_alloc(sizeof *p);
    *p = (struct probe){w, c->key.step, c->key.iteration, t->id};
    uuid_format(&w->view.run, run);
    uuid_format(&t->id, attempt);
    cleanup_free char *name =
        mem_printf("logs/%s/%s/%s/%06" PRId64, run, view_step_name(&w->view, c->key.step), attempt,
                   t->chunks + 1);
    w->probes++;
    store_exists(w->live->api->store, name, probed, p);
}

/* Goes on with the round: the attempt of each cell that runs. */
void watch_probe(struct watch *w)
{
    for (; w->readers && w->probe_at && w->probes < LIVE_PROBES;
         w->probe_at = w->probe_at->hh.next) {
        const struct cell *c = w->probe_at;
        const struct known_attempt *t = c->try_count ? &c->tries[c->try_count - 1] : NULL;
        if (t && !t->over)
            look_for_next(w, c, t);
    }
}
