#include "cli/took.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"

/* Two units, as much as a person compares. */
static char *length_text(int64_t us)
{
    static const struct {
        int64_t seconds, of;
        const char *unit, *part;
    } units[] = {{86400, 3600, "d", "h"}, {3600, 60, "h", "min"}, {60, 1, "min", "s"}};
    const int64_t ms = us > 0 ? us / 1000 : 0;
    if (ms < 1000)
        return mem_printf("%d ms", (int)ms);
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        const int64_t seconds = ms / 1000;
        if (seconds >= units[i].seconds)
            return mem_printf("%lld %s %lld %s", (long long)(seconds / units[i].seconds),
                              units[i].unit, (long long)(seconds % units[i].seconds / units[i].of),
                              units[i].part);
    }
    return mem_printf("%d.%d s", (int)(ms / 1000), (int)(ms % 1000 / 100));
}

char *took_text(const json_t *item)
{
    int64_t from, to;
    const char *finished = json_get_string(item, "finished", NULL);
    if (clock_parse(json_get_string(item, "started", ""), &from) < 0)
        return NULL;
    if (!finished || clock_parse(finished, &to) < 0)
        to = clock_wall_us();
    return length_text(to - from);
}
