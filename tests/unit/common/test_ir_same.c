/* What a text sees when its run is made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/parts.h"

static const struct part PARTS[] = {
    {IR_REFERENCE_COMPONENT, "c.yaml",
     "kind: component\nname: c\nparams: {tag: {}, fixed: f}\nsteps:\n"
     "  in: {image: \"r/${{ params.tag }}\", command: [x]}\n"
     "  fixed: {image: \"r/${{ params.fixed }}\", command: [x]}\n"
     "  all: {image: \"r/${{ size(params) }}\", command: [x]}\n"},
};
static struct parts parts = {PARTS, ARRAY_LEN(PARTS), {0}};

static const char TEXT[] =
    "name: p\nparams: {tag: v1, fixed: f, other: o}\n"
    "on: {event: {type: t, vars: {_A: a}}}\nsteps:\n"
    "  plain: {image: r/x, command: [x]}\n"
    "  tag: {image: \"r/${{ params.tag }}\", command: [x]}\n"
    "  all: {image: \"r/${{ size(params) }}\", command: [x]}\n"
    "  others: {image: \"r/${{ event.a }}${{ vars._A }}${{ run.id }}\", command: [x]}\n"
    "  after: {image: \"r/${{ steps.plain.state }}\", command: [x]}\n"
    "  each: {for_each: [a], as: city, steps: {\n"
    "      item: {image: \"r/${{ city }}\", command: [x]},\n"
    "      index: {image: \"r/${{ index }}\", command: [x]},\n"
    "      both: {image: \"r/${{ city }}${{ params.tag }}\", command: [x]},\n"
    "      part: {uses: ./c.yaml, with: {tag: \"${{ city }}\"}}}}\n"
    "  round: {loop: {until: \"true\", max: 2}, image: \"r/${{ loop.index }}\", command: [x]}\n"
    "  given: {uses: ./c.yaml, with: {tag: \"${{ params.other }}\"}}\n"
    "  fixed: {uses: ./c.yaml, with: {tag: params.other}}\n"
    "finally: {end: {image: \"r/${{ outcome.state }}\", command: [x]}}\n";

#define OTHER IR_SEES_OTHER
#define ITEM  IR_SEES_ITEM

/* With no parameter another, with `tag`, with `other`. */
static const struct {
    const char *step;
    unsigned none, tag, other;
} SEES[] = {
    {"plain", 0, 0, 0},
    {"tag", 0, OTHER, 0},
    {"all", 0, OTHER, OTHER},
    {"others", 0, 0, 0},
    {"after", OTHER, OTHER, OTHER},
    {"each/item", ITEM, ITEM, ITEM},
    {"each/index", ITEM, ITEM, ITEM},
    {"each/both", ITEM, ITEM | OTHER, ITEM},
    {"each/part/in", ITEM, ITEM, ITEM},
    {"each/part/fixed", 0, 0, 0},
    {"round/round", OTHER, OTHER, OTHER},
    {"given/in", 0, 0, OTHER}, /* its own `tag`, which is `other` outside */
    {"given/fixed", 0, 0, 0},
    {"given/all", 0, 0, OTHER},
    {"fixed/in", 0, 0, 0}, /* a word */
    {"end", OTHER, OTHER, OTHER},
};

static void a_text_sees_what_is_another(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_json json_t *json = parts_compile(&parts, "p.yaml", TEXT, NULL, &err);
    struct ir *ir = json ? ir_load(json, &err) : NULL;
    if (!ir)
        fail_msg("%s", err.text);
    cleanup_json json_t *then = json_pack("{s:s, s:s}", "tag", "v1", "other", "o");
    cleanup_json json_t *tag = json_pack("{s:s, s:s}", "tag", "v2", "other", "o");
    cleanup_json json_t *other = json_pack("{s:s, s:s}", "tag", "v1", "other", "p");
    for (size_t i = 0; i < ARRAY_LEN(SEES); i++) {
        const int32_t step = ir_step_index(ir, SEES[i].step);
        if (step < 0)
            fail_msg("no step %s", SEES[i].step);
        const struct template *image = ir->steps[step].image;
        if (ir_sees_again(ir, step, image, then, then) != SEES[i].none ||
            ir_sees_again(ir, step, image, tag, then) != SEES[i].tag ||
            ir_sees_again(ir, step, image, other, then) != SEES[i].other)
            fail_msg("%s", SEES[i].step);
    }
    ir_free(ir);
}

