/* Steps that start a run of another pipeline. The run, the row that ties it to its step and what
 * the step comes to by it are one transaction each time: while the step runs its run is live. */
#include <assert.h>
#include <string.h>
#include <utlist.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/plant.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "scheduler/core/wait/awaits.h"
#include "scheduler/core/place/backoff.h"
#include "scheduler/core/catalog.h"
#include "scheduler/core/dag/collect.h"
#include "scheduler/core/run/concurrency.h"
#include "scheduler/core/dag/frames.h"
#include "scheduler/core/place/order.h"
#include "scheduler/core/run/runs.h"
#include "scheduler/core/dag/steps.h"

/* The same whoever makes it, and of the same week as its parent's. */
static struct uuid child_id(const struct await *a)
{
    const struct run *parent = ref_run(a->at);
    char id[UUID_TEXT];
    uint8_t digest[SHA256_BYTES];
    uuid_format(&parent->id, id);
    cleanup_free char *name = mem_printf("start|%s|%d|%d|%d", id, (int)ref_index(a->at),
                                         (int)ref_iteration(a->at), ref_step(a->at)->attempt);
    sha256(name, strlen(name), digest);
    return uuid_v7(parent->created_us / US_PER_MS, digest);
}

/* ---- what the run is made of --------------------------------------------------------------- */

/* A run that waits for one of its own concurrency group would wait for itself. */
static int check_circle(const struct await *a, const struct run_plan *plan, struct err *err)
{
    const enum ir_concurrency_policy policy = plan->version->ir->concurrency;
    if (!a->def->start->wait || policy == IR_CONCURRENCY_NONE || policy == IR_CONCURRENCY_SKIP)
        return 0;
    cleanup_free char *key = concurrency_key(plan, err);
    if (!key)
        return err->code;
    for (const struct run *run = ref_run(a->at); run;
         run = run->starter ? ref_run(run->starter->at) : NULL)
        if (run->pipeline == plan->pipeline && strcmp(run->key, key) == 0)
            return err_set(err, LEAT_EREFUSED,
                           "a run of %s waits for this one, and its concurrency would let the new "
                           "one wait for that: say wait: false",
                           plan->pipeline->name);
    return 0;
}

static int pipeline_wanted(struct core *core, const struct await *a, struct pipeline **out,
                           struct err *err)
{
    const char *name = a->def->start->pipeline;
    struct pipeline *p = pipeline_find(core, name);
    *out = p;
    if (!p || !p->current)
        return err_set(err, LEAT_EREFUSED, "there is no pipeline %s", name);
    if (p->deleted)
        return err_set(err, LEAT_EREFUSED, "pipeline %s was deleted", name);
    if (p->paused)
        return err_set(err, LEAT_EREFUSED, "pipeline %s is paused", name);
    if (!p->current->ir)
        return err_set(err, LEAT_EREFUSED, "%s", p->current->broken);
    if (!runs_for_steps(core)) {
        core->counted.runs_refused++;
        return err_set(err, LEAT_EBUSY, "%lld runs are live or queued: steps start no more now",
                       (long long)runs_count(core));
    }
    if (ref_run(a->at)->depth >= IR_START_DEPTH_MAX)
        return err_set(err, LEAT_ELIMIT, "runs may start one another %d deep, and this one is",
                       IR_START_DEPTH_MAX);
    return 0;
}

static json_t *value_of(const struct await *a, const struct template *t, struct err *err)
{
    struct view view;
    view_open(&view, a->at, order_sees_template(t), NULL);
    json_t *value = template_eval_json(t, &view.vars, err);
    view_close(&view);
    return value;
}

static json_t *params_of(const struct await *a, const struct ir *ir, struct err *err)
{
    const struct ir_start *def = a->def->start;
    cleanup_json json_t *given = json_object();
    for (size_t i = 0; i < def->param_count; i++) {
        json_t *value = value_of(a, def->params[i].value, err);
        if (!value) {
            err_wrap(err, "params.%s", def->params[i].name);
            return NULL;
        }
        json_object_set_new(given, def->params[i].name, value);
    }
    return ir_params(ir, given, true, err);
}

