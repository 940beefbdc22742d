/* core_check: recounts everything that the core keeps as a number or an index. O(state). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "common/base/plant.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/run/concurrency.h"
#include "scheduler/core/place/cache.h"
#include "scheduler/core/core.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/state.h"

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "defect: %s:%d: %s\n", __FILE__, __LINE__, #condition);                \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

struct recount {
    int64_t placed, ready, waiting, queued, live_steps;
    int64_t armed;     /* timers of living things */
    int64_t left;      /* steps that are not terminal */
    int64_t to_settle; /* steps that belong on the settle queue */
    int64_t listed;    /* waits for an event */
    int64_t looking;   /* steps that wait for an earlier result */
};

static void count_timer(const struct core *core, const struct timer *t, struct recount *n)
{
    if (!t->place)
        return;
    n->armed++;
    MUST(t->place <= core->timers.count && core->timers.heap[t->place - 1] == t);
}

static void check_attempt(const struct core *core, struct step_ref at, struct recount *n)
{
    const struct step *s = ref_step(at);
    const struct attempt *a = s->live;
    MUST(a->at.frame == at.frame && a->at.place == at.place);
    count_timer(core, &a->timer, n);
    if (s->state == STEP_WAITING) {
        n->waiting++;
        MUST(!a->worker && a->timer.place); /* a deadline, or it would wait for ever */
        return;
    }
    n->placed++;
    MUST(a->worker && a->number == s->attempt);
    struct attempt *indexed = NULL;
    HASH_FIND(hh, core->attempts, &a->id, sizeof a->id, indexed);
    MUST(indexed == a);
    MUST(s->state != STEP_CANCELLING || a->timer.place);
    MUST(!a->leave || !ref_ir_known(at) || ref_ir(at)->at_most_once);
}

static void check_needs(struct step_ref at)
{
    const struct ir_step *def = ref_ir(at);
    int32_t open = 0;
    for (size_t d = 0; d < def->need_count; d++)
        open += !step_is_over(&at.frame->steps[step_ir(ref_run(at), def->needs[d])->place]);
    MUST(open == ref_step(at)->needs_left);
}

static bool has_attempt(int state)
{
    return state == STEP_PLACED || state == STEP_RUNNING || state == STEP_CANCELLING ||
           state == STEP_WAITING;
}

static void check_frame(const struct core *core, const struct frame *f, struct recount *n);

static void check_group(const struct core *core, struct step_ref at, struct recount *n)
{
    const struct group *g = ref_step(at)->group;
    const struct frame *f;
    int32_t open = 0, going = 0;
    MUST(g->at.frame == at.frame && g->at.place == at.place);
    count_timer(core, &g->timeout, n);
    count_timer(core, &g->wait, n);
    DL_FOREACH (g->frames, f) {
        open++;
        going += f->left > 0; /* the others are closed in the turn after a takeover */
        MUST(f->group == g && f->id == g->first + f->ordinal && f->ordinal < g->count);
        check_frame(core, f, n);
    }
    MUST(open == g->open);
    MUST(g->begun == g->open + g->done || plant_on(PLANT_ITEM_COUNTED_TWICE));
    if (ref_step(at)->state == STEP_WAITING) {
        n->waiting++;
        MUST(g->wait.place && open == 0);
        return;
    }
    const int32_t most = g->def->group->parallelism;
    MUST(most == 0 || going <= most);
    MUST(open || g->starting || g->wait.place); /* something of it goes on */
    MUST((ref_step(at)->state == STEP_CANCELLING) <= (g->stop != GOES_ON));
}

static void check_await(const struct core *core, struct step_ref at, struct recount *n)
{
    const struct await *a = ref_step(at)->await, *listed;
    bool found = false;
    MUST(a->at.frame == at.frame && a->at.place == at.place);
    count_timer(core, &a->timer, n);
    if (a->def->kind == IR_STEP_START && ref_step(at)->state != STEP_WAITING) {
        MUST(a->told ? core->restored /* the first turn ends it: its run was not there */
                     : a->child && a->child->starter == a && !a->child->over);
        return;
    }
    MUST(ref_step(at)->state == STEP_WAITING && a->timer.place && !a->child);
    n->waiting++;
    if (a->def->kind == IR_STEP_START)
        return;
    if (a->def->kind == IR_STEP_WAIT)
        MUST(a->key && strcmp(a->key->type, a->def->wait->type) == 0);
    DL_FOREACH (a->key ? a->key->awaits : ref_run(at)->asked, listed)
        found |= listed == a;
    MUST(found);
    n->listed += a->key != NULL;
}

