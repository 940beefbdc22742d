#include "scheduler/shell/status.h"

#include <stdlib.h>
#include <string.h>
#include "common/base/mem.h"
#include "common/base/metrics.h"
#include "common/base/text.h"
#include "common/http/server.h"

/*    identifier       kind       name                                help */
#define STATUS_METRICS(M)                                                                          \
    M(BATCHES, COUNTER, "leat_scheduler_batches_total", "Transactions committed.")                 \
    M(RECORDS, COUNTER, "leat_scheduler_records_total", "Records taken into a batch.")             \
    M(BAD, COUNTER, "leat_scheduler_records_bad_total", "Records passed over: unreadable.")        \
    M(REPEATED, COUNTER, "leat_scheduler_records_repeated_total", "Records that came before.")     \
    M(UNKNOWN, COUNTER, "leat_scheduler_commits_unknown_total", "Commits that had to be probed.")  \
    M(REBUILDS, COUNTER, "leat_scheduler_rebuilds_total", "Memories built from Postgres.")         \
    M(ROWS, COUNTER, "leat_scheduler_rows_total", "Rows written by batches.")                      \
    M(COMMIT, HISTOGRAM, "leat_scheduler_commit_seconds", "From sending a batch to its answer.")   \
    M(BUILD, HISTOGRAM, "leat_scheduler_build_seconds", "From beginning a batch to sending it.")   \
    M(BATCH_RECORDS, GAUGE, "leat_scheduler_batch_records", "Records in the last batch.")          \
    M(QUEUED, GAUGE, "leat_scheduler_queued", "Records read and not in a batch yet.")              \
    M(HELD, GAUGE, "leat_scheduler_events_held", "Of these, events that wait for fewer runs.")     \
    M(HELD_TOTAL, COUNTER, "leat_scheduler_events_held_total", "Events that had to wait so.")      \
    M(UNSENT, GAUGE, "leat_scheduler_unsent", "Committed messages that are not delivered yet.")    \
    M(LEADING, GAUGE, "leat_scheduler_leading", "1 while this process leads.")                     \
    M(EPOCH, GAUGE, "leat_scheduler_epoch", "The epoch that it leads with.")                       \
    M(RUNS, GAUGE, "leat_scheduler_live_runs", "Runs that are not finished.")                      \
    M(RUNS_MOST, GAUGE, "leat_scheduler_runs_most", "Runs that there may be (most-runs).")         \
    M(REFUSED, GAUGE, "leat_scheduler_runs_refused", "Runs refused: there were too many.")         \
    M(QUEUED_RUNS, GAUGE, "leat_scheduler_queued_runs", "Runs that wait for their group.")         \
    M(STEPS, GAUGE, "leat_scheduler_live_steps", "Steps of live runs that are not finished.")      \
    M(READY, GAUGE, "leat_scheduler_ready_steps", "Steps that wait for a worker.")                 \
    M(WAITING, GAUGE, "leat_scheduler_waiting_steps", "Steps that wait for their next try.")       \
    M(PLACED, GAUGE, "leat_scheduler_placed_steps", "Steps that a worker has.")                    \
    M(PIPELINES, GAUGE, "leat_scheduler_pipelines", "Pipelines known, deleted ones too.")          \
    M(PIPELINES_MOST, GAUGE, "leat_scheduler_pipelines_most", "There may be (most-pipelines).")    \
    M(WORKERS_MOST, GAUGE, "leat_scheduler_workers_most", "There may be (most-workers).")          \
    M(WORKERS_REFUSED, GAUGE, "leat_scheduler_workers_refused", "Hellos: too many worker ids.")    \
    M(WORKERS, GAUGE, "leat_scheduler_workers", "Workers known.")                                  \
    M(STALE, GAUGE, "leat_scheduler_reports_stale", "Reports that matched no live attempt.")       \
    M(GAPS, GAUGE, "leat_scheduler_reports_gap", "Reports that came before one that is missing.")  \
    M(BYTES, GAUGE, "leat_scheduler_state_bytes", "Memory held for live state.")

enum status_metric {
#define M(id, kind, name, help) STATUS_##id,
    STATUS_METRICS(M)
#undef M
};

static struct metric metrics[] = {
#define M(id, kind_, name_, help_) {.kind = METRIC_##kind_, .name = name_, .help = help_},
    STATUS_METRICS(M)
#undef M
};

struct status {
    struct shell *shell;
    struct http_server *server;
    struct shell_stats told; /* counters, when last brought up to date */
};

