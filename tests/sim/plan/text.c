/* The text of a seed's pipelines: of every shape of a DAG, as its file says it. */
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

static const char *const RULES[] = {"all_succeeded", "all_done", "any_failed", "any_succeeded",
                                    "none_failed"};

int plan_nearest(const struct plan_version *v, int i, enum plan_kind kind)
{
    for (i = v->steps[i].parent; i >= 0 && !v->steps[i].part; i = v->steps[i].parent)
        if (v->steps[i].kind == kind)
            return i;
    return -1;
}

static void write_limits(struct text *out, const struct plan_step *s)
{
    const char *before = ", limits: {";
    for (int k = 0; k < PLAN_LIMITS; k++)
        if (s->uses[k]) {
            text_printf(out, "%s%s: %d", before, plan_limit_name(k), s->uses[k]);
            before = ", ";
        }
    if (strcmp(before, ", ") == 0)
        text_puts(out, "}");
}

void plan_write_place(struct text *out, const struct plan_version *v, int i, bool item, bool round)
{
    const int each = item ? plan_nearest(v, i, PLAN_EACH) : -1;
    if (each >= 0 && v->steps[each].items_folder)
        text_printf(out, "${{ i%s }}", v->steps[each].label);
    else if (each >= 0)
        text_puts(out, "${{ index }}");
    if (round && plan_nearest(v, i, PLAN_LOOP) >= 0)
        text_puts(out, "/${{ loop.index }}^${{ " PLAN_ROUND_BEFORE " }}");
}

void plan_write_arguments(struct text *out, const struct plan_version *v, int i,
                          const char *between)
{
    const struct plan_step *s = &v->steps[i];
    text_printf(out, "${{ params.size }}%s", between);
    if (s->refers >= 0) {
        text_puts(out, "${{ ");
        plan_write_number(out, v, s->refers, s->refers_default);
        text_puts(out, " }}");
    }
    text_puts(out, between);
    plan_write_place(out, v, i, true, true);
    if (s->sees >= 0)
        text_printf(out, "@${{ steps.%s.state }}", v->steps[s->sees].label);
}

void plan_write_program(struct text *out, const struct plan_version *v, int i)
{
    const struct plan_step *s = &v->steps[i];
    text_puts(out, "command: [work, \"");
    plan_write_arguments(out, v, i, "\", \"");
    text_puts(out, s->finally ? ":${{ outcome.state }}\"]" : "\"]");
    plan_write_folders(out, v, s);
    if (s->at_most_once)
        text_puts(out, ", at_most_once: true");
    else
        plan_write_retry(out, s);
    if (s->cache_us)
        text_printf(out, ", cache: {ttl: %llds}", (long long)(s->cache_us / SEC));
    else if (s->cache)
        text_puts(out, ", cache: {}");
    if (s->timeout_us)
        text_printf(out, ", timeout: %llds", (long long)(s->timeout_us / SEC));
    if (s->heartbeat_us)
        text_printf(out, ", heartbeat: %llds", (long long)(s->heartbeat_us / SEC));
    if (s->grace_us)
        text_printf(out, ", grace: %llds", (long long)(s->grace_us / SEC));
    if (s->lost_after_us)
        text_printf(out, ", lost_after: %llds", (long long)(s->lost_after_us / SEC));
    if (s->queue_us)
        text_printf(out, ", queue_timeout: %llds", (long long)(s->queue_us / SEC));
    text_printf(out, ", resources: {slots: %d}, pool: %s", s->slots, plan_pool_name(s->pool));
    if (s->priority)
        text_printf(out, ", priority: %d", s->priority);
    write_limits(out, s);
}

static bool inside_part(const struct plan_version *v, const struct plan_step *s)
{
    for (int i = s->parent; i >= 0; i = v->steps[i].parent)
        if (v->steps[i].part)
            return true;
    return false;
}

void plan_write_items(struct text *out, const struct plan_version *v, const struct plan_step *s)
{
    const char *from = s->items_from >= 0 ? v->steps[s->items_from].label : NULL;
    if (s->items_folder) {
        text_printf(out, "for_each: {from: %s.d}", from);
    } else if (from && plan_is_list(v, s->items_from)) {
        text_printf(out, "for_each: \"${{ steps.%s.outputs.n }}\"", from);
    } else if (!from && s->item_count == PLAN_ITEMS && !inside_part(v, s)) {
        text_puts(out, "for_each: \"${{ params.items }}\"");
    } else {
        text_puts(out, from ? "for_each: \"${{ [" : "for_each: [");
        for (int k = 0; k < s->item_count; k++)
            text_printf(out, "%s%d", k ? ", " : "", k);
        if (from)
            text_printf(out, "%ssteps.%s.outputs.n] }}\"", s->item_count ? ", " : "", from);
        else
            text_puts(out, "]");
    }
    text_printf(out, ", as: i%s, fail_fast: %s", s->label, s->fail_fast ? "true" : "false");
    if (s->parallelism)
        text_printf(out, ", parallelism: %d", s->parallelism);
}

