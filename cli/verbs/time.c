/* cron: when does a schedule fire? Offline. */
#include <stdio.h>
#include <string.h>

#include "cli/output.h"
#include "cli/verb.h"
#include "common/base/clock.h"
#include "common/base/text.h"
#include "common/text/cron.h"
#include "common/text/json.h"
#include "common/text/zone.h"

#define COUNT_USUAL 5
#define COUNT_MAX   1000

static const struct option options[] = {
    {"timezone", 0, "ZONE", false, "default UTC"},
    {"from", 0, "TIME", false, "strictly after it, RFC 3339; default now"},
    {"count", 0, "N", false, "how many; default 5, at most 1000"},
    OPTION_OUTPUT,
    OPTION_END,
};
static const struct column columns[] = {{"TIME", "", false}, COLUMN_END};

/* RFC 3339 in UTC without a fraction: slots lie on whole seconds. */
static json_t *instant(int64_t us)
{
    char text[CLOCK_TEXT];
    clock_format(us, text);
    return json_sprintf("%.19sZ", text);
}

static int run_cron(const struct given *given, struct err *err)
{
    struct cron cron;
    long long count = COUNT_USUAL;
    int64_t at_us = clock_wall_us();
    const char *from = given_value(given, "from", NULL), *n = given_value(given, "count", NULL);
    int rc = output_check(given, err);
    if (rc < 0)
        return rc;
    if (n && !text_to_int(n, 1, COUNT_MAX, &count))
        return err_set(err, LEAT_EUSAGE, "--count must be a number from 1 to %d", COUNT_MAX);
    if (from && clock_parse(from, &at_us) < 0)
        return err_set(err, LEAT_EINPUT, "--from %s: is no time like 2026-01-31T12:00:00Z", from);
    cleanup_zone struct zone *zone = zone_load(given_value(given, "timezone", "UTC"), err);
    if (!zone || cron_parse(given_argument(given, 0), &cron, err) < 0)
        return err->code;
    cleanup_json json_t *times = json_array();
    while (count-- > 0 && (at_us = cron_next(&cron, zone, at_us)) > 0)
        json_array_append_new(times, instant(at_us));
    output_list(given, times, columns);
    return 0;
}
const struct verb VERB_CRON = {.name = "cron",
                               .arguments = "EXPR",
                               .summary = "Shows when a schedule fires next",
                               .least = 1,
                               .most = 1,
                               .options = options,
                               .offline = true,
                               .run = run_cron};
