/* What a group says beside its steps: items, rounds, branches, parameters. */
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/front/scope.h"
#include "common/ir/value.h"
#include "common/text/cel.h"
#include "common/text/json.h"
#include "common/text/template.h"

#define TIMEOUT_MAX (366 * 86400 * US_PER_S)

/* ---- for_each -------------------------------------------------------------------------------- */

static bool has_expression(const json_t *item)
{
    size_t i;
    const char *key;
    json_t *part;
    if (json_is_string(item))
        return strstr(json_string_value(item), "${{") != NULL;
    json_array_foreach (item, i, part) {
        if (has_expression(part))
            return true;
    }
    json_object_foreach ((json_t *)item, key, part) {
        if (has_expression(part))
            return true;
    }
    return false;
}

static json_t *read_literal(struct front *f, const json_t *items)
{
    const size_t mark = f->at.len;
    cleanup_free char *text = json_write(items);
    size_t i;
    json_t *item;
    if (strlen(text) > IR_ITEMS_BYTES_MAX)
        front_problem(f,
                      "for_each: the items come to %zu bytes: at most %d; write them to a folder "
                      "and take {from: STEP.OUTPUT}",
                      strlen(text), IR_ITEMS_BYTES_MAX);
    front_spend(f, strlen(text));
    json_array_foreach (items, i, item) {
        front_at_index(f, i);
        if (has_expression(item))
            front_problem(f, "for_each: an item is taken as it is written; make the whole list an "
                             "expression, for_each: \"${{ [params.a, 'b'] }}\"");
        front_at_cut(f, mark);
    }
    return json_pack("{s:O}", "items", items);
}

/* A whole expression that is nothing but a path: params.a.b, steps["s"].outputs.o. */
static bool is_path(const char *text)
{
    const char *c = strstr(text, "${{") + 3;
    c += strspn(c, " \t\n");
    bool deep = false;
    if (*c == '[')
        return false; /* a list of paths */
    for (; *c && *c != '}'; c++) {
        deep = deep || *c == '.' || *c == '[';
        if (*c == '"' || *c == '\'')
            c = strchr(c + 1, *c) ? strchr(c + 1, *c) : c;
        else if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.[] \t\n",
                         *c))
            return false;
    }
    return deep;
}

struct listing {
    struct front *f;
    size_t step;
};

static void check_list_param(struct front *f, const struct cel_reference *ref)
{
    const struct front_unit *unit = f->unit;
    const json_t *param =
        json_array_get(unit->params_out, (size_t)names_find(unit->params, ref->names[1]));
    const char *type = json_get_string(param, "type", "string");
    const json_t *value = json_object_get(param, "default");
    const bool given = value != NULL;
    for (size_t i = 2; i < ref->count; i++)
        value = json_object_get(value, ref->names[i]);
    if (strcmp(type, "json") != 0)
        front_problem(f, "for_each: params.%s is of type %s; a list is of type json", ref->names[1],
                      type);
    else if (given && value && !json_is_array(value))
        front_problem(f, "for_each: params.%s: the default is %s, not a list", ref->names[1],
                      ir_json_kind(value));
    else if (given && !value)
        front_problem(f, "for_each: params.%s: the default has no field %s", ref->names[1],
                      ref->names[ref->count - 1]);
}

static void check_list_output(struct front *f, size_t step, const struct cel_reference *ref)
{
    int32_t by;
    const int32_t found = front_find(f, (int32_t)step, ref->names[1], &by);
    if (found < 0 || ref->count < 4)
        return;
    const json_t *output =
        json_object_get(json_object_get(f->step[found].out, "outputs"), ref->names[3]);
    const char *type = json_get_string(output, "type", "json");
    if (json_get_int(output, "list", 0) == 0 && strcmp(type, "json") != 0)
        front_problem(f, "for_each: steps.%s.outputs.%s is of type %s; a list is of type json",
                      ref->names[1], ref->names[3], type);
}

/* The whole value is this path: is it a list? */
static void check_list(void *user, const struct cel_reference *ref)
{
    const struct listing *l = user;
    const char *root = ref->names[0];
    if (ref->count < 2)
        return;
    if (strcmp(root, "params") == 0)
        check_list_param(l->f, ref);
    else if (strcmp(root, "steps") == 0)
        check_list_output(l->f, l->step, ref);
    else if (strcmp(root, "vars") == 0 || strcmp(root, "run") == 0)
        front_problem(l->f, "for_each: %s.%s is text, not a list", root, ref->names[1]);
}

