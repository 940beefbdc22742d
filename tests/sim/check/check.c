#include "tests/sim/check/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"
#include "schema/gen/messages.h"
#include "tests/sim/check/starts.h"
#include "tests/sim/outside/outside.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/reference/reference.h"
#include "tests/sim/scheduler.h"
#include "tests/sim/worker/worker.h"

/* From the question to the commit of what it was answered. */
#define CACHE_SLACK (15 * SEC)
#define SHORT(id)   uuid_short(&(id), (char[UUID_TEXT]){0})

/* ---- the ledger ------------------------------------------------------------------------------ */

struct ledger *ledger_new(void)
{
    return mem_alloc(sizeof(struct ledger));
}

void ledger_free(struct ledger *ledger)
{
    struct effect *effect, *next_effect;
    struct placing *placing, *next_placing;
    HASH_ITER (hh, ledger->effects, effect, next_effect) {
        HASH_DEL(ledger->effects, effect);
        free(effect);
    }
    HASH_ITER (hh, ledger->placings, placing, next_placing) {
        HASH_DEL(ledger->placings, placing);
        free(placing);
    }
    free(ledger);
}

int ledger_executions(const struct ledger *ledger, const struct row_key *key)
{
    int executions = 0;
    for (const struct effect *e = ledger->effects; e; e = e->hh.next)
        if (memcmp(&e->key, key, sizeof *key) == 0)
            executions += e->executions;
    return executions;
}

struct effect *ledger_find(const struct ledger *ledger, const struct uuid *attempt)
{
    struct effect *effect = NULL;
    HASH_FIND(hh, ledger->effects, attempt, sizeof *attempt, effect);
    return effect;
}

struct placing *ledger_placing(const struct ledger *ledger, const struct uuid *attempt)
{
    struct placing *placing = NULL;
    HASH_FIND(hh, ledger->placings, attempt, sizeof *attempt, placing);
    return placing;
}

struct row_key check_order(struct sim *sim, const struct uuid *attempt)
{
    const struct placing *placing = ledger_placing(sim->ledger, attempt);
    if (!placing)
        sim_fail(sim, 4, "an order for attempt %s, which no commit has placed", SHORT(*attempt));
    return placing->key;
}

bool check_timed_out(const char *reason)
{
    return reason && strncmp(reason, "timed out after", 15) == 0;
}

const struct plan_version *check_version_of(struct sim *sim, const struct uuid *run)
{
    const struct row_run *row = database_run(sim->db, run);
    struct plan_pipeline *p = row ? plan_find(sim->plan, row->pipeline) : NULL;
    const struct plan_version *v = p ? plan_version_find(p, row->version) : NULL;
    if (!v)
        sim_fail(sim, 1, "run %s has no pipeline version", SHORT(*run));
    return v;
}

/* One process for each instance of the step, come what may, and only with leave. */
static void check_at_most_once(struct sim *sim, const struct uuid *attempt,
                               const struct row_key *key)
{
    const struct placing *placing = ledger_placing(sim->ledger, attempt);
    if (!placing || !placing->leave)
        sim_fail(sim, 4, "at_most_once: attempt %s starts and no commit has let it",
                 SHORT(*attempt));
    for (const struct effect *e = sim->ledger->effects; e; e = e->hh.next)
        if (memcmp(&e->key, key, sizeof *key) == 0)
            sim_fail(sim, 4, "at_most_once: attempt %s runs after %s", SHORT(*attempt),
                     SHORT(e->attempt));
    sim->counts.leaves++;
}

static struct effect *effect_new(struct sim *sim, const struct uuid *attempt,
                                 const struct row_key *key, int worker)
{
    struct effect *effect = mem_alloc(sizeof *effect);
    *effect = (struct effect){.attempt = *attempt, .key = *key, .worker = worker, .executions = 1};
    HASH_ADD(hh, sim->ledger->effects, attempt, sizeof effect->attempt, effect);
    return effect;
}

