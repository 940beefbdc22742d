#include "scheduler/core/run/runs.h"

#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/utf8.h"
#include "scheduler/core/run/adopt.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/run/concurrency.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/run/learned.h"

#define NAME_MAX_BYTES 256

int64_t runs_count(const struct core *core)
{
    return HASH_COUNT(core->runs);
}

bool runs_for_steps(const struct core *core)
{
    return runs_count(core) < 2 * core->config.most_runs;
}

struct run *run_find(struct core *core, const struct uuid *id)
{
    struct run *run = NULL;
    HASH_FIND(hh, core->runs, id, sizeof *id, run);
    return run;
}

int run_over_state(const struct core *core, const struct uuid *id)
{
    const struct learned *over = learned_find((struct core *)(uintptr_t)core, id);
    const struct run *ended;
    if (over)
        return over->state;
    DL_FOREACH (core->over, ended) /* the database does not know yet */
        if (uuid_compare(&ended->id, id) == 0)
            return ended->state;
    return -1;
}

/* ---- how it repeats another ---------------------------------------------------------------- */

static const char *const AGAIN[] = {
#define A(id, name) name,
    AGAIN_LIST(A)
#undef A
};

const char *again_name(uint8_t again)
{
    return AGAIN[again];
}

uint8_t again_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(AGAIN); i++)
        if (strcmp(AGAIN[i], name) == 0)
            return (uint8_t)i;
    return AGAIN_RETRY;
}

/* ---- rows ---------------------------------------------------------------------------------- */

/* The one move row of this run in this batch. */
static struct batch_run_move *move_row(struct core *core, struct run *run, struct batch *out)
{
    if (run->move_turn != core->turn) {
        run->move_turn = core->turn;
        run->move_at = out->run_moves_count;
        batch_add_run_moves(out)->id = run->id;
    }
    struct batch_run_move *row = &out->run_moves[run->move_at];
    row->state = run->state;
    row->reason = batch_text(out, run->reason ? run->reason : "");
    row->started_us = run->started_us;
    row->cancelled_us = run->cancelled_us;
    return row;
}

static void set_reason(struct run *run, const char *reason)
{
    char *copy = mem_string(reason); /* `reason` may be the one that is there */
    free(run->reason);
    run->reason = copy;
}

static void write_birth(const struct run *run, struct batch *out)
{
    struct batch_run *row = batch_add_runs(out);
    *row = (struct batch_run){
        .id = run->id,
        .pipeline = batch_text(out, run->pipeline->name),
        .version = batch_text(out, run->version->hash),
        .name = batch_text(out, run->name),
        .number = run->number,
        .experiment = batch_text(out, run->experiment),
        .state = run->state,
        .reason = "",
        .trigger = batch_text(out, run->trigger),
        .event = run->event_id,
        .params = run->params ? batch_json(out, run->params) : "{}",
        .vars = batch_json(out, run->vars),
        .retry_of = run->retry_of,
        .retry_from = batch_text(out, run->retry_from ? run->retry_from : ""),
        .concurrency_key = batch_text(out, run->key),
        .again = again_name(run->again),
        .no_cache = run->no_cache,
        .created_us = run->created_us,
        .started_us = run->started_us,
    };
}

/* ---- the end ------------------------------------------------------------------------------- */

void run_end(struct core *core, struct run *run, int state, const char *reason,
             const struct core_now *now, struct batch *out)
{
    concurrency_leave(core, run);
    if (reason)
        set_reason(run, reason);
    machine_move(&MACHINE_RUN, &run->state, state);
    move_row(core, run, out)->finished_us = now->wall_us;
    timers_clear(&core->timers, &run->timeout);
    frame_let_go(core, &run->root);
    adopt_forget(core, run);
    if (run->starter)
        start_child_over(core, run, state);
    HASH_DEL(core->runs, run);
    run->over = true;
    DL_APPEND(core->over, run);
}

