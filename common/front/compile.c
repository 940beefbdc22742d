#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/schema/check.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

#define RUN_TIMEOUT_MAX (366 * 86400 * US_PER_S)

static void front_init(struct front *f, const struct yaml_doc *doc, const char *name,
                       const struct ir_resolver *resolver)
{
    *f = (struct front){.resolver = resolver,
                        .arena = arena_new(),
                        .steps_out = json_array(),
                        .triggers_out = json_array(),
                        .kept = json_array(),
                        .paths = names_new(),
                        .pins = names_new(),
                        .opened = names_new(),
                        .triggers = names_new()};
    front_use(f, front_new_unit(f, doc, name ? name : "pipeline"));
    MEM_ROOM(f->dags, f->dag_count, f->dag_cap);
    f->dags[f->dag_count++] = (struct front_dag){.group = -1, .steps = names_new()};
    front_at(f, NULL);
}

static void unit_free(struct front_unit *unit)
{
    json_decref(unit->params_out);
    names_free(unit->params);
    names_free(unit->user_vars);
    yaml_docs_free(&unit->docs);
}

static void front_clear(struct front *f)
{
    for (size_t i = 0; i < f->step_count; i++) {
        free(f->step[i].needs.items);
        free(f->step[i].sees.items);
        json_decref(f->step[i].ties);
        names_free(f->step[i].fields);
    }
    for (size_t i = 0; i < f->dag_count; i++)
        names_free(f->dags[i].steps);
    for (size_t i = 0; i < f->unit_count; i++)
        unit_free(f->units[i]);
    free(f->step);
    free(f->dags);
    free(f->units);
    json_decref(f->steps_out);
    json_decref(f->triggers_out);
    json_decref(f->kept);
    names_free(f->paths);
    names_free(f->pins);
    names_free(f->opened);
    names_free(f->triggers);
    problems_free(&f->problems);
    text_free(&f->at);
    arena_free(f->arena);
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
    {"queue_timeout", "must be text", "with its unit, as in 1h"},
    {"finally_timeout", "must be text", "with its unit, as in 10m"},
    {"heartbeat", "must be text", "with its unit, as in 30s"},
    {"delay", "must be text", "with its unit, as in 10s"},
    {"ttl", "must be text", "with its unit, as in 24h"},
    {"until", "must be text", "write the expression in quotes"},
    {"loop", "'until' is missing", "a loop has until and max"},
    {"loop", "'max' is missing", "a loop has until and max"},
    {"for_each", "must be", "write a list, \"${{ expression }}\", or {from: STEP.OUTPUT}"},
};

/* "" is none. */
static bool is_place(const char *key)
{
    return *key && strspn(key, "0123456789") == strlen(key);
}

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
    if (text_starts_with(text, "must be text") && (is_place(key) || strstr(pointer, "/env/")))
        return "write it in quotes";
    return NULL;
}

/* Its key, and in a list the key of that and its place: exit_codes[1]. */
static char *name_of(const char *key, const char *pointer)
{
    const char *list = is_place(key) ? memrchr(pointer, '/', (size_t)(key - 1 - pointer)) : NULL;
    return list ? mem_printf("%.*s[%.20s]", (int)(key - list - 2), list + 1, key)
                : mem_printf("%.64s", key);
}

static void schema_problem_found(void *arg, const char *pointer, const char *text)
{
    struct front *f = arg;
    const char *hint = type_hint(pointer, text);
    const char *key = strrchr(pointer, '/');
    cleanup_free char *name = key ? name_of(key + 1, pointer) : mem_string("the document");
    /* What is wrong with a key is shown at the key. */
    if (text_starts_with(text, "unknown key") || text_starts_with(text, "a name here"))
        problem_at_key(&f->problems, pointer, "'%.64s': %s", key ? key + 1 : "", text);
    else
        problem_at(&f->problems, pointer, "%s%s%s%s%s", name, key ? ": " : " ", text,
                   hint ? "; " : "", hint ? hint : "");
}

bool front_fits_schema(struct front *f, const struct schema_node *schema)
{
    return schema_check(schema, f->unit->root, schema_problem_found, f) == 0;
}

