/* worker/executor/docker/job.h: one container, from the order's specification to its removal.
 *
 * Everything that the engine is asked for can be asked again: the container's name is the attempt's
 * id, so a second create is refused with 409 and only followed; a second start is 304; what a call
 * that got no answer has done is found out by looking (job_look), which is also what happens after
 * adoption, when the engine comes back, and when one of its events speaks of the container. */
#pragma once
#include <uthash.h>
#include "common/base/loop.h"
#include "common/base/uuid.h"
#include "worker/executor/docker/body.h"
#include "worker/executor/docker/bring.h"
#include "worker/executor/docker/engine.h"
#include "worker/executor/docker/follow.h"
#include "worker/executor/docker/pull.h"
#include "worker/executor/docker/states.h"
#include "worker/executor/executor.h"

struct docker_executor;

enum job_stop { STOP_NO, STOP_CANCEL, STOP_TIMEOUT, STOP_FUSE };

struct job {
    struct uuid attempt;
    UT_hash_handle hh;
    struct docker_executor *docker;
    char name[UUID_TEXT + sizeof BODY_NAME_PREFIX];
    uint8_t state; /* enum container_state */
    bool listed;   /* not asked for by the worker: only known to be there */
    bool told_start, told_end;
    bool removing; /* forgotten: nothing but its removal is left */
    /* From the specification. */
    json_t *body; /* of create; NULL when adopted */
    char *image, *login, *log_path;
    int pull; /* enum executor_pull */
    int64_t log_limit, timeout_us, grace_us, fuse_slack_us;
    int64_t log_base;
    enum body_outputs outputs;
    json_t *takes; /* {NAME: PATH}; NULL = none */
    bool opens;    /* a folder for all has to be put into its volume */
    bool opened;   /* and was */
    bool pulled;   /* by this job: no second time */
    bool at_most_once;
    bool start_asked; /* of the engine, in this life of the worker */
    /* What goes on. */
    struct engine_call *call; /* at most one of look, create, start, kill, remove */
    struct pull *pull_now;
    struct follow *follow;
    struct bring *bring;
    int bring_tries;
    bool follow_waits; /* it goes on while the container writes */
    bool follow_whole; /* the log has been read to its end, after the container's */
    int follow_tries;
    bool look_again;
    struct loop_timer retry; /* look */
    struct loop_timer again; /* the log */
    struct loop_timer due;   /* timeout, KILL, fuse */
    int64_t retry_us;
    int64_t started_mono_us; /* on this machine's monotonic clock, as far as can be known */
    enum job_stop stop;
    bool term_sent, kill_sent;
    int64_t kill_due_us; /* CLOCK_MONOTONIC */
    bool killed_outside; /* somebody else sent a deadly signal */
    bool engine_left;    /* the engine was away while it ran */
    bool oom;
    bool oom_awaited; /* its word for it was given its time */
    int64_t memory;   /* the container's limit; 0 = none */
    /* Its end. */
    struct executor_exit exit;
    bool named; /* digest and image_id are final */
    char *reason, *digest, *image_id;
    char *container_id; /* NULL until it was seen */
    bool lost;
};

struct docker_executor {
    struct executor base;
    struct executor_owner owner;
    struct engine *engine;
    struct body_site site;
    char *cluster, *worker, *network, *networks, *workspace, *secrets;
    struct job *jobs;
    int64_t lease_end_us; /* CLOCK_BOOTTIME; 0 = none yet */
    bool known;           /* the engine has been there: what it did not list it does not have */
    bool ready;           /* and so was told */
    bool settled;         /* what the worker does not know may be removed */
    bool needed;
    int64_t copy_most;
    char *why; /* the engine is away; NULL = it is there */
    struct loop_timer patience, sweep;
    struct engine_call *sweep_call;
};

struct job *job_find(struct docker_executor *d, const struct uuid *attempt);
struct job *job_add(struct docker_executor *d, const struct executor_spec *spec);
void job_free(struct job *job);
void job_look(struct job *job); /* asks the engine what has become of it, and goes on from there */
void job_event(struct job *job, const struct engine_event *event);
void job_engine_down(struct job *job);
void job_outputs(struct job *job, const json_t *labels); /* how they come out */
void job_move(struct job *job, int state);               /* to the state it is in as well */
void job_quiet(struct job *job);                         /* drops what goes on */
void job_wipe_login(struct job *job);
/* Its one call at a time. Whoever is answered says first that it came back: true = somebody wants
 * to look meanwhile. */
void job_ask(struct job *job, const char *method, const char *path, const json_t *body,
             engine_done_fn *done);
bool job_came_back(struct job *job);
void job_look_later(struct job *job); /* later each time, until an answer came */

/* job_begin.c */
void job_begin(struct job *job);  /* a new one: creates its container */
void job_launch(struct job *job); /* one that is there and has not run */

/* job_stop.c */
void job_stop(struct job *job, enum job_stop why, int64_t grace_us);
void job_arm(struct job *job);    /* the next of its deadlines */
void job_forget(struct job *job); /* removes its container, then frees it */

/* job_end.c */
/* The container is there and has ended. */
void job_exited(struct job *job, const json_t *inspected);
void job_name_image(struct job *job, const char *id, const json_t *image); /* an inspection */
void job_lost(struct job *job, const char *reason);     /* nobody knows what it did */
void job_failed(struct job *job, const char *reason);   /* it never ran */
void job_follow(struct job *job);                       /* its log, while it runs */
int64_t job_time(const json_t *state, const char *key); /* of an inspection, wall; 0 = never */
