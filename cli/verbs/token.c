/* token create, token list, token revoke. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

static const struct option create_options[] = {
    {"worker", 0, NULL, false, "a join token: lets one worker join, once (leat worker join)"},
    {"pool", 0, "POOL", false, "with --worker: the pool that it will work for; default: default"},
    {"name", 0, "NAME", false, "who holds it: what is approved with it is approved by NAME"},
    {"ttl", 0, "DURATION", false, "how long it is valid; default 1h with --worker, else for good"},
    OPTION_OUTPUT,
    OPTION_END,
};
static const struct option plain_options[] = {OPTION_OUTPUT, OPTION_END};
static const struct column made_columns[] = {{"id", "/id", ALWAYS},
                                             {"kind", "/kind", ALWAYS},
                                             {"name", "/name", ALWAYS},
                                             {"pool", "/pool", WIDE},
                                             {"expires", "/expires", ALWAYS},
                                             {"token", "/token", ALWAYS},
                                             COLUMN_END};
static const struct column list_columns[] = {
    {"ID", "/id", ALWAYS},         {"KIND", "/kind", ALWAYS},       {"NAME", "/name", ALWAYS},
    {"STATE", "/state", ALWAYS},   {"WORKER", "/worker", ALWAYS},   {"POOL", "/pool", WIDE},
    {"CREATED", "/created", WIDE}, {"EXPIRES", "/expires", ALWAYS}, COLUMN_END};

static int run_create(const struct given *given, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    const bool worker = given_flag(given, "worker");
    const char *pool = given_value(given, "pool", NULL), *ttl = given_value(given, "ttl", NULL);
    const char *name = given_value(given, "name", NULL);
    int64_t us = 0;
    cleanup_json json_t *body = json_pack("{s:s}", "kind", worker ? "join" : "user");
    int rc = output_check(given, err);
    if (rc == 0 && pool && !worker)
        rc = err_set(err, LEAT_EUSAGE, "--pool goes with --worker");
    if (rc == 0 && ttl && (!text_to_duration(ttl, &us) || us < US_PER_S))
        rc = err_set(err, LEAT_EUSAGE, "--ttl %s: give a duration of 1s or more, like 1h", ttl);
    if (rc == 0 && name && worker)
        rc = err_set(err, LEAT_EUSAGE, "--name is of a user's token");
    if (name)
        json_object_set_new(body, "name", json_string(name));
    if (pool)
        json_object_set_new(body, "pool", json_string(pool));
    if (ttl)
        json_object_set_new(body, "ttl_s", json_integer(us / US_PER_S));
    if (rc == 0)
        rc = client_call("POST", "/api/v1/tokens", body, &answer, err);
    if (rc < 0)
        return rc;
    output_object(given, answer, made_columns);
    return 0;
}
const struct verb VERB_TOKEN_CREATE = {
    .name = "token create",
    .arguments = "",
    .summary = "Makes a token and shows it, once",
    .details = "Without --worker it may do all that the API may; with it, it is good for one `leat "
               "worker join`.",
    .options = create_options,
    .run = run_create};

static int run_list(const struct given *given, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    int rc = output_check(given, err);
    if (rc == 0)
        rc = client_call("GET", "/api/v1/tokens", NULL, &answer, err);
    if (rc < 0)
        return rc;
    output_list(given, json_object_get(answer, "items"), list_columns);
    return 0;
}
const struct verb VERB_TOKEN_LIST = {.name = "token list",
                                     .arguments = "",
                                     .summary = "Lists the tokens that were made, not their texts",
                                     .options = plain_options,
                                     .run = run_list};

static int run_revoke(const struct given *given, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/tokens/%s", given_argument(given, 0));
    const int rc = client_call("DELETE", path, NULL, NULL, err);
    return rc < 0 ? rc : 0;
}
const struct verb VERB_TOKEN_REVOKE = {.name = "token revoke",
                                       .arguments = "ID",
                                       .summary = "Makes a token invalid from now on",
                                       .least = 1,
                                       .most = 1,
                                       .run = run_revoke};
