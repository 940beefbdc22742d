/* common/text/zone.h: time zones from the system's compiled files (TZif, RFC 8536).
 * zone_load reads one file; all else is pure. A loaded zone is constant and may be shared. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

#define ZONE_NAME_MAX 64

struct zone;

/* By name, "Europe/Rome", from /usr/share/zoneinfo; "UTC" needs no file. LEAT_EINPUT for a name
 * that is no relative path of plain segments (no dots), that does not exist or is no TZif file,
 * LEAT_EIO when it cannot be read. Blocks for the reading of a few kB. */
struct zone *zone_load(const char *name, struct err *err);
/* From the bytes of a TZif file; LEAT_EINPUT when they are not one. */
struct zone *zone_parse(const void *data, size_t len, struct err *err);
/* A constant offset in seconds east of UTC, |offset| < 86400. */
struct zone *zone_fixed(int32_t offset_s);
void zone_free(struct zone *zone); /* takes NULL */
static inline void zone_cleanup(struct zone **zone)
{
    zone_free(*zone);
}
#define cleanup_zone __attribute__((cleanup(zone_cleanup)))

/* Seconds east of UTC in force at `utc_s` (seconds since 1970). *until_s (may be NULL): the next
 * instant at which another rule takes over, INT64_MAX for never. */
int32_t zone_offset(const struct zone *zone, int64_t utc_s, int64_t *until_s);

/* The instant at which the local clock shows `local_s` (seconds since 1970 as if it were UTC). A
 * time that comes twice gives the first; one that is skipped gives the first instant after the
 * gap. */
int64_t zone_to_utc(const struct zone *zone, int64_t local_s);
