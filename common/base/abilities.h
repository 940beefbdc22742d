/* common/base/abilities.h: what a worker can beyond the orders of the first version. It says so in
 * its hello; a step that needs one of these waits for a worker that has it, so that an older one,
 * which would leave out what it does not know, is never given it. */
#pragma once

/*    identifier  name         the orders that it understands */
#define ABILITIES(A)                                                                               \
    A(HEARTBEAT, "heartbeat", "start.heartbeat_us")                                                \
    A(NAMES, "names", "start.listed")                                                              \
    A(LISTS, "lists", "start.inputs[].list and .of")                                               \
    A(LEAVE, "leave", "start.at_most_once, and grants that name an attempt")

enum ability_number {
#define A(id, name, text) ABILITY_NUMBER_##id,
    ABILITIES(A)
#undef A
        ABILITY_COUNT
};

enum ability {
#define A(id, name, text) ABILITY_##id = 1 << ABILITY_NUMBER_##id,
    ABILITIES(A)
#undef A
};

static const char *const ABILITY_TEXTS[] = {
#define A(id, name, text) [ABILITY_NUMBER_##id] = name,
    ABILITIES(A)
#undef A
};
