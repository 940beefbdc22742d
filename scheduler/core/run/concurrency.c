#include "scheduler/core/run/concurrency.h"

#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "scheduler/core/run/runs.h"

/* ---- the key ------------------------------------------------------------------------------- */

char *concurrency_key(const struct run_plan *plan, struct err *err)
{
    const struct ir *ir = plan->version->ir;
    if (!ir->concurrency_key)
        return mem_string("");
    const struct cel_var all[] = {
        {"event", plan->event}, {"vars", plan->vars}, {"params", plan->params}};
    struct cel_var seen[ARRAY_LEN(all)];
    struct cel_vars vars = {.items = seen};
    for (size_t i = 0; i < ARRAY_LEN(all); i++)
        if (all[i].value)
            seen[vars.count++] = all[i];
    char *key = template_eval(ir->concurrency_key, &vars, err);
    if (!key)
        err_wrap(err, "concurrency: key");
    return key;
}

/* ---- groups -------------------------------------------------------------------------------- */

static struct concurrency *group_get(struct core *core, struct pipeline *p, const char *key)
{
    struct concurrency *c = NULL;
    HASH_FIND_STR(p->groups, key, c);
    if (c)
        return c;
    c = mem_alloc(sizeof *c);
    core->bytes += (int64_t)sizeof *c;
    c->pipeline = p;
    c->key = mem_string(key);
    HASH_ADD_KEYPTR(hh, p->groups, c->key, strlen(c->key), c);
    return c;
}

static void due(struct core *core, struct concurrency *c)
{
    if (c->due || !c->queued)
        return;
    c->due = true;
    DL_APPEND2(core->due_groups, c, due_prev, due_next);
}

static void not_due(struct core *core, struct concurrency *c)
{
    if (c->due)
        DL_DELETE2(core->due_groups, c, due_prev, due_next);
    c->due = false;
}

static void group_free(struct core *core, struct concurrency *c)
{
    not_due(core, c);
    HASH_DEL(c->pipeline->groups, c);
    core->bytes -= (int64_t)sizeof *c;
    free(c->key);
    free(c);
}

void concurrency_free(struct core *core, struct pipeline *p)
{
    struct concurrency *c, *next;
    HASH_ITER (hh, p->groups, c, next)
        group_free(core, c);
}

/* At once how many may go on, by the version that counts now. */
static int64_t concurrency_limit(const struct concurrency *c, const struct run *run)
{
    const struct version *current = c->pipeline->current;
    const struct ir *ir = current && current->ir ? current->ir : run->version->ir;
    return ir->concurrency != IR_CONCURRENCY_NONE ? ir->concurrency_limit : INT64_MAX;
}

static enum ir_concurrency_policy policy_of(const struct run *run)
{
    return run->version->ir->concurrency; /* a run without its IR is not looked at */
}

/* ---- who is in it -------------------------------------------------------------------------- */

static bool is_older(const struct run *a, const struct run *b)
{
    if (a->created_us != b->created_us)
        return a->created_us < b->created_us;
    return uuid_compare(&a->id, &b->id) < 0;
}

/* Runs come in the order of their creation, so the place is nearly always the tail. */
static void add_by_age(struct run **list, struct run *run)
{
    struct run *head = *list, *after = head ? head->prev : NULL;
    while (after && is_older(run, after))
        after = after == head ? NULL : after->prev;
    if (after)
        DL_APPEND_ELEM(*list, after, run);
    else
        DL_PREPEND(*list, run);
}

static void add_running(struct concurrency *c, struct run *run)
{
    run->among = c;
    c->going++;
    c->running_count++;
    add_by_age(&c->running, run);
}

static void add_queued(struct core *core, struct concurrency *c, struct run *run, int64_t gone_us,
                       const struct core_now *now)
{
    const int64_t length = run->version->ir ? run->version->ir->queue_timeout_us : 0;
    run->among = c;
    c->queued_count++;
    core->queued_runs++;
    add_by_age(&c->queued, run);
    if (length > 0)
        timers_set(&core->timers, &run->timeout, TIMER_QUEUED,
                   now->mono_us + (gone_us > length ? 0 : length - gone_us));
    if (plant_on(PLANT_QUEUED_FOR_EVER_AFTER_TAKEOVER) && length > 0 && gone_us > 0)
        timers_set(&core->timers, &run->timeout, TIMER_QUEUED, now->mono_us + length * 1000);
    due(core, c);
}

static void take_out_queued(struct core *core, struct run *run)
{
    struct concurrency *c = run->among;
    DL_DELETE(c->queued, run);
    c->queued_count--;
    core->queued_runs--;
    timers_clear(&core->timers, &run->timeout);
    run->among = NULL;
}

