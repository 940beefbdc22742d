#include "common/ir/mermaid.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

#define LABEL_MAX   80 /* bytes shown of a condition or a list */
#define HASH_HIDDEN 52 /* of 64 digits */

struct drawing {
    const struct ir *ir;
    struct text *out;
    int depth;
};

static void __attribute__((format(printf, 2, 3))) line(struct drawing *d, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort(); /* out of memory */
    va_end(ap);
    text_printf(d->out, "%*s%s\n", 4 * (d->depth + 1), "", text);
    free(text);
}

/* What would end a label or be read as markup, as Mermaid writes it: #NUMBER; */
static void escape(struct text *out, const char *label, size_t most)
{
    for (size_t i = 0; label[i]; i++) {
        if (i >= most && ((unsigned char)label[i] & 0xc0) != 0x80) {
            text_puts(out, "…");
            return;
        }
        if (strchr("\"#<>&`\\", label[i]) || (unsigned char)label[i] < 0x20)
            text_printf(out, "#%d;", label[i]);
        else
            text_append(out, &label[i], 1);
    }
}

static const json_t *json_of(const struct ir *ir, int32_t index)
{
    return json_array_get(json_object_get(ir->json, "steps"), (size_t)index);
}

/* ---- what is written on it ------------------------------------------------------------------- */

static void put_items(const struct ir *ir, const struct ir_group *group, const json_t *json,
                      struct text *out)
{
    cleanup_free char *items = group->items ? json_write(group->items) : NULL;
    const char *value = json_get_string(json_object_get(json, "for_each"), "value", "");
    text_printf(out, ": for each %s of ", group->as);
    if (group->items_kind == IR_ITEMS_FOLDER)
        text_printf(out, "%s.%s", ir->steps[group->folder_step].label, group->folder_output);
    else
        escape(out, items ? items : value, LABEL_MAX);
}

static void put_group(const struct ir *ir, int32_t index, struct text *out)
{
    const struct ir_step *step = &ir->steps[index];
    const struct ir_group *group = step->group;
    const json_t *json = json_of(ir, index);
    escape(out, step->label, LABEL_MAX);
    if (group->mode == IR_GROUP_FOR_EACH)
        put_items(ir, group, json, out);
    if (group->mode == IR_GROUP_LOOP) {
        text_puts(out, ": until ");
        escape(out, json_get_string(json_object_get(json, "loop"), "until", ""), LABEL_MAX);
        text_printf(out, ", at most %d times", group->max);
    }
    if (group->mode == IR_GROUP_SWITCH)
        text_puts(out, ": one of");
    if (group->origin) { /* "…@HASH": as much of it as people compare */
        const size_t len = strlen(group->origin);
        cleanup_free char *origin =
            mem_bytes(group->origin, len > HASH_HIDDEN ? len - HASH_HIDDEN : len);
        text_puts(out, ": ");
        escape(out, origin, LABEL_MAX);
    }
}

static void put_node(const struct ir_step *step, struct text *out)
{
    escape(out, step->label, LABEL_MAX);
    if (step->wait) {
        text_puts(out, ": wait for ");
        escape(out, step->wait->type, LABEL_MAX);
    }
    if (step->approval)
        text_puts(out, ": approval");
    if (step->start) {
        text_puts(out, ": start ");
        escape(out, step->start->pipeline, LABEL_MAX);
    }
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void draw_dag(struct drawing *d, const struct ir_dag *dag);

static void draw_branch(struct drawing *d, int32_t step, size_t nth)
{
    const struct ir_branch *branch = &d->ir->steps[step].group->branches[nth];
    const json_t *json = json_array_get(json_object_get(json_of(d->ir, step), "branches"), nth);
    cleanup_text struct text label = {0};
    text_puts(&label, branch->when ? "when " : "else");
    escape(&label, json_get_string(json, "when", ""), LABEL_MAX);
    line(d, "subgraph s%db%zu[\"%s\"]", step, nth, label.data);
    d->depth++;
    draw_dag(d, &branch->dag);
    d->depth--;
    line(d, "end");
}

static void draw_group(struct drawing *d, int32_t index)
{
    const struct ir_step *step = &d->ir->steps[index];
    cleanup_text struct text label = {0};
    put_group(d->ir, index, &label);
    line(d, "subgraph s%d[\"%s\"]", index, label.data);
    d->depth++;
    for (size_t b = 0; b < step->group->branch_count; b++) {
        if (step->group->mode == IR_GROUP_SWITCH)
            draw_branch(d, index, b);
        else
            draw_dag(d, &step->group->branches[b].dag);
    }
    d->depth--;
    line(d, "end");
}

static void draw_step(struct drawing *d, int32_t index)
{
    static const char *const SHAPES[][2] = {
        [IR_STEP_RUN] = {"[", "]"},        [IR_STEP_OBJECTS] = {"[(", ")]"},
        [IR_STEP_GROUP] = {"[", "]"},      [IR_STEP_WAIT] = {"([", "])"},
        [IR_STEP_APPROVAL] = {"{{", "}}"}, [IR_STEP_START] = {"[[", "]]"},
    };
    const struct ir_step *step = &d->ir->steps[index];
    cleanup_text struct text label = {0};
    if (step->group) {
        draw_group(d, index);
        return;
    }
    put_node(step, &label);
    line(d, "s%d%s\"%s\"%s", index, SHAPES[step->kind][0], label.data, SHAPES[step->kind][1]);
}

/* A condition makes the arrows dotted: what they lead to may be skipped. */
static void draw_needs(struct drawing *d, int32_t index)
{
    const struct ir_step *step = &d->ir->steps[index];
    const char *arrow = step->when || step->rule != IR_ALL_SUCCEEDED ? "-.->" : "-->";
    for (size_t n = 0; n < step->need_count; n++)
        line(d, "s%d %s s%d", step->needs[n], arrow, index);
}

static void draw_steps(struct drawing *d, const struct ir_dag *dag, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        draw_step(d, dag->steps[i]);
    for (size_t i = from; i < to; i++)
        draw_needs(d, dag->steps[i]);
}

static void draw_dag(struct drawing *d, const struct ir_dag *dag)
{
    draw_steps(d, dag, 0, dag->work);
    if (dag->count == dag->work)
        return;
    line(d, "subgraph f%d[\"finally\"]", dag->steps[dag->work]);
    d->depth++;
    draw_steps(d, dag, dag->work, dag->count);
    d->depth--;
    line(d, "end");
}

void ir_graph(const struct ir *ir, struct text *out)
{
    struct drawing d = {.ir = ir, .out = out};
    text_puts(out, "flowchart TD\n");
    draw_dag(&d, &ir->root);
}
