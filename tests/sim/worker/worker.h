/* tests/sim/worker/worker.h: a worker as docs/walk.md section 4 describes it: journal, keeper,
 * leases, fuses, numbered reports that are sent again, tombstones. It can die, stop, be cut off,
 * lose its keeper or its machine, and lie. */
#pragma once
#include "tests/sim/database/database.h"
#include "tests/sim/sim.h"

enum local_state {
    LOCAL_JOURNALLED, /* taken in, not yet known to the keeper */
    LOCAL_ASKING,     /* at_most_once: ready, and waits for leave */
    LOCAL_RUNNING,    /* the keeper has it */
    LOCAL_EXITED,     /* the keeper has its exit status */
    LOCAL_FINISHED,   /* reported, not acknowledged */
    LOCAL_TOMBSTONE,
};

struct local { /* an attempt; on disk */
    struct worker *worker;
    struct uuid id;
    int64_t nonce;
    enum local_state state;
    struct row_key key;
    int slots;
    char size[32], argument[64];
    char where[64];
    int64_t timeout_us, heartbeat_us, takes_us, grace_us, lost_after_us;
    bool will_fail, will_hang, cancelled;
    bool silent; /* journalled: it was asked to end for that */
    bool at_most_once;
    int outcome; /* enum report_result_outcome; from LOCAL_EXITED on */
    int n;
    int exit_code;             /* of a program that fails; -1 = it never begins */
    bool without_n, without_d; /* it does not write them */
    const char *complaint;     /* why its outputs are none; NULL = they are as declared */
    int64_t report_n;
    struct effect *effect;
    uint64_t life; /* of the process: events of an earlier one are void */
    struct local *prev, *next;
};

struct sent { /* a report that is not acknowledged */
    int64_t n;
    char *text;
    size_t len;
    struct sent *prev, *next;
};

struct worker {
    struct sim *sim;
    int index;
    char id[16]; /* born with its folder */
    int folders;
    bool was_removed; /* its folder; what it was told may be trimmed unread */
    int slots;
    int pool; /* of PLAN_POOLS */
    /* disk */
    int64_t epoch, orders_next, n;
    struct local *attempts;
    struct local *buried; /* of former folders: events that are void may still mean them */
    /* machine */
    char boot[UUID_TEXT];
    struct proc *keeper;
    int64_t fuse_base; /* sent(k) + lease: from it the fuses count */
    /* process */
    struct proc *proc;
    bool up, cut, silent;
    bool gone; /* its machine never comes back */
    int64_t began_at;
    struct bus *bus;
    struct bus_reader *reader;
    struct uuid incarnation;
    int64_t heartbeat;
    int64_t heartbeat_sent[64];
    int64_t lease_end;
    struct sent *unacked;
    size_t unacked_count;
    int64_t acked_low; /* lowest unacknowledged when the last grant came */
    int grants_idle;
    bool resending;
};

/* A stream of chance for the next execution of this step of this run. It goes by what the seed
 * planned: a history with less in it lets the same steps fail. */
struct rng chance_of(struct sim *sim, const struct row_run *run, const char *step,
                     const struct row_key *key);
struct worker *worker_new(struct sim *sim, int index);
void worker_free(struct worker *w);
void worker_start(void *w);
void worker_kill(struct worker *w);        /* its keeper and the processes go on */
void worker_kill_keeper(struct worker *w); /* and every process with it */
void worker_boot(struct worker *w);        /* the machine: all of it */
void worker_lose(struct worker *w);        /* the machine, for good, soon after it came up again */
void worker_new_folder(struct worker *w);  /* and so another worker; it is not started */
void worker_set_cut(struct worker *w, bool cut);
void worker_lie(struct worker *w);
/* Nothing is on its way from this worker but heartbeats. */
bool worker_is_idle(const struct worker *w);
int worker_count(const struct worker *w, enum local_state state);
int worker_used_slots(const struct worker *w); /* of running processes */

struct order;
/* worker/roll.c */
void worker_roll(struct local *a, const struct order *order, const struct row_key *key);
/* worker/report.c */
void report_hello(struct worker *w);
void report_note(struct worker *w, const struct local *a);
void report_started(struct worker *w, const struct local *a);
void report_ask(struct worker *w, const struct local *a);
void report_finished(struct worker *w, struct local *a);
void report_heartbeat(void *w);
void report_forged(struct worker *w);
void report_resend(struct worker *w);
void report_acknowledge(struct worker *w, int64_t committed, int64_t heartbeat);
void report_forget(struct worker *w); /* what only the process knew */
/* worker/worker.c, for the reports */
void local_look(struct worker *w); /* ends that came while the process was stopped */
void local_acknowledged(struct worker *w, int64_t committed);
