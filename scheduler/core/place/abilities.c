#include "scheduler/core/place/abilities.h"

#include <string.h>

#include "scheduler/core/dag/listing.h"
#include "scheduler/core/dag/lists.h"

uint32_t abilities_of(const json_t *names)
{
    uint32_t set = 0;
    for (size_t i = 0; i < json_array_size(names); i++) {
        const char *name = json_string_value(json_array_get(names, i));
        for (unsigned n = 0; n < ABILITY_COUNT; n++)
            if (name && strcmp(name, ABILITY_TEXTS[n]) == 0)
                set |= 1u << n;
    }
    return set;
}

uint32_t abilities_wanted(const struct version *v, int32_t step)
{
    const struct ir_step *def = &v->ir->steps[step];
    size_t listed;
    (void)listing_of(v, step, &listed);
    return (def->heartbeat_us > 0 ? (uint32_t)ABILITY_HEARTBEAT : 0) |
           (def->at_most_once ? (uint32_t)ABILITY_LEAVE : 0) |
           (listed > 0 ? (uint32_t)ABILITY_NAMES : 0) |
           (lists_taken(v->ir, def) ? (uint32_t)ABILITY_LISTS : 0);
}
