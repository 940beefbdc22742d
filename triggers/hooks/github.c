/* GitHub's webhooks: X-Hub-Signature-256 over the raw body, X-GitHub-Delivery as the key of a
 * delivery (a redelivery has the same), X-GitHub-Event as its kind.
 * docs.github.com/webhooks: "Validating webhook deliveries", "Webhook events and payloads". */
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "triggers/hooks/provider.h"

#define SHORT_SHA 7

static int check(const struct delivery *d, struct err *err)
{
    if (hook_hmac_matches(d, http_header(d->request, "X-Hub-Signature-256")))
        return 0;
    return err_set(err, LEAT_EAUTH, "X-Hub-Signature-256 is missing or does not fit the secret");
}

static void set_var(json_t *vars, const char *name, const char *value)
{
    if (value && *value)
        json_object_set_new(vars, name, json_string(value));
}

/* The names that Cloud Build users know. */
static json_t *push_vars(const json_t *body, const char *ref, const char *commit)
{
    static const char branches[] = "refs/heads/", tags[] = "refs/tags/";
    const json_t *repository = json_object_get(body, "repository");
    json_t *vars = json_object();
    set_var(vars, "COMMIT_SHA", commit);
    if (strlen(commit) > SHORT_SHA)
        json_object_set_new(vars, "SHORT_SHA", json_stringn(commit, SHORT_SHA));
    set_var(vars, "REPO_NAME", json_get_string(repository, "name", NULL));
    set_var(vars, "REPO_FULL_NAME", json_get_string(repository, "full_name", NULL));
    if (text_starts_with(ref, branches))
        set_var(vars, "BRANCH_NAME", ref + sizeof branches - 1);
    if (text_starts_with(ref, tags))
        set_var(vars, "TAG_NAME", ref + sizeof tags - 1);
    const char *slash = text_starts_with(ref, "refs/") ? strchr(ref + 5, '/') : NULL;
    set_var(vars, "REF_NAME", slash ? slash + 1 : ref);
    return vars;
}

static int normalise_push(json_t *body, struct draft *draft, json_t *keep, struct err *err)
{
    const char *ref = json_get_string(body, "ref", NULL);
    const char *commit = json_get_string(body, "after", NULL);
    if (!ref || !commit)
        return err_set(err, LEAT_EINPUT, "a push needs the members 'ref' and 'after'");
    json_t *vars = push_vars(body, ref, commit);
    json_object_set_new(keep, "vars", vars);
    draft->type =
        json_get_bool(body, "deleted", false) ? "dev.leat.git.delete" : "dev.leat.git.push";
    draft->subject = ref;
    draft->vars = vars;
    return 0;
}

/* Any other event of GitHub's is passed on under its own name. */
static int normalise_other(const char *event, struct draft *draft, json_t *keep, struct err *err)
{
    for (const char *p = event; *p; p++)
        if ((*p < 'a' || *p > 'z') && *p != '_')
            return err_set(err, LEAT_EINPUT, "X-GitHub-Event has a name that is none");
    cleanup_free char *type = mem_printf("dev.leat.github.%.64s", event);
    json_object_set_new(keep, "type", json_string(type));
    draft->type = json_get_string(keep, "type", NULL);
    return 0;
}

static int normalise(const struct delivery *d, json_t *body, struct draft *draft, json_t **keep,
                     struct err *err)
{
    const char *event = http_header(d->request, "X-GitHub-Event");
    const char *delivery = http_header(d->request, "X-GitHub-Delivery");
    if (!event)
        return err_set(err, LEAT_EINPUT, "the header X-GitHub-Event is missing");
    if (strcmp(event, "ping") == 0)
        return 1;
    if (!delivery || strlen(delivery) > 128)
        return err_set(err, LEAT_EINPUT, "the header X-GitHub-Delivery is missing or too long");
    if (!json_is_object(body))
        return err_set(err, LEAT_EINPUT, "the body must be a JSON object");
    *keep = json_object();
    draft->origin =
        json_get_string(json_object_get(body, "repository"), "html_url", "/hooks/github");
    draft->delivery = delivery;
    draft->delivery_len = strlen(delivery);
    draft->data = body;
    return strcmp(event, "push") == 0 ? normalise_push(body, draft, *keep, err)
                                      : normalise_other(event, draft, *keep, err);
}

static const char *const types[] = {"application/json", NULL};

const struct hook_provider HOOK_GITHUB = {SOURCE_GITHUB, check, types, normalise, NULL, NULL};