struct effect *check_begin(struct sim *sim, const struct uuid *attempt, const struct row_key *key,
                           int worker, const char *size, const char *argument, const char *where)
{
    struct effect *effect = ledger_find(sim->ledger, attempt);
    if (effect)
        sim_fail(sim, 4, "attempt %s is executed twice", SHORT(*attempt));
    for (effect = sim->ledger->effects; effect; effect = effect->hh.next)
        if (effect->running && memcmp(&effect->key, key, sizeof *key) == 0)
            sim_fail(sim, 4, "attempts %s and %s of one step run at once", SHORT(effect->attempt),
                     SHORT(*attempt));
    const struct plan_version *v = check_version_of(sim, &key->run);
    char refers[16], place[64];
    if (v->steps[v->step_at[key->step]].at_most_once)
        check_at_most_once(sim, attempt, key);
    reference_begins(sim, v, key);
    reference_arguments(sim, v, key, refers, place);
    int seen;
    if (!reference_size(sim, v, key, &seen) || seen != strtol(size, NULL, 10))
        sim_fail(sim, 3, "step %s was given size %s", v->steps[v->step_at[key->step]].name, size);
    const size_t len = strcspn(where, ":"); /* the outcome that a finally step sees comes after */
    if (strcmp(refers, argument) != 0 || strlen(place) != len || strncmp(where, place, len) != 0)
        sim_fail(sim, 3, "step %s was given '%s' '%s', what is committed is '%s' '%s'",
                 v->steps[v->step_at[key->step]].name, argument, where, refers, place);
    if (where[len] == ':' && !reference_outcome_fits(sim, v, key, where + len + 1))
        sim_fail(sim, 3, "the finally step %s of run %s is told '%s'",
                 v->steps[v->step_at[key->step]].name, SHORT(key->run), where + len + 1);
    effect = effect_new(sim, attempt, key, worker);
    effect->running = true;
    snprintf(effect->given, sizeof effect->given, "%s|%s|%08x|%s", size, argument,
             reference_list_sum(sim, v, key), where);
    return effect;
}

void check_never_began(struct sim *sim, const struct uuid *attempt, const struct row_key *key)
{
    check_end(effect_new(sim, attempt, key, -1), REPORT_RESULT_OUTCOME_FAILED, 0);
}

void check_end(struct effect *effect, int outcome, int n)
{
    effect->running = false;
    effect->outcome = outcome;
    effect->succeeded = outcome == REPORT_RESULT_OUTCOME_SUCCEEDED;
    effect->n = n;
}

json_t *check_outputs(struct sim *sim, const struct effect *effect)
{
    const struct plan_version *v = check_version_of(sim, &effect->key.run);
    const int step = v->step_at[effect->key.step];
    json_t *all = json_object();
    if (v->steps[step].pin) {
        json_t *manifest = plan_folder(&effect->attempt, effect->n, false);
        json_object_set_new(manifest, "folder", json_false());
        json_object_set_new(all, "manifest", manifest);
        return all;
    }
    if (!effect->without_n)
        json_object_set_new(all, "n", json_integer(effect->n));
    if (v->steps[step].folder && !effect->without_d)
        json_object_set_new(all, "d",
                            plan_folder(&effect->attempt, effect->n, plan_lists(v, step)));
    return all;
}

/* ---- one row --------------------------------------------------------------------------------- */

void check_run_new(struct sim *sim, const struct batch_run *run)
{
    if (database_run(sim->db, &run->id))
        sim_fail(sim, 1, "run %s is made twice", SHORT(run->id));
    check_key(sim, run);
    sim_note(sim, "run %s of %s is made: %s", SHORT(run->id), run->pipeline,
             machine_state_name(&MACHINE_RUN, run->state));
    if (uuid_is_nil(&run->event) || !uuid_is_nil(&run->retry_of))
        return;
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next)
        if (uuid_compare(&other->event, &run->event) == 0 && uuid_is_nil(&other->retry_of) &&
            strcmp(other->pipeline, run->pipeline) == 0 &&
            strcmp(other->trigger, run->trigger) == 0)
            sim_fail(sim, 2, "one event made two runs of %s", run->pipeline);
}

