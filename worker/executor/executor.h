/* worker/executor/executor.h: how an attempt is run. Backends: process (through leat-keeper), noop;
 * docker and oci come later behind the same calls. All asynchronous on the worker's loop.
 * An executor never decides: it starts, follows, ends and re-adopts; the attempt's state machine
 * (worker/attempt/) journals, stores outputs and reports. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/uuid.h"

struct executor;

struct executor_spec { /* borrowed during the call */
    struct uuid attempt;
    const char *image;
    const char *const *argv; /* ends with NULL; no shell */
    const char *const *env;  /* NAME=value, ends with NULL: the whole environment */
    const char *workdir;     /* absolute */
    const char *log_path; /* standard output and error are appended here, at most log_limit bytes */
    int64_t log_limit;
    int64_t timeout_us; /* 0 = none */
    int64_t grace_us;   /* TERM to KILL */
    int64_t fuse_us;    /* CLOCK_BOOTTIME at which it is ended when nobody moves the fuse */
};

struct executor_exit {
    int exit_code;                   /* 0..255, 128+N for signal N */
    bool timed_out;                  /* ended by timeout_us */
    bool fused;                      /* ended by the fuse: the lease had lapsed */
    bool cancelled;                  /* ended by stop() */
    bool truncated;                  /* the log hit its limit */
    int64_t started_us, finished_us; /* wall */
    const char *reason; /* why it could not start or how it ended; "" = nothing to add */
};

struct executor_events {
    void (*started)(void *arg, const struct uuid *attempt, int64_t wall_us);
    void (*exited)(void *arg, const struct uuid *attempt, const struct executor_exit *exit);
    /* What ran it is gone (the keeper died): everything it held has been killed. */
    void (*lost)(void *arg, const struct uuid *attempt, const char *reason);
};

struct executor_ops {
    const char *name; /* "process", "noop" */
    /* 0 = accepted: started or exited follows. At most once for an attempt: asked again for one
     * that it knows, it only follows it. */
    int (*start)(struct executor *ex, const struct executor_spec *spec, struct err *err);
    void (*stop)(struct executor *ex, const struct uuid *attempt,
                 int64_t grace_us);                     /* exited follows */
    void (*fuse)(struct executor *ex, int64_t fuse_us); /* moves the fuse of all attempts */
    /* After a restart of the worker: does it know this attempt? Then its events follow again. */
    bool (*adopt)(struct executor *ex, const struct uuid *attempt);
    void (*forget)(struct executor *ex,
                   const struct uuid *attempt); /* after its tombstone is safe */
    void (*close)(struct executor *ex);
};

struct executor {
    const struct executor_ops *ops;
};
