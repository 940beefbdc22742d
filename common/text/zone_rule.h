/* common/text/zone_rule.h: the POSIX TZ rule at the end of a TZif file, for the years that its
 * table does not reach. Pure; used by zone.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct zone_rule_day {
    enum { RULE_JULIAN, RULE_DAY, RULE_WEEKDAY } kind; /* Jn without 29 Feb, n from 0, Mm.w.d */
    int month, week, day;
    int32_t time_s; /* of the local day, -167 h to 167 h */
};

struct zone_rule {
    int32_t standard_s; /* seconds east of UTC */
    bool has_dst;
    int32_t dst_s;
    struct zone_rule_day dst_begins, dst_ends;
};

/* "CET-1CEST,M3.5.0,M10.5.0/3". False when `text` is no such rule. */
bool zone_rule_parse(const char *text, struct zone_rule *out);

/* The offset at `utc_s` and the next change after it (INT64_MAX for none). */
int32_t zone_rule_offset(const struct zone_rule *rule, int64_t utc_s, int64_t *until_s);
