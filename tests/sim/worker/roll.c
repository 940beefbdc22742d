/* How a try will go, out of the plan; and whether its order says what the plan does. */
#include <stdio.h>
#include <string.h>
#include "schema/gen/messages.h"
#include "tests/sim/plan/plan.h"
#include "tests/sim/reference/reference.h"
#include "tests/sim/worker/worker.h"

/* What it writes, and what a worker makes of that by its order. */
static void roll_outputs(struct local *a, struct rng *rng, const struct plan_step *s)
{
    const bool wrong = rng_chance(rng, s->n_wrong);
    a->without_n = rng_chance(rng, s->n_left);
    a->without_d = s->folder && rng_chance(rng, s->d_left);
    if (a->without_n && !s->n_optional)
        a->complaint = "output n: it was declared and not written";
    else if (a->without_d && !s->d_optional)
        a->complaint = "output d: it was declared and not written";
    else if (wrong && !a->without_n)
        a->complaint = "output n: it is not an integer";
}

static void check_declared(struct sim *sim, const struct plan_step *s,
                           const struct order_start *start)
{
    size_t there = 0;
    for (size_t i = 0; i < start->outputs_count; i++) {
        const struct order_output *out = &start->outputs[i];
        const bool n = strcmp(out->name, "n") == 0;
        there += out->type == (n ? ORDER_OUTPUT_TYPE_INTEGER : ORDER_OUTPUT_TYPE_ARTIFACT) &&
                 out->optional == (n ? s->n_optional : s->d_optional);
    }
    if (there != 1u + s->folder || there != start->outputs_count)
        sim_fail(sim, 3, "an order of step %s declares other outputs", s->name);
}

/* What a pin is told of: nothing but its set. */
static void roll_pin(struct local *a, const struct plan_version *v, int step,
                     const struct order_start *start)
{
    struct sim *sim = a->worker->sim;
    const char *set = plan_pinned_set(step, start), *place = set ? strchr(set, '|') : NULL;
    if (!place || start->executor != ORDER_START_EXECUTOR_OBJECTS || start->argv_count ||
        start->inputs_count || start->listed_count || start->outputs_count != 1 ||
        strcmp(start->outputs[0].name, "manifest") != 0 || start->outputs[0].optional)
        sim_fail(sim, 3, "an order of %s asks for something else", v->steps[step].name);
    snprintf(a->size, sizeof a->size, "%.*s", (int)(place - set), set);
    snprintf(a->where, sizeof a->where, "%s", place + 1);
}

void worker_roll(struct local *a, const struct order *order, const struct row_key *key)
{
    struct sim *sim = a->worker->sim;
    const struct row_run *run = database_run(sim->db, &order->start->run);
    struct plan_pipeline *p = plan_find(sim->plan, order->start->pipeline);
    struct plan_version *v = p && run ? plan_version_find(p, run->version) : NULL;
    int step = v ? plan_step_find(v, order->start->step) : -1;
    if (step < 0)
        sim_fail(sim, 4, "an order names a run or step that is not in the database");
    const struct plan_step *s = &v->steps[step];
    struct rng rng = chance_of(sim, run, s->name, key);
    a->key = *key;
    if (key->step != v->index_of[step])
        sim_fail(sim, 4, "an order names another step than its attempt");
    a->slots = s->slots;
    a->timeout_us = order->start->timeout_us;
    a->lost_after_us = order->start->lost_after_us;
    a->grace_us = order->grace_us;
    a->takes_us = s->takes_us / 2 + rng_in(&rng, 0, s->takes_us);
    a->at_most_once = order->start->at_most_once;
    if (a->at_most_once != s->at_most_once)
        sim_fail(sim, 3, "an order does not say what its step does of at_most_once");
    a->will_fail = rng_chance(&rng, s->fails);
    a->heartbeat_us = order->start->heartbeat_us;
    if (a->grace_us != (s->grace_us ? s->grace_us : sim->grace_us) ||
        a->lost_after_us != (s->lost_after_us ? s->lost_after_us : sim->lost_after_us))
        sim_fail(sim, 3, "an order of step %s has another grace or lost_after", s->name);
    if (a->heartbeat_us != s->heartbeat_us)
        sim_fail(sim, 3, "an order of step %s has another heartbeat", s->name);
    a->n = (int)rng_in(&rng, 0, 9);
    a->exit_code = plan_exit_code(&rng);
    if (s->pin) {
        roll_pin(a, v, step, order->start);
        return;
    }
    if (order->start->listed_count != plan_lists(v, step))
        sim_fail(sim, 3, "an order of step %s asks for names of %zu outputs", s->name,
                 order->start->listed_count);
    check_declared(sim, s, order->start);
    reference_list(sim, v, key, order->start);
    a->will_hang = (s->timeout_us || s->heartbeat_us) && rng_chance(&rng, s->hangs);
    roll_outputs(a, &rng, s);
    if (order->start->argv_count != 4)
        sim_fail(sim, 3, "an order has %zu arguments", order->start->argv_count);
    snprintf(a->size, sizeof a->size, "%s", order->start->argv[1]);
    snprintf(a->argument, sizeof a->argument, "%s", order->start->argv[2]);
    snprintf(a->where, sizeof a->where, "%s", order->start->argv[3]);
}
