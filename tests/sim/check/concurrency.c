/* Runs that share a concurrency group, by their rows. */
#include <string.h>

#include "tests/sim/check/check.h"
#include "tests/sim/plan/plan.h"

#define SHORT(id) uuid_short(&(id), (char[UUID_TEXT]){0})

static bool shares_group(const struct row_run *a, const struct row_run *b)
{
    return strcmp(a->pipeline, b->pipeline) == 0 && strcmp(a->key, b->key) == 0;
}

static bool goes_on(const struct row_run *run)
{
    return !run->done && run->state != RUN_PENDING && run->state != RUN_QUEUED;
}

static bool is_newer(const struct row_run *a, const struct row_run *b)
{
    return a->created_us != b->created_us ? a->created_us > b->created_us
                                          : uuid_compare(&a->id, &b->id) > 0;
}

/* What the key should have come to: the versions that have one take the parity of `size`. */
void check_key(struct sim *sim, const struct batch_run *run)
{
    const struct plan_version *v =
        plan_version_find(plan_find(sim->plan, run->pipeline), run->version);
    json_t *params = json_loads(run->params, 0, NULL);
    const json_int_t size = json_integer_value(json_object_get(params, "size"));
    const bool known = json_object_get(params, "size"); /* else it never begins */
    json_decref(params);
    const char *want = !v->keyed || !known ? "" : size % 2 ? "1" : "0";
    if (run->state == RUN_QUEUED && v->policy == PLAN_SKIP)
        sim_fail(sim, 10, "run %s waits, and is to be skipped where there is no room",
                 SHORT(run->id));
    if (strcmp(run->concurrency_key, want) != 0)
        sim_fail(sim, 10, "run %s has the key '%s', it should be '%s'", SHORT(run->id),
                 run->concurrency_key, want);
}

/* Skipped when it came: its policy, and no room. Later: a newer one that waits has a policy. */
void check_skipped(struct sim *sim, const struct row_run *run, const struct plan_version *v)
{
    int others = 0, newer = 0;
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next) {
        if (other == run || !shares_group(run, other))
            continue;
        const enum plan_policy policy =
            plan_version_find(plan_find(sim->plan, other->pipeline), other->version)->policy;
        others +=
            (!other->done || other->done_in == sim->counts.commits) && other->state != RUN_PENDING;
        newer +=
            is_newer(other, run) && (policy == PLAN_LATEST_ONLY || policy == PLAN_CANCEL_RUNNING);
    }
    const bool at_once = run->state == RUN_PENDING && v->policy == PLAN_SKIP && others > 0;
    if (!at_once && newer == 0)
        sim_fail(sim, 1, "run %s is skipped, with %d others and no newer one", SHORT(run->id),
                 others);
}

/* Who rebuilds counts by the wall clock: where it jumps any length up to the whole is right. */
void check_queued_too_long(struct sim *sim, const struct row_run *run, const struct plan_version *v)
{
    if (v->queued_us == 0)
        sim_fail(sim, 14, "run %s waited too long, and may wait for ever", SHORT(run->id));
    if (sim->counts.wall_jumps == 0 && sim->now < run->born_at + v->queued_us - 5 * SEC)
        sim_fail(sim, 14, "run %s waited %lld s of %lld", SHORT(run->id),
                 (long long)((sim->now - run->born_at) / SEC), (long long)(v->queued_us / SEC));
}

static enum plan_policy policy_of(struct sim *sim, const struct row_run *run)
{
    return plan_version_find(plan_find(sim->plan, run->pipeline), run->version)->policy;
}

/* The newest of those that wait in its group. */
static const struct row_run *newest_queued(const struct sim *sim, const struct row_run *of)
{
    const struct row_run *newest = NULL;
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next)
        if (!other->done && other->state == RUN_QUEUED && shares_group(of, other) &&
            (!newest || is_newer(other, newest)))
            newest = other;
    return newest;
}

/* Who begins though a newer one waits, which came before this commit and wants to be the only one
 * that does? */
static void check_latest(struct sim *sim, const struct row_run *run)
{
    const struct row_run *newest = newest_queued(sim, run);
    if (newest && is_newer(newest, run) && newest->queued_in != sim->counts.commits &&
        run->queued_in != sim->counts.commits && policy_of(sim, newest) == PLAN_LATEST_ONLY)
        sim_fail(sim, 10, "run %s begins, and the newer run %s waits and is latest_only",
                 SHORT(run->id), SHORT(newest->id));
}

/* It makes way for another that wants it: the oldest goes first. */
static void check_way(struct sim *sim, const struct row_run *run)
{
    bool wanted = false;
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next) {
        if (!shares_group(run, other) || (other->done && other->done_in != sim->counts.commits))
            continue;
        wanted |= other != run && policy_of(sim, other) == PLAN_CANCEL_RUNNING;
        if (other->state == RUN_RUNNING && is_newer(run, other) &&
            other->began_in != sim->counts.commits)
            sim_fail(sim, 10, "run %s is cancelled for a newer one, and run %s is older",
                     SHORT(run->id), SHORT(other->id));
    }
    if (!wanted)
        sim_fail(sim, 10, "run %s is cancelled for another, and none wants it", SHORT(run->id));
}

/* In peace: a run that cancels what runs does not wait for its end by itself. */
void check_way_overdue(struct sim *sim)
{
    for (const struct row_run *run = sim->db->runs; run; run = run->hh.next) {
        const int64_t since = run->born_at > sim->healed_us ? run->born_at : sim->healed_us;
        if (run->done || run->state != RUN_QUEUED || policy_of(sim, run) != PLAN_CANCEL_RUNNING ||
            sim->now < since + 20 * SEC || newest_queued(sim, run) != run)
            continue;
        const int limit = plan_limit_since(plan_find(sim->plan, run->pipeline), INT64_MAX);
        int going = 1;
        for (const struct row_run *other = sim->db->runs; other; other = other->hh.next)
            going += !other->done && other->state == RUN_RUNNING && shares_group(run, other);
        if (going > 1 && going > limit)
            sim_fail(sim, 10, "run %s waits, and %d that it should cancel go on", SHORT(run->id),
                     going - 1);
    }
}

/* A limit that is lowered ends nobody: only who begins must find room, by the newest catalog that
 * its leader has seen, or a newer one. */
static void check_begun(struct sim *sim, const struct row_run *run)
{
    const struct plan_pipeline *p = plan_find(sim->plan, run->pipeline);
    const int limit = plan_limit_since(p, sim->db->known_gen);
    int going = 0;
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next)
        going += goes_on(other) && shares_group(run, other);
    check_latest(sim, run);
    if (going > limit)
        sim_fail(sim, 10, "run %s begins: %d runs of %s '%s' go on, its limit is %d",
                 SHORT(run->id), going, p->name, run->key, limit);
}

void check_concurrency(struct sim *sim, const struct batch *batch)
{
    for (size_t i = 0; i < batch->runs_count; i++)
        if (batch->runs[i].state == RUN_RUNNING)
            check_begun(sim, database_run(sim->db, &batch->runs[i].id));
    for (size_t i = 0; i < batch->run_moves_count; i++) {
        const struct batch_run_move *move = &batch->run_moves[i];
        const struct row_run *run = database_run(sim->db, &move->id);
        if (move->state == RUN_RUNNING)
            check_begun(sim, run);
        if (move->state == RUN_CANCELLING && strstr(move->reason, "of its concurrency group came"))
            check_way(sim, run);
    }
}
