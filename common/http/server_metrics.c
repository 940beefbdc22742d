/* What a server counts of itself. */
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/server_internal.h"

enum { REQUESTS, SECONDS, CONNECTIONS };

static struct metric table[] = {
    [REQUESTS] = {.kind = METRIC_COUNTER,
                  .name = "leat_http_requests_total",
                  .help = "Requests answered, by route and status.",
                  .labels = {"route", "status"}},
    [SECONDS] = {.kind = METRIC_HISTOGRAM,
                 .name = "leat_http_request_seconds",
                 .help = "Time from a request's header to its answer, by route.",
                 .labels = {"route"}},
    [CONNECTIONS] = {.kind = METRIC_GAUGE,
                     .name = "leat_http_connections",
                     .help = "Open connections."},
};

void server_metrics_register(void)
{
    metrics_register(table, ARRAY_LEN(table));
}

void server_count(const struct http_request *req)
{
    char status[8];
    const char *route = req->route ? req->route->pattern : "none";
    snprintf(status, sizeof status, "%d", req->status);
    series_add(metric_with(&table[REQUESTS], route, status), 1);
    series_observe(metric_with(&table[SECONDS], route, NULL),
                   clock_monotonic_us() - req->received_us);
}

void server_count_connections(int by)
{
    metric_add(&table[CONNECTIONS], by);
}
