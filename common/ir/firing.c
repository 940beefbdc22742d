#include "common/ir/firing.h"

#include <stdlib.h>

#include "common/text/json.h"
#include "schema/gen/messages.h"

struct seen {
    struct cel_var items[3];
    struct cel_vars vars;
};

/* What an expression of a trigger sees; NULL = absent. */
static void see(struct seen *s, json_t *event, json_t *vars, json_t *params)
{
    const struct cel_var all[] = {{"event", event}, {"vars", vars}, {"params", params}};
    *s = (struct seen){.vars = {.items = s->items}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].value)
            s->items[s->vars.count++] = all[i];
}

int ir_firing_passes(const struct ir_firing *f, struct err *err)
{
    struct seen s;
    bool holds = false;
    if (!f->trigger->filter)
        return 1;
    see(&s, f->envelope, f->event->vars, NULL);
    const int rc = cel_eval_bool(f->trigger->filter, &s.vars, &holds, err);
    return rc < 0 ? rc : holds;
}

/* The event's git variables, what this trigger adds, and its own _NAMEs in order. */
static int find_vars(struct ir_firing *f, const char *run_id, struct err *err)
{
    struct seen s;
    f->vars = json_is_object(f->event->vars) ? json_copy(f->event->vars) : json_object();
    json_object_set_new(f->vars, "TRIGGER_NAME", json_string(f->trigger->name));
    json_object_set_new(f->vars, "BUILD_ID", json_string(run_id));
    for (size_t i = 0; i < f->trigger->var_count; i++) {
        see(&s, f->envelope, f->vars, NULL);
        json_t *value = template_eval_json(f->trigger->vars[i].value, &s.vars, err);
        if (!value)
            return err_wrap(err, "vars.%s", f->trigger->vars[i].name);
        json_object_set_new(f->vars, f->trigger->vars[i].name, value);
    }
    return 0;
}

static int find_params(struct ir_firing *f, struct err *err)
{
    struct seen s;
    cleanup_json json_t *given = json_object();
    see(&s, f->envelope, f->vars, NULL);
    for (size_t i = 0; i < f->trigger->param_count; i++) {
        const struct ir_binding *param = &f->trigger->params[i];
        json_t *value = template_eval_json(param->value, &s.vars, err);
        if (!value)
            return err_wrap(err, "params.%s", param->name);
        json_object_set_new(given, param->name, value);
    }
    f->params = ir_params(f->ir, given, true, err);
    return f->params ? 0 : LEAT_EINPUT;
}

static int find_text(struct ir_firing *f, const struct template *t, const char *what, char **to,
                     struct err *err)
{
    struct seen s;
    if (!t)
        return 0;
    see(&s, f->envelope, f->vars, f->params);
    *to = template_eval(t, &s.vars, err);
    return *to ? 0 : err_wrap(err, "%s", what);
}

int ir_firing_find(struct ir_firing *f, const char *run_id, struct err *err)
{
    int rc = find_vars(f, run_id, err);
    if (rc == 0)
        rc = find_params(f, err);
    if (rc == 0)
        rc = find_text(f, f->trigger->experiment, "experiment", &f->experiment, err);
    if (rc == 0)
        rc = find_text(f, f->trigger->run_name, "run_name", &f->run_name, err);
    return rc;
}

void ir_firing_clear(struct ir_firing *f)
{
    json_decref(f->vars);
    json_decref(f->params);
    free(f->run_name);
    free(f->experiment);
}
