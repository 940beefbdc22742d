/* The verbs that show one thing: status, pipeline, event, show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct option options[] = {OPTION_OUTPUT, OPTION_END};

static const struct column status_columns[] = {{"leader", "/leader/holder", ALWAYS},
                                               {"epoch", "/leader/epoch", ALWAYS},
                                               {"beating", "/leader/beating", ALWAYS},
                                               {"bus", "/bus/backend", ALWAYS},
                                               {"lag", "/bus/lag", ALWAYS},
                                               {"database", "/database", ALWAYS},
                                               {"class", "/class", ALWAYS},
                                               {"workers", "/workers", ALWAYS},
                                               {"pipelines", "/pipelines", ALWAYS},
                                               {"runs", "/runs", ALWAYS},
                                               {"version", "/version", ALWAYS},
                                               COLUMN_END};
static const struct column pipeline_columns[] = {
    {"name", "/name", ALWAYS},       {"version", "/version", ALWAYS},
    {"number", "/number", ALWAYS},   {"current", "/current", ALWAYS},
    {"paused", "/paused", ALWAYS},   {"triggers", "/triggers", WIDE},
    {"versions", "/versions", WIDE}, COLUMN_END};
static const struct column event_columns[] = {{"id", "/id", ALWAYS},
                                              {"source", "/source", ALWAYS},
                                              {"type", "/type", ALWAYS},
                                              {"subject", "/subject", ALWAYS},
                                              {"received", "/received", ALWAYS},
                                              {"runs", "/runs", ALWAYS},
                                              {"verdicts", "/verdicts", ALWAYS},
                                              {"vars", "/vars", ALWAYS},
                                              {"data", "/data", WIDE},
                                              COLUMN_END};
static const struct column run_columns[] = {{"id", "/id", ALWAYS},
                                            {"name", "/name", ALWAYS},
                                            {"pipeline", "/pipeline", ALWAYS},
                                            {"experiment", "/experiment", ALWAYS},
                                            {"state", "/state", ALWAYS},
                                            {"reason", "/reason", ALWAYS},
                                            {"trigger", "/trigger", ALWAYS},
                                            {"event", "/event", ALWAYS},
                                            {"params", "/params", ALWAYS},
                                            {"outputs", "/outputs", ALWAYS},
                                            {"retry of", "/retry_of", ALWAYS},
                                            {"retry from", "/retry_from", ALWAYS},
                                            {"rerun of", "/rerun_of", ALWAYS},
                                            {"only", "/only", ALWAYS},
                                            {"inputs from", "/inputs_from", ALWAYS},
                                            {"created", "/created", ALWAYS},
                                            {"started", "/started", ALWAYS},
                                            {"finished", "/finished", ALWAYS},
                                            {"took", OUTPUT_TOOK, ALWAYS},
                                            {"version", "/version", WIDE},
                                            COLUMN_END};
static const struct column step_columns[] = {{"STEP", "/name", ALWAYS},
                                             {"WITHIN", "/within", RARE},
                                             {"STATE", "/state", ALWAYS},
                                             {"ATTEMPT", "/attempt", ALWAYS},
                                             {"STARTED", "/started", ALWAYS},
                                             {"FINISHED", "/finished", WIDE},
                                             {"TOOK", OUTPUT_TOOK, ALWAYS},
                                             {"OUTPUTS", "/outputs", ALWAYS},
                                             {"WORKER", "/worker", WIDE},
                                             {"IMAGE", "/image", WIDE},
                                             {"NEEDS", "/needs", WIDE},
                                             {"REASON", "/reason", ALWAYS},
                                             COLUMN_END};

static int fetch(const struct given *given, const char *path, json_t **out, struct err *err)
{
    const int rc = output_check(given, err);
    return rc < 0 ? rc : client_call("GET", path, NULL, out, err);
}

static int show(const struct given *given, const char *path, const struct column *columns,
                struct err *err)
{
    cleanup_json json_t *object = NULL;
    const int rc = fetch(given, path, &object, err);
    if (rc < 0)
        return rc;
    output_object(given, object, columns);
    return 0;
}

static int run_status(const struct given *given, struct err *err)
{
    return show(given, "/api/v1/status", status_columns, err);
}
const struct verb VERB_STATUS = {.name = "status",
                                 .arguments = "",
                                 .summary = "Shows leader, queue, workers and runs",
                                 .options = options,
                                 .run = run_status};

/* PIPELINE or PIPELINE@VERSION. */
static int run_pipeline(const struct given *given, struct err *err)
{
    cleanup_free char *name = mem_string(given_argument(given, 0));
    char *at = strchr(name, '@');
    if (at)
        *at++ = '\0';
    cleanup_free char *path = at ? client_path("/api/v1/pipelines/%s?version=%s", name, at)
                                 : client_path("/api/v1/pipelines/%s", name);
    return show(given, path, pipeline_columns, err);
}
const struct verb VERB_PIPELINE = {.name = "pipeline",
                                   .arguments = "PIPELINE[@VERSION]",
                                   .summary = "Shows a pipeline",
                                   .least = 1,
                                   .most = 1,
                                   .options = options,
                                   .run = run_pipeline};

static int run_event(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/events/%s", given_argument(given, 0));
    return show(given, path, event_columns, err);
}
const struct verb VERB_EVENT = {.name = "event",
                                .arguments = "EVENT",
                                .summary = "Shows an event, its verdicts and runs",
                                .least = 1,
                                .most = 1,
                                .options = options,
                                .run = run_event};

static int run_show(const struct given *given, struct err *err)
{
    cleanup_json json_t *run = NULL;
    cleanup_free char *path = client_path("/api/v1/runs/%s", given_argument(given, 0));
    const int rc = fetch(given, path, &run, err);
    if (rc < 0)
        return rc;
    output_object(given, run, run_columns);
    if (output_is(given, "table") || output_is(given, "wide")) {
        putchar('\n');
        output_list(given, json_object_get(run, "steps"), step_columns);
    }
    return 0;
}
const struct verb VERB_SHOW = {
    .name = "show",
    .arguments = "RUN",
    .summary = "Shows a run and its steps: state, attempt, times, outputs, why",
    .details =
        "RUN is an id, a unique prefix of one, latest, or latest:PIPELINE. WITHIN says of which "
        "item\n"
        "of a for_each and which round of a loop an instance is, from outside inwards, both\n"
        "counted from 0. TOOK is how long the last attempt took, or has taken by now; of a run,\n"
        "without the time that it was queued.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run_show};
