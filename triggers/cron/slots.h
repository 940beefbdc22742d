/* triggers/cron/slots.h: which slot of a schedule is to be fired now. Pure: the wall clock comes as
 * an argument. */
#pragma once
#include <stdint.h>
#include "common/text/cron.h"
#include "common/text/zone.h"

#define SLOT_FRESH_US (60LL * 1000000) /* missed: none drops slots that are older */

/* What becomes of slots that nobody fired when they were due: the last of them alone, each of them
 * in order, none that is older than SLOT_FRESH_US. */
enum missed { MISSED_LATEST, MISSED_ALL, MISSED_NONE };
enum missed missed_parse(const char *text); /* what it does not know is `latest` */

struct slots {
    struct cron cron;
    const struct zone *zone;
    enum missed missed;
    int64_t last_us; /* the slot that was fired or passed over last */
};

struct slot_due {
    int64_t fire_us;   /* fire it, then set last_us to it; 0 = none */
    int64_t passed_us; /* set last_us to it: it and those before it are not fired; 0 = none */
    int64_t next_us;   /* when the schedule is to be looked at again; -1 = never */
};

/* The clock may have been set back: then nothing is due before `last_us` comes again. */
struct slot_due slots_due(const struct slots *slots, int64_t now_us);
