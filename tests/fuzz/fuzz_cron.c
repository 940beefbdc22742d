/* Any text as a schedule, and any bytes as a zone file: firings move strictly forward. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/cron.h"

static const int64_t starts[] = {0, 1774746000 * US_PER_S, 1792890000 * US_PER_S + 1};

static void fire(const struct cron *cron, const struct zone *zone)
{
    for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
        int64_t at = starts[i];
        for (int n = 0; n < 4 && at >= 0; n++) {
            const int64_t next = cron_next(cron, zone, at);
            if (next != -1 && next <= at)
                abort();
            at = next;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    struct cron cron;
    if (len > 4 && memcmp(data, "TZif", 4) == 0) {
        cleanup_zone struct zone *zone = zone_parse(data, len, &err);
        if (zone && cron_parse("30 2 * * *", &cron, &err) == 0)
            fire(&cron, zone);
        return 0;
    }
    cleanup_free char *text = mem_bytes(data, len);
    if (cron_parse(text, &cron, &err) < 0) {
        if (strncmp(err.text, "column ", 7) != 0)
            abort();
        return 0;
    }
    static struct zone *rome;
    if (!rome && !(rome = zone_load("Europe/Rome", &err)))
        abort();
    fire(&cron, rome);
    return 0;
}
