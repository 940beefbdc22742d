#include "common/front/scope.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/cel.h"
#include "common/text/json.h"
#include "common/text/template.h"

#define SCOPE_SEEN_MAX (SCOPE_AROUND_ROOT + SCOPE_AROUND_MAX)

struct check {
    struct front *f;
    const struct scope *scope;
    size_t problems; /* found by this check */
};

static const char *const ROOT_NAMES[] = {
#define R(id, name) name,
    SCOPE_ROOTS(R)
#undef R
        NULL};

/* Names of git variables, as Cloud Build users know them. */
static const char *const GIT_VARS[] = {"COMMIT_SHA",  "SHORT_SHA",    "REPO_NAME", "REPO_FULL_NAME",
                                       "BRANCH_NAME", "TAG_NAME",     "REF_NAME",  "PROJECT_ID",
                                       "BUILD_ID",    "TRIGGER_NAME", NULL};

/* Those that a run has and an event has not. */
static const char *const RUN_VARS[] = {"BUILD_ID", "TRIGGER_NAME", NULL};

static const char *const RUN_FIELDS[] = {"id", "name", "pipeline", "experiment", "number", NULL};

static bool is_word(const char *word, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(word, *words) == 0)
            return true;
    }
    return false;
}

static void __attribute__((format(printf, 2, 3))) refuse(struct check *c, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    problem_vat(&c->f->problems, c->f->at.data, fmt, ap);
    va_end(ap);
    c->problems++;
}

/* "; did you mean X?" out of a fixed list. */
static const char *hint(const char *word, const char *const *words, char out[FRONT_HINT])
{
    const char *near = text_nearest(word, words);
    snprintf(out, FRONT_HINT, near ? "; did you mean %s?" : "", near ? near : "");
    return out;
}

static void check_params(struct check *c, const struct cel_reference *ref)
{
    char near[FRONT_HINT];
    const struct names *params = c->f->unit->params;
    if (ref->count > 1 && names_find(params, ref->names[1]) < 0)
        refuse(c, "params.%s: there is no parameter of that name%s", ref->names[1],
               front_hint(c->f, params, ref->names[1], near));
}

static void check_run(struct check *c, const struct cel_reference *ref)
{
    char near[FRONT_HINT];
    const char *field = ref->count > 1 ? ref->names[1] : "";
    if (!is_word(field, RUN_FIELDS))
        refuse(c, "run.%s: a run has id, name, pipeline, experiment and number%s", field,
               hint(field, RUN_FIELDS, near));
}

static void check_event(struct check *c, const struct cel_reference *ref)
{
    (void)c; /* what an event carries is only known when it comes */
    (void)ref;
}

static void check_vars(struct check *c, const struct cel_reference *ref)
{
    char near[FRONT_HINT];
    const char *name = ref->count > 1 ? ref->names[1] : NULL;
    if (!name)
        return;
    if (is_word(name, GIT_VARS)) {
        if (c->scope->before_run && is_word(name, RUN_VARS))
            refuse(c, "vars.%s: %s is read before there is a run", name, c->scope->where);
        return;
    }
    if (*name != '_')
        refuse(c, "vars.%s: no git variable has that name, and user variables begin with _%s", name,
               hint(name, GIT_VARS, near));
    else if (c->scope->git_vars_only)
        refuse(c, "vars.%s: %s sees the git variables only", name, c->scope->where);
    else if (!c->f->unit->origin && names_find(c->f->unit->user_vars, name) < 0)
        refuse(c, "vars.%s: no trigger sets it under vars%s", name,
               front_hint(c->f, c->f->unit->user_vars, name, near));
}

/* steps.a-b reads as steps.a minus b. */
static bool is_cut_at_dash(const struct front *f, const char *name)
{
    const size_t n = strlen(name);
    for (size_t i = 0; i < f->step_count; i++) {
        const struct front_step *step = &f->step[i];
        if (step->source && strncmp(step->label, name, n) == 0 && step->label[n] == '-')
            return true;
    }
    return false;
}

static bool is_known(const struct front *f, int32_t step, const char *label)
{
    int32_t by;
    return front_find(f, step, label, &by) >= 0;
}

/* A value of that declaration, of which `ref` from its name at `at` on is looked at. */
static void check_value(struct check *c, const struct cel_reference *ref, const json_t *output,
                        const char *shown, size_t at)
{
    const char *type = json_get_string(output, "type", "artifact");
    const bool list = json_get_int(output, "list", 0) > 0;
    if (strcmp(type, "artifact") == 0)
        refuse(c, "%s is an artifact: take it as an input, or give the output a type", shown);
    else if (ref->count > at && list)
        refuse(c, "%s is a list and has no field %s: take one by its place, [0], or all by .map()",
               shown, ref->names[at]);
    else if (ref->count > at && strcmp(type, "json") != 0)
        refuse(c, "%s is of type %s and has no field %s", shown, type, ref->names[at]);
}

