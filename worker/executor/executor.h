/* worker/executor/executor.h: how an attempt is run. Backends: process (through leat-keeper), noop,
 * objects (the built-in that pins a bucket's object set); docker and oci come later behind the same
 * calls. All asynchronous on the worker's loop: events come from the loop, never from inside a
 * call. An executor never decides: it starts, follows, ends and re-adopts; the attempt's state
 * machine (worker/attempt/) journals, stores outputs and reports. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/loop.h"
#include "common/base/uuid.h"

struct executor;
struct store;

/* What the objects executor pins; it leaves the manifest as file `manifest_path`. */
struct executor_objects {
    const char *bucket;
    const char *prefix, *suffix; /* "" = all */
    const char *key, *version;   /* one object instead of a set; NULL = no, version NULL = any */
    const char *manifest_path;
};

struct executor_spec { /* borrowed during the call */
    struct uuid attempt;
    const char *image;
    const char *const *argv; /* ends with NULL; no shell */
    const char *const *env;  /* NAME=value, ends with NULL: the whole environment */
    const char *workdir;     /* absolute */
    const char *log_path; /* standard output and error are appended here, at most log_limit bytes */
    int64_t log_limit;
    int64_t timeout_us;    /* 0 = none */
    int64_t grace_us;      /* TERM to KILL */
    int64_t fuse_slack_us; /* it is ended this long after the lease's end; < 0 = no fuse */
    const struct executor_objects *objects; /* NULL for all others */
};

struct executor_exit {
    int exit_code;                   /* 0..255, 128+N for signal N; -1 = it never ran */
    bool timed_out;                  /* ended by timeout_us */
    bool fused;                      /* ended by the fuse: the lease had lapsed */
    bool cancelled;                  /* ended by stop() */
    bool truncated;                  /* the log hit its limit */
    int64_t started_us, finished_us; /* wall */
    int64_t log_bytes;               /* in log_path */
    const char *reason; /* why it could not start or how it ended; "" = nothing to add */
};

struct executor_events {
    /* Once after it was opened: it knows what it holds, adopt may be asked. */
    void (*ready)(void *arg, struct executor *ex);
    void (*started)(void *arg, const struct uuid *attempt, int64_t wall_us);
    void (*exited)(void *arg, const struct uuid *attempt, const struct executor_exit *exit);
    /* What ran it is gone (the keeper died): everything it held has been killed. */
    void (*lost)(void *arg, const struct uuid *attempt, const char *reason);
};

struct executor_ops {
    const char *name; /* "process", "noop", "objects" */
    /* 0 = accepted: started or exited follows. At most once for an attempt: asked again for one
     * that it knows, it only follows it. */
    int (*start)(struct executor *ex, const struct executor_spec *spec, struct err *err);
    void (*stop)(struct executor *ex, const struct uuid *attempt,
                 int64_t grace_us);                     /* exited follows */
    void (*lease)(struct executor *ex, int64_t end_us); /* CLOCK_BOOTTIME: moves all fuses */
    /* After a restart of the worker: does it know this attempt? Then its events follow again. */
    bool (*adopt)(struct executor *ex, const struct uuid *attempt);
    void (*settle)(struct executor *ex); /* ends and forgets what it holds and nobody adopted */
    void (*forget)(struct executor *ex,
                   const struct uuid *attempt); /* after its tombstone is safe */
    /* Frees it. What runs goes on where the executor can leave it (process), else it ends. */
    void (*close)(struct executor *ex);
};

struct executor {
    const struct executor_ops *ops;
};

/* Where an executor's events go. */
struct executor_owner {
    struct loop *loop;
    const struct executor_events *events;
    void *arg;
};

/* `dir`: the worker's data folder; `program`: path of leat-keeper. Copies both. */
struct executor *process_executor_open(const struct executor_owner *owner, const char *dir,
                                       const char *program);
/* The worker ends: a keeper that holds nothing ends too, one that holds something goes on. */
void process_executor_quit(struct executor *ex);
struct executor *noop_executor_open(const struct executor_owner *owner);
/* How it learns of buckets that are no folders; NULL = there are none. */
struct http_client;
struct executor_api {
    struct http_client *http;
    const char *url;    /* of leat-api */
    const char *token;  /* NULL = none */
    const char *worker; /* its id */
};
/* `buckets`: folder whose folders are the buckets; copied. `api` is copied, what it points to is
 * the caller's and outlives the executor. */
struct executor *objects_executor_open(const struct executor_owner *owner, const char *buckets,
                                       struct store *store, const struct executor_api *api);
