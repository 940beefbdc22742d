#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/ir/value.h"
#include "common/text/cron.h"
#include "common/text/json.h"
#include "common/text/zone.h"

static const char *const KINDS[] = {[IR_ON_OBJECT] = "object",
                                    [IR_ON_PUSH] = "push",
                                    [IR_ON_CRON] = "cron",
                                    [IR_ON_EVENT] = "event"};

/* One entry of `on:` and where it stands. */
struct entry {
    enum ir_trigger_kind kind;
    const json_t *source;
    size_t nth; /* of its kind, from 0 */
    bool listed;
};

static void at_entry(struct front *f, const struct entry *e, const char *key, const char *name)
{
    front_at(f, "on", KINDS[e->kind], NULL);
    if (e->listed)
        front_at_index(f, e->nth);
    if (key)
        json_pointer_add(&f->at, key);
    if (name)
        json_pointer_add(&f->at, name);
}

/* Calls `each` for every entry, in order of KINDS and of the file. */
static void each_entry(struct front *f, void (*each)(struct front *, const struct entry *))
{
    const json_t *on = json_object_get(f->unit->root, "on");
    for (size_t kind = 0; kind < ARRAY_LEN(KINDS); kind++) {
        const json_t *value = json_object_get(on, KINDS[kind]);
        struct entry e = {.kind = (enum ir_trigger_kind)kind, .source = value};
        if (json_is_object(value))
            each(f, &e);
        e.listed = true;
        for (; json_is_array(value) && e.nth < json_array_size(value); e.nth++) {
            e.source = json_array_get(value, e.nth);
            each(f, &e);
        }
    }
}

static void declare_vars_of(struct front *f, const struct entry *e)
{
    const char *name;
    json_t *value;
    json_object_foreach (json_object_get(e->source, "vars"), name, value)
        names_add(f->unit->user_vars, name, 0);
}

void front_declare_vars(struct front *f)
{
    each_entry(f, declare_vars_of);
}

/* The keys that are taken as they are, by kind; the schema has seen to their types. */
static const struct {
    enum ir_trigger_kind kind;
    const char *key, *fallback;
} PLAIN[] = {
    {IR_ON_OBJECT, "source", NULL},   {IR_ON_OBJECT, "bucket", NULL},
    {IR_ON_OBJECT, "prefix", NULL},   {IR_ON_OBJECT, "suffix", NULL},
    {IR_ON_PUSH, "source", NULL},     {IR_ON_PUSH, "repository", NULL},
    {IR_ON_PUSH, "branch", NULL},     {IR_ON_PUSH, "tag", NULL},
    {IR_ON_CRON, "schedule", NULL},   {IR_ON_CRON, "timezone", "UTC"},
    {IR_ON_CRON, "missed", "latest"}, {IR_ON_EVENT, "type", NULL},
    {IR_ON_EVENT, "source", NULL},
};

static void read_plain(const struct entry *e, json_t *out)
{
    for (size_t i = 0; i < ARRAY_LEN(PLAIN); i++) {
        const char *value = PLAIN[i].kind == e->kind
                                ? json_get_string(e->source, PLAIN[i].key, PLAIN[i].fallback)
                                : NULL;
        if (value)
            json_object_set_new(out, PLAIN[i].key, json_string(value));
    }
}

static void read_name(struct front *f, const struct entry *e, json_t *out)
{
    char usual[32];
    snprintf(usual, sizeof usual, e->nth ? "%s-%zu" : "%s", KINDS[e->kind], e->nth + 1);
    json_object_set_new(out, "name", json_string(json_get_string(e->source, "name", usual)));
    const char *name = json_get_string(out, "name", NULL);
    if (names_add(f->triggers, name, (int32_t)json_array_size(f->triggers_out)) < 0)
        return;
    const bool own = json_object_get(e->source, "name") != NULL;
    at_entry(f, e, own ? "name" : NULL, NULL);
    front_problem(f, "two triggers are called %s: give each a name of its own", name);
}

static void read_types(const struct entry *e, json_t *out)
{
    static const char *const TYPES[] = {"created", "deleted"};
    const json_t *types = json_object_get(e->source, "types");
    json_t *all = json_array();
    for (size_t t = 0; t < ARRAY_LEN(TYPES); t++) {
        bool wanted = types == NULL && t == 0;
        for (size_t i = 0; i < json_array_size(types); i++)
            wanted = wanted || strcmp(json_string_value(json_array_get(types, i)), TYPES[t]) == 0;
        if (wanted)
            json_array_append_new(all, json_string(TYPES[t]));
    }
    json_object_set_new(out, "types", all);
}

