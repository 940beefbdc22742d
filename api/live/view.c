#include "api/live/view.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/mem.h"
#include "common/base/text.h"

static void cell_free(struct cell *c)
{
    free(c->reason);
    free(c->tries);
    free(c);
}

void view_free(struct view *v)
{
    struct cell *c, *next;
    HASH_ITER (hh, v->cells, c, next) {
        HASH_DEL(v->cells, c);
        cell_free(c);
    }
    for (size_t i = 0; i < v->step_count; i++)
        free(v->steps[i]);
    free(v->steps);
    free(v->name);
    free(v->pipeline);
    free(v->reason);
}

/* True when it differs. */
static bool set_text(char **at, const char *value)
{
    if (!value)
        value = "";
    if (*at && strcmp(*at, value) == 0)
        return false;
    free(*at);
    *at = mem_string(value);
    return true;
}

bool view_run(struct view *v, int64_t tx_seq, int state, const char *reason)
{
    const bool is_over = v->state_version > 0 && machine_is_terminal(&MACHINE_RUN, v->state);
    if (state < 0 || tx_seq < v->tx_seq || (is_over && state != v->state))
        return false;
    v->tx_seq = tx_seq;
    /* A change record carries the beginning of a reason only: it never shortens a known one. */
    const bool differs = v->state_version == 0 || state != v->state ||
                         (reason && *reason && (!v->reason || !*v->reason));
    if (!differs)
        return false;
    v->state = state;
    set_text(&v->reason, reason);
    v->state_version = ++v->version;
    return true;
}

struct cell *view_cell(const struct view *v, int32_t step, int32_t iteration)
{
    struct cell *c, key = {.key = {step, iteration}};
    HASH_FIND(hh, v->cells, &key.key, sizeof key.key, c);
    return c;
}

static struct cell *cell_of(struct view *v, int32_t step, int32_t iteration)
{
    struct cell *c = view_cell(v, step, iteration);
    if (c)
        return c;
    c = mem_alloc(sizeof *c);
    c->key.step = step;
    c->key.iteration = iteration;
    c->state = -1;
    c->tx_seq = -1;
    HASH_ADD(hh, v->cells, key, sizeof c->key, c);
    DL_APPEND(v->changed, c);
    return c;
}

static struct known_attempt *add_try(struct cell *c, const struct told *told)
{
    size_t at = c->try_count;
    MEM_ROOM(c->tries, c->try_count, c->try_cap);
    for (; at > 0 && c->tries[at - 1].attempt > told->attempt; at--)
        c->tries[at] = c->tries[at - 1];
    c->tries[at] =
        (struct known_attempt){.attempt = told->attempt, .id = told->attempt_id, .last = -1};
    c->try_count++;
    return &c->tries[at];
}

/* An attempt that was seen while it ran is the run's own. One that comes with a result may have
 * been adopted with it. */
static void take_log_run(struct view *v, struct known_attempt *t, const struct told *told,
                         bool over)
{
    if (!uuid_is_nil(&told->log_run))
        t->run = told->log_run;
    else if (!over)
        t->run = v->run;
    else if (uuid_is_nil(&t->run))
        v->stale = true;
}

/* True when the attempt is new, or its log ends. */
static bool take_try(struct view *v, struct cell *c, const struct told *told, bool over)
{
    struct known_attempt *t = cell_try_by_id(c, &told->attempt_id);
    bool changed = false;
    for (size_t i = 0; i < c->try_count; i++)
        if (!c->tries[i].over && c->tries[i].attempt < told->attempt)
            changed = c->tries[i].over = true;
    if (!t && !uuid_is_nil(&told->attempt_id)) {
        t = add_try(c, told);
        changed = true;
    }
    if (t)
        take_log_run(v, t, told, over);
    if (t && over) {
        changed |= !t->over;
        t->over = true;
        t->last = told->chunks >= 0 ? told->chunks : t->last;
    }
    return changed;
}

static bool runs_in(int state)
{
    return state == STEP_PLACED || state == STEP_RUNNING || state == STEP_CANCELLING;
}

/* Is it the beginning of that, as a change record carries it? */
static bool is_cut(const char *cut, const char *whole)
{
    return strlen(cut) >= VIEW_CUT && text_starts_with(whole, cut) && strlen(whole) > strlen(cut);
}

/* True when it is another: the state may stay while why it is so changes. */
static bool take_reason(struct cell *c, const char *reason)
{
    const char *now = reason ? reason : "", *before = c->reason ? c->reason : "";
    if (is_cut(now, before))
        return false;
    const bool same = is_cut(before, now);
    return set_text(&c->reason, now) && !same;
}

static bool take_state(struct cell *c, int64_t tx_seq, const struct told *told)
{
    if (tx_seq < c->tx_seq || (cell_is_over(c) && told->state != c->state))
        return false;
    c->tx_seq = tx_seq;
    const bool known = c->state == told->state && c->attempt == told->attempt;
    c->state = told->state;
    c->attempt = told->attempt;
    return take_reason(c, told->reason) || !known;
}

bool view_step(struct view *v, int64_t tx_seq, const struct told *told)
{
    struct cell *c = cell_of(v, told->step, told->iteration);
    bool changed = false;
    if (told->state < 0) {
        changed = take_try(v, c, told, true);
    } else if (tx_seq >= c->tx_seq) {
        changed = take_state(c, tx_seq, told);
        changed |= take_try(v, c, told, !runs_in(told->state));
    }
    if (!changed)
        return false;
    c->version = ++v->version;
    DL_DELETE(v->changed, c);
    DL_APPEND(v->changed, c);
    return true;
}

struct cell *view_after(const struct view *v, uint64_t version)
{
    struct cell *c = v->changed ? v->changed->prev : NULL; /* the last one */
    if (!c || c->version <= version)
        return NULL;
    while (c != v->changed && c->prev->version > version)
        c = c->prev;
    return c;
}

const char *view_step_name(const struct view *v, int32_t step)
{
    return step >= 0 && (size_t)step < v->step_count ? v->steps[step] : "";
}

struct known_attempt *cell_try(const struct cell *c, int32_t attempt)
{
    for (size_t i = 0; i < c->try_count; i++)
        if (c->tries[i].attempt >= attempt)
            return &c->tries[i];
    return NULL;
}

struct known_attempt *cell_try_by_id(const struct cell *c, const struct uuid *attempt)
{
    for (size_t i = 0; i < c->try_count; i++)
        if (uuid_compare(&c->tries[i].id, attempt) == 0)
            return &c->tries[i];
    return NULL;
}
