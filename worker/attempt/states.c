#include "worker/attempt/states.h"

#define TO(x)           (1u << WORK_##x)
#define S(id, name, to) {name, to},
static const struct machine_state states[] = {WORK_STATES(S, TO)};
#undef S
#undef TO

const struct machine MACHINE_WORK = {"work", states, WORK_STATE_COUNT};
