/* Runs that share a concurrency group, by their rows. */
#include <string.h>

#include "tests/sim/check.h"
#include "tests/sim/plan.h"

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

/* A limit that is lowered ends nobody: only who begins must find room, by the newest catalog that
 * its leader has seen, or a newer one. */
static void check_begun(struct sim *sim, const struct row_run *run)
{
    const struct plan_pipeline *p = plan_find(sim->plan, run->pipeline);
    const int limit = plan_limit_since(p, sim->db->known_gen);
    int going = 0;
    for (const struct row_run *other = sim->db->runs; other; other = other->hh.next)
        going += goes_on(other) && shares_group(run, other);
    if (going > limit)
        sim_fail(sim, 10, "run %s begins: %d runs of %s '%s' go on, its limit is %d",
                 SHORT(run->id), going, p->name, run->key, limit);
}

void check_concurrency(struct sim *sim, const struct batch *batch)
{
    for (size_t i = 0; i < batch->runs_count; i++)
        if (batch->runs[i].state == RUN_RUNNING)
            check_begun(sim, database_run(sim->db, &batch->runs[i].id));
    for (size_t i = 0; i < batch->run_moves_count; i++)
        if (batch->run_moves[i].state == RUN_RUNNING)
            check_begun(sim, database_run(sim->db, &batch->run_moves[i].id));
}