static void check_cron(struct front *f, const struct entry *e, const json_t *out)
{
    struct cron cron;
    struct err err = {0};
    at_entry(f, e, "schedule", NULL);
    if (cron_parse(json_get_string(out, "schedule", ""), &cron, &err) < 0)
        front_problem(f, "schedule: %s", err.text);
    at_entry(f, e, "timezone", NULL);
    cleanup_zone struct zone *zone = zone_load(json_get_string(out, "timezone", ""), &err);
    if (!zone)
        front_problem(f, "timezone: %s", err.text);
}

static void read_params(struct front *f, const struct entry *e, json_t *out)
{
    const struct scope scope = {.roots = SCOPE_OF_TICK, .where = "params", .step = -1};
    json_t *params = json_object_get(e->source, "params"), *all = json_object(), *value;
    const char *name;
    at_entry(f, e, "params", NULL);
    front_few(f, "parameters", params, IR_PARAMS_MAX);
    json_object_foreach (params, name, value) {
        cleanup_free char *text = front_template_of(value);
        at_entry(f, e, "params", name);
        front_given(f, f->unit->params_out, name, value, text);
        if (scope_template(f, &scope, text))
            json_object_set_new(all, name, json_string(text));
    }
    json_object_set_new(out, "params", all);
}

static void read_vars(struct front *f, const struct entry *e, json_t *out)
{
    const struct scope scope = {
        .roots = SCOPE_OF_TICK, .where = "vars", .step = -1, .git_vars_only = true};
    json_t *vars = json_object_get(e->source, "vars"), *all = json_object(), *value;
    const char *name;
    at_entry(f, e, "vars", NULL);
    front_few(f, "variables", vars, IR_ENTRIES_MAX);
    json_object_foreach (vars, name, value) {
        at_entry(f, e, "vars", name);
        scope_put_template(f, &scope, value, all, name);
    }
    json_object_set_new(out, "vars", all);
}

static void read_filter(struct front *f, const struct entry *e, json_t *out)
{
    const struct scope scope = {.roots = SCOPE_OF_TICK,
                                .where = "filter",
                                .step = -1,
                                .before_run = true,
                                .git_vars_only = true};
    const char *filter = json_get_string(e->source, "filter", NULL);
    at_entry(f, e, "filter", NULL);
    if (filter && scope_condition(f, &scope, filter))
        json_object_set_new(out, "filter", json_string(filter));
}

/* run_name and experiment: read when the parameters are known, before the run has a name. */
static void read_label(struct front *f, const struct entry *e, const char *key, json_t *out)
{
    const struct scope scope = {.roots = SCOPE_OF_TICK | SCOPE_PARAMS, .where = key, .step = -1};
    at_entry(f, e, key, NULL);
    scope_put_template(f, &scope, json_object_get(e->source, key), out, key);
}

/* A parameter without a default that this trigger does not give would make every run fail. */
static void check_missing(struct front *f, const struct entry *e)
{
    const json_t *given = json_object_get(e->source, "params");
    size_t i;
    json_t *param;
    at_entry(f, e, NULL, NULL);
    json_array_foreach (f->unit->params_out, i, param) {
        const char *name = json_get_string(param, "name", "");
        if (!json_object_get(param, "default") && !json_object_get(given, name))
            front_problem(f,
                          "this trigger gives no value for parameter %s, which has no default: add "
                          "it to the trigger's params",
                          name);
    }
}

static void read_trigger(struct front *f, const struct entry *e)
{
    json_t *out = json_pack("{s:s}", "kind", KINDS[e->kind]);
    read_name(f, e, out);
    read_plain(e, out);
    if (e->kind == IR_ON_OBJECT)
        read_types(e, out);
    if (e->kind == IR_ON_CRON)
        check_cron(f, e, out);
    read_filter(f, e, out);
    read_vars(f, e, out);
    read_params(f, e, out);
    check_missing(f, e);
    read_label(f, e, "run_name", out);
    read_label(f, e, "experiment", out);
    json_array_append_new(f->triggers_out, out);
}

void front_triggers(struct front *f)
{
    each_entry(f, read_trigger);
    front_at(f, "on", NULL);
    if (json_array_size(f->triggers_out) > IR_TRIGGERS_MAX)
        front_problem(f, "on: %zu triggers: at most %d", json_array_size(f->triggers_out),
                      IR_TRIGGERS_MAX);
}
