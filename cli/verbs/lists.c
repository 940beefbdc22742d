/* The verbs that show a list: one row a verb, the rest is the same. */
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define LIMIT_USUAL 50
#define LIMIT_MAX   1000000 /* of --limit; asked for in pages */
#define PAGE_MAX    1000    /* what the API gives at once */

static const struct option plain_options[] = {OPTION_OUTPUT, OPTION_END};
static const struct option run_options[] = {
    {"pipeline", 0, "PIPELINE", false, "runs of this pipeline"},
    {"state", 0, "STATE", false,
     "pending, queued, running, cancelling, succeeded, failed, cancelled"},
    {"experiment", 0, "EXPERIMENT", false, "runs of this experiment"},
    {"since", 0, "TIME", false, "created at or after, RFC 3339"},
    {"limit", 0, "N", false, "at most so many; default 50"},
    OPTION_OUTPUT,
    OPTION_END,
};
static const struct option event_options[] = {
    {"source", 0, "SOURCE", false, "events of this source"},
    {"since", 0, "TIME", false, "received at or after, RFC 3339"},
    {"limit", 0, "N", false, "at most so many; default 50"},
    OPTION_OUTPUT,
    OPTION_END,
};

static const struct column run_columns[] = {{"ID", "/id", ALWAYS},
                                            {"NAME", "/name", ALWAYS},
                                            {"PIPELINE", "/pipeline", ALWAYS},
                                            {"STATE", "/state", ALWAYS},
                                            {"CREATED", "/created", ALWAYS},
                                            {"FINISHED", "/finished", ALWAYS},
                                            {"EXPERIMENT", "/experiment", WIDE},
                                            {"TRIGGER", "/trigger", WIDE},
                                            {"REASON", "/reason", WIDE},
                                            COLUMN_END};
static const struct column pipeline_columns[] = {{"NAME", "/name", ALWAYS},
                                                 {"NUMBER", "/number", ALWAYS},
                                                 {"RUNS", "/runs", ALWAYS},
                                                 {"PAUSED", "/paused", ALWAYS},
                                                 {"APPLIED", "/applied", ALWAYS},
                                                 {"VERSION", "/version", WIDE},
                                                 {"DESCRIPTION", "/description", WIDE},
                                                 COLUMN_END};
static const struct column event_columns[] = {{"ID", "/id", ALWAYS},
                                              {"SOURCE", "/source", ALWAYS},
                                              {"TYPE", "/type", ALWAYS},
                                              {"SUBJECT", "/subject", ALWAYS},
                                              {"RECEIVED", "/received", ALWAYS},
                                              {"RUNS", "/runs", WIDE},
                                              COLUMN_END};
static const struct column trigger_columns[] = {{"NAME", "/name", ALWAYS},
                                                {"PIPELINE", "/pipeline", ALWAYS},
                                                {"KIND", "/kind", ALWAYS},
                                                {"ON", "/on", ALWAYS},
                                                {"PAUSED", "/paused", ALWAYS},
                                                {"VERDICT", "/last/verdict", ALWAYS},
                                                {"LAST", "/last/received", ALWAYS},
                                                {"NEXT", "/next", ALWAYS},
                                                {"EVENT", "/last/event", WIDE},
                                                {"FILTER", "/filter", WIDE},
                                                COLUMN_END};
static const struct column experiment_columns[] = {{"NAME", "/name", ALWAYS},
                                                   {"RUNS", "/runs", ALWAYS},
                                                   {"SUCCEEDED", "/succeeded", ALWAYS},
                                                   {"FAILED", "/failed", ALWAYS},
                                                   {"LAST", "/last", ALWAYS},
                                                   {"PIPELINES", "/pipelines", WIDE},
                                                   COLUMN_END};
static const struct column worker_columns[] = {
    {"ID", "/id", ALWAYS},     {"STATE", "/state", ALWAYS},   {"SLOTS", "/slots", ALWAYS},
    {"USED", "/used", ALWAYS}, {"HEARD", "/heard", ALWAYS},   {"EXECUTORS", "/executors", WIDE},
    {"POOL", "/pool", WIDE},   {"RUNTIME", "/runtime", WIDE}, COLUMN_END};
static const struct column limit_columns[] = {{"NAME", "/name", ALWAYS},
                                              {"LIMIT", "/limit", ALWAYS},
                                              {"USED", "/used", ALWAYS},
                                              {"WAITING", "/waiting", ALWAYS},
                                              {"DESCRIPTION", "/description", ALWAYS},
                                              {"UPDATED", "/updated", WIDE},
                                              COLUMN_END};
static const struct column pool_columns[] = {{"NAME", "/name", ALWAYS},
                                             {"SLOTS", "/slots", ALWAYS},
                                             {"USED", "/used", ALWAYS},
                                             {"WORKERS", "/workers", ALWAYS},
                                             {"ACTIVE", "/active", ALWAYS},
                                             {"CAPACITY", "/capacity", ALWAYS},
                                             {"DESCRIPTION", "/description", ALWAYS},
                                             {"PATH", "/path", WIDE},
                                             {"UPDATED", "/updated", WIDE},
                                             COLUMN_END};
