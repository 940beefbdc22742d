/* common/bus/embedded_internal.h: shared by embedded.c (the object, topics, ends, trim),
 * embedded_publish.c (the producer) and embedded_reader.c. */
#pragma once
#include <stdbool.h>

#include "common/base/loop.h"
#include "common/bus/doorbell.h"
#include "common/bus/embedded.h"
#include "common/bus/outlets.h"
#include "common/pg/pg.h"

/* ---- the producer --------------------------------------------------------------------------- */
struct message {
    struct message *prev, *next;
    struct outlet *outlet;
    bus_delivered *delivered; /* NULL once it has been answered */
    void *arg;
    int64_t deadline_us;
    int64_t number;      /* within its outlet in the append that is under way */
    int64_t offset;      /* once it is in */
    struct err *refusal; /* answered with it from the loop */
    size_t key_len, len;
    bool has_key;
    char data[]; /* key, then value */
};

enum producer_state {
    PRODUCER_IDLE,     /* nothing was published on this connection, or there is none */
    PRODUCER_LOCKING,  /* asks for the lock of its name, again and again while another has it */
    PRODUCER_SETTLING, /* looks whether the append that was cut off is in */
    PRODUCER_READY,
};

struct append { /* one at a time */
    struct message *messages;
    size_t count;
    const struct outlet **outlets;
    int64_t *counts;
    int64_t *bases; /* `next` of each outlet before it */
    size_t outlet_count;
    bool cut; /* sent, the connection broke: to be settled */
};

struct producer {
    enum producer_state state;
    struct outlets outlets;
    struct message *refused; /* to be answered from the loop */
    struct message *waiting; /* in order */
    size_t waiting_count, bytes;
    struct append append; /* count > 0: under way or cut */
    struct loop_timer lock_timer;
    int64_t refused_since_us; /* the lock is another's; 0 = it is not */
    struct err refusal;
    struct loop_timer deadlines;
    bool pumping; /* a deferred producer_pump is coming */
};

/* ---- the bus -------------------------------------------------------------------------------- */
struct embedded {
    struct bus base;
    struct loop *loop;
    struct embedded_options options; /* strings owned */
    struct doorbells *bells;         /* NULL: none */
    struct pg *writes;
    struct pg *reads; /* NULL until the first reader */
    struct uuid id;
    bool id_known, id_asked;
    struct producer producer;
    struct bus_reader *readers;
    int refs; /* the owner, each reader, each deferred or running callback */
    bool closed;
};

void embedded_hold(struct embedded *e);
void embedded_release(struct embedded *e); /* may free it */
void embedded_ring(struct embedded *e, const char *topic, char what);

/* ---- embedded_publish.c ---- */
void producer_publish(struct bus *bus, const char *topic, const void *key, size_t key_len,
                      const void *value, size_t len, int64_t deadline_us, bus_delivered *delivered,
                      void *arg);
void producer_up(struct embedded *e);
void producer_down(struct embedded *e);
void producer_close(struct embedded *e); /* answers what is open */

/* ---- embedded_append.c ---- */
void append_start(struct embedded *e);  /* of what waits and may go; nothing: does nothing */
void append_settle(struct embedded *e); /* the one that was cut off */
void append_answer(struct embedded *e, const struct err *err); /* all of it */
/* ---- between the two ---- */
void producer_pump(struct embedded *e); /* goes on with whatever can go on */
/* Takes it off its list, answers it once, and frees it. */
void message_answer(struct message **list, struct message *m, const struct err *err);

/* ---- embedded_reader.c ---- */
struct bus_reader *reader_open(struct bus *bus, const struct bus_reader_events *events, void *arg);
void reader_assign(struct bus_reader *reader, const char *const *topics, size_t topic_count,
                   const struct bus_position *positions, size_t position_count, int64_t otherwise);
void reader_pause(struct bus_reader *reader, bool paused);
void reader_close(struct bus_reader *reader);
