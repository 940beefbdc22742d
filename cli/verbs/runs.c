/* run, logs, cancel, approve, retry. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/files.h"
#include "cli/follow.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/started.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

static const struct column brief_columns[] = {
    {"id", "/id", ALWAYS}, {"name", "/name", ALWAYS}, {"state", "/state", ALWAYS}, COLUMN_END};

static const struct option run_options[] = {
    {"param", 'p', "NAME=VALUE", true, "a parameter"},
    {"params", 0, "FILE", false, "parameters from a YAML or JSON file"},
    {"name", 0, "NAME", false, "the run's name; default PIPELINE-N"},
    {"experiment", 0, "NAME", false, "the run's experiment"},
    {"idempotency-key", 0, "KEY", false, "the same key starts one run, however often it is sent"},
    {"only", 0, "STEP,…", true, "run only these steps, with what they need of --inputs-from"},
    {"inputs-from", 0, "RUN", false, "the finished run whose results --only takes"},
    OPTION_NO_CACHE,
    STARTED_OPTIONS,
    OPTION_OUTPUT,
    OPTION_END,
};

static int read_params(const struct given *given, json_t *params, struct err *err)
{
    const char *file = given_value(given, "params", NULL);
    cleanup_free char *text = NULL;
    cleanup_yaml struct yaml_docs docs = {0};
    if (file) {
        size_t len;
        text = file_read(file, 1 << 20, &len, err);
        if (!text || yaml_read(file, text, len, &docs, err) < 0)
            return err->code;
        if (docs.count != 1 || !json_is_object(docs.items[0].value))
            return err_set(err, LEAT_EINPUT, "%s: must hold one mapping of parameters", file);
        json_object_update(params, docs.items[0].value);
    }
    return params_given(given, params, err);
}

static void set_given(const struct given *given, json_t *body, const char *option, const char *key)
{
    const char *value = given_value(given, option, NULL);
    if (value)
        json_object_set_new(body, key, json_string(value));
}

/* --only a,b --only c */
static json_t *steps_given(const struct given *given)
{
    const char *list;
    json_t *steps = json_array();
    for (size_t i = 0; (list = given_nth(given, "only", i)) != NULL; i++) {
        cleanup_free char *copy = mem_string(list);
        char *rest = copy, *name;
        while ((name = strsep(&rest, ",")))
            if (*name)
                json_array_append_new(steps, json_string(name));
    }
    return steps;
}

/* Where a run is asked for; malloc'd, NULL when the options do not go together. */
static char *run_path(const struct given *given, json_t *body, struct err *err)
{
    const char *from = given_value(given, "inputs-from", NULL);
    const bool only = given_nth(given, "only", 0) != NULL;
    if (only != (from != NULL)) {
        err_set(err, LEAT_EUSAGE, "--only and --inputs-from go together");
        return NULL;
    }
    if (!only)
        return mem_string("/api/v1/runs");
    if (given_value(given, "idempotency-key", NULL)) {
        err_set(err, LEAT_EUSAGE, "--idempotency-key does not go with --only");
        return NULL;
    }
    json_object_set_new(body, "steps", steps_given(given));
    return client_path("/api/v1/runs/%s/only", from);
}

static int run_run(const struct given *given, struct err *err)
{
    cleanup_json json_t *body = json_object();
    cleanup_json json_t *answer = NULL;
    json_t *params = json_object();
    json_object_set_new(body, "params", params);
    cleanup_free char *pipeline = mem_string(given_argument(given, 0));
    char *at = strchr(pipeline, '@');
    if (at) {
        *at++ = '\0';
        json_object_set_new(body, "version", json_string(at));
    }
    json_object_set_new(body, "pipeline", json_string(pipeline));
    set_given(given, body, "name", "name");
    set_given(given, body, "experiment", "experiment");
    set_given(given, body, "idempotency-key", "idempotency_key");
    if (given_flag(given, "no-cache"))
        json_object_set_new(body, "no_cache", json_true());
    int rc = output_check(given, err);
    if (rc == 0)
        rc = read_params(given, params, err);
    cleanup_free char *path = rc == 0 ? run_path(given, body, err) : NULL;
    rc = path ? client_call("POST", path, body, &answer, err) : err->code;
    return rc < 0 ? rc : started_show(given, answer, err);
}
const struct verb VERB_RUN = {
    .name = "run",
    .arguments = "PIPELINE[@VERSION]",
    .summary = "Starts a run",
    .details = "With --only the parameters and the event are those of RUN, but for what -p\n"
               "says; steps that are neither named nor needed are skipped. A step in a group is\n"
               "named by its path, train/fit: it runs in each item, and of train nothing else.",
    .least = 1,
    .most = 1,
    .options = run_options,
    .run = run_run};

