/* tests/sim/outside/internal.h: what the outside remembers of each thing that it sent, for the
 * files of the outside alone: outside/outside.c sends, outside/commands.c and outside/catalog.c
 * make, outside/check.c looks at what came of it. */
#pragma once
#include "schema/gen/messages.h"
#include "tests/sim/outside/outside.h"
#include "tests/sim/plan/plan.h"

#define SENDINGS_MAX 128
#define NO_SIZE      0  /* a command gives no params */
#define NO_NUMBER    -1 /* an event without n: whoever looks at it fails */

struct sending { /* one event or command, with its repeats */
    struct sim *sim;
    bool is_command, cron;
    struct uuid id, run;
    int kind; /* enum command_kind */
    char type[24], pipeline[16];
    struct uuid of;             /* retry, rerun, only: the run that is repeated */
    const char *from;           /* and the step to begin from; NULL = what failed */
    char steps[SIM_STEPS_TEXT]; /* those that run alone */
    const char *version;        /* hash; NULL = the current one */
    int size;                   /* params.size that it gives */
    bool no_cache;
    int n;
    int branch;  /* a push to bN; NO_NUMBER = it is none */
    bool milled; /* an event of the source mill, and not of sim */
    int64_t sent_at;
    bool known; /* answered 2xx */
    bool late;  /* a cancel of a run that was over when it was sent */
    bool ahead; /* a cancel of a run that is still to come */
    struct answer answer;
    char step[48];
    char worker[16]; /* drain, resume, remove */
    int tries;
    char *text;
    size_t len;
};

/* Something that the seed planned to send or do once, with a stream of chance of its own. */
struct planned {
    struct sim *sim;
    struct rng rng;
    sim_fn *fn;
};

struct outside {
    struct bus *buses[2];
    struct planned planned[KEEP_SENDINGS];
    struct sending items[SENDINGS_MAX];
    int count;
};

struct sending *sending_new(struct sim *sim); /* NULL: there are enough */
void sending_publish(void *sending);          /* again and again until it is answered */
void sending_command(struct sending *s, struct command *command); /* encodes and publishes */

/* Of the types sim_fn, for the plan. */
void outside_send_command(void *sim);
void outside_send_answer(void *sim);
void outside_send_part(void *sim);
void outside_drain(void *sim);
void outside_remove(void *sim);
void outside_resume_all(void *sim);
void outside_pause(void *sim);
void outside_pause_trigger(void *sim);
void outside_delete(void *sim);
void outside_apply(void *sim);
void outside_exchange(void *sim);
void outside_resize(void *sim);
void outside_resize_last(void *sim);
