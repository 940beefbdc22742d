/* worker/attempt/states.h: what an attempt goes through on its worker, in the shape of
 * common/base/states.h. (The leader's view of it is `attempt` there.) */
#pragma once
#include "common/base/states.h"

/*     what is true in the state
 * journalled  its order is in the journal
 * preparing   workspace, inputs, secrets, event are being put in place
 * asking      at_most_once: everything is in place, and it may not start before the leader says so
 * starting    the executor has been told and has not answered
 * running     the executor says that it runs
 * collecting  it has ended; outputs and the end of its log go to the store
 * finished    its result is in the journal and waits to be acknowledged */
#define WORK_STATES(S, TO)                                                                         \
    S(JOURNALLED, "journalled",                                                                    \
      TO(PREPARING) | TO(ASKING) | TO(STARTING) | TO(RUNNING) | TO(FINISHED))                      \
    S(PREPARING, "preparing", TO(ASKING) | TO(STARTING) | TO(FINISHED))                            \
    S(ASKING, "asking", TO(STARTING) | TO(FINISHED))                                               \
    S(STARTING, "starting", TO(RUNNING) | TO(COLLECTING) | TO(FINISHED))                           \
    S(RUNNING, "running", TO(COLLECTING) | TO(FINISHED))                                           \
    S(COLLECTING, "collecting", TO(FINISHED))                                                      \
    S(FINISHED, "finished", NOWHERE)

#define NO_TO(x)        0
#define S(id, name, to) WORK_##id,
enum work_state { WORK_STATES(S, NO_TO) WORK_STATE_COUNT };
#undef S
#undef NO_TO

extern const struct machine MACHINE_WORK;
