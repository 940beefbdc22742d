/* context add, use, list, remove: the Leats that this user calls, by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/context.h"
#include "cli/files.h"
#include "cli/output.h"
#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

static const struct option add_options[] = {
    {"token-file", 0, "FILE", false, "the token that this Leat wants; - is standard input"},
    {"use", 0, NULL, false, "make it the current one"},
    OPTION_END,
};

struct adding {
    const char *name;
    char *url, *token;
    bool use;
};

static int add(json_t *all, void *arg, struct err *err)
{
    const struct adding *a = arg;
    json_t *contexts = json_get_object(all, "contexts");
    if (!json_object_get(contexts, a->name) && json_object_size(contexts) >= CONTEXTS_MAX)
        return err_set(err, LEAT_ELIMIT, "there are %d contexts already: remove one", CONTEXTS_MAX);
    json_t *context = json_pack("{s:s}", "url", a->url);
    if (a->token)
        json_object_set_new(context, "token", json_string(a->token));
    json_object_set_new(contexts, a->name, context);
    if (a->use || json_object_size(contexts) == 1)
        json_object_set_new(all, "current", json_string(a->name));
    return 0;
}

/* The first line of the file. */
static int read_token(const char *path, char **out, struct err *err)
{
    size_t len;
    char *text = file_read(path, CONTEXT_TOKEN_MAX + 2, &len, err);
    if (!text)
        return err->code;
    text[strcspn(text, "\r\n")] = '\0';
    *out = text;
    const int rc = context_check_token(text, err);
    return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

static void warn_in_clear(const struct adding *a)
{
    const char *host = a->url + strlen("http://");
    cleanup_free char *authority = mem_bytes(host, strcspn(host, "/"));
    if (a->token && text_starts_with(a->url, "http://") && !address_is_loopback(authority))
        fprintf(stderr, "leat: %s is not encrypted: whoever is on the way reads the token\n",
                a->url);
}

static int run_add(const struct given *given, struct err *err)
{
    struct adding a = {.name = given_argument(given, 0),
                       .url = mem_string(given_argument(given, 1)),
                       .use = given_flag(given, "use")};
    const char *file = given_value(given, "token-file", NULL);
    for (size_t n = strlen(a.url); n > 0 && a.url[n - 1] == '/'; n--)
        a.url[n - 1] = '\0'; /* paths are put behind it */
    int rc = context_check_url(a.url, err);
    if (rc == 0 && !text_is_name(a.name, CONTEXT_NAME_MAX))
        rc = err_set(err, LEAT_EINPUT, "'%.100s' is no name: small letters, digits, - _ .", a.name);
    if (rc == 0 && file)
        rc = read_token(file, &a.token, err);
    if (rc == 0)
        warn_in_clear(&a);
    if (rc == 0)
        rc = contexts_change(add, &a, err);
    if (a.token)
        mem_wipe(a.token, strlen(a.token));
    free(a.token);
    free(a.url);
    return rc;
}
const struct verb VERB_CONTEXT_ADD = {
    .name = "context add",
    .arguments = "NAME URL",
    .summary = "Remembers where a Leat is, or changes it",
    .details =
        "The token is read from a file or standard input, never from the command line, and\n"
        "kept with the URL in the user's configuration folder (mode 0600). The first context\n"
        "is the current one.",
    .least = 2,
    .most = 2,
    .options = add_options,
    .offline = true,
    .run = run_add};

static int check_there(const json_t *all, const char *name, struct err *err)
{
    if (json_object_get(json_object_get(all, "contexts"), name))
        return 0;
    return err_set(err, LEAT_ENOTFOUND, "there is no context '%.100s': leat context list", name);
}

static int use(json_t *all, void *arg, struct err *err)
{
    const int rc = check_there(all, arg, err);
    if (rc == 0)
        json_object_set_new(all, "current", json_string(arg));
    return rc;
}

static int run_use(const struct given *given, struct err *err)
{
    return contexts_change(use, (void *)given_argument(given, 0), err);
}
const struct verb VERB_CONTEXT_USE = {.name = "context use",
                                      .arguments = "CONTEXT",
                                      .summary = "Makes a context the current one",
                                      .least = 1,
                                      .most = 1,
                                      .offline = true,
                                      .run = run_use};

static int drop(json_t *all, void *arg, struct err *err)
{
    const int rc = check_there(all, arg, err);
    if (rc < 0)
        return rc;
    json_object_del(json_object_get(all, "contexts"), arg);
    if (strcmp(json_get_string(all, "current", ""), arg) == 0)
        json_object_del(all, "current");
    return 0;
}

static int run_remove(const struct given *given, struct err *err)
{
    return contexts_change(drop, (void *)given_argument(given, 0), err);
}
const struct verb VERB_CONTEXT_REMOVE = {.name = "context remove",
                                         .arguments = "CONTEXT",
                                         .summary = "Forgets a context and its token",
                                         .least = 1,
                                         .most = 1,
                                         .offline = true,
                                         .run = run_remove};

static const struct option list_options[] = {OPTION_OUTPUT, OPTION_END};
static const struct column columns[] = {{"NAME", "/name", ALWAYS},
                                        {"CURRENT", "/current", ALWAYS},
                                        {"URL", "/url", ALWAYS},
                                        {"TOKEN", "/token", ALWAYS},
                                        COLUMN_END};

/* That there is a token is shown, never the token. */
static int run_list(const struct given *given, struct err *err)
{
    int rc = output_check(given, err);
    cleanup_json json_t *all = rc == 0 ? contexts_read(err) : NULL;
    cleanup_json json_t *items = json_array();
    const char *name;
    json_t *context;
    if (!all)
        return rc < 0 ? rc : err->code;
    const char *current = json_get_string(all, "current", "");
    json_object_foreach (json_get_object(all, "contexts"), name, context)
        json_array_append_new(items, json_pack("{s:s, s:b, s:s, s:b}", "name", name, "current",
                                               strcmp(name, current) == 0, "url",
                                               json_get_string(context, "url", ""), "token",
                                               json_object_get(context, "token") != NULL));
    output_list(given, items, columns);
    return 0;
}
const struct verb VERB_CONTEXT_LIST = {.name = "context list",
                                       .arguments = "",
                                       .summary = "Lists the contexts, without their tokens",
                                       .options = list_options,
                                       .offline = true,
                                       .run = run_list};