/* A run that never began: what may end it? One that began and failed in one batch (a step that
 * starts a run of a paused pipeline, say) was queued in its last row and says something else. */
static bool check_unbegun_end(struct sim *sim, const struct row_run *run, uint8_t state,
                              const char *reason)
{
    static const char too_long[] = "queued for longer than";
    const struct plan_version *v = check_version_of(sim, &run->id);
    if (state == RUN_SKIPPED)
        check_skipped(sim, run, v);
    else if (state == RUN_FAILED && run->state == RUN_QUEUED && reason &&
             strncmp(reason, too_long, strlen(too_long)) == 0)
        check_queued_too_long(sim, run, v);
    else if (state == RUN_FAILED && run->state == RUN_PENDING && !strstr(run->params, "size"))
        return true; /* what it was to be given could not be worked out */
    else
        return state == RUN_CANCELLED;
    return true;
}

/* A run that ends: each step has its one result, and the run's state follows from them. */
static void check_run_end(struct sim *sim, const struct row_run *run, uint8_t state,
                          const char *reason)
{
    const struct plan_version *v = check_version_of(sim, &run->id);
    bool begun = false;
    for (const struct row_result *row = sim->db->results; row && !begun; row = row->hh.next)
        begun = uuid_compare(&row->key.run, &run->id) == 0;
    if ((run->state == RUN_PENDING || run->state == RUN_QUEUED) &&
        check_unbegun_end(sim, run, state, reason))
        return;
    if (!begun && state == RUN_CANCELLED)
        return; /* cancelled at birth */
    reference_run(sim, v, &run->id, state, reason);
    if (!uuid_is_nil(&run->retry_of))
        reference_repeats(sim, v, run);
}

void check_run_move(struct sim *sim, const struct batch_run_move *move,
                    const struct row_run *before)
{
    if (!before || before->done)
        sim_fail(sim, 7, "a run that is not live is moved to %s",
                 machine_state_name(&MACHINE_RUN, move->state));
    sim_note(sim, "run %s is %s", SHORT(move->id), machine_state_name(&MACHINE_RUN, move->state));
    check_run_time(sim, move, before);
    if (machine_is_terminal(&MACHINE_RUN, move->state))
        check_run_end(sim, before, move->state, move->reason);
}

static void check_new_attempt(struct sim *sim, const struct batch_step *step,
                              const struct row_step *before)
{
    struct row_key key = {step->run, step->step, step->iteration};
    struct placing *placing = ledger_placing(sim->ledger, &step->attempt_id);
    if (placing && memcmp(&placing->key, &key, sizeof key) != 0)
        sim_fail(sim, 4, "attempt %s belongs to two steps", SHORT(step->attempt_id));
    if (placing) {
        placing->leave |= step->leave;
        return;
    }
    if (before && !uuid_is_nil(&before->attempt_id) &&
        !database_attempt(sim->db, &before->attempt_id))
        sim_fail(sim, 4, "attempt %s takes the place of %s, which has not ended",
                 SHORT(step->attempt_id), SHORT(before->attempt_id));
    reference_begins(sim, check_version_of(sim, &key.run), &key);
    placing = mem_alloc(sizeof *placing);
    placing->attempt = step->attempt_id;
    placing->key = key;
    placing->leave = step->leave;
    HASH_ADD(hh, sim->ledger->placings, attempt, sizeof placing->attempt, placing);
}

