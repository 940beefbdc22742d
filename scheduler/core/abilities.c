#include "scheduler/core/abilities.h"

#include <string.h>

uint32_t abilities_of(const json_t *names)
{
    uint32_t set = 0;
    size_t i;
    json_t *name;
    json_array_foreach (names, i, name)
        for (unsigned n = 0; n < ABILITY_COUNT; n++)
            if (json_is_string(name) && strcmp(json_string_value(name), ABILITY_NAMES[n]) == 0)
                set |= 1u << n;
    return set;
}

uint32_t abilities_wanted(const struct version *v, int32_t step)
{
    const struct ir_step *def = &v->ir->steps[step];
    return def->heartbeat_us > 0 ? ABILITY_HEARTBEAT : 0;
}