bool concurrency_arrive(struct core *core, struct run *run, const struct core_now *now, char **why)
{
    struct concurrency *c = group_get(core, run->pipeline, run->key);
    const int64_t limit = concurrency_limit(c, run);
    if (c->going + c->queued_count < limit) {
        add_running(c, run);
        return true;
    }
    if (policy_of(run) == IR_CONCURRENCY_SKIP && !plant_on(PLANT_SKIP_AS_QUEUE)) {
        *why = mem_printf("%lld of %lld runs of its concurrency group go on or wait",
                          (long long)(c->going + c->queued_count), (long long)limit);
        return false;
    }
    machine_move(&MACHINE_RUN, &run->state, RUN_QUEUED);
    add_queued(core, c, run, 0, now);
    return false;
}

void concurrency_recall(struct core *core, struct run *run, const struct core_now *now)
{
    const int64_t gone = now->wall_us > run->created_us ? now->wall_us - run->created_us : 0;
    struct concurrency *c = group_get(core, run->pipeline, run->key);
    if (run->state == RUN_QUEUED) {
        add_queued(core, c, run, gone, now);
        return;
    }
    add_running(c, run);
    if (run->state == RUN_CANCELLING)
        concurrency_stops(run);
}

void concurrency_stops(struct run *run)
{
    struct concurrency *c = run->among;
    run->stands_aside = true;
    DL_DELETE(c->running, run);
    c->running_count--;
    if (plant_on(PLANT_GROUP_LEFT_AT_THE_CANCEL))
        c->going--;
}

void concurrency_leave(struct core *core, struct run *run)
{
    struct concurrency *c = run->among;
    if (!c)
        return;
    if (run->state == RUN_QUEUED) {
        take_out_queued(core, run);
    } else {
        if (!run->stands_aside)
            concurrency_stops(run);
        if (!plant_on(PLANT_GROUP_LEFT_AT_THE_CANCEL))
            c->going--;
        run->among = NULL;
    }
    if (c->going == 0 && !c->queued)
        group_free(core, c);
    else
        due(core, c);
}

/* ---- what is due --------------------------------------------------------------------------- */

void concurrency_changed(struct core *core, struct pipeline *p)
{
    for (struct concurrency *c = p->groups; c; c = c->hh.next)
        due(core, c);
}

/* Does the newest that waits want older ones out of its way? It follows from the rows alone, so a
 * takeover goes on with it. */
static bool is_in_the_way(const struct concurrency *c, const struct run *newest)
{
    switch (policy_of(newest)) {
    case IR_CONCURRENCY_LATEST_ONLY:
        return c->queued_count > 1 && !plant_on(PLANT_LATEST_ONLY_AS_QUEUE);
    case IR_CONCURRENCY_CANCEL_RUNNING:
        return !plant_on(PLANT_CANCEL_RUNNING_AS_QUEUE) &&
               c->running_count + c->queued_count > concurrency_limit(c, newest);
    default:
        return false;
    }
}

bool concurrency_rests(const struct concurrency *c)
{
    return !c->queued ||
           (!is_in_the_way(c, c->queued->prev) && c->going >= concurrency_limit(c, c->queued));
}

static void make_way(struct core *core, struct concurrency *c, const struct run *newest,
                     const struct core_now *now, struct batch *out)
{
    cleanup_free char *reason = mem_printf("run %s of its concurrency group came", newest->name);
    if (policy_of(newest) == IR_CONCURRENCY_CANCEL_RUNNING && c->running)
        run_cancel(core, plant_on(PLANT_CANCEL_RUNNING_THE_NEWEST) ? c->running->prev : c->running,
                   reason, false, now, out);
    else
        run_end(core, c->queued, RUN_SKIPPED, reason, now, out);
}

static void begin_oldest(struct core *core, struct concurrency *c, const struct core_now *now,
                         struct batch *out)
{
    struct run *run = c->queued;
    take_out_queued(core, run);
    add_running(c, run);
    run_begin_queued(core, run, now, out);
}

bool concurrency_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct concurrency *c = core->due_groups;
    if (!c)
        return false;
    if (concurrency_rests(c))
        not_due(core, c);
    else if (is_in_the_way(c, c->queued->prev))
        make_way(core, c, c->queued->prev, now, out);
    else
        begin_oldest(core, c, now, out);
    return true;
}

void concurrency_wait_due(struct core *core, struct run *run, const struct core_now *now,
                          struct batch *out)
{
    cleanup_free char *length = run_duration_text(run->version->ir->queue_timeout_us);
    cleanup_free char *reason = mem_printf("queued for longer than %s", length);
    run_end(core, run, RUN_FAILED, reason, now, out);
}
