#include "worker/executor/docker/states.h"

#define TO(x)           (1u << CONTAINER_##x)
#define S(id, name, to) {name, to},
static const struct machine_state states[] = {CONTAINER_STATES(S, TO)};
#undef S
#undef TO

const struct machine MACHINE_CONTAINER = {"container", states, CONTAINER_STATE_COUNT};