void run_root_over(struct core *core, struct run *run, const struct core_now *now,
                   struct batch *out)
{
    if (run->state == RUN_CANCELLING)
        run_end(core, run, run->doomed ? RUN_FAILED : RUN_CANCELLED, NULL, now, out);
    else
        run_end(core, run, run->root.failed ? RUN_FAILED : RUN_SUCCEEDED, NULL, now, out);
}

/* ---- the beginning ------------------------------------------------------------------------- */

void run_steps_new(struct core *core, struct run *run)
{
    frame_init(core, &run->root, run, &run->version->ir->root);
}

void run_arm_timeout(struct core *core, struct run *run, int64_t gone_us,
                     const struct core_now *now)
{
    int64_t length = run->version->ir->timeout_us;
    if (length <= 0)
        return;
    int64_t gone = gone_us > length ? length : gone_us;
    timers_set(&core->timers, &run->timeout, TIMER_RUN_TIMEOUT, now->mono_us + length - gone);
}

static void run_begin(struct core *core, struct run *run, const struct core_now *now)
{
    machine_move(&MACHINE_RUN, &run->state, RUN_RUNNING);
    run->started_us = now->wall_us;
    if (!run->root.steps)
        run_steps_new(core, run);
    run_arm_timeout(core, run, 0, now);
    frame_begin(core, &run->root);
}

void run_begin_queued(struct core *core, struct run *run, const struct core_now *now,
                      struct batch *out)
{
    run_begin(core, run, now);
    move_row(core, run, out);
    frame_advance(core, &run->root, now, out);
}

/* Cut, so that a long object key does not fail the run that it names. */
static char *name_within_limit(const char *name)
{
    return mem_bytes(name, utf8_cut(name, NAME_MAX_BYTES));
}

/* Takes `key` over. */
static struct run *run_new(struct core *core, const struct run_plan *plan, char *key,
                           const struct core_now *now)
{
    const struct ir *ir = plan->version->ir;
    struct run *run = mem_alloc(sizeof *run);
    run->id = plan->id;
    run->pipeline = plan->pipeline;
    run->pipeline->runs++;
    run->version = plan->version;
    run->version->refs++;
    run->number = pipeline_take_number(core, plan->pipeline);
    run->move_turn = -1;
    run->root.run = run;
    run->next_frame = 1;
    run->name = plan->name && *plan->name
                    ? name_within_limit(plan->name)
                    : mem_printf("%s-%lld", plan->pipeline->name, (long long)run->number);
    const char *experiment = plan->experiment;
    if (!experiment || !*experiment)
        experiment = ir->experiment ? ir->experiment : plan->pipeline->name;
    run->experiment = mem_string(experiment);
    run->no_cache = plan->no_cache;
    run->trigger = mem_string(plan->trigger ? plan->trigger : "");
    run->params = json_incref(plan->params);
    run->vars = json_incref(plan->vars);
    run->event = json_incref(plan->event);
    run->event_id = plan->event_id;
    run->retry_of = plan->retry_of;
    run->again = plan->again;
    run->retry_from = plan->retry_from ? mem_string(plan->retry_from) : NULL;
    run->key = key;
    run->created_us = now->wall_us;
    run->depth = plan->depth;
    run->starter = plan->starter;
    if (run->starter)
        run->starter->child = run;
    core->bytes += (int64_t)sizeof *run;
    HASH_ADD(hh, core->runs, id, sizeof run->id, run);
    return run;
}

/* False: it has to be skipped, and `why` (malloc'd) says so. */
static bool run_queue_or_begin(struct core *core, struct run *run, const struct core_now *now,
                               char **why)
{
    *why = NULL;
    if (concurrency_arrive(core, run, now, why))
        run_begin(core, run, now);
    return *why == NULL;
}

void run_take_turn(struct core *core, struct run *run, const struct core_now *now,
                   struct batch *out)
{
    cleanup_free char *why = NULL;
    if (!run_queue_or_begin(core, run, now, &why)) {
        run_end(core, run, RUN_SKIPPED, why, now, out);
        return;
    }
    move_row(core, run, out);
    frame_advance(core, &run->root, now, out);
}