static const struct column source_columns[] = {{"NAME", "/name", ALWAYS},
                                               {"PROVIDER", "/provider", ALWAYS},
                                               {"SECRET", "/secret", ALWAYS},
                                               {"CONFIG", "/config", WIDE},
                                               COLUMN_END};
static const struct column secret_columns[] = {
    {"NAME", "/name", ALWAYS}, {"UPDATED", "/updated", ALWAYS}, COLUMN_END};
static const struct column artifact_columns[] = {
    {"STEP", "/step", ALWAYS},     {"OUTPUT", "/output", ALWAYS}, {"SIZE", "/size", ALWAYS},
    {"FOLDER", "/folder", ALWAYS}, {"SHA256", "/sha256", ALWAYS}, COLUMN_END};

/* Every option but --output, --limit and those of all verbs is a query parameter of that name. */
static char *with_query(const struct given *given, const char *path, const struct option *options,
                        long long limit, const char *cursor)
{
    struct text out = {0};
    text_printf(&out, "%s?limit=%lld", path, limit);
    for (const struct option *o = options; o->name; o++) {
        const char *value = given_value(given, o->name, NULL);
        if (!value || strcmp(o->name, "output") == 0 || strcmp(o->name, "limit") == 0)
            continue;
        cleanup_free char *pair = client_path("&%s=%s", o->name, value);
        text_puts(&out, pair);
    }
    if (cursor) {
        cleanup_free char *pair = client_path("&cursor=%s", cursor);
        text_puts(&out, pair);
    }
    return text_take(&out);
}

/* One page after the other until there are `limit` or there is no more. */
static int gather(const struct given *given, const char *path, const struct option *options,
                  long long limit, json_t *items, struct err *err)
{
    cleanup_free char *cursor = NULL;
    for (;;) {
        cleanup_json json_t *answer = NULL;
        const long long left = limit - (long long)json_array_size(items);
        cleanup_free char *full =
            with_query(given, path, options, left < PAGE_MAX ? left : PAGE_MAX, cursor);
        const int rc = client_call("GET", full, NULL, &answer, err);
        if (rc < 0)
            return rc;
        json_array_extend(items, json_object_get(answer, "items"));
        const char *next = json_get_string(answer, "next", NULL);
        if (!next || (long long)json_array_size(items) >= limit)
            return 0;
        free(cursor);
        cursor = mem_string(next);
    }
}

static int show_list(const struct given *given, const char *path, const struct option *options,
                     const struct column *columns, struct err *err)
{
    cleanup_json json_t *items = json_array();
    const char *given_limit = given_value(given, "limit", NULL);
    long long limit = LIMIT_USUAL;
    int rc = output_check(given, err);
    if (rc == 0 && given_limit && !text_to_int(given_limit, 1, LIMIT_MAX, &limit))
        rc = err_set(err, LEAT_EUSAGE, "--limit must be a number from 1 to %d", LIMIT_MAX);
    if (rc == 0)
        rc = gather(given, path, options, limit, items, err);
    if (rc == 0)
        output_list(given, items, columns);
    return rc;
}

#define LIST_VERB(NAME, word, what, path, options_, columns)                                       \
    static int run_##NAME(const struct given *given, struct err *err)                              \
    {                                                                                              \
        return show_list(given, path, options_, columns, err);                                     \
    }                                                                                              \
    const struct verb VERB_##NAME = {                                                              \
        .name = word, .arguments = "", .summary = what, .options = options_, .run = run_##NAME};

LIST_VERB(RUNS, "runs", "Lists runs, newest first", "/api/v1/runs", run_options, run_columns)
LIST_VERB(PIPELINES, "pipelines", "Lists pipelines", "/api/v1/pipelines", plain_options,
          pipeline_columns)
LIST_VERB(EVENTS, "events", "Lists events, newest first", "/api/v1/events", event_options,
          event_columns)
LIST_VERB(EXPERIMENTS, "experiments", "Lists experiments, newest run first", "/api/v1/experiments",
          plain_options, experiment_columns)
LIST_VERB(TRIGGERS, "triggers",
          "Lists triggers: what they wait for, their last verdict, their next tick",
          "/api/v1/triggers", plain_options, trigger_columns)
LIST_VERB(WORKERS, "workers", "Lists workers", "/api/v1/workers", plain_options, worker_columns)
LIST_VERB(SOURCES, "sources", "Lists sources", "/api/v1/sources", plain_options, source_columns)
LIST_VERB(LIMITS, "limits", "Lists named limits", "/api/v1/limits", plain_options, limit_columns)
LIST_VERB(POOLS, "pools", "Lists pools, of files and of workers", "/api/v1/pools", plain_options,
          pool_columns)
LIST_VERB(SECRET_LIST, "secret list", "Lists the names of secrets", "/api/v1/secrets",
          plain_options, secret_columns)

static int run_artifacts(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/runs/%s/artifacts", given_argument(given, 0));
    return show_list(given, path, plain_options, artifact_columns, err);
}
const struct verb VERB_ARTIFACTS = {.name = "artifacts",
                                    .arguments = "RUN",
                                    .summary = "Lists a run's artifacts",
                                    .least = 1,
                                    .most = 1,
                                    .options = plain_options,
                                    .run = run_artifacts};