static json_t *read_value(struct front *f, size_t step, const char *text)
{
    const struct scope scope = {.roots = SCOPE_OF_STEP, .where = "for_each", .step = (int32_t)step};
    struct listing listing = {f, step};
    if (!scope_template(f, &scope, text))
        return NULL;
    cleanup_template struct template *t = template_compile(text, NULL);
    if (!template_is_expression(t)) {
        front_problem(f, "for_each: write a list, or one ${{ expression }} that gives one");
        return NULL;
    }
    if (is_path(text))
        template_references(t, check_list, &listing);
    else
        scope_list(f, &scope, t);
    return json_pack("{s:s}", "value", text);
}

static json_t *read_folder(struct front *f, size_t step, const char *text)
{
    const char *output;
    const json_t *declared = NULL;
    json_pointer_add(&f->at, "from");
    const int32_t index = front_output(f, step, text, &output, &declared);
    if (index < 0)
        return NULL;
    if (json_get_int(declared, "list", 0) > 0 ||
        strcmp(json_get_string(declared, "type", "artifact"), "artifact") != 0)
        front_problem(f, "'%s' is no folder: write for_each: \"${{ steps['%s'].outputs.%s }}\"",
                      text, f->step[index].label, output);
    return json_pack("{s:{s:s, s:s}}", "from", "step", f->step[index].name, "output", output);
}

/* The name of the item: one that expressions take, and that means nothing else there. */
static void check_as(struct front *f, size_t step, const char *as)
{
    cleanup_cel struct cel *cel = cel_compile(as, NULL);
    front_at_step(f, step, json_object_get(f->step[step].source, "as") ? "as" : "for_each", NULL);
    if (!cel || !scope_is_variable(cel) || scope_is_taken(as)) {
        front_problem(f, "as: %s means something else in expressions: take another name", as);
        return;
    }
    for (int32_t at = front_outward(f, (int32_t)step); at >= 0; at = front_outward(f, at)) {
        const struct front_step *around = &f->step[at];
        if (around->parts & FRONT_FOR_EACH &&
            strcmp(json_get_string(around->source, "as", "item"), as) == 0)
            front_problem(f, "%s is the item of %s, around it, already: name this one, as: NAME",
                          as, around->name);
    }
}

static void read_for_each(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const json_t *items = front_own(f, step, "for_each");
    json_t *out = NULL, *parallelism = json_object_get(s->source, "parallelism");
    const char *as = json_get_string(s->source, "as", "item");
    if (json_is_array(items))
        out = read_literal(f, items);
    else if (json_is_string(items))
        out = read_value(f, step, json_string_value(items));
    else
        out = read_folder(f, step, json_get_string(items, "from", ""));
    front_put(f, s->out, "for_each", out ? out : json_object());
    check_as(f, step, as);
    if (strcmp(as, "item") != 0)
        front_put(f, s->out, "as", json_string(as));
    if (parallelism)
        front_put(f, s->out, "parallelism", json_incref(parallelism));
    if (!json_get_bool(s->source, "fail_fast", true))
        front_put(f, s->out, "fail_fast", json_false());
}

/* ---- loop, switch ---------------------------------------------------------------------------- */

static void read_loop(struct front *f, size_t step)
{
    const json_t *loop = front_own(f, step, "loop");
    const char *until = json_get_string(loop, "until", "");
    const struct scope scope = {.roots = SCOPE_OF_STEP | SCOPE_RESULTS,
                                .where = "until",
                                .step = (int32_t)step,
                                .own = true};
    front_at_step(f, step, "loop", "until", NULL);
    scope_condition(f, &scope, until);
    front_at_step(f, step, "loop", "delay", NULL);
    const int64_t delay = front_duration(f, json_object_get(loop, "delay"), 0, TIMEOUT_MAX, 0);
    front_put(f, f->step[step].out, "loop",
              json_pack("{s:s, s:I, s:I}", "until", until, "max",
                        (json_int_t)json_get_int(loop, "max", 1), "delay_us", (json_int_t)delay));
}