void check_step(struct sim *sim, const struct batch_step *step, const struct row_step *before)
{
    struct row_key key = {step->run, step->step, step->iteration};
    const struct row_run *run = database_run(sim->db, &step->run);
    const struct row_result *result = database_result(sim->db, &key);
    if (!run || run->done)
        sim_fail(sim, 14, "a step row of a run that is not live");
    if (result)
        sim_fail(sim, 7, "step %d of run %s has a result and is %s", step->step, SHORT(step->run),
                 machine_state_name(&MACHINE_STEP, step->state));
    bool owned =
        step->state == STEP_PLACED || step->state == STEP_RUNNING || step->state == STEP_CANCELLING;
    const struct plan_version *v = check_version_of(sim, &step->run);
    if (v->steps[v->step_at[step->step]].kind != PLAN_RUN) {
        owned = false;
        check_whole_tried(sim, step);
        check_asked(sim, step);
    } else {
        check_counted(sim, step);
    }
    sim_note(sim, "run %s: %s [%d] is %s%s%s%s%s", SHORT(step->run),
             v->steps[v->step_at[step->step]].name, step->iteration,
             machine_state_name(&MACHINE_STEP, step->state), owned ? " as " : "",
             owned ? SHORT(step->attempt_id) : "", step->worker ? " on " : "",
             step->worker ? step->worker : "");
    if (owned && (uuid_is_nil(&step->attempt_id) || !step->worker ||
                  !database_worker(sim->db, step->worker)))
        sim_fail(sim, 14, "step %d of run %s is %s without an owner", step->step, SHORT(step->run),
                 machine_state_name(&MACHINE_STEP, step->state));
    if (step->state == STEP_WAITING && step->due_us <= 0 && !step->limits)
        sim_fail(sim, 14, "step %d of run %s waits without a deadline", step->step,
                 SHORT(step->run));
    if (before)
        check_step_time(sim, step, before);
    check_finally_step(sim, step, before);
    if (owned)
        check_new_attempt(sim, step, before);
    else if (!before && plan_waits(&v->steps[v->step_at[step->step]]))
        reference_begins(sim, v, &key);
}

/* Iterations belong to one try of one group. */
void check_group_new(struct sim *sim, const struct batch_group *group)
{
    const struct row_run *run = database_run(sim->db, &group->run);
    if (!run || run->done)
        sim_fail(sim, 7, "a group of a run that is not live begins");
    for (const struct row_group *other = sim->db->groups; other; other = other->hh.next)
        if (uuid_compare(&other->key.at.run, &group->run) == 0 &&
            group->first < other->first + other->count &&
            other->first < group->first + group->count)
            sim_fail(sim, 3, "two groups of run %s share iterations", SHORT(group->run));
}

static void check_not_running(struct sim *sim, const struct uuid *attempt, const char *what,
                              const char *reason)
{
    const struct effect *effect = ledger_find(sim->ledger, attempt);
    if (effect && effect->running)
        sim_fail(sim, 4, "attempt %s is judged %s (%s) and still runs on w%d", SHORT(*attempt),
                 what, reason ? reason : "", effect->worker);
}

/* What its process would have been given. */
static void given_to(struct sim *sim, const struct plan_version *v, const struct batch_result *row,
                     char out[192])
{
    const struct row_key key = {row->run, row->step, row->iteration};
    char refers[16], place[64];
    int size;
    reference_arguments(sim, v, &key, refers, place);
    if (!reference_size(sim, v, &key, &size))
        sim_fail(sim, 3, "step %s has a result, and no parameters",
                 v->steps[v->step_at[row->step]].name);
    snprintf(out, 192, "%d|%s|%08x|%s", size, refers, reference_list_sum(sim, v, &key), place);
}

static bool gave(struct sim *sim, const struct effect *effect, const char *outputs)
{
    json_t *want = check_outputs(sim, effect);
    json_t *is = outputs ? json_loads(outputs, 0, NULL) : NULL;
    const bool same = is && json_equal(want, is);
    json_decref(want);
    json_decref(is);
    return same;
}

/* What a finally step is told of the outcome comes after what the reference knows. */
static bool fits_outcome(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                         const char *told)
{
    return v->steps[v->step_at[key->step]].finally && *told == ':' &&
           reference_outcome_fits(sim, v, key, told + 1);
}

/* An earlier result: of a process that was given the same, in the run that is named, that
 * succeeded, whose success was committed, not longer ago than the step allows. */
