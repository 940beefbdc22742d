/* A step's logs on their way to one reader: attempt after attempt, chunk after chunk, each by the
 * name that the worker gives it (docs/worker.md). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "api/live/internal.h"
#include "api/live/sse.h"
#include "common/base/log.h"
#include "common/base/mem.h"

bool tail_wanted(const struct reader *r, const struct cell *c)
{
    const struct begun *b = position_begun(&r->position, c->key.step, c->key.iteration);
    if (!r->with_logs || !cell_try(c, b ? b->attempt : 1))
        return false;
    return !r->only || strcmp(r->only, view_step_name(&r->watch->view, c->key.step)) == 0;
}

struct tail *tail_of(const struct reader *r, const struct cell *c)
{
    struct tail *t;
    DL_FOREACH (r->tails, t)
        if (t->cell == c)
            return t;
    return NULL;
}

struct tail *tail_open(struct reader *r, struct cell *c)
{
    struct tail *t = mem_alloc(sizeof *t);
    *t = (struct tail){.reader = r, .cell = c};
    position_begin(&r->position, c->key.step, c->key.iteration, 1);
    DL_APPEND(r->tails, t);
    return t;
}

void tail_free(struct tail *t)
{
    DL_DELETE(t->reader->tails, t);
    t->reader->ending -= t->ending;
    free(t);
}

static struct begun *begun_of(const struct tail *t)
{
    return position_begun(&t->reader->position, t->cell->key.step, t->cell->key.iteration);
}

static void next_attempt(struct begun *b, int32_t attempt)
{
    b->attempt = attempt;
    b->chunk = 1;
    b->inside = b->total = 0;
}

/* The attempt whose next chunk may be there; NULL = none, or not yet. */
static const struct known_attempt *try_to_read(struct tail *t)
{
    struct begun *b = begun_of(t);
    const struct known_attempt *known;
    while ((known = cell_try(t->cell, b->attempt)) != NULL) {
        if (known->attempt > b->attempt)
            next_attempt(b, known->attempt);
        if (!known->over || known->last < 0 || b->chunk <= known->last)
            break;
        next_attempt(b, known->attempt + 1);
    }
    const bool there = known && !uuid_is_nil(&known->run);
    return there && (known->over || b->chunk <= known->chunks) ? known : NULL;
}

/* Is it Postgres that must say where the log lies? */
static bool waits_for_its_run(const struct tail *t)
{
    const struct known_attempt *known = cell_try(t->cell, begun_of(t)->attempt);
    return known && uuid_is_nil(&known->run);
}

/* ---- what the store answers ----------------------------------------------------------------- */

static void tell_pieces(struct tail *t, struct begun *b, const char *data, size_t len, bool more)
{
    for (size_t at = 0, n; at < len; at += n) {
        bool is_text;
        n = sse_log_piece(data + at, len - at, more, &is_text);
        if (n == 0)
            break;
        b->inside += (int64_t)n;
        b->total += (int64_t)n;
        if (!more && at + n == len) { /* the chunk is through: before its position is written */
            b->chunk++;
            b->inside = 0;
        }
        tell_log(t->reader, t->cell, b, data + at, n, is_text, false);
    }
}

static void take_bytes(struct tail *t, const struct store_object *object)
{
    struct begun *b = begun_of(t);
    t->failures = 0;
    if (object->size > 0)
        tell_pieces(t, b, object->data, (size_t)object->size, object->size == LIVE_READ);
    else {
        b->chunk++;
        b->inside = 0;
    }
}

static void no_more(struct begun *b)
{
    next_attempt(b, b->attempt + 1);
}

/* No such chunk: the log of an attempt that is over ends here, whether or not it had more. */
static void take_failure(struct tail *t, const struct err *err)
{
    struct begun *b = begun_of(t);
    const struct known_attempt *known = cell_try(t->cell, b->attempt);
    if (err->code == LEAT_ENOTFOUND) {
        if (known && known->over && b->chunk <= known->last)
            tell_log(t->reader, t->cell, b, "", 0, true, true);
        if (known && known->over)
            no_more(b);
    } else if (++t->failures < LIVE_TRIES) {
        t->stuck = true;
    } else {
        log_warn("a log cannot be read", LOG_ERR(err));
        tell_log(t->reader, t->cell, b, "", 0, true, true);
        t->failures = 0;
        no_more(b);
    }
}

static void answered(void *arg, const struct store_object *object, const struct err *err)
{
    struct tail *t = arg;
    struct reader *r = t->reader;
    t->reading = false;
    r->reads--;
    if (!r->req) {
        reader_over(r);
        return;
    }
    if (err)
        take_failure(t, err);
    else
        take_bytes(t, object);
    reader_pump(r);
}

static void read_chunk(struct tail *t, const struct known_attempt *known)
{
    const struct begun *b = begun_of(t);
    const struct view *v = &t->reader->watch->view;
    char run[UUID_TEXT], attempt[UUID_TEXT];
    uuid_format(&known->run, run);
    uuid_format(&known->id, attempt);
    cleanup_free char *name = mem_printf("logs/%s/%s/%s/%06" PRId64, run,
                                         view_step_name(v, t->cell->key.step), attempt, b->chunk);
    t->reading = true;
    t->reader->reads++;
    store_read(t->reader->watch->live->api->store, name, b->inside, LIVE_READ, answered, t);
}

/* ---- all of a reader's ---------------------------------------------------------------------- */

/* All of it is told: now the step's end may be. */
static void finish(struct tail *t)
{
    struct reader *r = t->reader;
    const struct cell *c = t->cell;
    position_add_done(&r->position, c->key.step, c->key.iteration);
    tail_free(t);
    tell_step(r, c);
}

void tails_read(struct reader *r)
{
    struct tail *t, *next;
    DL_FOREACH_SAFE(r->tails, t, next)
    {
        if (t->reading || t->stuck)
            continue;
        if (r->reads >= LIVE_READS || !reader_has_room(r))
            return;
        const struct known_attempt *known = try_to_read(t);
        if (known)
            read_chunk(t, known);
        else if (cell_is_over(t->cell) && !waits_for_its_run(t))
            finish(t);
    }
}

void tails_unstick(struct reader *r)
{
    struct tail *t;
    DL_FOREACH (r->tails, t)
        t->stuck = false;
}
