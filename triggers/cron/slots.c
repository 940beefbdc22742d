#include "triggers/cron/slots.h"

#include <string.h>

enum missed missed_parse(const char *text)
{
    return strcmp(text, "all") == 0    ? MISSED_ALL
           : strcmp(text, "none") == 0 ? MISSED_NONE
                                       : MISSED_LATEST;
}

/* The last slot that is due, given one that is. */
static int64_t latest_from(const struct slots *s, int64_t slot_us, int64_t now_us)
{
    for (int64_t later_us;
         (later_us = cron_next(&s->cron, s->zone, slot_us)) > 0 && later_us <= now_us;)
        slot_us = later_us;
    return slot_us;
}

struct slot_due slots_due(const struct slots *s, int64_t now_us)
{
    const int64_t slot_us = cron_next(&s->cron, s->zone, s->last_us);
    if (slot_us < 0 || slot_us > now_us)
        return (struct slot_due){.next_us = slot_us};
    if (s->missed == MISSED_ALL)
        return (struct slot_due){.fire_us = slot_us, .next_us = now_us};
    const int64_t latest_us = latest_from(s, slot_us, now_us);
    const int64_t next_us = cron_next(&s->cron, s->zone, latest_us);
    if (s->missed == MISSED_NONE && latest_us < now_us - SLOT_FRESH_US)
        return (struct slot_due){.passed_us = latest_us, .next_us = next_us};
    return (struct slot_due){.fire_us = latest_us, .next_us = next_us};
}