static void check_cached(struct sim *sim, const struct plan_version *v,
                         const struct batch_result *row, const struct row_run *run)
{
    const struct plan_step *s = &v->steps[v->step_at[row->step]];
    const struct row_key key = {row->run, row->step, row->iteration};
    char given[192];
    if (strncmp(row->reason, "adopted", 7) == 0)
        return; /* by a retry, of what was held against this when it was new */
    given_to(sim, v, row, given);
    if (!s->cache || run->no_cache)
        sim_fail(sim, 3, "step %s of run %s takes an earlier result unasked", s->name,
                 SHORT(row->run));
    const size_t len = strlen(given);
    for (const struct effect *e = sim->ledger->effects; e; e = e->hh.next) {
        const bool same = strncmp(e->given, given, len) == 0 &&
                          (e->given[len] == '\0' || fits_outcome(sim, v, &key, e->given + len));
        if (same && e->succeeded && e->committed_us && gave(sim, e, row->outputs) &&
            uuid_compare(&e->key.run, &row->cached_from) == 0 &&
            (!s->cache_us || sim->skewed ||
             sim->now - e->committed_us <= s->cache_us + CACHE_SLACK)) {
            sim->counts.cached++;
            return;
        }
    }
    sim_fail(sim, 3, "step %s of run %s takes a result of run %s that is none of it", s->name,
             SHORT(row->run), SHORT(row->cached_from));
}

void check_result_new(struct sim *sim, const struct batch_result *result)
{
    struct row_key key = {result->run, result->step, result->iteration};
    const struct row_run *run = database_run(sim->db, &result->run);
    if (database_result(sim->db, &key))
        sim_fail(sim, machine_is_terminal(&MACHINE_STEP, result->state) ? 7 : 3,
                 "step %d of run %s commits a second result", result->step, SHORT(result->run));
    if (!run || run->done)
        sim_fail(sim, 7, "a result of a run that is not live");
    if (!uuid_is_nil(&result->attempt_id))
        check_not_running(sim, &result->attempt_id,
                          machine_state_name(&MACHINE_STEP, result->state), result->reason);
    const struct plan_version *v = check_version_of(sim, &result->run);
    check_result_time(sim, result);
    check_finally_result(sim, result);
    check_tries(sim, result);
    sim->counts.unsure += result->reason && strstr(result->reason, "it may have run") != NULL;
    if (result->state != STEP_SUCCEEDED || v->steps[v->step_at[result->step]].kind != PLAN_RUN)
        return;
    if (!uuid_is_nil(&result->cached_from)) {
        check_cached(sim, v, result, run);
        return;
    }
    if (uuid_is_nil(&result->attempt_id) && result->reason &&
        strncmp(result->reason, "adopted", 7) == 0)
        return; /* by its name, from a version in which it is no program */
    struct effect *effect = ledger_find(sim->ledger, &result->attempt_id);
    if (effect) {
        effect->committed_us = sim->now;
        sim->counts.left_out += effect->without_n + effect->without_d;
    }
    if (!effect || !effect->succeeded)
        sim_fail(sim, 3, "step %d of run %s succeeded by attempt %s, which did not", result->step,
                 SHORT(result->run), SHORT(result->attempt_id));
    if (!gave(sim, effect, result->outputs))
        sim_fail(sim, 3, "step %d of run %s commits %s, its attempt wrote something else",
                 result->step, SHORT(result->run), result->outputs ? result->outputs : "nothing");
}

void check_attempt_done(struct sim *sim, const struct batch_attempt *attempt)
{
    if (database_attempt(sim->db, &attempt->attempt_id))
        sim_fail(sim, 3, "attempt %s ends twice", SHORT(attempt->attempt_id));
    check_not_running(sim, &attempt->attempt_id,
                      machine_state_name(&MACHINE_ATTEMPT, attempt->state), attempt->reason);
    const struct plan_version *v = check_version_of(sim, &attempt->run);
    check_tried(sim, attempt);
    if (v->steps[v->step_at[attempt->step]].at_most_once &&
        ledger_find(sim->ledger, &attempt->attempt_id))
        sim_fail(sim, 4, "at_most_once: attempt %s has run, and the step is tried again",
                 SHORT(attempt->attempt_id));
    if (attempt->state != ATTEMPT_LOST || !attempt->reason || !strstr(attempt->reason, "silent"))
        return;
    sim->counts.silences++;
    const struct row_worker *worker = database_worker(sim->db, attempt->worker);
    for (int i = 0; i < SCHEDULERS; i++)
        if (sim->schedulers[i]->proc == sim->db->backend && worker &&
            sim->schedulers[i]->ends_at < worker->heard_at + sim->lost_after_us / 2)
            sim_fail(sim, 3, "attempt %s is judged lost, and no end of the reports was taken",
                     SHORT(attempt->attempt_id));
}

