/* limit show, limit remove. What there is comes from files: leat apply. */
#include <stdio.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct column limit_columns[] = {{"name", "/name", false},
                                              {"limit", "/limit", false},
                                              {"used", "/used", false},
                                              {"waiting", "/waiting", false},
                                              {"description", "/description", false},
                                              {"updated", "/updated", false},
                                              COLUMN_END};
static const struct column holder_columns[] = {{"RUN", "/run", false},
                                               {"NAME", "/name", false},
                                               {"STEP", "/step", false},
                                               {"USES", "/n", false},
                                               {"STATE", "/state", false},
                                               {"SINCE", "/since", false},
                                               {"ITERATION", "/iteration", true},
                                               COLUMN_END};
static const struct option options[] = {OPTION_OUTPUT, OPTION_END};

static int run_show(const struct given *given, struct err *err)
{
    cleanup_json json_t *limit = NULL;
    cleanup_free char *path = client_path("/api/v1/limits/%s", given_argument(given, 0));
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call("GET", path, NULL, &limit, err);
    if (rc < 0)
        return rc;
    output_object(given, limit, limit_columns);
    if (output_is(given, "table") || output_is(given, "wide")) {
        putchar('\n');
        output_list(given, json_object_get(limit, "holders"), holder_columns);
    }
    return 0;
}
const struct verb VERB_LIMIT_SHOW = {.name = "limit show",
                                     .arguments = "LIMIT",
                                     .summary = "Shows a named limit and who holds it",
                                     .least = 1,
                                     .most = 1,
                                     .options = options,
                                     .run = run_show};

static int run_remove(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/limits/%s", given_argument(given, 0));
    const int rc = client_call("DELETE", path, NULL, NULL, err);
    return rc < 0 ? rc : 0;
}
const struct verb VERB_LIMIT_REMOVE = {
    .name = "limit remove",
    .arguments = "LIMIT",
    .summary = "Removes a named limit that no pipeline names",
    .details =
        "Refused while the current version of a pipeline names it, or a run that is not over.",
    .least = 1,
    .most = 1,
    .run = run_remove};