static int name_of(const struct await *a, char **name, struct err *err)
{
    const struct template *t = a->def->start->name;
    struct view view;
    if (!t)
        return 0;
    view_open(&view, a->at, order_sees_template(t), NULL);
    *name = template_eval(t, &view.vars, err);
    view_close(&view);
    return *name ? 0 : err_wrap(err, "name");
}

/* ---- the end of a try ---------------------------------------------------------------------- */

static void forget_end(struct core *core, struct await *a)
{
    if (a->told)
        DL_DELETE2(core->told, a, told_prev, told_next);
    a->told = false;
    free(TAKE(a->why));
    json_decref(TAKE(a->outputs));
}

void start_forget(struct core *core, struct await *a)
{
    forget_end(core, a);
    if (a->child)
        a->child->starter = NULL;
}

static int64_t wait_for_retry(struct core *core, const struct await *a)
{
    const struct ir_retry *retry = &a->def->retry;
    const struct backoff policy = {(uint32_t)retry->max_attempts, retry->first_us, retry->cap_us,
                                   retry->factor};
    if (!(a->late ? retry->on_timed_out : retry->on_failed))
        return -1;
    return backoff_wait_us(&policy, (uint32_t)ref_step(a->at)->attempt + 1, core_random01(core));
}

/* `outputs`: what is known of its run. */
static void try_failed(struct core *core, struct await *a, json_t *outputs, const char *reason,
                       const struct core_now *now, struct batch *out)
{
    const int64_t wait = wait_for_retry(core, a);
    struct step *s = ref_step(a->at);
    if (wait < 0) {
        await_end(core, a, STEP_FAILED, outputs, reason, now, out);
        return;
    }
    char *why = mem_printf("tried again after attempt %d: %.600s", s->attempt, reason);
    forget_end(core, a);
    a->late = false;
    a->since_us = now->wall_us;
    a->due_us = wait > 0 ? wait : 1;
    if (s->state != STEP_WAITING) {
        machine_move(&MACHINE_STEP, &s->state, STEP_WAITING);
        core->waiting++;
    }
    await_set_reason(core, a, why);
    timers_set(&core->timers, &a->timer, TIMER_AWAIT, now->mono_us + a->due_us);
}

/* ---- a try --------------------------------------------------------------------------------- */

static void write_start(const struct await *a, const struct run_plan *plan,
                        const struct core_now *now, struct batch *out)
{
    struct batch_start *row = batch_add_starts(out);
    *row = (struct batch_start){.child = plan->id,
                                .parent = ref_run(a->at)->id,
                                .step = ref_index(a->at),
                                .iteration = ref_iteration(a->at),
                                .attempt = ref_step(a->at)->attempt,
                                .depth = plan->depth,
                                .at_us = now->wall_us};
}

static void wait_for(struct core *core, struct await *a, const struct run_plan *plan,
                     const struct core_now *now)
{
    struct step *s = ref_step(a->at);
    char id[UUID_TEXT];
    uuid_format(&plan->id, id);
    if (s->state == STEP_WAITING)
        core->waiting--;
    machine_move(&MACHINE_STEP, &s->state, STEP_RUNNING);
    a->since_us = now->wall_us;
    a->due_us = a->def->timeout_us;
    await_set_reason(core, a, mem_printf("run %s of %s", id, plan->pipeline->name));
    if (a->due_us > 0)
        timers_set(&core->timers, &a->timer, TIMER_AWAIT, now->mono_us + a->due_us);
}

static void make(struct core *core, struct await *a, struct run_plan *plan,
                 const struct core_now *now, struct batch *out)
{
    char id[UUID_TEXT];
    write_start(a, plan, now, out);
    if (a->def->start->wait) {
        wait_for(core, a, plan, now);
        plan->starter = a;
        run_make(core, plan, now, out); /* it may be over already */
        return;
    }
    run_make(core, plan, now, out);
    uuid_format(&plan->id, id);
    json_t *outputs = json_pack("{s:s}", "run", id);
    await_end(core, a, STEP_SUCCEEDED, outputs, NULL, now, out);
    json_decref(outputs);
}