static void check_await_keys(const struct core *core, const struct recount *n)
{
    int64_t listed = 0;
    const struct await *a;
    for (const struct await_key *key = core->await_keys; key; key = key->hh.next) {
        MUST(key->awaits);
        DL_FOREACH (key->awaits, a) {
            MUST(a->key == key);
            listed++;
        }
    }
    MUST(listed == n->listed);
}

/* In a lane. */
static void check_queued(const struct core *core, struct step_ref at, struct recount *n)
{
    const struct step *s = ref_step(at);
    const struct ir_step *def = ref_ir(at);
    MUST(s->state == (def->limit_count ? STEP_WAITING : STEP_READY));
    if (def->limit_count)
        n->waiting++;
    else
        n->ready++;
    MUST(s->queued || def->queue_timeout_us == 0 || s->flags & STEP_DIRTY);
    if (!s->queued)
        return;
    MUST(s->queued->at.frame == at.frame && s->queued->at.place == at.place);
    MUST(s->queued->timer.place);
    count_timer(core, &s->queued->timer, n);
}

/* Does it belong on the settle queue? */
static bool waits_to_settle(struct step_ref at)
{
    const struct step *s = ref_step(at);
    return s->state == STEP_PENDING && s->needs_left == 0 && frame_lets_begin(at) &&
           !(s->flags & STEP_LOOKING);
}

static void check_step(const struct core *core, struct step_ref at, struct recount *n)
{
    const struct step *s = ref_step(at);
    const struct run *run = ref_run(at);
    if (at.frame->dag)
        check_needs(at);
    MUST(s->heap_place || has_attempt(s->state) == (s->live != NULL) || run->broken);
    MUST(s->heap_place || s->state != STEP_READY || run->broken);
    n->looking += (s->flags & STEP_LOOKING) != 0;
    n->to_settle += waits_to_settle(at);
    if (s->heap_place)
        check_queued(core, at, n);
    else if (ref_is_group(at) && s->group)
        check_group(core, at, n);
    else if (ref_is_await(at) && s->await)
        check_await(core, at, n);
    else if (s->live)
        check_attempt(core, at, n);
}

static void check_frame(const struct core *core, const struct frame *f, struct recount *n)
{
    int32_t left = 0, work_left = 0, failed = f->unfit, work_failed = f->unfit, cancelled = 0;
    const int32_t work = f->dag ? (int32_t)f->dag->work : f->count;
    struct step_ref at = {(struct frame *)(uintptr_t)f, 0};
    MUST(!f->over || !f->steps);
    count_timer(core, &f->finally, n);
    for (; f->steps && at.place < f->count; at.place++) {
        const int state = ref_step(at)->state;
        const bool over = step_is_over(ref_step(at));
        const struct ir_step *def = ref_ir_known(at);
        left += !over;
        work_left += !over && at.place < work;
        failed += def && !def->allow_failure &&
                  (state == STEP_FAILED || (state == STEP_CANCELLED && at.place >= work));
        work_failed += def && state == STEP_FAILED && !def->allow_failure && at.place < work;
        cancelled += state == STEP_CANCELLED && at.place < work;
        check_step(core, at, n);
    }
    const bool broken = f->run->broken;
    MUST(left == f->left && work_left == f->work_left);
    MUST(!f->adoption || f->stop == GOES_ON);
    MUST(!f->unfit || (f->stop != GOES_ON && !f->params && f->group->def->group->scope));
    MUST(broken ||
         (failed == f->failed && work_failed == f->work_failed && cancelled == f->cancelled));
    MUST(cancelled == 0 || f->stop != GOES_ON || broken || f->closing ||
         core->sweeping); /* only a stop cancels; an unfit one is found so when it is closed */
    MUST(left > 0 || f->closing || f->sweeping || f->adoption || broken ||
         f->run->state == RUN_PENDING || f->run->state == RUN_QUEUED);
    MUST(work_left > 0 || f->in_finally || f->closing || f->adoption || broken || !f->steps ||
         left == 0 || f->run->state == RUN_PENDING || f->run->state == RUN_QUEUED);
    n->left += left;
}

