/* tests/sim/outside/outside.h: triggers and the API: who publishes events and commands, with
 * repeats, and remembers what was answered 2xx. */
#pragma once
#include "tests/sim/sim.h"

struct outside *outside_new(struct sim *sim);
void outside_free(struct outside *outside);
void outside_bad_records(struct sim *sim);
bool outside_has_open(const struct sim *sim, bool commands); /* published, not in the inbox */
void outside_check_taken(struct sim *sim);
bool outside_is_done(const struct sim *sim);
void outside_check(struct sim *sim); /* I1, I2, I11 at rest */

/* What was said to a step that waits for a person; false: the command is no answer. */
struct answer {
    struct uuid run;
    const char *step;
    int32_t iteration; /* 0 = the only one that waits */
    bool anna, approved;
};
/* What was said of a worker; false: the command is of none. */
struct retire {
    const char *worker;
    int kind; /* enum command_kind: drain, resume, remove */
};
bool outside_retire(const struct sim *sim, const struct uuid *command, struct retire *out);
bool outside_answer(const struct sim *sim, const struct uuid *command, struct answer *out);