void check_worker(struct sim *sim, const struct batch_worker *worker,
                  const struct row_worker *before)
{
    if (before && worker->report_n < before->report_n)
        sim_fail(sim, 3, "the report number of %s goes back", worker->id);
}

void check_offset(struct sim *sim, const struct bus_position *to, int64_t before)
{
    if (to->offset < before)
        sim_fail(sim, 3, "the offset of %s goes back", to->topic);
    if (to->offset > memory_log_end(sim->log, to->topic, to->partition))
        sim_fail(sim, 13, "the offset of %s/%d is past the end of the log", to->topic,
                 to->partition);
}

void check_message(struct sim *sim, const struct batch_message *message)
{
    if (!memory_log_has_topic(sim->log, message->topic))
        sim_fail(sim, 6, "a message to %s, which nobody has made", message->topic);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void check_slots(struct sim *sim)
{
    int used[WORKERS_MAX] = {0};
    for (const struct row_step *step = sim->db->steps; step; step = step->hh.next) {
        const struct plan_version *v = check_version_of(sim, &step->key.run);
        if (!step->worker || uuid_is_nil(&step->attempt_id))
            continue;
        const int i = step->worker[1] - '0';
        if (strcmp(sim->workers[i]->id, step->worker) == 0) /* and not of a former folder */
            used[i] += v->steps[v->step_at[step->key.step]].slots;
    }
    for (int i = 0; i < sim->worker_count; i++) {
        const struct worker *w = sim->workers[i];
        if (used[i] > w->slots || worker_used_slots(w) > w->slots)
            sim_fail(sim, 10, "%s has %d slots and %d are used", w->id, w->slots, used[i]);
    }
}

void check_after_commit(struct sim *sim, const struct batch *batch)
{
    check_starts(sim, batch);
    check_concurrency(sim, batch);
    if (batch->steps_count)
        check_slots(sim);
    check_limits(sim, batch);
    check_kept(sim, batch);
    check_bounds(sim, batch);
    check_workers(sim, batch);
    if (batch->steps_count)
        reference_parallelism(sim, check_version_of);
    for (size_t i = 0; i < batch->run_moves_count; i++) {
        const struct row_run *run = database_run(sim->db, &batch->run_moves[i].id);
        for (const struct row_step *step = sim->db->steps; run->done && step; step = step->hh.next)
            if (uuid_compare(&step->key.run, &run->id) == 0)
                sim_fail(sim, 14, "run %s is over and has a live step", SHORT(run->id));
    }
}

/* ---- at rest --------------------------------------------------------------------------------- */

bool check_is_done(const struct sim *sim)
{
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next)
        if (!run->done)
            return false;
    for (int i = 0; i < sim->worker_count; i++)
        if (!worker_is_idle(sim->workers[i]))
            return false;
    return outside_is_done(sim);
}

static void check_lag(struct sim *sim, const char *topic)
{
    for (int32_t p = 0; p < memory_log_partitions(sim->log, topic); p++)
        if (database_offset(sim->db, topic, p) != memory_log_end(sim->log, topic, p))
            sim_fail(sim, 13, "at rest %s/%d ends at %lld and is read to %lld", topic, p,
                     (long long)memory_log_end(sim->log, topic, p),
                     (long long)database_offset(sim->db, topic, p));
}

void check_at_rest(struct sim *sim)
{
    check_lag(sim, TOPIC_COMMANDS);
    check_lag(sim, TOPIC_EVENTS);
    check_lag(sim, TOPIC_REPORTS);
    if (sim->db->steps)
        sim_fail(sim, 14, "at rest a step is live");
    outside_check(sim);
}
