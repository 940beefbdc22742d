/* scheduler/core/snapshot.h: committed state as the core takes it in: at takeover all of it,
 * later the catalog entries and finished runs that a batch needs. Plain data; the snapshot owns
 * its strings (one arena) and JSON values. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/uuid.h"
#include "common/bus/bus.h"

struct snapshot_version { /* a pipeline version that a live run or the catalog names */
    const char *pipeline;
    const char *hash;
    json_t *ir;
};

struct snapshot_pipeline {
    const char *name;
    const char *version; /* current */
    bool paused;
    bool deleted;
    int64_t next_number;
    int64_t gen;
    json_t *paused_triggers; /* names; NULL = none */
};

struct snapshot_run {
    struct uuid id;
    const char *pipeline;
    const char *version;
    const char *name;
    int64_t number;
    const char *experiment;
    uint8_t state;
    const char *reason;
    const char *trigger;
    struct uuid event;
    json_t *envelope; /* the event, NULL = none */
    json_t *params;
    json_t *vars;
    struct uuid retry_of;
    const char *retry_from;      /* of live runs; "" = none */
    const char *concurrency_key; /* of live runs */
    const char *again;           /* as batch_run's */
    bool no_cache;               /* of live runs */
    int64_t created_us;
    int64_t started_us;
    int64_t cancelled_us;
};

struct snapshot_step {
    struct uuid run;
    int32_t step;
    int32_t iteration;
    uint8_t state;
    int32_t attempt;
    struct uuid attempt_id;
    int64_t nonce;
    const char *worker;
    struct uuid incarnation;
    int64_t since_us;
    int64_t started_us;
    int64_t due_us;
    int32_t lost;
    const char *reason;
    bool leave;
    json_t *limits;   /* {NAME: n}, NULL = none */
    const char *pool; /* of an attempt: whose slots it uses; NULL: the row is older than pools */
    int32_t slots;    /* how many */
};

struct snapshot_result {
    struct uuid run;
    int32_t step;
    int32_t iteration;
    uint8_t state;
    int32_t attempt;
    struct uuid attempt_id;
    json_t *outputs;
    json_t *metrics; /* of finished runs (for a retry); NULL for live ones */
    json_t *log;     /* as metrics */
    const char *reason;
    const char *image; /* as metrics */
    struct uuid cached_from;
};

struct snapshot_cached { /* an earlier result that was asked for */
    size_t place;        /* of what was asked for; the rows are in this order */
    struct uuid run;
    json_t *outputs;
    json_t *metrics;
    const char *image;
};

struct snapshot_group { /* of live runs */
    struct uuid run;
    int32_t step;
    int32_t iteration;
    int32_t attempt;
    int32_t first;
    int32_t count;
    int32_t branch;
    json_t *items; /* NULL = none */
};

struct snapshot_finally { /* of live runs */
    struct uuid run;
    int32_t iteration;
    int64_t started_us;
    bool up; /* what is left of them was asked to end */
};

struct snapshot_start { /* of live runs that a step has started */
    struct uuid child;
    struct uuid parent;
    int32_t step;
    int32_t iteration;
    int32_t attempt;
    int32_t depth;
};

struct snapshot_worker {
    const char *id;
    struct uuid incarnation;
    const char *boot;
    uint8_t state;
    int64_t report_n;
    json_t *info;
    int64_t heard_us;
};

struct snapshot_limit {
    const char *name;
    int64_t n;
};

struct snapshot_pool {
    const char *name;
    int64_t slots;    /* -1 = any number */
    const char *path; /* NULL = the workers' */
};

#define SNAPSHOT_ARRAYS(A)                                                                         \
    A(versions, struct snapshot_version)                                                           \
    A(pipelines, struct snapshot_pipeline)                                                         \
    A(runs, struct snapshot_run)                                                                   \
    A(steps, struct snapshot_step)                                                                 \
    A(results, struct snapshot_result)                                                             \
    A(starts, struct snapshot_start)                                                               \
    A(groups, struct snapshot_group)                                                               \
    A(finallys, struct snapshot_finally)                                                           \
    A(limits, struct snapshot_limit)                                                               \
    A(pools, struct snapshot_pool)                                                                 \
    A(cached, struct snapshot_cached)                                                              \
    A(workers, struct snapshot_worker)                                                             \
    A(offsets, struct bus_position)

struct snapshot {
    int64_t epoch;
    int64_t tx_seq;
    int64_t catalog_gen;
    int64_t wall_us; /* the database's clock when it was read */
    bool has_limits; /* `limits` and `pools` are all that there are */
#define A(field, type)                                                                             \
    type *field;                                                                                   \
    size_t field##_count;                                                                          \
    size_t field##_cap;
    SNAPSHOT_ARRAYS(A)
#undef A
    struct arena *arena;
};

struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *s); /* takes NULL; decrefs its JSON values */
#define A(field, type) type *snapshot_add_##field(struct snapshot *s);
SNAPSHOT_ARRAYS(A)
#undef A
const char *snapshot_text(struct snapshot *s, const char *text);
