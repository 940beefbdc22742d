/* pause, resume, delete: what the catalog holds of a pipeline. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct option options[] = {OPTION_OUTPUT, OPTION_END};
static const struct column columns[] = {{"name", "/name", false},
                                        {"paused", "/paused", false},
                                        {"deleted", "/deleted", false},
                                        COLUMN_END};

static int change(const struct given *given, const char *method, const char *path, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    int rc = output_check(given, err);
    if (rc == 0 && strchr(given_argument(given, 0), '/'))
        rc = err_set(err, LEAT_EUSAGE,
                     "this build pauses and deletes whole pipelines, not one of their triggers");
    if (rc == 0)
        rc = client_call(method, path, NULL, &answer, err);
    if (rc < 0)
        return rc;
    output_object(given, answer, columns);
    return 0;
}

static int run_pause(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/pipelines/%s/pause", given_argument(given, 0));
    return change(given, "POST", path, err);
}
const struct verb VERB_PAUSE = {
    .name = "pause",
    .arguments = "PIPELINE",
    .summary = "Keeps events and ticks from starting runs of a pipeline",
    .details = "Events get the verdict `paused`; ticks are passed over. Runs that live go on, and\n"
               "leat run still starts new ones.",
    .least = 1,
    .most = 1,
    .options = options,
    .run = run_pause};

static int run_resume(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/pipelines/%s/resume", given_argument(given, 0));
    return change(given, "POST", path, err);
}
const struct verb VERB_RESUME = {.name = "resume",
                                 .arguments = "PIPELINE",
                                 .summary = "Lets events and ticks start runs again",
                                 .least = 1,
                                 .most = 1,
                                 .options = options,
                                 .run = run_resume};

static int run_delete(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/pipelines/%s", given_argument(given, 0));
    return change(given, "DELETE", path, err);
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
