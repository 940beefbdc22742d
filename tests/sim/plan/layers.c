/* Several steps of one entry of a file, inside one another and all of one label: for_each and loop
 * beside what is done for each item or round, and the component of a program. */
#include <stdio.h>
#include <string.h>
#include "common/base/text.h"
#include "tests/sim/plan/plan.h"

int plan_inside(const struct plan_version *v, int direct)
{
    int i = 0;
    while (v->steps[i].parent != direct)
        i++;
    return i;
}

int plan_body(const struct plan_version *v, int head)
{
    while (v->steps[head].direct && !v->steps[head].part)
        head = plan_inside(v, head);
    return head;
}

int plan_layer_add(struct plan_version *v, int around)
{
    const int i = v->step_count++;
    struct plan_step *s = &v->steps[i], *up = &v->steps[around];
    char path[sizeof s->name];
    up->direct = true;
    plan_step_clear(s, i);
    s->parent = around;
    s->times = up->times;
    memcpy(s->label, up->label, sizeof s->label);
    snprintf(path, sizeof path, "%.38s/%s", up->name, s->label);
    memcpy(s->name, path, sizeof path);
    return i;
}

/* ---- what it gives --------------------------------------------------------------------------- */

static bool has_number(const struct plan_version *v, int step)
{
    const struct plan_step *s = &v->steps[step];
    for (int b = 0; b < s->branches && plan_is_group(s); b++)
        if (s->gives[b] >= 0)
            return true;
    return s->kind == PLAN_RUN || s->taken;
}

static bool has_folder(const struct plan_step *s)
{
    return s->kind == PLAN_RUN ? s->folder : s->gives_folder >= 0;
}

/* From the inside out: what is inside comes later. */
void plan_layers_settle(struct plan_version *v)
{
    for (int i = v->step_count; i-- > 0;) {
        if (!v->steps[i].direct)
            continue;
        const int in = plan_inside(v, i);
        v->steps[i].gives[0] = has_number(v, in) ? in : -1;
        v->steps[i].gives_folder = has_folder(&v->steps[in]) ? in : -1;
    }
}

/* ---- the text -------------------------------------------------------------------------------- */

static void write_layer(struct text *out, const struct plan_version *v, const struct plan_step *s)
{
    if (s->kind == PLAN_EACH) {
        plan_write_items(out, v, s);
        text_puts(out, ", ");
    } else if (s->kind == PLAN_LOOP) {
        text_printf(out, "loop: {until: \"outputs.n > %d%s\", max: %d%s}, ", s->until_over,
                    s->until_same ? " || outputs.n == default(loop.previous.n, -1)" : "", s->rounds,
                    s->delayed ? ", delay: 2s" : "");
    }
}

void plan_write_layers(struct text *out, const struct plan_version *v, int head)
{
    const int body = plan_body(v, head);
    for (int at = head; at != body; at = plan_inside(v, at))
        write_layer(out, v, &v->steps[at]);
    write_layer(out, v, &v->steps[body]);
    const struct plan_step *s = &v->steps[head];
    const int item =
        s->kind == PLAN_EACH && s->direct ? v->steps[plan_inside(v, head)].when_item : -1;
    if (item >= 0 && s->items_from < 0)
        text_printf(out, "when: i%s > %d, ", s->label, item);
    else if (item >= 0)
        text_printf(out, "when: index > %d, ", item);
}
