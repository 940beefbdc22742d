/* tests/support/one_worker.h: a real leat-worker on the real embedded bus, with a leader played by
 * the test: it takes reports in by the rules of docs/walk.md and grants. What goes wrong ends the
 * program. Attempts are known by a small number. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <jansson.h>
#include "common/base/loop.h"
#include "common/base/uuid.h"
#include "common/bus/bus.h"
#include "common/store/store.h"
#include "schema/gen/messages.h"
#include "tests/support/postgres.h"

#define ONE_WORKER_ATTEMPTS 20000

struct seen_attempt {
    bool placed, lost; /* lost: by a hello that did not name it */
    int started;       /* reports taken in */
    int asked;         /* for leave */
    int finished;
    int outcome, exit_code;
    char *reason;
    json_t *outputs, *metrics, *log;
};

struct one_worker {
    struct test_database db;
    struct loop *loop;
    struct bus *bus;
    struct bus_reader *reader;
    struct store *store;
    char dir[64];
    pid_t pid;
    /* The leader. */
    int64_t epoch, report_n;
    struct uuid incarnation;
    char workspace[256];
    int hellos;
    int finished;     /* attempts that are, each counted once */
    bool mute;        /* takes in, grants nothing */
    int64_t ignored;  /* reports that came with a gap or again */
    int64_t swallow;  /* this many finished reports are not seen: as if they never came */
    int64_t grace_us; /* of the starts that follow; 0 = 300 ms */
    int grant_due;
    int64_t heartbeat;
    struct seen_attempt *seen; /* ONE_WORKER_ATTEMPTS */
};

struct one_worker *one_worker_open(void); /* database, bus, store; no worker yet */
void one_worker_close(struct one_worker *o);

/* `failpoint` NULL = none. Extra flags end with NULL. Waits for the hello. */
void one_worker_start(struct one_worker *o, const char *failpoint, const char *const *flags);
void one_worker_spawn(struct one_worker *o, const char *failpoint, const char *const *flags);
void one_worker_kill(struct one_worker *o, int signo); /* and waits for its end */
int one_worker_wait(struct one_worker *o);             /* for it to end by itself: its status */
pid_t one_worker_keeper(const struct one_worker *o);   /* 0 = none */
/* Once there is one: it is started apart from the worker's hello. */
void one_worker_signal_keeper(struct one_worker *o, int signo);

struct uuid one_worker_id(int attempt);
void one_worker_path(const struct one_worker *o, char *out, size_t most, const char *name);
/* WORKSPACE/ATTEMPT/NAME, as the scheduler would write it into argv. */
void one_worker_workspace(const struct one_worker *o, int attempt, const char *name, char *out,
                          size_t most);

/* Sends a start of `attempt`; run, step and the like are filled in where they are missing. */
void one_worker_order(struct one_worker *o, int attempt, struct order_start *start);
void one_worker_send(struct one_worker *o, struct order *order); /* as it is */
void one_worker_leave(struct one_worker *o, int attempt);        /* it may start */
void one_worker_shell(struct one_worker *o, int attempt, const char *script);
/* Runs the loop until the attempt has finished (or is lost, where that is allowed). */
struct seen_attempt *one_worker_finished(struct one_worker *o, int attempt);
struct seen_attempt *one_worker_over(struct one_worker *o, int attempt);
void one_worker_until_file(struct one_worker *o, const char *path); /* it has content */
/* After a silence of the leader: sends steps that do nothing, *attempt and those after it, until
 * one is not refused. The lease is live then. */
void one_worker_until_it_takes(struct one_worker *o, int *attempt);
void one_worker_pass(struct one_worker *o, int ms);