/* steps.S.outputs.N or steps.S.state, of a step that is there. */
static void check_step(struct check *c, const struct cel_reference *ref, int32_t index)
{
    const struct front_step *step = &c->f->step[index];
    const json_t *outputs = json_object_get(step->out, "outputs");
    if (ref->count == 3 && strcmp(ref->names[2], "state") == 0)
        return;
    if (ref->count < 4 || strcmp(ref->names[2], "outputs") != 0) {
        refuse(c, "steps.%s: write steps.%s.outputs.NAME or steps.%s.state", step->label,
               step->label, step->label);
        return;
    }
    char near[FRONT_HINT];
    cleanup_free char *shown = mem_printf("steps.%s.outputs.%s", step->label, ref->names[3]);
    const json_t *output = json_object_get(outputs, ref->names[3]);
    if (output)
        check_value(c, ref, output, shown, 4);
    else
        refuse(c, "%s: step %s declares no output of that name%s", shown, step->label,
               front_key_hint(c->f, outputs, ref->names[3], near));
}

static void check_steps(struct check *c, const struct cel_reference *ref)
{
    if (ref->count < 2) {
        refuse(c, "steps: name the step, as in steps.NAME.outputs.NAME");
        return;
    }
    const char *name = ref->names[1];
    if (c->f->problems.count < IR_PROBLEMS_MAX && !is_known(c->f, c->scope->step, name) &&
        is_cut_at_dash(c->f, name)) {
        refuse(c,
               "steps.%s: there is no step of that name; a name with a dash is written "
               "steps[\"%s-…\"]",
               name, name);
        return;
    }
    cleanup_free char *shown = mem_printf("steps.%s", name);
    const size_t found = c->f->problems.found;
    const int32_t index = front_refer(c->f, c->scope->step, name, shown);
    c->problems += c->f->problems.found - found;
    if (index >= 0)
        check_step(c, ref, index);
}

/* outputs.NAME of the round that has ended. */
static void check_results(struct check *c, const struct cel_reference *ref)
{
    const json_t *outputs = json_object_get(c->f->step[c->scope->step].out, "outputs");
    const json_t *output = ref->count > 1 ? json_object_get(outputs, ref->names[1]) : NULL;
    if (ref->count < 2) {
        refuse(c, "outputs: write outputs.NAME");
        return;
    }
    cleanup_free char *shown = mem_printf("outputs.%s", ref->names[1]);
    if (output)
        check_value(c, ref, output, shown, 2);
    else
        refuse(c, "%s: this step declares no output of that name", shown);
}

/* inputs.NAME.path and outputs.NAME.path. */
static void check_own(struct check *c, const struct cel_reference *ref)
{
    const char *root = ref->names[0];
    const struct front_step *step = &c->f->step[c->scope->step];
    if (ref->count < 2)
        refuse(c, "%s: write %s.NAME.path", root, root);
    else if (!json_object_get(json_object_get(step->source, root), ref->names[1]))
        refuse(c, "%s.%s: step %s declares no %.*s of that name", root, ref->names[1], step->label,
               (int)strlen(root) - 1, root);
    else if (ref->count != 3 || strcmp(ref->names[2], "path") != 0)
        refuse(c, "%s.%s: write %s.%s.path", root, ref->names[1], root, ref->names[1]);
}

typedef void check_fn(struct check *c, const struct cel_reference *ref);
static check_fn *const ROOT_CHECKS[] = {
    [SCOPE_PARAMS_ROOT] = check_params, [SCOPE_RUN_ROOT] = check_run,
    [SCOPE_EVENT_ROOT] = check_event,   [SCOPE_VARS_ROOT] = check_vars,
    [SCOPE_STEPS_ROOT] = check_steps,   [SCOPE_INPUTS_ROOT] = check_own,
    [SCOPE_OUTPUTS_ROOT] = check_own,   [SCOPE_RESULTS_ROOT] = check_results,
};

/* The names that can be written there. */
static void seen_names(const struct check *c, const char *names[SCOPE_SEEN_MAX])
{
    int count = 0;
    for (int i = 0; i < SCOPE_AROUND_ROOT; i++) {
        if (c->scope->roots & (1U << i))
            names[count++] = ROOT_NAMES[i];
    }
    names[count] = NULL;
    if (c->scope->roots & SCOPE_AROUND)
        scope_around_names(c->f, c->scope, &names[count]);
}

