/* worker/attempt/outputs.h: what an attempt left in its workspace. */
#pragma once
#include <jansson.h>
#include "common/base/err.h"
#include "common/base/text.h"

struct attempt;

#define OUTPUTS_BYTES (512 * 1024) /* all typed outputs of an attempt together, as JSON */

/* Every declared output: a typed one read and checked, an artifact put into the store by its hash.
 * done once, now or later, with the object of all (the callee's), or `err` that names the output
 * and what was found. Links are not followed. */
void outputs_collect(struct attempt *a,
                     void (*done)(struct attempt *a, json_t *outputs, const struct err *err));

/* The file LEAT_METRICS, one {"name", "value"} a line: an object of the last value of each name,
 * NULL when there is none. What is not like that is left out and said in `note`. */
json_t *outputs_metrics(const struct attempt *a, struct text *note);