void start_begin(struct core *core, struct await *a, const struct core_now *now, struct batch *out)
{
    struct err err = {0};
    struct pipeline *p = NULL;
    cleanup_json json_t *params = NULL;
    cleanup_json json_t *none = json_object();
    cleanup_free char *name = NULL;
    ref_step(a->at)->attempt++;
    a->started_us = now->wall_us;
    int rc = pipeline_wanted(core, a, &p, &err);
    if (rc == 0) {
        params = params_of(a, p->current->ir, &err);
        rc = params ? name_of(a, &name, &err) : err.code;
    }
    struct run_plan plan = {.id = child_id(a),
                            .pipeline = p,
                            .version = p ? p->current : NULL,
                            .name = name,
                            .params = params,
                            .vars = none,
                            .depth = ref_run(a->at)->depth + 1};
    if (rc == 0)
        rc = check_circle(a, &plan, &err);
    if (rc == 0 && run_find(core, &plan.id))
        rc = err_set(&err, LEAT_EREFUSED, "there is such a run already");
    if (rc < 0)
        try_failed(core, a, NULL, err.text, now, out);
    else
        make(core, a, &plan, now, out);
}

/* ---- its end ------------------------------------------------------------------------------- */

static bool type_fits(enum ir_type want, const struct ir_output *have)
{
    if (have->list > 0 || want == IR_JSON)
        return want == IR_JSON && have->type != IR_ARTIFACT;
    return have->type == want || (want == IR_NUMBER && have->type == IR_INTEGER);
}

static const struct ir_output *given_by(const struct ir *ir, const char *name)
{
    for (size_t i = 0; i < ir->root.output_count; i++)
        if (strcmp(ir->root.outputs[i].name, name) == 0)
            return ir_output_find(&ir->steps[ir->root.outputs[i].step], ir->root.outputs[i].output);
    return NULL;
}

static int take_output(const struct ir *ir, const struct ir_output *want, const json_t *all,
                       json_t *to, struct err *err)
{
    const struct ir_output *have = given_by(ir, want->name);
    json_t *value = json_object_get(all, want->name);
    if (have && !type_fits(want->type, have))
        return err_set(err, LEAT_EINPUT, "output %s is a%s %s there, and not a %s", want->name,
                       have->list ? " list of" : "", ir_type_name(have->type),
                       ir_type_name(want->type));
    if (!value && !want->optional)
        return err_set(err, LEAT_EINPUT, "it gave no output %s", want->name);
    if (value)
        json_object_set(to, want->name, value);
    return 0;
}

/* The declared ones, from what the run gives. */
static int take_outputs(const struct await *a, const struct run *child, json_t *to, struct err *err)
{
    cleanup_json json_t *all = collect_dag(&child->root);
    for (size_t i = 0; i < a->def->output_count && !plant_on(PLANT_STARTED_OUTPUT_FORGOTTEN); i++) {
        const struct ir_output *want = &a->def->outputs[i];
        if (!json_object_get(to, want->name) &&
            take_output(child->version->ir, want, all, to, err) < 0)
            return err->code;
    }
    return 0;
}

static void tell(struct core *core, struct await *a)
{
    timers_clear(&core->timers, &a->timer);
    a->child = NULL;
    a->told = true;
    DL_APPEND2(core->told, a, told_prev, told_next);
}

void start_child_over(struct core *core, struct run *child, int state)
{
    static const char *const WORDS[] = {
        [RUN_FAILED] = "failed", [RUN_CANCELLED] = "was cancelled", [RUN_SKIPPED] = "was skipped"};
    struct await *a = TAKE(child->starter);
    struct err err = {0};
    if (plant_on(PLANT_PARENT_NOT_TOLD)) {
        a->child = NULL;
        return;
    }
    char id[UUID_TEXT];
    uuid_format(&child->id, id);
    a->ended = state;
    a->outputs =
        json_pack("{s:s, s:s}", "run", id, "state", machine_state_name(&MACHINE_RUN, state));
    if (state != RUN_SUCCEEDED)
        a->why = mem_printf("run %s %s%s%.500s", id, WORDS[state], child->reason ? ": " : "",
                            child->reason ? child->reason : "");
    else if (take_outputs(a, child, a->outputs, &err) < 0)
        a->why = mem_printf("run %s: %s", id, err.text);
    tell(core, a);
}

