/* pause, resume, delete: what the catalog holds of a pipeline. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct option options[] = {OPTION_OUTPUT, OPTION_END};
static const struct column columns[] = {{"name", "/name", ALWAYS},
                                        {"paused", "/paused", ALWAYS},
                                        {"deleted", "/deleted", ALWAYS},
                                        COLUMN_END};

static const struct column trigger_columns[] = {{"pipeline", "/pipeline", ALWAYS},
                                                {"name", "/name", ALWAYS},
                                                {"paused", "/paused", ALWAYS},
                                                COLUMN_END};

static int change(const struct given *given, const char *method, const char *path,
                  const struct column *shown, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call(method, path, NULL, &answer, err);
    if (rc < 0)
        return rc;
    output_object(given, answer, shown);
    return 0;
}

/* PIPELINE or PIPELINE/TRIGGER; neither name has a slash. */
static int move(const struct given *given, const char *verb, struct err *err)
{
    const char *what = given_argument(given, 0), *slash = strchr(what, '/');
    if (!slash) {
        cleanup_free char *path = client_path("/api/v1/pipelines/%s/%s", what, verb);
        return change(given, "POST", path, columns, err);
    }
    cleanup_free char *pipeline = mem_bytes(what, (size_t)(slash - what));
    cleanup_free char *path =
        client_path("/api/v1/pipelines/%s/triggers/%s/%s", pipeline, slash + 1, verb);
    return change(given, "POST", path, trigger_columns, err);
}

static int run_pause(const struct given *given, struct err *err)
{
    return move(given, "pause", err);
}
const struct verb VERB_PAUSE = {
    .name = "pause",
    .arguments = "PIPELINE[/TRIGGER]",
    .summary = "Keeps events and ticks from starting runs of a pipeline, or of one trigger",
    .details = "Events get the verdict `paused`; ticks are passed over. Runs that live go on, and\n"
               "leat run still starts new ones. A trigger stays paused across new versions; it\n"
               "starts runs when neither it nor its pipeline is paused.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run_pause};

static int run_resume(const struct given *given, struct err *err)
{
    return move(given, "resume", err);
}
const struct verb VERB_RESUME = {.name = "resume",
                                 .arguments = "PIPELINE[/TRIGGER]",
                                 .summary = "Lets events and ticks start runs again",
                                 .least = 1,
                                 .most = 1,
                                 .options = options,
                                 .run = run_resume};

static int run_delete(const struct given *given, struct err *err)
{
    if (strchr(given_argument(given, 0), '/'))
        return err_set(err, LEAT_EUSAGE,
                       "%s: a trigger goes when a file without it is applied; until then pause it",
                       given_argument(given, 0));
    cleanup_free char *path = client_path("/api/v1/pipelines/%s", given_argument(given, 0));
    return change(given, "DELETE", path, columns, err);
}
const struct verb VERB_DELETE = {
    .name = "delete",
    .arguments = "PIPELINE",
    .summary = "Removes a pipeline; its runs and versions stay to be seen",
    .details = "Runs that live go on. leat apply of its file brings it back.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run_delete};
