/* api/live/internal.h: who reads what. A watch is one run that somebody reads: it is fed once,
 * however many readers it has. A reader is one client: its position, its logs under way. */
#pragma once
#include "api/api.h"
#include "api/live/position.h"
#include "api/live/view.h"

#define LIVE_READERS_MAX  256         /* then 503 */
#define LIVE_BUFFER       (64 * 1024) /* bytes under way to a client; then it has to take some */
#define LIVE_READ         (16 * 1024) /* bytes of a log at once */
#define LIVE_READS        4           /* of the store at once, a reader */
#define LIVE_ENDING       32          /* logs of finished steps under way, a reader */
#define LIVE_PROBES       16          /* looks for a next chunk at once, a watch */
#define LIVE_PROBE_US     250000
#define LIVE_TICK_US      1000000
#define LIVE_HEARTBEAT_US 15000000
#define LIVE_STALL_US     20000000 /* a client that takes nothing for so long is ended */
#define LIVE_TRIES        10       /* of a chunk that the store cannot give, a second apart */

struct tail { /* a step's logs on their way to one reader */
    struct reader *reader;
    struct cell *cell;
    bool reading; /* the store is asked */
    bool ending;  /* counted in reader->ending */
    bool stuck;   /* the store failed: the tick tries again */
    int failures;
    struct tail *prev, *next;
};

struct reader {
    struct watch *watch;
    struct http_request *req; /* NULL once it is over */
    struct position position;
    uint64_t version;     /* of the view: steps are told up to here */
    uint64_t run_version; /* the same for the run's own state */
    struct tail *tails;
    int reads;  /* under way */
    int ending; /* tails of steps that are over */
    bool with_logs;
    char *only; /* name of the one step whose logs are wanted; NULL = all */
    bool pumping;
    int64_t wrote_us; /* the last write, for the heartbeat */
    int64_t moved_us; /* when the client last took something, or nothing was due to it */
    size_t pending;   /* at the last look */
    struct reader *prev, *next;
};

struct watch {
    struct live *live;
    struct view view;
    struct reader *readers;
    bool asking;           /* Postgres is being read */
    int probes;            /* under way */
    struct cell *probe_at; /* the next to look at in this round; NULL = the round is over */
    int users;             /* readers, and those whose reads are under way */
    UT_hash_handle hh;
};

struct live {
    struct api *api;
    struct watch *watches;
    int readers;
    struct loop_timer tick, probe;
};

/* watch.c */
struct watch *watch_of(struct live *live, const struct uuid *run); /* made when there is none */
void watch_read(struct watch *w); /* Postgres, when it is stale or not known */
void watch_probe(struct watch *w);
/* Frees it when nobody needs it. */
void watch_release(struct watch *w);
void watch_pump(struct watch *w); /* all of its readers */

/* reader.c */
void reader_begin(struct watch *w, struct http_request *req, struct position *position);
/* Tells what is new as far as there is room. May end and free r. */
void reader_pump(struct reader *r);
void reader_tick(struct reader *r, int64_t now_us);
void reader_over(struct reader *r); /* ends its stream; freed when its reads are back */
void reader_write(struct reader *r, const struct text *out);
bool reader_has_room(const struct reader *r);

/* tail.c */
/* Is there a log of this step that the reader wants and has not had? */
bool tail_wanted(const struct reader *r, const struct cell *c);
struct tail *tail_of(const struct reader *r, const struct cell *c);
struct tail *tail_open(struct reader *r, struct cell *c);
/* Starts reads while there is room, ends those that are through. */
void tails_read(struct reader *r);
void tails_unstick(struct reader *r);
void tail_free(struct tail *t);

/* tell.c: one event each, with the position after it */
void tell_run(struct reader *r);
void tell_step(struct reader *r, const struct cell *c);
void tell_end(struct reader *r);
/* One piece of a log that begins at byte `offset`; `truncated` (with no bytes): the rest cannot
 * be had. */
void tell_log(struct reader *r, const struct cell *c, const struct begun *b, const char *data,
              size_t len, bool is_text, bool truncated);