/* The key is read when the run is born, before it has a name or a number. */
static json_t *concurrency_out(struct front *f, const json_t *concurrency)
{
    const struct scope scope = {.roots = SCOPE_OF_TICK | SCOPE_PARAMS, .where = "key", .step = -1};
    if (!concurrency)
        return json_pack("{s:s}", "policy", "none");
    const char *policy = json_get_string(concurrency, "policy", "queue");
    json_t *out = json_pack("{s:s, s:I}", "policy", policy, "limit",
                            (json_int_t)json_get_int(concurrency, "limit", 1));
    json_t *key = json_object_get(concurrency, "key");
    front_at(f, "concurrency", "key", NULL);
    if (key && scope_template(f, &scope, json_string_value(key)))
        front_put(f, out, "key", json_incref(key));
    f->nested = f->nested || strcmp(policy, "queue") != 0;
    return out;
}

static void put_text(json_t *out, const char *key, const json_t *from)
{
    const char *text = json_get_string(from, key, NULL);
    if (text)
        json_object_set_new(out, key, json_string(text));
}

static int64_t duration_of(struct front *f, const char *key)
{
    front_at(f, key, NULL);
    return front_duration(f, json_object_get(f->unit->root, key), 0, RUN_TIMEOUT_MAX, 0);
}

/* What only format 2 has at the top. */
static void assemble_more(struct front *f, json_t *out)
{
    const json_t *root = f->unit->root;
    const int64_t priority = json_get_int(root, "priority", 0);
    const int64_t queue = duration_of(f, "queue_timeout");
    front_at(f, "outputs", NULL);
    json_t *outputs = front_collect(f, 0, json_object_get(root, "outputs"));
    if (json_object_size(outputs) > 0)
        front_put(f, out, "outputs", json_incref(outputs));
    json_decref(outputs);
    if (priority != 0)
        front_put(f, out, "priority", json_integer(priority));
    if (queue > 0)
        front_put(f, out, "queue_timeout_us", json_integer(queue));
    front_at(f, NULL);
    front_finally_timeout(f, root, out);
}

static json_t *assemble(struct front *f)
{
    const json_t *root = f->unit->root;
    json_t *out = json_pack("{s:s}", "name", f->pipeline);
    put_text(out, "description", root);
    put_text(out, "experiment", root);
    json_object_set_new(out, "concurrency",
                        concurrency_out(f, json_object_get(root, "concurrency")));
    json_object_set_new(out, "timeout_us", json_integer(duration_of(f, "timeout")));
    assemble_more(f, out);
    json_object_set(out, "params", f->unit->params_out);
    json_object_set(out, "triggers", f->triggers_out);
    json_object_set(out, "steps", f->steps_out);
    json_object_set_new(out, "ir", json_integer(f->nested ? IR_FORMAT : IR_FORMAT_FLAT));
    return out;
}

static void check_size(struct front *f)
{
    front_use(f, f->units[0]);
    front_at(f, "steps", NULL);
    if (f->step_count > IR_STEPS_MAX)
        front_problem(f, "steps: %zu with those that pin objects: at most %d", f->step_count,
                      IR_STEPS_MAX);
}

static void read_all(struct front *f)
{
    f->pipeline = json_get_string(f->unit->root, "name", "");
    front_params(f);
    front_declare_vars(f);
    front_declare(f);
    front_outputs(f);
    front_read(f);
    check_size(f);
    front_finish(f);
    front_use(f, f->units[0]);
    front_triggers(f);
}

json_t *ir_compile(const struct yaml_doc *doc, const char *name, const struct ir_resolver *resolver,
                   struct text *all, struct err *err)
{
    struct front f;
    cleanup_json json_t *out = NULL;
    front_init(&f, doc, name, resolver);
    if (front_fits_schema(&f, &SCHEMA_PIPELINE)) {
        read_all(&f);
        out = assemble(&f);
    }
    const int rc = problems_tell(&f.problems, IR_PROBLEMS_MAX, all, err);
    front_clear(&f);
    return rc == 0 ? TAKE(out) : NULL;
}