const struct run *run_make(struct core *core, const struct run_plan *plan,
                           const struct core_now *now, struct batch *out)
{
    struct err err = {0};
    char *key = plan->failure ? mem_string("") : concurrency_key(plan, &err);
    const char *failure = key ? plan->failure : err.text;
    struct run *run = run_new(core, plan, key ? key : mem_string(""), now);
    cleanup_free char *why = NULL;
    bool stillborn = failure || plan->cancelled;
    if (!stillborn && plan->adopts) {
        run_steps_new(core, run);
        adopt_begin(core, run, plan->adopts);
    } else if (!stillborn) {
        run_queue_or_begin(core, run, now, &why);
    }
    write_birth(run, out);
    if (failure)
        run_end(core, run, RUN_FAILED, failure, now, out);
    else if (plan->cancelled)
        run_end(core, run, RUN_CANCELLED, "cancelled before it came", now, out);
    else if (why)
        run_end(core, run, RUN_SKIPPED, why, now, out);
    return run;
}

/* ---- cancel -------------------------------------------------------------------------------- */

void run_cancel(struct core *core, struct run *run, const char *reason, bool doomed,
                const struct core_now *now, struct batch *out)
{
    if (run->state == RUN_CANCELLING)
        return; /* the first to ask decides how it ends */
    run->cancelled_us = now->wall_us;
    if (run->state == RUN_PENDING || run->state == RUN_QUEUED) {
        run_end(core, run, doomed ? RUN_FAILED : RUN_CANCELLED, reason, now, out);
        return;
    }
    run->doomed = doomed;
    set_reason(run, reason);
    concurrency_stops(run);
    machine_move(&MACHINE_RUN, &run->state, RUN_CANCELLING);
    move_row(core, run, out);
    timers_clear(&core->timers, &run->timeout);
    frame_stop(core, &run->root, doomed ? STOP_FAILED : STOP_CANCELLED, NULL);
}

char *run_duration_text(int64_t us)
{
    if (us % US_PER_S == 0 && us / US_PER_S < 600)
        return mem_printf("%lld s", (long long)(us / US_PER_S));
    return us < 600 * US_PER_S ? mem_printf("%.3g s", (double)us / US_PER_S)
                               : mem_printf("%lld min", (long long)(us / US_PER_S / 60));
}

void run_timeout_due(struct core *core, struct run *run, const struct core_now *now,
                     struct batch *out)
{
    cleanup_free char *length = run_duration_text(run->version->ir->timeout_us);
    cleanup_free char *reason = mem_printf(RUN_TIMED_OUT " %s", length);
    run_cancel(core, run, reason, true, now, out);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void run_free(struct core *core, struct run *run)
{
    frame_clear(core, &run->root);
    core->bytes -= (int64_t)sizeof *run;
    timers_clear(&core->timers, &run->timeout);
    if (run->starter)
        run->starter->child = NULL;
    free(run->keys);
    json_decref(run->params);
    json_decref(run->vars);
    json_decref(run->event);
    json_decref(run->self);
    version_unref(core, run->version);
    run->pipeline->runs--;
    core->sweep_catalog |= run->pipeline->deleted;
    free(run->name);
    free(run->experiment);
    free(run->trigger);
    free(run->reason);
    free(run->key);
    free(run->retry_from);
    free(run);
}

void runs_free_over(struct core *core)
{
    struct run *run, *next;
    DL_FOREACH_SAFE(core->over, run, next)
    if (run->root.pins == 0 && run->frames == 0) {
        DL_DELETE(core->over, run);
        run_free(core, run);
    }
}

void runs_free_all(struct core *core)
{
    struct run *run, *next;
    HASH_ITER (hh, core->runs, run, next) {
        adopt_forget(core, run);
        HASH_DEL(core->runs, run);
        run_free(core, run);
    }
    DL_FOREACH_SAFE(core->over, run, next)
    {
        DL_DELETE(core->over, run);
        run_free(core, run);
    }
}