/* A parameter that the run had not, or has no more. */
static void one_that_is_not_there_is_another(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_json json_t *json = parts_compile(&parts, "p.yaml", TEXT, NULL, &err);
    struct ir *ir = ir_load(json, &err);
    cleanup_json json_t *none = json_object(), *some = json_pack("{s:s}", "tag", "v1");
    const int32_t step = ir_step_index(ir, "tag");
    const struct template *image = ir->steps[step].image;
    assert_int_equal(ir_sees_again(ir, step, image, some, none), OTHER);
    assert_int_equal(ir_sees_again(ir, step, image, none, some), OTHER);
    assert_int_equal(ir_sees_again(ir, step, image, none, none), 0);
    ir_free(ir);
}

/* ---- parts in parts -------------------------------------------------------------------------- */

enum { DEEP = 14, WIDE = 20 };

/* Each of its parameters is given all of those outside. */
static void add_given(struct text *to, const char *what)
{
    for (int i = 0; i < WIDE; i++)
        text_printf(to, "%sa%d: %s", i ? ", " : "", i, what);
}

static void write_part(struct text *to, int depth)
{
    text_puts(to, "kind: component\nname: c\nparams: {");
    add_given(to, "{}");
    if (depth == DEEP - 1) {
        text_puts(to, "}\nsteps: {s: {image: \"r/${{ size(params) }}\", command: [x]}}\n");
        return;
    }
    text_printf(to, "}\nsteps: {s: {uses: ./c%d.yaml, with: {", depth + 1);
    add_given(to, "\"x${{ size(params) }}\"");
    text_puts(to, "}}}\n");
}

/* Without a bound it looks WIDE to the power of DEEP times. */
static void each_parameter_is_looked_at_once(void **state)
{
    (void)state;
    struct err err = {0};
    struct text texts[DEEP] = {{0}}, p = {0}, step = {0};
    struct part deep[DEEP];
    char names[DEEP][24];
    for (int i = 0; i < DEEP; i++) {
        write_part(&texts[i], i);
        snprintf(names[i], sizeof names[i], "c%d.yaml", i);
        deep[i] = (struct part){IR_REFERENCE_COMPONENT, names[i], texts[i].data};
        text_puts(&step, "s/");
    }
    text_puts(&step, "s");
    text_puts(&p, "name: p\nparams: {z: 1}\nsteps: {s: {uses: ./c0.yaml, with: {");
    add_given(&p, "\"x${{ params.z }}\"");
    text_puts(&p, "}}}\n");
    struct parts all = {deep, DEEP, {0}};
    cleanup_json json_t *json = parts_compile(&all, "p.yaml", p.data, NULL, &err);
    struct ir *ir = json ? ir_load(json, &err) : NULL;
    if (!ir)
        fail_msg("%s", err.text);
    cleanup_json json_t *one = json_pack("{s:i}", "z", 1), *two = json_pack("{s:i}", "z", 2);
    const int32_t at = ir_step_index(ir, step.data);
    assert_true(at >= 0);
    assert_int_equal(ir_sees_again(ir, at, ir->steps[at].image, one, one), 0);
    assert_int_equal(ir_sees_again(ir, at, ir->steps[at].image, one, two), OTHER);
    ir_free(ir);
    for (int i = 0; i < DEEP; i++)
        text_free(&texts[i]);
    text_free(&p);
    text_free(&step);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_sees_what_is_another),
        cmocka_unit_test(one_that_is_not_there_is_another),
        cmocka_unit_test(each_parameter_is_looked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