static void batch_seen(void *arg, const struct shell_batch_cost *cost)
{
    (void)arg;
    metric_observe(&metrics[STATUS_COMMIT], cost->commit_us);
    metric_observe(&metrics[STATUS_BUILD], cost->build_us);
    metric_add(&metrics[STATUS_ROWS], (int64_t)cost->rows);
    metric_set(&metrics[STATUS_BATCH_RECORDS], (int64_t)cost->records);
}

static void refresh_core(const struct core *core)
{
    struct core_stats stats;
    core_stats(core, &stats);
    metric_set(&metrics[STATUS_RUNS], stats.live_runs);
    metric_set(&metrics[STATUS_REFUSED], stats.runs_refused);
    metric_set(&metrics[STATUS_QUEUED_RUNS], stats.queued_runs);
    metric_set(&metrics[STATUS_STEPS], stats.live_steps);
    metric_set(&metrics[STATUS_READY], stats.ready);
    metric_set(&metrics[STATUS_WAITING], stats.waiting);
    metric_set(&metrics[STATUS_PLACED], stats.placed);
    metric_set(&metrics[STATUS_WORKERS], stats.workers);
    metric_set(&metrics[STATUS_WORKERS_REFUSED], stats.workers_refused);
    metric_set(&metrics[STATUS_PIPELINES], stats.pipelines);
    metric_set(&metrics[STATUS_STALE], stats.reports_stale);
    metric_set(&metrics[STATUS_GAPS], stats.reports_gap);
    metric_set(&metrics[STATUS_BYTES], stats.bytes);
}

static void refresh(struct status *status)
{
    struct shell_stats now, *told = &status->told;
    shell_stats(status->shell, &now);
    metric_add(&metrics[STATUS_BATCHES], now.batches - told->batches);
    metric_add(&metrics[STATUS_RECORDS], now.records - told->records);
    metric_add(&metrics[STATUS_BAD], now.records_bad - told->records_bad);
    metric_add(&metrics[STATUS_REPEATED], now.records_repeated - told->records_repeated);
    metric_add(&metrics[STATUS_UNKNOWN], now.unknown_commits - told->unknown_commits);
    metric_add(&metrics[STATUS_REBUILDS], now.rebuilds - told->rebuilds);
    metric_set(&metrics[STATUS_QUEUED], now.queued);
    metric_set(&metrics[STATUS_HELD], now.held);
    metric_add(&metrics[STATUS_HELD_TOTAL], now.held_total - told->held_total);
    metric_set(&metrics[STATUS_RUNS_MOST], now.most_runs);
    metric_set(&metrics[STATUS_PIPELINES_MOST], now.most_pipelines);
    metric_set(&metrics[STATUS_WORKERS_MOST], now.most_workers);
    metric_set(&metrics[STATUS_UNSENT], now.unsent);
    metric_set(&metrics[STATUS_LEADING], shell_state(status->shell) == SHELL_LEADING);
    metric_set(&metrics[STATUS_EPOCH], now.epoch);
    *told = now;
    const struct core *core = shell_core(status->shell);
    if (core)
        refresh_core(core);
}

static void show_metrics(struct http_request *req, void *arg)
{
    struct text out = {0};
    refresh(arg);
    metrics_write(&out);
    size_t len = out.len;
    http_answer_take(req, 200, METRICS_CONTENT_TYPE, text_take(&out), len);
}

/* A standby is healthy: it can take over. What is on the way to leading is not yet. */
static void show_health(struct http_request *req, void *arg)
{
    const struct status *status = arg;
    struct shell_stats stats;
    shell_stats(status->shell, &stats);
    enum shell_state state = shell_state(status->shell);
    bool fine = state == SHELL_LEADING || state == SHELL_STANDBY;
    cleanup_free char *body = mem_printf("%s epoch=%lld\n", stats.state, (long long)stats.epoch);
    http_answer(req, fine ? 200 : 503, NULL, body, strlen(body));
}

static const struct http_route routes[] = {
    {.method = "GET", .pattern = "/healthz", .handle = show_health},
    {.method = "GET", .pattern = "/metrics", .handle = show_metrics},
    {0},
};

struct status *status_open(struct loop *loop, struct shell *shell, const char *listen,
                           struct err *err)
{
    struct status *status = mem_alloc(sizeof *status);
    status->shell = shell;
    metrics_register(metrics, ARRAY_LEN(metrics));
    shell_watch(shell, batch_seen, status);
    if (!listen || !*listen)
        return status;
    if (http_server_start(loop, listen, routes, status, NULL, &status->server, err) >= 0)
        return status;
    free(status);
    return NULL;
}

void status_close(struct status *status)
{
    if (!status)
        return;
    http_server_stop(status->server);
    free(status);
}