void front_finally_timeout(struct front *f, const json_t *from, json_t *out)
{
    const json_t *value = json_object_get(from, "finally_timeout");
    json_pointer_add(&f->at, "finally_timeout");
    if (value && !json_object_get(from, "finally"))
        front_key_problem(f, "finally_timeout: there is no finally here");
    if (value)
        front_put(f, out, "finally_timeout_us",
                  json_integer(front_duration(f, value, US_PER_S, TIMEOUT_MAX, US_PER_S)));
}

static void read_branch(struct front *f, size_t step, size_t i, size_t count)
{
    const struct scope scope = {.roots = SCOPE_OF_STEP, .where = "when", .step = (int32_t)step};
    const json_t *source = json_array_get(json_object_get(f->step[step].source, "switch"), i);
    json_t *branch = json_array_get(json_object_get(f->step[step].out, "branches"), i);
    const json_t *when = json_object_get(source, "when");
    front_at_step(f, step, "switch", NULL);
    front_at_index(f, i);
    const size_t mark = f->at.len;
    if (!when && i + 1 < count)
        front_problem(f, "switch: a branch without when is taken always: put it last");
    front_finally_timeout(f, source, branch);
    front_at_cut(f, mark);
    json_pointer_add(&f->at, "when");
    if (when && scope_condition(f, &scope, json_string_value(when)))
        json_object_set(branch, "when", (json_t *)when);
}

/* ---- what is written elsewhere --------------------------------------------------------------- */

static json_t *given_param(struct front *f, size_t step, const json_t *param)
{
    static const char *const KEPT[] = {"name", "type", "default", "choices"};
    const char *name = json_get_string(param, "name", "");
    const json_t *with = json_object_get(f->step[step].source, "with");
    json_t *out = json_object(), *value;
    for (size_t i = 0; i < ARRAY_LEN(KEPT); i++) {
        value = json_object_get(param, KEPT[i]);
        if (value)
            json_object_set(out, KEPT[i], value);
    }
    value = json_object_get(with, name);
    front_at_step(f, step, NULL);
    if (!value && !json_object_get(param, "default"))
        front_problem(f, "with: parameter %s must be given, it has no default", name);
    if (!value)
        return out;
    const struct scope scope = {
        .roots = SCOPE_OF_STEP, .where = "with", .step = (int32_t)step, .own = true};
    cleanup_free char *text = front_template_of(value);
    front_at_step(f, step, "with", name, NULL);
    if (scope_template(f, &scope, text))
        json_object_set_new(out, "value", json_string(text));
    return out;
}

static void read_with(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const char *name;
    json_t *value, *all = json_array();
    size_t i;
    front_at_step(f, step, "with", NULL);
    front_few(f, "parameters", json_object_get(s->source, "with"), IR_PARAMS_MAX);
    json_object_foreach (json_object_get(s->source, "with"), name, value) {
        cleanup_free char *text = front_template_of(value);
        front_at_step(f, step, "with", name, NULL);
        front_given(f, s->params, name, value, text);
    }
    json_array_foreach (s->params, i, value)
        json_array_append_new(all, given_param(f, step, value));
    front_put(f, s->out, "scope", json_true());
    front_put(f, s->out, "params", all);
}

void front_group(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    json_t *branches = json_object_get(s->out, "branches");
    const size_t count = json_array_size(branches);
    if (s->parts & FRONT_FOR_EACH)
        read_for_each(f, step);
    if (s->parts & FRONT_LOOP)
        read_loop(f, step);
    if (!(s->parts & FRONT_BODY))
        return;
    for (size_t i = 0; s->shape == FRONT_SWITCH && i < count; i++)
        read_branch(f, step, i, count);
    front_at_step(f, step, NULL);
    if (s->shape == FRONT_STEPS)
        front_finally_timeout(f, s->source, json_array_get(branches, 0));
    if (s->part) {
        front_put(f, s->out, "origin", json_string(s->part->origin));
        front_use(f, s->part);
        front_at(f, NULL);
        front_finally_timeout(f, s->part->root, json_array_get(branches, 0));
    }
    json_t *late = json_object_get(s->out, "finally_timeout_us"); /* of a pipeline */
    if (late)
        json_object_set(json_array_get(branches, 0), "finally_timeout_us", late);
    json_object_del(s->out, "finally_timeout_us");
    if (s->shape == FRONT_USES)
        front_ties(f, step);
    if (f->step[step].params) /* pins may have been added: `s` is where it was */
        read_with(f, step);
}
