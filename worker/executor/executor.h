/* worker/executor/executor.h: how an attempt is run. Backends: process (through leat-keeper), noop,
 * objects (the built-in that pins a bucket's object set), docker; oci comes later behind the same
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

enum executor_pull { PULL_IF_MISSING, PULL_ALWAYS, PULL_NEVER };

/* A file or folder of the worker's that the container sees. */
struct executor_mount {
    const char *source, *target; /* absolute */
    bool writable;
    bool bound; /* also where what it writes is copied out at its end */
};

/* Something of the container's own that is wanted when it has ended. */
struct executor_take {
    const char *name; /* what it becomes: WORKSPACE/ATTEMPT/EXECUTOR_TAKEN/NAME; one segment */
    const char *path; /* in the container, absolute; a file or a folder */
};
#define EXECUTOR_TAKEN "taken"

struct executor_container {
    size_t command; /* so many of argv replace the image's entry point; 0 = it stays */
    enum executor_pull pull;
    const char *network;    /* NULL = the worker's usual */
    double cpu;             /* 0 = no limit */
    int64_t memory, gpu;    /* 0 = no limit; none */
    int64_t shm, pids;      /* 0 = the usual */
    bool read_only;         /* the image's files */
    const char *login;      /* USER:PASSWORD of the registry; NULL = none; wiped by the caller */
    const char *run, *step; /* for people who look at labels */
    bool outputs;           /* it leaves more than metrics among its outputs */
    const struct executor_take *takes;
    size_t take_count;
    const struct executor_mount *mounts;
    size_t mount_count;
};

struct executor_spec { /* borrowed during the call */
    struct uuid attempt;
    const char *image;
    const char *const *argv; /* ends with NULL; no shell */
    const char *const *env;  /* NAME=value, ends with NULL: the whole environment */
    const char *workdir;     /* absolute; "" = the image's (containers) */
    const char *log_path; /* standard output and error are appended here, at most log_limit bytes */
    int64_t log_limit;
    int64_t timeout_us;    /* 0 = none */
    int64_t grace_us;      /* TERM to KILL */
    int64_t fuse_slack_us; /* it is ended this long after the lease's end; < 0 = no fuse */
    bool at_most_once;     /* when in doubt whether it has run it is lost, and not started */
    const struct executor_objects *objects;     /* NULL for all others */
    const struct executor_container *container; /* NULL for all others */
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
    const char *image;  /* what ran: REPOSITORY@sha256:… or the image's id; "" = no image */
};

struct executor_events {
    /* Once after it was opened: it knows what it holds, adopt may be asked. */
    void (*ready)(void *arg, struct executor *ex);
    void (*started)(void *arg, const struct uuid *attempt, int64_t wall_us);
    /* Before it has started, for people: what is being done; may be NULL. */
    void (*noted)(void *arg, const struct uuid *attempt, const char *text);
    void (*exited)(void *arg, const struct uuid *attempt, const struct executor_exit *exit);
    /* What it can run has changed, after `ready`; may be NULL. */
    void (*changed)(void *arg, struct executor *ex);
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
    /* After a restart of the worker: does it know this attempt (or may it, its engine being away)?
     * Then its events follow again. Of the spec only attempt, at_most_once, log and times are
     * filled in. */
    bool (*adopt)(struct executor *ex, const struct executor_spec *spec);
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

/* Containers by a Docker engine. Everything is copied. */
struct docker_options {
    const char *host;                 /* unix:///PATH or tcp://HOST:PORT */
    const char *certs;                /* folder of ca.pem, cert.pem, key.pem for TLS; NULL = none */
    const char *worker;               /* name, for labels */
    const char *network;              /* of steps that name none */
    const char *networks;             /* that steps may name, between commas */
    const char *workspaces, *secrets; /* nothing else is mounted */
    bool copies;                      /* outputs are copied out of containers, not mounted */
    int64_t copy_most;                /* bytes out of one container */
    bool needed; /* `ready` waits for the engine; else, when nothing is held, for a moment only */
};
/* NULL with LEAT_EINPUT when an option is wrong. */
struct executor *docker_executor_open(const struct executor_owner *owner,
                                      const struct docker_options *options, struct err *err);
/* What the containers' label says from now on; until then nothing of others' is cleaned up. */
void docker_executor_cluster(struct executor *ex, const struct uuid *cluster);
/* It has no container any more, as far as it knows. */
bool docker_executor_idle(const struct executor *ex);
/* Its engine's version while it is there, else NULL and why not. */
const char *docker_executor_engine(const struct executor *ex, const char **why);
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
