/* tests/sim/check/check.h: PROOF's invariants, held against the fakes' own records: the rows before
 * and after each commit, the ledger of what was executed, what the outside sent. Nothing here asks
 * the product. */
#pragma once
#include <jansson.h>
#include "tests/sim/database/database.h"
#include "tests/sim/sim.h"

/* ---- the effect ledger: every container appends its attempt id ---------------------------------
 */
struct effect {
    struct uuid attempt;
    struct row_key key;
    int worker;
    bool running;
    int executions;
    bool succeeded;
    int outcome; /* enum report_result_outcome, of one that is over */
    int n;       /* the output that it wrote */
    bool without_n, without_d;
    char given[192];      /* its arguments */
    int64_t committed_us; /* wall of the leader that committed its success; 0 = none did */
    UT_hash_handle hh;
};

struct placing { /* every attempt that a commit has placed */
    struct uuid attempt;
    struct row_key key;
    bool leave; /* at_most_once: a commit has let it start */
    int said;   /* enum report_result_outcome: by its worker; NONE = nothing yet */
    int code;   /* the exit code that it said */
    char reason[64];
    UT_hash_handle hh;
};

struct ledger {
    struct effect *effects;
    struct placing *placings;
};

struct ledger *ledger_new(void);
void ledger_free(struct ledger *ledger);
/* Is that why it ended: its own time was up? */
bool check_timed_out(const char *reason);
/* Of a run that there is. */
const struct plan_version *check_version_of(struct sim *sim, const struct uuid *run);
struct effect *ledger_find(const struct ledger *ledger, const struct uuid *attempt);
/* How often processes of this instance of a step have begun. */
int ledger_executions(const struct ledger *ledger, const struct row_key *key);

/* A worker takes an order in: was this attempt ever placed? Whose it is. */
struct row_key check_order(struct sim *sim, const struct uuid *attempt);
/* One that a commit has placed. */
struct placing *ledger_placing(const struct ledger *ledger, const struct uuid *attempt);
/* A process begins; returns its line in the ledger. */
struct effect *check_begin(struct sim *sim, const struct uuid *attempt, const struct row_key *key,
                           int worker, const char *size, const char *argument, const char *where);
void check_end(struct effect *effect, int outcome, int n);
/* Its program could not be started: a line that says so. */
void check_never_began(struct sim *sim, const struct uuid *attempt, const struct row_key *key);
/* What a process that succeeded has written: a new reference. */
json_t *check_outputs(struct sim *sim, const struct effect *effect);

/* ---- while a batch is written; `before` is NULL where there is no row --------------------------
 */
struct plan_version;
struct plan_step;
struct report_result;
const struct plan_version *check_version_of(struct sim *sim, const struct uuid *run);
/* check/waits.c: before the rows of the batch are written. */
void check_waits_before(struct sim *sim, const struct batch *batch);
/* check/turns.c: who is placed first. */
void check_turns_before(struct sim *sim, const struct batch *batch);
void check_asked(struct sim *sim, const struct batch_step *step);
void check_run_new(struct sim *sim, const struct batch_run *run);
void check_run_move(struct sim *sim, const struct batch_run_move *move,
                    const struct row_run *before);
void check_step(struct sim *sim, const struct batch_step *step, const struct row_step *before);
void check_result_new(struct sim *sim, const struct batch_result *result);
void check_group_new(struct sim *sim, const struct batch_group *group);
void check_attempt_done(struct sim *sim, const struct batch_attempt *attempt);
/* check/workers.c: drained, resumed, removed. */
void check_retire_before(struct sim *sim, const struct batch *batch);
void check_life(struct sim *sim, const struct batch_worker *to, struct row_worker *row);
void check_workers(struct sim *sim, const struct batch *batch);
void check_worker(struct sim *sim, const struct batch_worker *worker,
                  const struct row_worker *before);
void check_offset(struct sim *sim, const struct bus_position *to, int64_t before);
void check_message(struct sim *sim, const struct batch_message *message);
/* check/concurrency.c */
struct plan_version;
void check_key(struct sim *sim, const struct batch_run *run);
void check_skipped(struct sim *sim, const struct row_run *run, const struct plan_version *v);
void check_queued_too_long(struct sim *sim, const struct row_run *run,
                           const struct plan_version *v);
void check_concurrency(struct sim *sim, const struct batch *batch);
void check_way_overdue(struct sim *sim);
/* check/times.c: nothing is over before its time is up, and in peace nothing
 * long after it. */
void check_step_time(struct sim *sim, const struct batch_step *step, const struct row_step *before);
void check_result_time(struct sim *sim, const struct batch_result *result);
void check_run_time(struct sim *sim, const struct batch_run_move *move,
                    const struct row_run *before);
void check_overdue(struct sim *sim);
/* check/finally.c: how long finally steps may take. Is their time up, in that
 * instance of a DAG?
 */
bool check_finally_is_up(struct sim *sim, const struct uuid *run, int32_t iteration);
void check_finally_step(struct sim *sim, const struct batch_step *step,
                        const struct row_step *before);
void check_finally_result(struct sim *sim, const struct batch_result *result);
void check_finally_overdue(struct sim *sim);
/* check/tries.c: steps are tried as often as their file says. What a worker says
 * of an attempt's end; programs; what is tried as a whole. */
void check_said(struct sim *sim, const struct uuid *attempt, const struct report_result *result);
void check_tried(struct sim *sim, const struct batch_attempt *attempt);
void check_tries(struct sim *sim, const struct batch_result *result);
void check_counted(struct sim *sim, const struct batch_step *step);
void check_whole_tried(struct sim *sim, const struct batch_step *step);
bool check_whole_is_spent(const struct plan_step *step, const struct row_result *result);
/* check/kept.c */
void check_kept(struct sim *sim, const struct batch *batch);
/* check/limits.c */
void check_limits(struct sim *sim, const struct batch *batch);
void check_forget(struct sim *sim, const char *id, const struct row_worker *row);
void check_bounds(struct sim *sim, const struct batch *batch);
#define CHECK_NO_MORE_STARTS                                                                       \
    "steps start no more now" /* held against the rows as it is written                            \
                               */
void check_after_commit(struct sim *sim, const struct batch *batch);

/* ---- at rest
 * ---------------------------------------------------------------------------------
 */
bool check_is_done(const struct sim *sim); /* every run is terminal, everything
                                              is acknowledged */
void check_at_rest(struct sim *sim);
