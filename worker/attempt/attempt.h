/* worker/attempt/attempt.h: one attempt on its worker, from its order to its acknowledgement. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <uthash.h>
#include "common/base/loop.h"
#include "common/base/uuid.h"
#include "schema/gen/messages.h"
#include "worker/attempt/progress.h"
#include "worker/attempt/states.h"
#include "worker/executor/executor.h"

struct worker;
struct collect;
struct journal_record;
struct spool;

/* SILENT: by the worker itself, when the program did not touch LEAT_PROGRESS. END: by the worker,
 * which ends for good; the attempt is lost, unless it succeeds. */
enum attempt_asked { ASKED_NOTHING, ASKED_CANCEL, ASKED_REVOKE, ASKED_SILENT, ASKED_END };

struct attempt {
    struct uuid id;
    char id_text[UUID_TEXT];
    UT_hash_handle hh; /* worker->attempts */
    struct worker *worker;
    uint8_t state; /* enum work_state */
    uint8_t asked; /* enum attempt_asked: the first that came */
    int64_t nonce;
    int64_t offset;   /* of its order */
    int64_t moved_us; /* monotonic: when it came into its state in this life of the worker */
    int64_t grace_us;
    int64_t asked_grace_us;
    char *asked_reason;
    struct order order; /* until it is finished */
    char *text;         /* what the journal has: the order's text, then the report's; may be NULL */
    size_t len;
    struct executor *executor;
    struct loop_timer started; /* the report of its start, held back a moment */
    struct progress progress;  /* its heartbeat, while it runs */
    struct spool *spool;       /* its log; process executor only */
    struct collect *collect;   /* while it is COLLECTING */
    struct executor_exit exit; /* once it has ended; `reason` is exit_reason */
    char *exit_reason;
    char *image;    /* what ran in its container, by content; NULL = none */
    char *login;    /* of its image's registry, until it has been handed on; wiped */
    bool lost;      /* its keeper died */
    bool workspace; /* there may be a folder of it */
    bool noted;     /* something was said before its start */
};

/* What became of it; everything is borrowed, the JSON values are taken over. */
struct attempt_result {
    int outcome; /* enum report_result_outcome */
    int exit_code;
    const char *reason; /* NULL = none */
    json_t *outputs, *metrics, *log;
};

struct attempt *attempt_find(struct worker *w, const struct uuid *id);
/* A start as read from the bus, whose text is order_text; takes over *order (left empty). It is
 * to be journalled, then attempt_begin. */
struct attempt *attempt_new(struct worker *w, struct order *order, const char *order_text,
                            size_t len, int64_t offset);
struct attempt *attempt_known(struct worker *w, const struct uuid *id); /* from the journal */
void attempt_free(struct attempt *a);                                   /* off the worker's table */

void attempt_put_order(struct attempt *a); /* into the journal */
void attempt_begin(struct attempt *a);     /* workspace, inputs, executor … */
bool attempt_adopt(struct attempt *a);     /* from its order's text; false = it never started */
void attempt_finish(struct attempt *a, struct attempt_result *result); /* journalled, reported */
void attempt_resend(struct attempt *a); /* a finished one of an earlier life, with a new number */
/* A cancel or revoke: put into the journal, then followed. The first one counts. */
void attempt_put_asked(struct attempt *a, enum attempt_asked what, int64_t grace_us,
                       const char *reason);
void attempt_asked_before(struct attempt *a, const struct journal_record *r); /* replay */
void attempt_ask(struct attempt *a, enum attempt_asked what, int64_t grace_us, const char *reason);
void attempt_let(struct attempt *a); /* at_most_once: it has leave to start */
/* Acknowledged or given up: leaves a tombstone, removes what is on disk, frees it. */
void attempt_over(struct attempt *a);

/* For prepare.c: everything is in place, or `err` says what is not. */
void attempt_prepared(struct attempt *a, const struct err *err);
/* A process or a container: what has files, a log, and goes on without the worker. */
bool attempt_runs_program(const struct attempt *a);
/* WORKSPACE/ATTEMPT[/NAME]; malloc'd. */
char *attempt_path(const struct attempt *a, const char *name);
bool attempt_in_container(const struct attempt *a);
char *attempt_log_path(const struct attempt *a);

extern const struct executor_events ATTEMPT_EVENTS; /* their arg is the worker */