static const struct option log_options[] = {
    {"follow", 'f', NULL, false, "go on until the log is whole"},
    {"attempt", 0, "N", false, "of an earlier attempt"},
    OPTION_END,
};

static int run_logs(const struct given *given, struct err *err)
{
    return follow_logs(given_argument(given, 0), given_argument(given, 1),
                       given_value(given, "attempt", NULL), given_flag(given, "follow"), err);
}
const struct verb VERB_LOGS = {
    .name = "logs",
    .arguments = "RUN [STEP]",
    .summary = "Prints what steps wrote",
    .details =
        "Of a result that was adopted, what was written in the run that ran it; where that is no\n"
        "longer kept, standard error says so. For one that came from the cache it names the run\n"
        "that has the log. --attempt without STEP: of the steps that have it.",
    .least = 1,
    .most = 2,
    .options = log_options,
    .run = run_logs};

static const struct option brief_options[] = {OPTION_OUTPUT, OPTION_END};
static const struct option retry_options[] = {
    {"from", 0, "STEP", false,
     "run this step and all after it anew; a path, GROUP/STEP, inside groups"},
    OPTION_NO_CACHE,
    STARTED_OPTIONS,
    OPTION_OUTPUT,
    OPTION_END};

static int post(const struct given *given, const char *path, const json_t *body, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call("POST", path, body, &answer, err);
    if (rc < 0)
        return rc;
    output_object(given, answer, brief_columns);
    return 0;
}

static int run_cancel(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/runs/%s/cancel", given_argument(given, 0));
    return post(given, path, NULL, err);
}
const struct verb VERB_CANCEL = {.name = "cancel",
                                 .arguments = "RUN",
                                 .summary = "Cancels a run",
                                 .least = 1,
                                 .most = 1,
                                 .options = brief_options,
                                 .run = run_cancel};

static const struct option approve_options[] = {
    {"reject", 0, NULL, false, "the answer is no: the step fails"},
    {"comment", 0, "TEXT", false, "why; kept with the answer"},
    {"by", 0, "NAME", false, "who answers, where no token says so"},
    OPTION_OUTPUT,
    OPTION_END,
};

static int run_approve(const struct given *given, struct err *err)
{
    cleanup_json json_t *body = json_pack("{s:s, s:s}", "step", given_argument(given, 1), "answer",
                                          given_flag(given, "reject") ? "rejected" : "approved");
    cleanup_free char *path = client_path("/api/v1/runs/%s/approve", given_argument(given, 0));
    set_given(given, body, "comment", "comment");
    set_given(given, body, "by", "by");
    return post(given, path, body, err);
}
const struct verb VERB_APPROVE = {
    .name = "approve",
    .arguments = "RUN STEP",
    .summary = "Answers a step that waits for a person",
    .details = "STEP as `leat show` writes it, with its [ITERATION] where several wait. The first "
               "answer counts. `leat show`\ntells who may give it; whose token it is, answers "
               "(`leat token create --name`).",
    .least = 2,
    .most = 2,
    .options = approve_options,
    .run = run_approve};

static int run_retry(const struct given *given, struct err *err)
{
    cleanup_json json_t *answer = NULL, *body = json_object();
    cleanup_free char *path = client_path("/api/v1/runs/%s/retry", given_argument(given, 0));
    set_given(given, body, "from", "from");
    if (given_flag(given, "no-cache"))
        json_object_set_new(body, "no_cache", json_true());
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call("POST", path, body, &answer, err);
    return rc < 0 ? rc : started_show(given, answer, err);
}
const struct verb VERB_RETRY = {
    .name = "retry",
    .arguments = "RUN",
    .summary = "Starts a new run that adopts what succeeded in this one",
    .details = "What failed runs anew, and what needs it. In a group the items and steps that\n"
               "succeeded are adopted too, when the items are the same.",
    .least = 1,
    .most = 1,
    .options = retry_options,
    .run = run_retry};
