#include "common/base/states.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define S(id, name, to) {name, to},
#define TO(id)          (1u << RUN_##id)
static const struct machine_state run_states[] = {RUN_STATES(S, TO)};
#undef TO
#define TO(id) (1u << STEP_##id)
static const struct machine_state step_states[] = {STEP_STATES(S, TO)};
#undef TO
#define TO(id) (1u << ATTEMPT_##id)
static const struct machine_state attempt_states[] = {ATTEMPT_STATES(S, TO)};
#undef TO
#define TO(id) (1u << WORKER_##id)
static const struct machine_state worker_states[] = {WORKER_STATES(S, TO)};
#undef TO
#undef S

#define M(lower, UPPER, TABLE)                                                                     \
    const struct machine MACHINE_##UPPER = {#lower, lower##_states, UPPER##_STATE_COUNT};
MACHINES(M)
#undef M

#define M(lower, UPPER, TABLE) &MACHINE_##UPPER,
const struct machine *const MACHINE_ALL[] = {MACHINES(M) NULL};
#undef M

bool machine_allows(const struct machine *m, int from, int to)
{
    return from >= 0 && from < m->count && to >= 0 && to < m->count &&
           (m->states[from].next >> to & 1u);
}

bool machine_is_terminal(const struct machine *m, int state)
{
    return m->states[state].next == 0;
}

const char *machine_state_name(const struct machine *m, int state)
{
    return m->states[state].name;
}

int machine_parse(const struct machine *m, const char *name)
{
    for (int i = 0; i < m->count; i++)
        if (strcmp(m->states[i].name, name) == 0)
            return i;
    return -1;
}

void machine_move(const struct machine *m, uint8_t *state, int to)
{
    if (!machine_allows(m, *state, to)) {
        fprintf(stderr, "defect: %s moves from %d to %d\n", m->name, *state, to);
        abort();
    }
    *state = (uint8_t)to;
}
