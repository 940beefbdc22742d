/* tests/sim/plan.h: the pipelines of a seed, as the harness itself understands them: what should
 * come out is worked out from these and never by asking the core. */
#pragma once
#include <jansson.h>
#include "common/base/hash.h"
#include "tests/sim/sim.h"

#define PLAN_PIPELINES 3
#define PLAN_STEPS     9
#define PLAN_VERSIONS  3
#define PLAN_PAUSES    6

struct plan_step {
    char name[16];
    uint32_t needs; /* bit n: step n, implied ones included */
    int when_step;  /* -1 = always; else runs when that step's n is over when_over */
    int when_over;
    int refers;         /* -1 = none; else that step's n is an argument */
    int attempts;       /* tries in all */
    int64_t timeout_us; /* 0 = none */
    int64_t takes_us;   /* a usual attempt */
    int slots;
    double fails; /* chance of an attempt */
    double hangs; /* chance of running into the timeout */
};

struct plan_version {
    char hash[SHA256_HEX];
    json_t *ir;
    struct plan_step steps[PLAN_STEPS];
    int step_count;
    int index_of[PLAN_STEPS]; /* in the IR, which is what rows name */
    int step_at[PLAN_STEPS];  /* the reverse */
};

struct plan_pipeline {
    char name[16];
    struct plan_version versions[PLAN_VERSIONS];
    int version_count, current;
    int limit;     /* runs at once; 0 = any */
    char type[24]; /* of the events that it wants */
    int over;      /* its filter: event.data.n > over; -1 = none */
    bool cron;
    int64_t gen;
    bool paused;
    int64_t paused_at[PLAN_PAUSES]; /* of each change of it, beginning with a pause */
    int pauses;
};

struct plan {
    struct plan_pipeline pipelines[PLAN_PIPELINES];
    int pipeline_count;
};

struct plan *plan_new(struct sim *sim);
void plan_free(struct plan *plan);
struct plan_pipeline *plan_find(struct plan *plan, const char *pipeline);
/* Was it paused, was it not, at any instant of [from, to]? */
void plan_was_paused(const struct plan_pipeline *pipeline, int64_t from, int64_t to, bool *paused,
                     bool *open);
struct plan_version *plan_version_find(struct plan_pipeline *pipeline, const char *hash);
int plan_step_find(const struct plan_version *version, const char *step); /* -1 = none */
