/* limit show, limit remove, pool show, pool remove. What there is comes from files: leat apply. */
#include <stdio.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

static const struct column limit_columns[] = {{"name", "/name", ALWAYS},
                                              {"limit", "/limit", ALWAYS},
                                              {"used", "/used", ALWAYS},
                                              {"waiting", "/waiting", ALWAYS},
                                              {"description", "/description", ALWAYS},
                                              {"updated", "/updated", ALWAYS},
                                              COLUMN_END};
static const struct column pool_columns[] = {
    {"name", "/name", ALWAYS},       {"slots", "/slots", ALWAYS},
    {"used", "/used", ALWAYS},       {"workers", "/workers", ALWAYS},
    {"active", "/active", ALWAYS},   {"capacity", "/capacity", ALWAYS},
    {"path", "/path", ALWAYS},       {"description", "/description", ALWAYS},
    {"updated", "/updated", ALWAYS}, COLUMN_END};
static const struct column holder_columns[] = {{"RUN", "/run", ALWAYS},
                                               {"NAME", "/name", ALWAYS},
                                               {"STEP", "/step", ALWAYS},
                                               {"USES", "/n", ALWAYS},
                                               {"STATE", "/state", ALWAYS},
                                               {"SINCE", "/since", ALWAYS},
                                               {"ITERATION", "/iteration", WIDE},
                                               {"WORKER", "/worker", WIDE},
                                               COLUMN_END};
static const struct option options[] = {OPTION_OUTPUT, OPTION_END};

static int show(const struct given *given, const char *format, const struct column *columns,
                struct err *err)
{
    cleanup_json json_t *one = NULL;
    cleanup_free char *path = client_path(format, given_argument(given, 0));
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call("GET", path, NULL, &one, err);
    if (rc < 0)
        return rc;
    output_object(given, one, columns);
    if (output_is(given, "table") || output_is(given, "wide")) {
        putchar('\n');
        output_list(given, json_object_get(one, "holders"), holder_columns);
    }
    return 0;
}

static int drop(const struct given *given, const char *format, struct err *err)
{
    cleanup_free char *path = client_path(format, given_argument(given, 0));
    const int rc = client_call("DELETE", path, NULL, NULL, err);
    return rc < 0 ? rc : 0;
}

static int show_limit(const struct given *given, struct err *err)
{
    return show(given, "/api/v1/limits/%s", limit_columns, err);
}
const struct verb VERB_LIMIT_SHOW = {.name = "limit show",
                                     .arguments = "LIMIT",
                                     .summary = "Shows a named limit and who holds it",
                                     .least = 1,
                                     .most = 1,
                                     .options = options,
                                     .run = show_limit};

static int remove_limit(const struct given *given, struct err *err)
{
    return drop(given, "/api/v1/limits/%s", err);
}
const struct verb VERB_LIMIT_REMOVE = {
    .name = "limit remove",
    .arguments = "LIMIT",
    .summary = "Removes a named limit that no pipeline names",
    .details =
        "Refused while the current version of a pipeline names it, or a run that is not over.",
    .least = 1,
    .most = 1,
    .run = remove_limit};

static int show_pool(const struct given *given, struct err *err)
{
    return show(given, "/api/v1/pools/%s", pool_columns, err);
}
const struct verb VERB_POOL_SHOW = {.name = "pool show",
                                    .arguments = "POOL",
                                    .summary = "Shows a pool and who uses its slots",
                                    .least = 1,
                                    .most = 1,
                                    .options = options,
                                    .run = show_pool};

static int remove_pool(const struct given *given, struct err *err)
{
    return drop(given, "/api/v1/pools/%s", err);
}
const struct verb VERB_POOL_REMOVE = {
    .name = "pool remove",
    .arguments = "POOL",
    .summary = "Removes what a file says of a pool that no pipeline names",
    .details =
        "Refused while the current version of a pipeline names it, or a run that is not over. Its "
        "workers stay, and go by that name.",
    .least = 1,
    .most = 1,
    .run = remove_pool};
