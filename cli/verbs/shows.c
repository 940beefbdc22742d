/* The verbs that show one thing: status, pipeline, event, show. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct option options[] = {OPTION_OUTPUT, OPTION_END};

static const struct column status_columns[] = {{"leader", "/leader/holder", false},
                                               {"epoch", "/leader/epoch", false},
                                               {"beating", "/leader/beating", false},
                                               {"bus", "/bus/backend", false},
                                               {"lag", "/bus/lag", false},
                                               {"database", "/database", false},
                                               {"class", "/class", false},
                                               {"workers", "/workers", false},
                                               {"pipelines", "/pipelines", false},
                                               {"runs", "/runs", false},
                                               {"version", "/version", false},
                                               COLUMN_END};
static const struct column pipeline_columns[] = {
    {"name", "/name", false},        {"version", "/version", false},
    {"number", "/number", false},    {"current", "/current", false},
    {"paused", "/paused", false},    {"triggers", "/triggers", true},
    {"versions", "/versions", true}, COLUMN_END};
static const struct column event_columns[] = {{"id", "/id", false},
                                              {"source", "/source", false},
                                              {"type", "/type", false},
                                              {"subject", "/subject", false},
                                              {"received", "/received", false},
                                              {"runs", "/runs", false},
                                              {"verdicts", "/verdicts", false},
                                              {"vars", "/vars", false},
                                              {"data", "/data", true},
                                              COLUMN_END};
static const struct column run_columns[] = {{"id", "/id", false},
                                            {"name", "/name", false},
                                            {"pipeline", "/pipeline", false},
                                            {"experiment", "/experiment", false},
                                            {"state", "/state", false},
                                            {"reason", "/reason", false},
                                            {"trigger", "/trigger", false},
                                            {"event", "/event", false},
                                            {"params", "/params", false},
                                            {"retry of", "/retry_of", false},
                                            {"retry from", "/retry_from", false},
                                            {"rerun of", "/rerun_of", false},
                                            {"only", "/only", false},
                                            {"inputs from", "/inputs_from", false},
                                            {"created", "/created", false},
                                            {"started", "/started", false},
                                            {"finished", "/finished", false},
                                            {"version", "/version", true},
                                            COLUMN_END};
static const struct column step_columns[] = {{"STEP", "/name", false},
                                             {"STATE", "/state", false},
                                             {"ATTEMPT", "/attempt", false},
                                             {"STARTED", "/started", false},
                                             {"FINISHED", "/finished", false},
                                             {"OUTPUTS", "/outputs", false},
                                             {"WORKER", "/worker", true},
                                             {"IMAGE", "/image", true},
                                             {"NEEDS", "/needs", true},
                                             {"REASON", "/reason", false},
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
    .details = "RUN is an id, a unique prefix of one, latest, or latest:PIPELINE.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run_show};