static void check_run(const struct core *core, const struct run *run, struct recount *n)
{
    const int64_t before = n->left;
    MUST(!machine_is_terminal(&MACHINE_RUN, run->state) && !run->over);
    count_timer(core, &run->timeout, n);
    check_frame(core, &run->root, n);
    MUST(run->live == n->left - before);
    MUST((run->among == NULL) == (run->state == RUN_PENDING));
    MUST(!run->starter || run->starter->child == run);
    MUST((run->root.stop != GOES_ON) == (run->state == RUN_CANCELLING) || run->broken);
    n->queued += run->state == RUN_QUEUED;
    MUST((run->state == RUN_PENDING) == (run->root.adoption != NULL) || run->broken);
    MUST(!run->adopts || run->marks);
    MUST(!run->of || run->adopts);
    if (run->state != RUN_PENDING && run->state != RUN_QUEUED)
        n->live_steps += run->live;
}

static void check_concurrency(const struct core *core, const struct concurrency *c)
{
    int64_t going = 0, running = 0, queued = 0;
    const struct run *run, *before = NULL;
    for (run = core->runs; run; run = run->hh.next)
        going += run->among == c && run->state != RUN_QUEUED;
    DL_FOREACH (c->running, run) {
        MUST(run->among == c && run->state == RUN_RUNNING);
        running++;
    }
    DL_FOREACH (c->queued, run) {
        MUST(run->state == RUN_QUEUED && run->among == c && strcmp(run->key, c->key) == 0);
        MUST(!before || before->created_us <= run->created_us);
        MUST(!run->version->ir || !run->version->ir->queue_timeout_us || run->timeout.place);
        before = run;
        queued++;
    }
    MUST((going == c->going && going + queued > 0) || plant_on(PLANT_GROUP_LEFT_AT_THE_CANCEL));
    MUST(running == c->running_count && queued == c->queued_count);
    /* Whoever may begin is about to. */
    MUST(c->due || concurrency_rests(c) || plant_on(PLANT_GROUP_LEFT_AT_THE_CANCEL));
}

static void check_pipelines(const struct core *core)
{
    for (const struct pipeline *p = core->pipelines; p; p = p->hh.next) {
        int64_t runs = 0;
        const struct run *run;
        for (run = core->runs; run; run = run->hh.next)
            runs += run->pipeline == p;
        DL_FOREACH (core->over, run)
            runs += run->pipeline == p;
        MUST(runs == p->runs);
        for (const struct concurrency *c = p->groups; c; c = c->hh.next) {
            MUST(c->pipeline == p);
            check_concurrency(core, c);
        }
    }
}

static void check_worker(const struct core *core, const struct worker *w, struct recount *n)
{
    struct capacity used = {0};
    const struct attempt *a;
    DL_FOREACH (w->attempts, a) {
        MUST(a->worker == w);
        used.slots += a->takes.slots;
        used.gpu += a->takes.gpu;
        used.memory += a->takes.memory;
    }
    MUST(used.slots == w->used.slots && used.gpu == w->used.gpu && used.memory == w->used.memory);
    MUST(used.slots <= w->has.slots || w->overfull || !w->pool ||
         plant_on(PLANT_SLOT_COUNTER_APART));
    MUST(!w->kept_for || (w->kept_for->keeper == w && w->kept_for->count > 0));
    count_timer(core, &w->silence, n);
    count_timer(core, &w->grant, n);
    MUST(w->silence.place || w->suspect || w->judged || /* it ends, as gone and forgotten, too */
         plant_on(PLANT_NO_LEASE_UNTIL_FIRST_HEARTBEAT));
}

