/* worker/counters.h: what a worker counts. */
#pragma once
#include <stdint.h>

struct worker;

void counters_register(void);
void counters_finished(int outcome);              /* enum report_result_outcome */
void counters_left(int state, int64_t stayed_us); /* enum work_state of an attempt */
void counters_order(int kind);                    /* enum order_kind */
void counters_dropped(const char *why);           /* an order that was not followed */
void counters_gauges(const struct worker *w);     /* before they are shown */
