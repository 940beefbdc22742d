/* scheduler/core/wait/awaits.h: a step that runs nothing and waits for what comes from outside: an
 * event, a person, or a run that it started. While it waits it is `waiting`, holds no slot, has a
 * row of step_live with why and until when, and no attempt. All that ends it is committed with what
 * it comes to. */
#pragma once
#include "scheduler/core/state.h"
#include "scheduler/core/dag/view.h"

/* Open waits of one event type, or of one pattern "a.b.*". */
struct await_key {
    char *type;
    struct await *awaits;
    UT_hash_handle hh;
};

struct await {
    struct step_ref at;
    const struct ir_step *def;
    int64_t since_us, started_us; /* wall */
    int64_t due_us;               /* length of what the timer runs */
    char *reason;                 /* what it waits for, for people */
    struct timer timer;
    struct await_key *key; /* of a wait: where it is listed */
    struct view *view;     /* of a wait: what its filter sees; made when first asked */
    /* Of a step that started a run, while that is live; then how it ended, until that is heard. */
    struct run *child;
    bool late; /* its timeout ends the run */
    int ended; /* enum run_state; -1 = it is not there */
    bool told; /* on core->told */
#ifdef LEAT_PLANTS
    bool forgotten; /* a wait that a takeover did not list */
#endif
    char *why; /* of its end, when it did not succeed */
    json_t *outputs;
    struct await *told_prev, *told_next;
    struct await *prev, *next; /* key->awaits; of an approval: its run's `asked` */
};

/* A pending one whose needs are over. */
void await_begin(struct core *core, struct step_ref at, const struct core_now *now,
                 struct batch *out);
/* What is around it stops. */
void await_stop(struct core *core, struct await *a, const struct core_now *now, struct batch *out);
void await_timer_due(struct core *core, struct await *a, const struct core_now *now,
                     struct batch *out);
/* For restore: as its row says. */
void await_recall(struct core *core, struct step_ref at, const struct snapshot_step *from,
                  const struct core_now *now);
/* Takes it off its step and frees it. */
void await_drop(struct core *core, struct await *a);
/* It is over. `outputs` and `reason` may be NULL. */
void await_end(struct core *core, struct await *a, int state, json_t *outputs, const char *reason,
               const struct core_now *now, struct batch *out);
void await_set_reason(struct core *core, struct await *a, char *reason); /* which is its own then */

/* ---- await_event.c: by the type of the event that they wait for ----------------------------- */
void await_list(struct core *core, struct await *a);
void await_unlist(struct core *core, struct await *a);
/* Ends the waits that this event fits. O(dots in its type + waits of that type), not of all waits.
 * `envelope` is read from `text` when it is first needed. */
/* Would it end one? */
bool awaits_fit(struct core *core, const struct event *event, const char *text, json_t **envelope,
                const struct core_now *now, struct batch *out);
void awaits_meet(struct core *core, const struct event *event, const char *text, json_t **envelope,
                 json_t *verdicts, const struct core_now *now, struct batch *out);

/* ---- approve.c: by the answer of a person --------------------------------------------------- */
/* What it waits for, for people: malloc'd. NULL: the message cannot be evaluated. */
char *approval_question(const struct await *a, struct err *err);
void approval_list(struct await *a);
void approval_unlist(struct await *a);
void approval_timeout_due(struct core *core, struct await *a, const struct core_now *now,
                          struct batch *out);
/* Takes an answer in: 0, or an error that says why not. The first one wins. */
int approval_answer(struct core *core, const struct command *command, const struct core_now *now,
                    struct batch *out, struct err *err);

/* ---- starts.c: by the end of a run that it started ------------------------------------------ */
/* A try: makes the run, in the same batch. */
void start_begin(struct core *core, struct await *a, const struct core_now *now, struct batch *out);
void start_stop(struct core *core, struct await *a, const struct core_now *now, struct batch *out);
void start_timer_due(struct core *core, struct await *a, const struct core_now *now,
                     struct batch *out);
void start_forget(struct core *core, struct await *a);
/* For restore: its row says that its run is live. */
void start_recall(struct core *core, struct await *a);
void start_relink(struct core *core, struct run *child, struct await *a);
/* The run ends, in this batch; its step ends before the batch does. */
void start_child_over(struct core *core, struct run *child, int state);
bool starts_hear_one(struct core *core, const struct core_now *now, struct batch *out);
