/* worker/attempt/prepare.h: what must be in place before an attempt runs: workspace, inputs, event,
 * secrets; then its executor is told. */
#pragma once
#include <stdbool.h>
#include "common/base/err.h"
#include "worker/executor/executor.h"

struct attempt;

bool prepare_needed(const struct attempt *a);
void prepare_start(struct attempt *a); /* attempt_prepared follows, now or later */
/* What of its specification is known without its files. */
struct executor_spec prepare_spec(const struct attempt *a);
/* Builds the specification and hands it to the executor. */
int prepare_launch(struct attempt *a, struct err *err);
