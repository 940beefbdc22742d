#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/schema/check.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

#define RUN_TIMEOUT_MAX (366 * 86400 * US_PER_S)

static void front_init(struct front *f, const struct yaml_doc *doc, const char *name)
{
    *f = (struct front){.doc = doc, .root = doc->value};
    f->problems = (struct problems){.doc = doc, .file = name ? name : "pipeline"};
    f->params_out = json_array();
    f->steps_out = json_array();
    f->triggers_out = json_array();
    f->params = names_new();
    f->user_vars = names_new();
    f->steps = names_new();
    f->pins = names_new();
    f->triggers = names_new();
    front_at(f, NULL);
}

static void front_clear(struct front *f)
{
    for (size_t i = 0; i < f->step_count; i++)
        free(f->step[i].needs);
    for (size_t i = 0; i < f->text_count; i++)
        free(f->texts[i]);
    free(f->step);
    free(f->texts);
    json_decref(f->params_out);
    json_decref(f->steps_out);
    json_decref(f->triggers_out);
    names_free(f->params);
    names_free(f->user_vars);
    names_free(f->steps);
    names_free(f->pins);
    names_free(f->triggers);
    problems_free(&f->problems);
    text_free(&f->at);
}

/* What a person most likely meant who gave a value of the wrong type, by the key that it is at. */
static const struct type_hint {
    const char *key, *wanted, *hint;
} TYPE_HINTS[] = {
    {"command", "must be a list", "no shell reads it: write [prog, arg], or [sh, -c, \"…\"]"},
    {"args", "must be a list", "no shell reads it: write [arg, arg]"},
    {"timeout", "must be text", "with its unit, as in 30s"},
    {"lost_after", "must be text", "with its unit, as in 90s"},
    {"grace", "must be text", "with its unit, as in 10s"},
    {"first", "must be text", "with its unit, as in 1s"},
    {"cap", "must be text", "with its unit, as in 5m"},
    {"memory", "must be text", "with its unit, as in 512MiB"},
    {"log_limit", "must be text", "with its unit, as in 64MiB"},
    {"when", "must be text", "write the expression in quotes"},
    {"filter", "must be text", "write the expression in quotes"},
    {"policy", "must be one of", "this build has no other policy"},
};

static const char *type_hint(const char *pointer, const char *text)
{
    const char *key = strrchr(pointer, '/');
    key = key ? key + 1 : "";
    for (size_t i = 0; i < ARRAY_LEN(TYPE_HINTS); i++) {
        const struct type_hint *row = &TYPE_HINTS[i];
        if (strcmp(key, row->key) == 0 && text_starts_with(text, row->wanted))
            return row->hint;
    }
    /* An element of a list, or a value of env: text that looks like a number or a boolean. */
    const bool element = *key && strspn(key, "0123456789") == strlen(key);
    if (text_starts_with(text, "must be text") && (element || strstr(pointer, "/env/")))
        return "write it in quotes";
    return NULL;
}

static void schema_problem_found(void *arg, const char *pointer, const char *text)
{
    struct front *f = arg;
    const char *hint = type_hint(pointer, text);
    const char *key = strrchr(pointer, '/');
    /* What is wrong with a key is shown at the key. */
    if (text_starts_with(text, "unknown key") || text_starts_with(text, "a name here"))
        problem_at_key(&f->problems, pointer, "'%.64s': %s", key ? key + 1 : "", text);
    else
        problem_at(&f->problems, pointer, "%.64s%s%s%s%s", key ? key + 1 : "the document",
                   key && key[1] ? ": " : " ", text, hint ? "; " : "", hint ? hint : "");
}

static json_t *concurrency_out(const json_t *concurrency)
{
    if (!concurrency)
        return json_pack("{s:s}", "policy", "none");
    return json_pack("{s:s, s:I}", "policy", "queue", "limit",
                     (json_int_t)json_get_int(concurrency, "limit", 1));
}

static void put_text(json_t *out, const char *key, const json_t *from)
{
    const char *text = json_get_string(from, key, NULL);
    if (text)
        json_object_set_new(out, key, json_string(text));
}

static json_t *assemble(struct front *f)
{
    json_t *out = json_pack("{s:i, s:s}", "ir", IR_FORMAT, "name", f->pipeline);
    put_text(out, "description", f->root);
    put_text(out, "experiment", f->root);
    json_object_set_new(out, "concurrency",
                        concurrency_out(json_object_get(f->root, "concurrency")));
    front_at(f, "timeout", NULL);
    const json_t *timeout = json_object_get(f->root, "timeout");
    json_object_set_new(out, "timeout_us",
                        json_integer(front_duration(f, timeout, 0, RUN_TIMEOUT_MAX, 0)));
    json_object_set(out, "params", f->params_out);
    json_object_set(out, "triggers", f->triggers_out);
    json_object_set(out, "steps", f->steps_out);
    return out;
}

static void read_all(struct front *f)
{
    f->pipeline = json_get_string(f->root, "name", "");
    front_params(f);
    front_declare_vars(f);
    front_steps(f);
    front_graph(f);
    front_triggers(f);
}

json_t *ir_compile(const struct yaml_doc *doc, const char *name, struct text *all, struct err *err)
{
    struct front f;
    cleanup_json json_t *out = NULL;
    front_init(&f, doc, name);
    if (schema_check(&SCHEMA_PIPELINE, f.root, schema_problem_found, &f) == 0) {
        read_all(&f);
        out = assemble(&f);
    }
    const int rc = problems_tell(&f.problems, IR_PROBLEMS_MAX, all, err);
    front_clear(&f);
    return rc == 0 ? TAKE(out) : NULL;
}