/* The order of commits decides: a run that succeeded before the cancel lets its step succeed. */
static void hear(struct core *core, struct await *a, const struct core_now *now, struct batch *out)
{
    cleanup_json json_t *outputs = json_incref(a->outputs);
    cleanup_free char *why = a->why ? mem_string(a->why) : NULL;
    if (a->ended == RUN_SUCCEEDED && !why)
        await_end(core, a, STEP_SUCCEEDED, outputs, NULL, now, out);
    else if (frame_stops(a->at))
        await_end(core, a, STEP_CANCELLED, outputs, why, now, out);
    else if (a->late)
        try_failed(core, a, outputs, a->reason, now, out);
    else if (a->ended == RUN_SKIPPED)
        await_end(core, a, STEP_SKIPPED, outputs, why, now, out);
    else
        try_failed(core, a, outputs, why, now, out);
}

bool starts_hear_one(struct core *core, const struct core_now *now, struct batch *out)
{
    struct await *a = core->told;
    if (!a)
        return false;
    DL_DELETE2(core->told, a, told_prev, told_next);
    a->told = false;
    hear(core, a, now, out);
    return true;
}

/* ---- stopping ------------------------------------------------------------------------------ */

/* The run's reason must not begin as that of a run whose own time was up: it ends cancelled. */
static void cancel_child(struct core *core, struct await *a, char *reason,
                         const struct core_now *now, struct batch *out)
{
    struct run *child = a->child;
    char id[UUID_TEXT];
    assert(child); /* that it is over is heard before anything is due or swept */
    uuid_format(&ref_run(a->at)->id, id);
    cleanup_free char *why = mem_printf("cancelled with step %s of run %s%s%s", a->def->name, id,
                                        a->late ? ", which " : "", a->late ? reason : "");
    machine_move(&MACHINE_STEP, &ref_step(a->at)->state, STEP_CANCELLING);
    timers_clear(&core->timers, &a->timer);
    a->since_us = now->wall_us;
    await_set_reason(core, a, reason);
    run_cancel(core, child, why, false, now, out);
}

void start_stop(struct core *core, struct await *a, const struct core_now *now, struct batch *out)
{
    if (plant_on(PLANT_CHILD_NOT_CANCELLED) && a->child) {
        TAKE(a->child)->starter = NULL;
        await_end(core, a, STEP_CANCELLED, NULL, NULL, now, out);
        return;
    }
    if (ref_step(a->at)->state == STEP_WAITING) {
        await_end(core, a, STEP_CANCELLED, NULL, NULL, now, out);
        return;
    }
    if (ref_step(a->at)->state == STEP_CANCELLING)
        return; /* it ends by itself */
    cancel_child(core, a, mem_string("its run is being cancelled"), now, out);
}

void start_timer_due(struct core *core, struct await *a, const struct core_now *now,
                     struct batch *out)
{
    if (ref_step(a->at)->state == STEP_WAITING) {
        start_begin(core, a, now, out);
        return;
    }
    cleanup_free char *length = run_duration_text(a->def->timeout_us);
    a->late = true;
    cancel_child(core, a, mem_printf(RUN_TIMED_OUT " %s", length), now, out);
}

/* ---- after a takeover ---------------------------------------------------------------------- */

void start_recall(struct core *core, struct await *a)
{
    a->ended = -1;
    a->why = mem_string("its run is not in the database");
    a->late =
        ref_step(a->at)->state == STEP_CANCELLING && text_starts_with(a->reason, RUN_TIMED_OUT);
    a->told = true;
    DL_APPEND2(core->told, a, told_prev, told_next);
}

void start_relink(struct core *core, struct run *child, struct await *a)
{
    forget_end(core, a);
    a->child = child;
    child->starter = a;
}
