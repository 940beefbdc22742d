/* scheduler/shell/intake.h: records that were read and are not yet committed, one queue for each
 * of the three topics that the leader reads, and where it stands in their partitions.
 *   read       next offset that the reader will bring
 *   taken      next offset after what is in the open batch
 *   committed  next offset in Postgres
 * committed <= taken <= read. A record that was taken and cannot be taken in yet is held: later
 * ones pass it, and the next offset of its partition is that of the first that is held. So after a
 * crash those that passed are read again, and the inbox knows them. Pure data. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/bus/bus.h"

/* In the order in which a batch takes them. */
#define INTAKE_TOPICS(T)                                                                           \
    T(COMMANDS, TOPIC_COMMANDS)                                                                    \
    T(REPORTS, TOPIC_REPORTS)                                                                      \
    T(EVENTS, TOPIC_EVENTS)

enum intake_kind {
#define T(id, topic) INTAKE_##id,
    INTAKE_TOPICS(T)
#undef T
        INTAKE_KINDS
};

/* Back-pressure of one queue, held ones included: at either limit its reader pauses, at half of
 * both it goes on. */
#define INTAKE_RECORDS_MAX 20000
#define INTAKE_BYTES_MAX   (32 * 1024 * 1024)

struct intake_record {
    enum intake_kind kind;
    int32_t partition;
    int64_t offset;
    size_t len;
    bool again;   /* it was held */
    char value[]; /* with a NUL after it */
};

struct intake_mark {
    int32_t partition;
    int64_t read, taken, committed;
    int64_t next; /* that the open batch commits */
    size_t held;  /* records of it that are */
};

struct intake_ring {                /* first in, first out */
    struct intake_record **records; /* power of two */
    size_t head, count, cap;
};

struct intake_queue {
    struct intake_ring fresh, held;
    size_t bytes; /* of both */
    struct intake_mark *marks;
    size_t mark_count, mark_cap;
};

struct intake {
    struct intake_queue queues[INTAKE_KINDS];
};

const char *intake_topic(enum intake_kind kind);
int intake_kind_of(const char *topic); /* -1 = none of ours */

void intake_clear(struct intake *in); /* everything, as new; frees */

/* Copies the record in. False: it was read before (below `read`) and is left out. */
bool intake_push(struct intake *in, enum intake_kind kind, const struct bus_record *record);
/* The oldest record of the most urgent queue, now the caller's (free), or NULL. Held ones only when
 * there is room for them. */
struct intake_record *intake_take(struct intake *in, bool room);
/* Takes records over that were taken just now and are held: all at once, in the order in which they
 * were taken. */
void intake_hold(struct intake *in, struct intake_record **records, size_t count);
/* Of those that intake_take would give. */
size_t intake_count(const struct intake *in, bool room);
size_t intake_held(const struct intake *in);
bool intake_is_full(const struct intake *in, enum intake_kind kind);
bool intake_has_room(const struct intake *in, enum intake_kind kind);

/* Offsets that a load found; other topics are passed over. Everything queued goes. */
void intake_restore(struct intake *in, const struct bus_position *offsets, size_t n);
/* Queued records go; the reader is to begin anew with the first of them: what the open batch holds
 * stays. */
void intake_forget(struct intake *in, enum intake_kind kind);
/* The open batch is given up too: every reader is to begin at `committed` again. */
void intake_rewind(struct intake *in);
/* What the open batch commits: sets `next` of every partition. */
void intake_settle(struct intake *in);
/* It is in. */
void intake_committed(struct intake *in);

/* The partitions of one kind that are known. */
const struct intake_mark *intake_marks(const struct intake *in, enum intake_kind kind,
                                       size_t *count);

/* True when everything below `end` of that partition is committed. */
bool intake_has_committed(const struct intake *in, const struct bus_position *end);