/* "index: is not known in run_name; there is params, event, vars" */
static void refuse_root(struct check *c, const char *root)
{
    char near[FRONT_HINT];
    const char *names[SCOPE_SEEN_MAX];
    cleanup_text struct text known = {0};
    const bool elsewhere = scope_is_taken(root);
    seen_names(c, names);
    for (int i = 0; names[i]; i++)
        text_printf(&known, "%s%s", i > 0 ? ", " : "", names[i]);
    refuse(c, "%s: %s in %s; there is %s%s", root, elsewhere ? "cannot be used" : "is not known",
           c->scope->where, known.data, elsewhere ? "" : hint(root, names, near));
}

static void check_reference(void *user, const struct cel_reference *ref)
{
    struct check *c = user;
    const char *root = ref->names[0];
    for (int i = 0; i < SCOPE_AROUND_ROOT; i++) {
        if (strcmp(ROOT_NAMES[i], root) == 0 && (c->scope->roots & (1U << i))) {
            ROOT_CHECKS[i](c, ref);
            return;
        }
    }
    const size_t found = c->f->problems.found;
    if (c->scope->roots & SCOPE_AROUND && scope_around(c->f, c->scope, ref)) {
        c->problems += c->f->problems.found - found;
        return;
    }
    refuse_root(c, root);
}

bool scope_is_taken(const char *name)
{
    static const char *const AROUND[] = {"index", "loop", "outcome", NULL};
    return is_word(name, ROOT_NAMES) || is_word(name, AROUND);
}

static void count_bare(void *user, const struct cel_reference *ref)
{
    size_t *bare = user;
    *bare += ref->count == 1;
}

bool scope_is_variable(const struct cel *cel)
{
    size_t bare = 0;
    cel_references(cel, count_bare, &bare);
    return bare == 1;
}

struct mention {
    const char *name;
    bool found;
};

static void note_mention(void *user, const struct cel_reference *ref)
{
    struct mention *m = user;
    m->found =
        m->found || strcmp(ref->names[0], m->name) == 0 || strcmp(ref->names[0], "index") == 0;
}

bool scope_mentions(const char *condition, const char *name)
{
    struct mention m = {.name = name};
    cleanup_cel struct cel *cel = cel_compile(condition, NULL);
    if (cel)
        cel_references(cel, note_mention, &m);
    return m.found;
}

static unsigned types_of(void *user, const struct cel_reference *ref)
{
    const struct check *c = user;
    return scope_types(c->f, c->scope, ref);
}

bool scope_template(struct front *f, const struct scope *scope, const char *source)
{
    struct err err = {0};
    if (!front_spend(f, strlen(source)))
        return false;
    cleanup_template struct template *t = template_compile(source, &err);
    if (!t) {
        front_problem(f, "%s: text %s", scope->where, err.text);
        return false;
    }
    struct check c = {.f = f, .scope = scope};
    template_references(t, check_reference, &c);
    if (c.problems == 0 && !template_types_fit(t, types_of, &c, &err))
        refuse(&c, "%s: text %s", scope->where, err.text);
    return c.problems == 0;
}

/* What is neither true nor false whatever the values are. */
static void check_truth(struct check *c, const struct cel *cel)
{
    struct err err = {0};
    cleanup_text struct text have = {0};
    const unsigned types = cel_types(cel, types_of, c, &err);
    cel_types_text(types, &have);
    if (!types)
        refuse(c, "%s: expression %s", c->scope->where, err.text);
    else if (!(types & (1U << CEL_BOOL)))
        refuse(c,
               "%s: a condition is true or false, and this is always %s; compare it with something",
               c->scope->where, have.data);
}

bool scope_list(struct front *f, const struct scope *scope, const struct template *t)
{
    struct check c = {.f = f, .scope = scope};
    cleanup_text struct text have = {0};
    const unsigned types = template_types(t, types_of, &c, NULL);
    cel_types_text(types, &have);
    if (!(types & (1U << CEL_LIST)))
        refuse(&c, "%s: this is always %s, not a list", scope->where, have.data);
    return c.problems == 0;
}

bool scope_condition(struct front *f, const struct scope *scope, const char *source)
{
    struct err err = {0};
    if (!front_spend(f, strlen(source)))
        return false;
    if (strstr(source, "${{")) {
        front_problem(f, "%s is an expression already: write it without ${{ }}", scope->where);
        return false;
    }
    cleanup_cel struct cel *cel = cel_compile(source, &err);
    if (!cel) {
        front_problem(f, "%s: expression %s", scope->where, err.text);
        return false;
    }
    struct check c = {.f = f, .scope = scope};
    cel_references(cel, check_reference, &c);
    if (c.problems == 0)
        check_truth(&c, cel);
    return c.problems == 0;
}

void scope_put_template(struct front *f, const struct scope *scope, const json_t *value,
                        json_t *out, const char *key)
{
    if (value && scope_template(f, scope, json_string_value(value)))
        json_object_set(out, key, (json_t *)value);
}