static int64_t lanes_known(const struct core *core)
{
    int64_t known = 0;
    for (const struct version *v = core->versions; v; v = v->hh.next)
        for (size_t i = 0; v->ir && i < v->ir->step_count; i++)
            known += v->lanes[i] != NULL;
    return known;
}

static void check_want(const struct limit_want *want, bool busy)
{
    bool listed = false;
    const struct limit_want *other;
    DL_FOREACH (want->limit->wants, other)
        listed |= other == want;
    MUST(listed == busy);
}

static void check_lanes(const struct core *core, struct recount *n)
{
    int64_t ready = 0, refs = 0;
    for (const struct pool *p = core->pools; p; p = p->hh.next) {
        const struct lane *l;
        DL_FOREACH (p->lanes, l) {
            count_timer(core, &l->blocked, n);
            MUST(l->refs > 0);
            refs += l->refs;
            for (size_t i = 0; i < l->count; i++)
                MUST(ref_step(l->heap[i])->heap_place == i + 1);
            ready += l->named ? 0 : (int64_t)l->count;
            for (size_t i = 0; i < l->want_count; i++)
                check_want(&l->wants_of[i], l->count > 0);
        }
    }
    MUST(ready == core->ready);
    MUST(refs == lanes_known(core));
}

/* What is in use is the sum of what attempts hold. That it is no more than the limit is no
 * invariant here: it may have been lowered. */
static void check_limits(const struct core *core)
{
    for (const struct limit *limit = core->limits; limit; limit = limit->hh.next) {
        int64_t used = 0;
        for (const struct attempt *a = core->attempts; a; a = a->hh.next)
            for (size_t i = 0; i < a->hold_count; i++)
                used += a->holds[i].limit == limit ? a->holds[i].n : 0;
        MUST(used == limit->used);
    }
}

static void check_settle(const struct core *core, const struct recount *n)
{
    int64_t found = 0;
    const struct step_queue *q = &core->settle;
    for (size_t i = 0; i < q->count; i++) {
        struct step_ref ref = q->items[(q->head + i) & (q->cap - 1)];
        found += !ref.frame->over && waits_to_settle(ref);
    }
    MUST(found == n->to_settle); /* none is forgotten, none is there twice */
}

static void check_versions(const struct core *core)
{
    for (const struct version *v = core->versions; v; v = v->hh.next) {
        int32_t refs = 0;
        for (const struct pipeline *p = core->pipelines; p; p = p->hh.next)
            refs += p->current == v;
        for (const struct run *run = core->runs; run; run = run->hh.next)
            refs += (run->version == v) + (run->of == v);
        const struct run *run;
        DL_FOREACH (core->over, run)
            refs += run->version == v;
        MUST(refs == v->refs);
    }
}

/* Each is held by as many runs as it counts. */
static void check_learned(const struct core *core)
{
    for (const struct learned *l = core->learned; l; l = l->hh.next) {
        int32_t refs = 0;
        for (const struct run *run = core->runs; run; run = run->hh.next)
            refs += run->adopts == l;
        MUST(refs == l->refs);
    }
}

void core_check(const struct core *core)
{
    struct recount n = {0};
    for (const struct run *run = core->runs; run; run = run->hh.next)
        check_run(core, run, &n);
    check_pipelines(core);
    for (const struct worker *w = core->workers; w; w = w->hh.next)
        check_worker(core, w, &n);
    check_lanes(core, &n);
    check_limits(core);
    check_settle(core, &n);
    check_await_keys(core, &n);
    MUST(!core->told || core->restored);
    check_versions(core);
    check_learned(core);
    for (size_t i = 1; i < core->timers.count; i++)
        MUST(core->timers.heap[(i - 1) / 2]->at <= core->timers.heap[i]->at);
    MUST(n.armed == (int64_t)core->timers.count); /* no timer without an owner */
    MUST(n.placed == (int64_t)HASH_COUNT(core->attempts));
    MUST(n.ready == core->ready && n.waiting == core->waiting);
    MUST(n.looking == (int64_t)cache_open_looks(core));
    MUST(n.queued == core->queued_runs && n.live_steps == core->live_steps);
}
