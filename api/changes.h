/* api/changes.h: the one tail of leat.changes in this process, for all who wait for something:
 * verdicts of commands, live streams. A record is only quick: what must not be missed is read from
 * Postgres when `missed` is called. */
#pragma once
#include <stdint.h>
#include "common/bus/bus.h"
#include "common/base/loop.h"
#include "schema/gen/messages.h"

#define CHANGES_SILENCE_US 5000000

struct changes;

struct changes_listener {
    void (*change)(void *arg, const struct change *change);
    /* Records may have been missed: a gap in tx_seq, a partial one, a lost connection, or nothing
     * came for 5 s (and again every 5 s). */
    void (*missed)(void *arg);
    void *arg;
};

/* Reads from the end on. The bus outlives it, which lives as long as the process. */
struct changes *changes_open(struct loop *loop, struct bus *bus);
/* At most four. */
void changes_listen(struct changes *changes, const struct changes_listener *listener);

/* ---- what one record is after the ones before (pure) ---- */
struct changes_seen {
    int64_t epoch, tx_seq; /* of the last one; 0 = none yet */
};
enum changes_verdict {
    CHANGES_FOLLOWS,
    CHANGES_GAP,    /* some are missing, or the database is another one (a restored backup) */
    CHANGES_REPEAT, /* was there before, or comes from a leader that is none any more */
};
enum changes_verdict changes_next(struct changes_seen *seen, int64_t epoch, int64_t tx_seq);
