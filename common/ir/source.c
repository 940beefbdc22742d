#include "common/ir/source.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/ir/problems.h"
#include "common/schema/check.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

static const struct {
    const char *name;
    bool built, secret;
} PROVIDERS[] = {
#define P(id, name, built, secret) [SOURCE_##id] = {name, built, secret},
    SOURCE_PROVIDERS(P)
#undef P
};

const char *source_provider_name(enum source_provider provider)
{
    return PROVIDERS[provider].name;
}

int source_provider_parse(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(PROVIDERS); i++) {
        if (strcmp(PROVIDERS[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* Settings beyond name, provider and secret: whose they are and what they are when not given. */
#define OF_S3(provider)                                                                            \
    {provider, "bucket", ""}, {provider, "endpoint", ""}, {provider, "region", ""},                \
        {provider, "style", "auto"}, {provider, "credentials", ""}, {provider, "prefix", ""},      \
        {provider, "suffix", ""}, {provider, "events", "all"}, {provider, "look", "60s"},          \
        {provider, "topic", ""},                                                                   \
    {                                                                                              \
        provider, "brokers", ""                                                                    \
    }
static const struct {
    enum source_provider provider;
    const char *key, *usual; /* NULL = the source's name; "" = left out */
} CONFIG[] = {
    {SOURCE_DIRECTORY, "bucket", NULL},
    {SOURCE_GENERIC, "type", SOURCE_TYPE_USUAL},
    {SOURCE_GENERIC, "signature_header", SOURCE_SIGNATURE_USUAL},
    {SOURCE_GENERIC, "delivery_header", SOURCE_DELIVERY_USUAL},
    OF_S3(SOURCE_S3),
    OF_S3(SOURCE_MINIO),
    {SOURCE_KAFKA, "topic", ""},
    {SOURCE_KAFKA, "brokers", ""},
    {SOURCE_KAFKA, "type", SOURCE_TYPE_USUAL},
};

static void tell_built(struct problems *p, const char *provider)
{
    cleanup_text struct text list = {0};
    for (size_t i = 0; i < ARRAY_LEN(PROVIDERS); i++) {
        if (PROVIDERS[i].built)
            text_printf(&list, "%s%s", list.len ? ", " : "", PROVIDERS[i].name);
    }
    problem_at(p, "/provider", "provider %s is not in this build; there is %s", provider,
               list.data);
}

static bool has_key(enum source_provider provider, const char *key)
{
    for (size_t i = 0; i < ARRAY_LEN(CONFIG); i++)
        if (CONFIG[i].provider == provider && strcmp(CONFIG[i].key, key) == 0)
            return true;
    return false;
}

/* "github, s3": whose a key is. */
static void tell_not_ours(struct problems *p, const char *key)
{
    cleanup_text struct text list = {0};
    cleanup_free char *pointer = mem_printf("/%s", key);
    for (size_t i = 0; i < ARRAY_LEN(CONFIG); i++)
        if (strcmp(CONFIG[i].key, key) == 0)
            text_printf(&list, "%s%s", list.len ? ", " : "", PROVIDERS[CONFIG[i].provider].name);
    problem_at_key(p, pointer, "%s: only a source of provider %s has it", key, list.data);
}

static bool is_first(size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(CONFIG[i].key, CONFIG[row].key) == 0)
            return false;
    return true;
}

static json_t *read_config(struct problems *p, const json_t *root, enum source_provider provider)
{
    json_t *config = json_object();
    const char *description = json_get_string(root, "description", NULL);
    for (size_t i = 0; i < ARRAY_LEN(CONFIG); i++) {
        const char *key = CONFIG[i].key;
        const char *given = json_get_string(root, key, NULL);
        const char *usual = CONFIG[i].usual ? CONFIG[i].usual : json_get_string(root, "name", "");
        if (CONFIG[i].provider == provider && (given || *usual))
            json_object_set_new(config, key, json_string(given ? given : usual));
        else if (given && is_first(i) && !has_key(provider, key))
            tell_not_ours(p, key);
    }
    if (description)
        json_object_set_new(config, "description", json_string(description));
    return config;
}

/* What has to be said together. */
static void check_together(struct problems *p, const json_t *root, enum source_provider provider)
{
    static const struct {
        enum source_provider provider;
        const char *given, *needed; /* given NULL = always */
    } rules[] = {
        {SOURCE_KAFKA, NULL, "topic"},
        {SOURCE_KAFKA, NULL, "brokers"},
        {SOURCE_S3, "topic", "brokers"},
        {SOURCE_S3, "brokers", "topic"},
        {SOURCE_MINIO, "topic", "brokers"},
        {SOURCE_MINIO, "brokers", "topic"},
        {SOURCE_S3, "credentials", "bucket"},
        {SOURCE_MINIO, "credentials", "bucket"},
        {SOURCE_S3, "endpoint", "credentials"},
        {SOURCE_MINIO, "endpoint", "credentials"},
        {SOURCE_MINIO, "credentials", "endpoint"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
        const char *given = rules[i].given;
        if (rules[i].provider != provider || (given && !json_object_get(root, given)) ||
            json_object_get(root, rules[i].needed))
            continue;
        problem_at(p, given ? "" : "/provider", "'%s' is missing%s%s%s", rules[i].needed,
                   given ? ": it goes with '" : "", given ? given : "", given ? "'" : "");
    }
}

static json_t *read_source(struct problems *p, const json_t *root)
{
    const char *name = json_get_string(root, "name", "");
    const char *secret = json_get_string(root, "secret", NULL);
    const int provider = source_provider_parse(json_get_string(root, "provider", ""));
    if (strcmp(name, "cron") == 0)
        problem_at(p, "/name", "the name cron is taken: it is the clock's");
    if (!PROVIDERS[provider].built)
        tell_built(p, PROVIDERS[provider].name);
    if (secret && !PROVIDERS[provider].secret)
        problem_at_key(p, "/secret", "a source of provider %s takes no secret",
                       PROVIDERS[provider].name);
    check_together(p, root, (enum source_provider)provider);
    json_t *out = json_pack("{s:s, s:s, s:o}", "name", name, "provider", PROVIDERS[provider].name,
                            "config", read_config(p, root, (enum source_provider)provider));
    if (secret)
        json_object_set_new(out, "secret", json_string(secret));
    return out;
}

static void schema_problem_found(void *arg, const char *pointer, const char *text)
{
    const char *key = strrchr(pointer, '/');
    if (text_starts_with(text, "unknown key"))
        problem_at_key(arg, pointer, "'%.64s': %s", key ? key + 1 : "", text);
    else
        problem_at(arg, pointer, "%.64s: %s", key && key[1] ? key + 1 : "source", text);
}

json_t *source_compile(const struct yaml_doc *doc, const char *name, struct text *all,
                       struct err *err)
{
    struct problems p = {.doc = doc, .file = name ? name : "source"};
    cleanup_json json_t *out = NULL;
    if (schema_check(&SCHEMA_SOURCE, doc->value, schema_problem_found, &p) == 0)
        out = read_source(&p, doc->value);
    const int rc = problems_tell(&p, IR_PROBLEMS_MAX, all, err);
    problems_free(&p);
    return rc == 0 ? TAKE(out) : NULL;
}
