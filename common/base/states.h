/* common/base/states.h: the state machines of Leat, each one table.
 * The enum, the names, the allowed moves, the SQL checks (schema/states.sql is generated from
 * here), `leat dump machines` and docs/states.md all come from these rows.
 * A row: identifier, name, the states that may follow. NOWHERE marks a terminal state. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define NOWHERE 0u

#define RUN_STATES(S, TO)                                                                          \
    S(PENDING, "pending", TO(QUEUED) | TO(RUNNING) | TO(FAILED) | TO(CANCELLED) | TO(SKIPPED))     \
    S(QUEUED, "queued", TO(RUNNING) | TO(FAILED) | TO(CANCELLED) | TO(SKIPPED))                    \
    S(RUNNING, "running", TO(CANCELLING) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED))             \
    S(CANCELLING, "cancelling", TO(CANCELLED) | TO(FAILED)) /* failed: the run's own timeout */    \
    S(SUCCEEDED, "succeeded", NOWHERE)                                                             \
    S(FAILED, "failed", NOWHERE)                                                                   \
    S(CANCELLED, "cancelled", NOWHERE)                                                             \
    S(SKIPPED, "skipped", NOWHERE)

#define STEP_STATES(S, TO)                                                                         \
    S(PENDING, "pending",                                                                          \
      TO(READY) | TO(WAITING) | TO(RUNNING) /* a group */ | TO(SKIPPED) | TO(CANCELLED) |          \
          TO(UPSTREAM_FAILED) | TO(FAILED) | TO(SUCCEEDED))                                        \
    S(WAITING, "waiting",                                                                          \
      TO(READY) | TO(PLACED) /* it has its limits */ | TO(RUNNING) | TO(CANCELLED) | TO(FAILED) |  \
          TO(SKIPPED) | TO(SUCCEEDED))                                                             \
    S(READY, "ready", TO(PLACED) | TO(WAITING) | TO(CANCELLED) | TO(FAILED))                       \
    S(PLACED, "placed",                                                                            \
      TO(RUNNING) | TO(READY) | TO(WAITING) | TO(CANCELLING) | TO(SUCCEEDED) | TO(FAILED) |        \
          TO(CANCELLED))                                                                           \
    S(RUNNING, "running",                                                                          \
      TO(READY) | TO(WAITING) | TO(CANCELLING) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED) |      \
          TO(SKIPPED) /* the run that it started was */)                                           \
    S(CANCELLING, "cancelling", /* waiting: a group, between two tries */                          \
      TO(WAITING) | TO(SUCCEEDED) | TO(FAILED) | TO(CANCELLED))                                    \
    S(SUCCEEDED, "succeeded", NOWHERE)                                                             \
    S(FAILED, "failed", NOWHERE)                                                                   \
    S(SKIPPED, "skipped", NOWHERE)                                                                 \
    S(CANCELLED, "cancelled", NOWHERE)                                                             \
    S(UPSTREAM_FAILED, "upstream_failed", NOWHERE)

#define ATTEMPT_STATES(S, TO)                                                                      \
    S(PLACED, "placed",                                                                            \
      TO(RUNNING) | TO(SUCCEEDED) | TO(FAILED) | TO(TIMED_OUT) | TO(LOST) | TO(CANCELLED))         \
    S(RUNNING, "running", TO(SUCCEEDED) | TO(FAILED) | TO(TIMED_OUT) | TO(LOST) | TO(CANCELLED))   \
    S(SUCCEEDED, "succeeded", NOWHERE)                                                             \
    S(FAILED, "failed", NOWHERE)                                                                   \
    S(TIMED_OUT, "timed_out", NOWHERE)                                                             \
    S(LOST, "lost", NOWHERE)                                                                       \
    S(CANCELLED, "cancelled", NOWHERE)

#define WORKER_STATES(S, TO)                                                                       \
    S(ACTIVE, "active", TO(UNREACHABLE) | TO(DRAINING) | TO(GONE))                                 \
    S(UNREACHABLE, "unreachable", TO(ACTIVE) | TO(DRAINING) | TO(GONE))                            \
    S(DRAINING, "draining", TO(ACTIVE) | TO(UNREACHABLE) | TO(GONE))                               \
    S(GONE, "gone", TO(ACTIVE))

/* Every machine once: lower-case name, enum prefix, table. */
#define MACHINES(M)                                                                                \
    M(run, RUN, RUN_STATES)                                                                        \
    M(step, STEP, STEP_STATES)                                                                     \
    M(attempt, ATTEMPT, ATTEMPT_STATES)                                                            \
    M(worker, WORKER, WORKER_STATES)

#define NO_TO(x)        0
#define S(id, name, to) RUN_##id,
enum run_state { RUN_STATES(S, NO_TO) RUN_STATE_COUNT };
#undef S
#define S(id, name, to) STEP_##id,
enum step_state { STEP_STATES(S, NO_TO) STEP_STATE_COUNT };
#undef S
#define S(id, name, to) ATTEMPT_##id,
enum attempt_state { ATTEMPT_STATES(S, NO_TO) ATTEMPT_STATE_COUNT };
#undef S
#define S(id, name, to) WORKER_##id,
enum worker_state { WORKER_STATES(S, NO_TO) WORKER_STATE_COUNT };
#undef S
#undef NO_TO

struct machine_state {
    const char *name;
    uint32_t next; /* bit n: state n may follow; 0 = terminal */
};

struct machine {
    const char *name;
    const struct machine_state *states;
    int count;
};

extern const struct machine MACHINE_RUN, MACHINE_STEP, MACHINE_ATTEMPT, MACHINE_WORKER;
extern const struct machine *const MACHINE_ALL[]; /* ends with NULL */

/* Pure look-ups. `machine_parse` returns -1 for a name that the machine does not have. */
bool machine_allows(const struct machine *m, int from, int to);
bool machine_is_terminal(const struct machine *m, int state);
const char *machine_state_name(const struct machine *m, int state);
int machine_parse(const struct machine *m, const char *name);

/* The one way to change a state: moves *state to `to`, or aborts the process when the table
 * forbids it (a defect; memory is rebuilt from Postgres by the next leader). */
void machine_move(const struct machine *m, uint8_t *state, int to);
