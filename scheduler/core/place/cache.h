/* scheduler/core/place/cache.h: a step that asks for it takes an earlier result instead of running.
 *
 * Its key is what its order would say, the places of files left out: program or image by digest,
 * final arguments and environment, inputs by content, outputs that are wanted. When it is its turn
 * it is looked up: the shell asks the database before the next batch, so that nothing is kept in
 * memory and a takeover only asks again. Meanwhile the step is `pending`, and has no row.
 * What cannot be said, or is not there, runs. Two equal steps at the same time both run. */
#pragma once
#include "scheduler/core/state.h"

/* The key of a step whose needs are over. False: it has none (an image that is not named by its
 * digest, an expression that cannot be resolved), and so it runs. */
bool cache_key(struct core *core, struct step_ref at, char key[SHA256_HEX]);

/* True: it is being looked up, and goes on by itself. False: it is to be placed. */
bool cache_look(struct core *core, struct step_ref at, const struct core_now *now);
/* Takes the next answer; false when there is none. */
bool cache_one(struct core *core, const struct core_now *now, struct batch *out);

/* It was ordered: where the outcome is seen the key is kept until then, since the outcome may
 * change. A leader that took over does not know it, and keeps no such result. */
void cache_note(struct core *core, struct attempt *a);
/* Its attempt succeeded: with the result goes the row by which others find it. */
void cache_keep(struct core *core, const struct attempt *a, const struct core_now *now,
                struct batch *out);
void cache_free(struct core *core);
/* For core_check: steps that are being looked up, by the lists. */
size_t cache_open_looks(const struct core *core);
