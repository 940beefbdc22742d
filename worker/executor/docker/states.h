/* worker/executor/docker/states.h: one container's life as its worker sees it, in the shape of
 * common/base/states.h.
 *
 *          what is true in the state
 * unknown   adopted: the engine is to be asked
 * pulling   its image is on its way
 * creating  the engine was, or will be, asked to create it; it may be there
 * starting  it is there; the engine was, or will be, asked to start it; it may run
 * running   the engine said that it runs
 * draining  it has ended; the rest of its log is being read
 * ended     its end is known; the container is kept until the attempt is forgotten */
#pragma once
#include "common/base/states.h"

#define CONTAINER_STATES(S, TO)                                                                    \
    S(UNKNOWN, "unknown", TO(STARTING) | TO(RUNNING) | TO(DRAINING) | TO(ENDED))                   \
    S(PULLING, "pulling", TO(CREATING) | TO(ENDED))                                                \
    S(CREATING, "creating", TO(PULLING) | TO(STARTING) | TO(RUNNING) | TO(DRAINING) | TO(ENDED))   \
    S(STARTING, "starting", TO(RUNNING) | TO(DRAINING) | TO(ENDED))                                \
    S(RUNNING, "running", TO(DRAINING) | TO(ENDED))                                                \
    S(DRAINING, "draining", TO(ENDED))                                                             \
    S(ENDED, "ended", NOWHERE)

#define NO_TO(x)        0
#define S(id, name, to) CONTAINER_##id,
enum container_state { CONTAINER_STATES(S, NO_TO) CONTAINER_STATE_COUNT };
#undef S
#undef NO_TO

extern const struct machine MACHINE_CONTAINER;
