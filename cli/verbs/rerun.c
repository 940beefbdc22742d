/* rerun: the command itself, and what of the old run can no longer be had. */
#include <string.h>

#include "cli/client.h"
#include "cli/images.h"
#include "cli/output.h"
#include "cli/params.h"
#include "cli/started.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct option rerun_options[] = {
    {"param", 'p', "NAME=VALUE", true, "a parameter that is to be another"},
    {"name", 0, "NAME", false, "the run's name; default PIPELINE-N"},
    {"anyway", 0, NULL, false,
     "also when the event or what was pinned is gone; looks for no image"},
    OPTION_NO_CACHE,
    STARTED_OPTIONS,
    OPTION_OUTPUT,
    OPTION_END,
};

static json_t *body_of(const struct given *given, json_t *params)
{
    json_t *body = json_object();
    json_object_set(body, "params", params);
    json_object_set_new(body, "anyway", json_boolean(given_flag(given, "anyway")));
    json_object_set_new(body, "no_cache", json_boolean(given_flag(given, "no-cache")));
    if (given_value(given, "name", NULL))
        json_object_set_new(body, "name", json_string(given_value(given, "name", "")));
    return body;
}

/* Only of a run that is over: another is refused. */
static int look(const char *name, json_t *params, json_t **run, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/runs/%s?images=true", name);
    const int rc = client_call("GET", path, NULL, run, err);
    if (rc >= 0 && json_is_string(json_object_get(*run, "finished")))
        images_look(*run, params);
    return rc;
}

static int run_rerun(const struct given *given, struct err *err)
{
    cleanup_json json_t *answer = NULL, *run = NULL, *params = json_object();
    const char *name = given_argument(given, 0);
    int rc = output_check(given, err);
    if (rc == 0)
        rc = params_given(given, params, err);
    if (rc >= 0 && !given_flag(given, "anyway"))
        rc = look(name, params, &run, err);
    if (rc < 0)
        return rc;
    cleanup_json json_t *body = body_of(given, params);
    cleanup_free char *path =
        client_path("/api/v1/runs/%s/rerun", json_get_string(run, "id", name));
    rc = client_call("POST", path, body, &answer, err);
    if (rc < 0)
        return rc;
    output_warnings(answer);
    return started_show(given, answer, err);
}
const struct verb VERB_RERUN = {
    .name = "rerun",
    .arguments = "RUN",
    .summary = "Starts a run of the same version with the same parameters and event, but for -p",
    .details =
        "Every step runs anew (leat retry adopts what succeeded), with the objects that were\n"
        "pinned then and the images by the digests that ran, where neither depends on a\n"
        "parameter that is another now. What can no longer be had is said: a pipeline, an\n"
        "event or a pinned object that is gone is refused; of an image that its registry has\n"
        "no more a line warns, since a worker may have it still. Registries are asked from\n"
        "here, for 10 s at most, with the logins of docker login.",
    .least = 1,
    .most = 1,
    .options = rerun_options,
    .run = run_rerun};
