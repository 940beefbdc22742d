/* What a text sees when its run is made again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
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
    ir_unref(ir);
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
    ir_unref(ir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_sees_what_is_another),
        cmocka_unit_test(one_that_is_not_there_is_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
