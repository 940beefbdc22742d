/* worker/attempt/collect.h: from an attempt's end to its result: log, outputs, metrics, outcome. */
#pragma once

struct attempt;

void collect_start(struct attempt *a); /* attempt_finish follows, now or later */
