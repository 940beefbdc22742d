/* tests/sim/reference/internal.h: one instance of a DAG as its rows have it, for the files of the
 * reference evaluator alone. */
#pragma once
#include "tests/sim/reference/reference.h"

#define BEGINS     (-1)
#define TOO_EARLY  (-2)
#define CANNOT_SAY (-1) /* of what holds or not */

/* One instance of a DAG. */
struct scene {
    struct sim *sim;
    const struct plan_version *v;
    struct uuid run;
    int parent, branch;
    int32_t iteration;
    const struct row_group *start; /* NULL = the run's own DAG */
    int *seen;                     /* results that were looked at */
};

/* The DAG whose steps have that iteration in their rows; the instance of a step beside it or
 * further out. */
struct row_key scene_key(const struct scene *at, int step);
const struct row_result *scene_result(const struct scene *at, int step);
json_t *scene_output_named(const struct scene *at, int step, const char *name);
json_t *scene_output(const struct scene *at, int step);
bool scene_number(const struct scene *at, int step, int *n);
bool scene_has(const struct scene *at, int step);
int scene_branch(const struct scene *at, const struct plan_step *s);
int scene_items(const struct scene *at, const struct plan_step *s);
/* The number of a step that is seen from there. */
bool scene_number_seen(const struct scene *at, int step, int *n);
/* The n of the round before: `at` is a round. */
int scene_round_before(const struct scene *at);
/* It is a part, and cannot be given its parameters: nothing of it runs but its finally steps. */
bool scene_is_unfit(const struct scene *at);
int scene_verdict(const struct scene *at, int step);
struct scene scene_of(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                      int32_t iteration);
struct scene scene_outward(const struct scene *at); /* the DAG that its group stands in */
struct scene scene_around(const struct scene *at, int step);
