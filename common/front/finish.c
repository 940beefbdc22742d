/* The last pass: needs by name, circles, and which outputs may be absent. */
#include <string.h>

#include "common/base/mem.h"
#include "common/front/front.h"
#include "common/ir/graph.h"
#include "common/text/json.h"

#define CYCLE_SHOWN 100
#define CYCLE_SAID  3 /* reasons told of needs that nobody wrote */

static bool is_in(const struct front *f, int32_t step, int32_t group)
{
    while (step >= 0 && step != group)
        step = f->dags[f->step[step].dag].group;
    return step == group;
}

static bool sees(const struct front_step *s, int32_t step)
{
    for (size_t i = 0; i < s->sees.count; i++) {
        if (s->sees.items[i] == step)
            return true;
    }
    return false;
}

/* A group needs what a step inside looks at: says which that is. */
static size_t tell_why(const struct front *f, int32_t by, int32_t needed, struct text *t)
{
    for (size_t i = 0; f->step[by].inside >= 0 && i < f->step_count; i++) {
        if ((int32_t)i == by || !sees(&f->step[i], needed) || !is_in(f, (int32_t)i, by))
            continue;
        text_printf(t, "%s %s looks at %s", t->len ? "," : ";", f->step[i].name,
                    f->step[needed].name);
        return 1;
    }
    return 0;
}

static void tell_cycle(struct front *f, const int32_t *cycle, size_t length)
{
    cleanup_text struct text t = {0}, why = {0};
    const size_t shown = length < CYCLE_SHOWN ? length : CYCLE_SHOWN;
    size_t said = 0;
    for (size_t i = 0; i < shown; i++) {
        text_printf(&t, "%s → ", f->step[cycle[i]].name);
        if (said < CYCLE_SAID)
            said += tell_why(f, cycle[i], cycle[(i + 1) % length], &why);
    }
    if (shown < length)
        text_printf(&t, "… (%zu more) → ", length - shown);
    text_puts(&t, f->step[cycle[0]].name);
    front_at_step(f, (size_t)cycle[0], NULL);
    front_key_problem(f, "steps need one another in a circle: %s%s", t.data,
                      why.data ? why.data : "");
}

static json_t *names_of(const struct front *f, const struct front_indices *list)
{
    json_t *names = json_array();
    for (size_t n = 0; n < list->count; n++)
        json_array_append_new(names, json_string(f->step[list->items[n]].name));
    return names;
}

/* Sorted by index, without repeats; what is needed is seen anyway. */
static void put_order(struct front *f, struct front_step *s)
{
    size_t kept = 0, n = 0;
    s->needs.count = graph_unique(s->needs.items, s->needs.count);
    s->sees.count = graph_unique(s->sees.items, s->sees.count);
    for (size_t i = 0; i < s->sees.count; i++) {
        while (n < s->needs.count && s->needs.items[n] < s->sees.items[i])
            n++;
        if (n == s->needs.count || s->needs.items[n] != s->sees.items[i])
            s->sees.items[kept++] = s->sees.items[i];
    }
    s->sees.count = kept;
    json_object_set_new(s->out, "needs", names_of(f, &s->needs));
    if (kept > 0)
        front_put(f, s->out, "sees", names_of(f, &s->sees));
}

/* A rule that waits for one of the needed steps, on a step that needs none, never holds. */
static void check_rule(struct front *f, size_t step)
{
    const struct front_step *s = &f->step[step];
    const char *rule = json_get_string(s->out, "rule", "");
    if (s->needs.count > 0 || !s->source || strncmp(rule, "any_", 4) != 0)
        return;
    front_at_step(f, step, "rule", NULL);
    front_problem(f, "rule: %s never holds: the step needs none", rule);
}

/* ---- what may be absent ---------------------------------------------------------------------- */

/* By itself: by its condition, its rule, an approval that nobody gave, a switch without an else. */
static bool may_skip(const struct front_step *s)
{
    const json_t *branches = json_object_get(s->out, "branches");
    const json_t *last = json_array_get(branches, json_array_size(branches) - 1);
    const char *rule = json_get_string(s->out, "rule", "all_succeeded");
    const char *late = json_get_string(json_object_get(s->out, "approval"), "on_timeout", "");
    return json_object_get(s->out, "when") || strcmp(rule, "all_succeeded") != 0 ||
           json_object_get(last, "when") || strcmp(late, "skip") == 0 ||
           json_get_bool(s->out, "allow_failure", false);
}

/* In order of needs, so that what is skipped with its need is known. */
static bool *find_absent(const struct front *f, const struct graph_node *nodes)
{
    bool *absent = mem_array(f->step_count + 1, sizeof *absent);
    cleanup_free int32_t *order = graph_order(nodes, f->step_count);
    for (size_t i = 0; i < f->step_count; i++) {
        const struct front_step *s = &f->step[order[i]];
        bool with = may_skip(s);
        for (size_t n = 0; n < s->needs.count; n++)
            with = with || absent[s->needs.items[n]];
        absent[order[i]] = with;
    }
    return absent;
}

/* An output of a group may be absent when a branch has it not, or has it of a step that may be
 * absent or need not write it. A list is always there; what is absent is null in it. */
static bool is_optional(const struct front *f, const json_t *branches, const char *name,
                        const bool *absent)
{
    size_t i;
    const json_t *branch;
    json_array_foreach (branches, i, branch) {
        const json_t *from = json_object_get(json_object_get(branch, "outputs"), name);
        const int32_t step = names_find(f->paths, json_get_string(from, "step", ""));
        if (step < 0 || absent[step])
            return true;
        const json_t *outputs = json_object_get(f->step[step].out, "outputs");
        if (json_get_bool(json_object_get(outputs, json_get_string(from, "output", "")), "optional",
                          false))
            return true;
    }
    return false;
}

static void put_optional(struct front *f, const struct front_step *s, const bool *absent)
{
    const json_t *branches = json_object_get(s->out, "branches");
    const char *name;
    json_t *output;
    json_object_foreach (json_object_get(s->out, "outputs"), name, output) {
        const bool list = s->parts & FRONT_FOR_EACH;
        json_object_set_new(output, "optional",
                            json_boolean(!list && is_optional(f, branches, name, absent)));
    }
}

void front_finish(struct front *f)
{
    cleanup_free struct graph_node *nodes = mem_array(f->step_count + 1, sizeof *nodes);
    size_t length = 0;
    for (size_t i = 0; i < f->step_count; i++) {
        struct front_step *s = &f->step[i];
        put_order(f, s);
        check_rule(f, i);
        nodes[i] = (struct graph_node){s->needs.items, s->needs.count};
    }
    cleanup_free int32_t *cycle = graph_cycle(nodes, f->step_count, &length);
    if (cycle) {
        tell_cycle(f, cycle, length);
        return;
    }
    cleanup_free bool *absent = find_absent(f, nodes);
    for (size_t i = f->step_count; i-- > 0;) { /* what is inside comes after */
        if (f->step[i].inside >= 0 && f->step[i].shape != FRONT_MADE)
            put_optional(f, &f->step[i], absent);
    }
}
