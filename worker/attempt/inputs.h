/* worker/attempt/inputs.h: one input of an attempt, out of the store into its workspace. */
#pragma once
#include "common/base/err.h"
#include "schema/gen/messages.h"

struct attempt;

/* `err` NULL: it is there. */
typedef void inputs_done(void *arg, const struct err *err);

/* Puts the input at WORKSPACE/ATTEMPT/in/NAME: a value as a file with its text, an artifact as file
 * or folder, an object set as folder with files/KEY and manifest.json, a list of artifacts as
 * folder with one entry an item. Calls done exactly once, now or later. `in` stays good until then.
 */
void inputs_put(struct attempt *a, const struct order_input *in, inputs_done *done, void *arg);