void plan_write_gives(struct text *out, const struct plan_version *v, int group, int branch)
{
    const struct plan_step *s = &v->steps[group];
    const bool number = s->gives[branch] >= 0, folder = s->gives_folder >= 0;
    if (!number && !folder)
        return;
    text_puts(out, ", outputs: {");
    if (number)
        text_printf(out, "n: %s.n", v->steps[s->gives[branch]].label);
    if (folder)
        text_printf(out, "%sd: %s.d", number ? ", " : "", v->steps[s->gives_folder].label);
    text_puts(out, "}");
}

static void write_group(struct text *out, const struct plan_version *v, int i)
{
    const struct plan_step *s = &v->steps[i];
    if (s->kind == PLAN_SWITCH) {
        text_puts(out, "switch: [");
        for (int b = 0; b < s->branches; b++) {
            text_puts(out, b ? ", {" : "{");
            plan_write_condition(out, v, &s->cases[b]);
            if (s->cases[b].looks)
                text_puts(out, ", ");
            plan_write_dag(out, v, i, b);
            plan_write_gives(out, v, i, b);
            text_puts(out, "}");
        }
        text_puts(out, "]");
    } else if (s->part) {
        plan_write_uses(out, v, i);
    } else {
        plan_write_dag(out, v, i, 0);
        plan_write_gives(out, v, i, 0);
    }
}

/* What is of the whole entry where it is a group of steps. */
static void write_tries(struct text *out, const struct plan_step *head)
{
    plan_write_retry(out, head);
    if (head->timeout_us && !head->late_inside)
        text_printf(out, ", timeout: %llds", (long long)(head->timeout_us / SEC));
}

static void write_step(struct text *out, const struct plan_version *v, int i)
{
    const struct plan_step *s = &v->steps[i];
    const int body = plan_body(v, i);
    bool first = true;
    text_printf(out, "%s: {", s->label);
    plan_write_layers(out, v, i);
    if (v->steps[body].kind == PLAN_RUN)
        plan_write_program(out, v, body);
    else if (plan_waits(&v->steps[body]))
        plan_write_wait(out, v, &v->steps[body]);
    else
        write_group(out, v, body);
    if (plan_is_group(&v->steps[body]))
        write_tries(out, s);
    text_puts(out, ", needs: [");
    for (int n = 0; n < v->step_count; n++)
        if (s->needs >> n & 1u && !v->steps[n].pin) {
            text_printf(out, "%s%s", first ? "" : ", ", v->steps[n].label);
            first = false;
        }
    text_puts(out, "]");
    if (s->rule)
        text_printf(out, ", rule: %s", RULES[s->rule]);
    if (s->allow_failure)
        text_puts(out, ", allow_failure: true");
    if (s->when.looks)
        text_puts(out, ", ");
    plan_write_condition(out, v, &s->when);
    text_puts(out, "}");
}

static void write_part(struct text *out, const struct plan_version *v, int parent, int branch,
                       bool finally)
{
    bool any = false;
    for (int i = 0; i < v->step_count; i++) {
        const struct plan_step *s = &v->steps[i];
        if (s->parent != parent || s->branch != branch || s->finally != finally || s->pin)
            continue;
        text_puts(out, any ? ", " : finally ? ", finally: {" : "steps: {");
        write_step(out, v, i);
        any = true;
    }
    if (any)
        text_puts(out, "}");
    if (any && finally)
        plan_write_finally_time(out, v, parent, branch);
}

void plan_write_dag(struct text *out, const struct plan_version *v, int parent, int branch)
{
    write_part(out, v, parent, branch, false);
    write_part(out, v, parent, branch, true);
}

/* Top-level keys, one a line. */
void plan_write_steps(struct text *out, const struct plan_version *v)
{
    if (v->gives >= 0)
        text_printf(out, "outputs: {n: %s.n}\n", v->steps[v->gives].label);
    for (int finally = 0; finally < 2; finally++) {
        bool any = false;
        for (int i = 0; i < v->step_count; i++) {
            const struct plan_step *s = &v->steps[i];
            if (s->parent >= 0 || s->finally != (bool)finally || s->pin)
                continue;
            if (!any)
                text_puts(out, finally ? "finally:\n" : "steps:\n");
            any = true;
            text_puts(out, "  ");
            write_step(out, v, i);
            text_puts(out, "\n");
        }
        if (any && finally)
            plan_write_finally_time(out, v, -1, 0);
    }
}
