#include "worker/counters.h"

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/metrics.h"
#include "common/base/states.h"
#include "worker/attempt/attempt.h"
#include "worker/worker.h"

enum { FINISHED, STATES, ORDERS, DROPPED, ATTEMPTS, UNACKNOWLEDGED, LEASE };

static struct metric table[] = {
    [FINISHED] = {METRIC_COUNTER, "leat_worker_attempts_finished_total",
                  "attempts by what became of them", .labels = {"outcome"}},
    [STATES] = {METRIC_HISTOGRAM, "leat_worker_attempt_state_seconds",
                "how long attempts stay in a state, told when they leave it", .labels = {"state"}},
    [ORDERS] = {METRIC_COUNTER, "leat_worker_orders_total", "orders read, by kind",
                .labels = {"kind"}},
    [DROPPED] = {METRIC_COUNTER, "leat_worker_orders_dropped_total", "orders not followed",
                 .labels = {"reason"}},
    [ATTEMPTS] = {METRIC_GAUGE, "leat_worker_attempts", "attempts held, finished ones included"},
    [UNACKNOWLEDGED] = {METRIC_GAUGE, "leat_worker_reports_unacknowledged",
                        "reports that the leader has not yet committed"},
    [LEASE] = {METRIC_GAUGE, "leat_worker_lease_milliseconds",
               "time that is left of the lease; negative past it"},
};

void counters_register(void)
{
    metrics_register(table, ARRAY_LEN(table));
}

void counters_finished(int outcome)
{
    series_add(metric_with(&table[FINISHED], report_result_outcome_name(outcome), NULL), 1);
}

void counters_left(int state, int64_t stayed_us)
{
    series_observe(metric_with(&table[STATES], machine_state_name(&MACHINE_WORK, state), NULL),
                   stayed_us);
}

void counters_order(int kind)
{
    series_add(metric_with(&table[ORDERS], order_kind_name(kind), NULL), 1);
}

void counters_dropped(const char *why)
{
    series_add(metric_with(&table[DROPPED], why, NULL), 1);
}

void counters_gauges(const struct worker *w)
{
    metric_set(&table[ATTEMPTS], HASH_COUNT(w->attempts));
    metric_set(&table[UNACKNOWLEDGED], reports_unacknowledged(&w->reports));
    metric_set(&table[LEASE], (w->lease.end_us - clock_boottime_us()) / US_PER_MS);
}
