/* tests/sim/reference/reference.h: what a run should have come to, worked out again from the plan
 * and from how each attempt went. Recursive and slow; shares nothing with the core. */
#pragma once
#include "tests/sim/database/database.h"
#include "schema/gen/messages.h"
#include "tests/sim/plan/plan.h"

/* May this instance begin, by what is committed? Fails the simulation when not. */
void reference_begins(struct sim *sim, const struct plan_version *v, const struct row_key *key);
/* The two arguments that its process must have been given. */
void reference_arguments(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                         char refers[16], char where[64]);
/* And what params.size is for it; false: what it stands in could not be given one. */
bool reference_size(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                    int *size);
/* What n of an event must be over to end a wait; false: its filter fails on each. */
bool reference_bound(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                     int *over);
/* What a finally step may be told of how its DAG went. */
bool reference_outcome_fits(struct sim *sim, const struct plan_version *v,
                            const struct row_key *key, const char *state);
/* The folder, or the list of them, that it must have been given, where it takes one. */
void reference_list(struct sim *sim, const struct plan_version *v, const struct row_key *key,
                    const struct order_start *order);
/* A sum of it; 0 = it takes none. */
uint32_t reference_list_sum(struct sim *sim, const struct plan_version *v,
                            const struct row_key *key);
/* How long the finally steps of that instance of a DAG may take together. */
int64_t reference_finally_time(struct sim *sim, const struct plan_version *v,
                               const struct uuid *run, int32_t iteration);
/* Every instance of every step, and the state of the run. */
void reference_run(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                   uint8_t state, const char *reason);
/* No for_each has more items going on than its parallelism. */
void reference_parallelism(struct sim *sim,
                           const struct plan_version *(*version_of)(struct sim *sim,
                                                                    const struct uuid *run));
/* What a retry that ends took over from the run that it repeats, and what it ran anew. */
void reference_repeats(struct sim *sim, const struct plan_version *v, const struct row_run *run);
/* The same of a run of a few steps. */
void reference_only(struct sim *sim, const struct plan_version *v, const struct row_run *run,
                    const struct row_run *old);
/* Does a group give its n (else: its d) in that run, of which some steps may be left out? */
bool reference_gives(struct sim *sim, const struct plan_version *v, const struct uuid *run,
                     int step, bool n);
/* Is there a reason to refuse a retry of that run from that step (NULL = from what failed)? */
bool reference_may_refuse(const struct sim *sim, const struct plan_version *v,
                          const struct row_run *old, const char *from);
/* Is there a reason to refuse a run of these steps only, of version `v`, with what that run has? */
bool reference_only_may_refuse(struct sim *sim, const struct plan_version *v,
                               const struct row_run *old, const char *steps);
