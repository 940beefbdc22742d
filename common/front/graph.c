#include "common/ir/graph.h"

#include "common/base/mem.h"
#include "common/front/front.h"

#define CYCLE_SHOWN 100

static void tell_cycle(struct front *f, const int32_t *cycle, size_t length)
{
    cleanup_text struct text t = {0};
    const size_t shown = length < CYCLE_SHOWN ? length : CYCLE_SHOWN;
    for (size_t i = 0; i < shown; i++)
        text_printf(&t, "%s → ", f->step[cycle[i]].name);
    if (shown < length)
        text_printf(&t, "… (%zu more) → ", length - shown);
    text_puts(&t, f->step[cycle[0]].name);
    front_at(f, "steps", f->step[cycle[0]].name, NULL);
    front_key_problem(f, "steps need one another in a circle: %s", t.data);
}

static void put_needs(struct front *f, struct front_step *s)
{
    json_t *needs = json_array();
    for (size_t n = 0; n < s->need_count; n++)
        json_array_append_new(needs, json_string(f->step[s->needs[n]].name));
    json_object_set_new(s->out, "needs", needs);
}

void front_graph(struct front *f)
{
    cleanup_free struct graph_node *nodes = mem_array(f->step_count + 1, sizeof *nodes);
    size_t length = 0;
    for (size_t i = 0; i < f->step_count; i++) {
        struct front_step *s = &f->step[i];
        s->need_count = graph_unique(s->needs, s->need_count);
        nodes[i] = (struct graph_node){s->needs, s->need_count};
        put_needs(f, s);
    }
    cleanup_free int32_t *cycle = graph_cycle(nodes, f->step_count, &length);
    if (cycle)
        tell_cycle(f, cycle, length);
}
