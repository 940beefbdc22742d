/* Limits of shapes, at the edge and over it, and the time that many steps in groups take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/cpu.h"
#include "tests/support/ir_text.h"
#include "tests/support/parts.h"

static void check_with(struct parts *parts, const char *yaml, const char *error)
{
    struct err err = {0};
    cleanup_json json_t *out = parts_compile(parts, "p.yaml", yaml, NULL, &err);
    if (!error && !out)
        fail_msg("%s", err.text);
    if (error && (out || !strstr(err.text, error)))
        fail_msg("%s: %s", error, out ? "is taken" : err.text);
    struct ir *ir = out ? ir_load(out, &err) : NULL;
    if (out && !ir)
        fail_msg("loaded: %s", err.text);
    ir_free(ir);
}

static void check(const char *yaml, const char *error)
{
    struct parts none = {0};
    check_with(&none, yaml, error);
}

static const struct ir_count COUNTS[] = {
    {IR_ITEMS_MAX, "name: p\nsteps:\n  a:\n    command: [x]\n    for_each:\n", "      - ", "\n", "",
     "must have at most 10000 entries"},
    {IR_BRANCHES_MAX, "name: p\nsteps:\n  a:\n    switch:\n", "      - {when: \"true\", steps: {b",
     ": {executor: noop}}}\n", "", "must have at most 100 entries"},
    {IR_LIMITS_MAX, "name: p\nsteps:\n  a:\n    command: [x]\n    limits:\n", "      - l", "\n", "",
     "must have at most 16 entries"},
    {IR_LIMITS_MAX, "name: p\nsteps:\n  a:\n    command: [x]\n    limits:\n", "      l", ": 2\n",
     "", "17 limits: at most 16"},
    {IR_APPROVERS_MAX, "name: p\nsteps:\n  a:\n    approval:\n      by:\n", "      - u", "\n", "",
     "must have at most 64 entries"},
    {IR_EXIT_CODES_MAX, "name: p\nsteps:\n  a:\n    command: [x]\n    retry:\n      exit_codes:\n",
     "      - 1", "\n", "", "must have at most 64 entries"},
    {IR_ENTRIES_MAX,
     "name: p\nsteps:\n  a:\n    steps: {b: {executor: noop, outputs: {o: {}}}}\n"
     "    outputs:\n",
     "      n", ": b.o\n", "", "257 outputs: at most 256"},
};

static void counts_at_the_limit_are_taken_and_over_it_refused(void **state)
{
    (void)state;
    check_counts(COUNTS, ARRAY_LEN(COUNTS), check);
}

/* One item and its two quotes and brackets: 256 KiB in all. */
static void items_have_a_size(void **state)
{
    (void)state;
    cleanup_free char *value = mem_alloc(IR_ITEMS_BYTES_MAX);
    memset(value, 'x', IR_ITEMS_BYTES_MAX - 4);
    cleanup_free char *at =
        mem_printf("name: p\nsteps:\n  a: {command: [x], for_each: [%s]}\n", value);
    cleanup_free char *over =
        mem_printf("name: p\nsteps:\n  a: {command: [x], for_each: [%sx]}\n", value);
    check(at, NULL);
    check(over, "the items come to 262145 bytes: at most 262144");
}

/* `depth` groups inside one another, with a step in the innermost. */
static char *nested(const char *begin, size_t depth, const char *innermost)
{
    struct text t = {0};
    text_puts(&t, begin);
    for (size_t i = 0; i < depth; i++)
        text_printf(&t, "{steps: {s%zu: ", i);
    text_puts(&t, innermost);
    for (size_t i = 0; i < depth; i++)
        text_puts(&t, "}}");
    return text_take(&t);
}

static void groups_go_sixteen_deep(void **state)
{
    (void)state;
    const char *begin = "name: p\nsteps:\n  g: ";
    cleanup_free char *at = nested(begin, IR_DEPTH_MAX, "{command: [x]}");
    cleanup_free char *over = nested(begin, IR_DEPTH_MAX + 1, "{command: [x]}");
    check(at, NULL);
    check(over, "is in 17 groups: at most 16 inside one another");
    /* a program with for_each is one more, with a loop too one more again */
    cleanup_free char *item = nested(begin, IR_DEPTH_MAX - 1, "{command: [x], for_each: [a]}");
    cleanup_free char *round = nested(
        begin, IR_DEPTH_MAX - 1, "{command: [x], for_each: [a], loop: {until: \"true\", max: 2}}");
    check(item, NULL);
    check(round, "is in 17 groups");
}

static void what_is_inlined_counts_too(void **state)
{
    (void)state;
    cleanup_free char *sub = nested("name: sub\nsteps:\n  a: ", 8, "{command: [x]}");
    cleanup_free char *part =
        nested("kind: component\nname: part\nsteps:\n  a: ", 8, "{command: [x]}");
    const struct part items[] = {{IR_REFERENCE_PIPELINE, "sub", sub},
                                 {IR_REFERENCE_COMPONENT, "part.yaml", part}};
    struct parts parts = {items, ARRAY_LEN(items), {0}};
    cleanup_free char *at = nested("name: p\nsteps:\n  g: ", 7, "{pipeline: sub}");
    cleanup_free char *over = nested("name: p\nsteps:\n  g: ", 8, "{pipeline: sub}");
    check_with(&parts, at, NULL);
    check_with(&parts, over, "pipeline sub: with it there are 17 groups inside one another");
    cleanup_free char *fine = nested("name: p\nsteps:\n  g: ", 7, "{uses: ./part.yaml}");
    cleanup_free char *deep = nested("name: p\nsteps:\n  g: ", 8, "{uses: ./part.yaml}");
    check_with(&parts, fine, NULL);
    check_with(&parts, deep, "is in 17 groups");
}

/* Ten times ten times … : refused in no time, and in no memory. */
static void components_do_not_multiply_without_end(void **state)
{
    (void)state;
    struct part items[8];
    char *texts[8];
    char names[8][24];
    for (int i = 0; i < 8; i++) {
        struct text t = {0};
        text_printf(&t, "kind: component\nname: c%d\nsteps:\n", i);
        for (int k = 0; k < 10; k++)
            text_printf(&t, i < 7 ? "  s%d: {uses: ./c%d.yaml}\n" : "  s%d: {executor: noop}\n", k,
                        i + 1);
        snprintf(names[i], sizeof names[i], "c%d.yaml", i);
        texts[i] = text_take(&t);
        items[i] = (struct part){IR_REFERENCE_COMPONENT, names[i], texts[i]};
    }
    struct parts parts = {items, ARRAY_LEN(items), {0}};
    const int64_t begin = cpu_us();
    check_with(&parts, "name: p\nsteps: {a: {uses: ./c0.yaml}}\n", "at most 100000");
    check_with(&parts, "name: p\nsteps: {a: {uses: ./c3.yaml}}\n", "at most 100000");
    check_with(&parts, "name: p\nsteps: {a: {uses: ./c4.yaml}}\n", NULL); /* 11,111 steps */
    assert_true(cpu_us() - begin < 60 * US_PER_S);
    for (int i = 0; i < 8; i++)
        free(texts[i]);
}

static char *wide(size_t groups, size_t steps)
{
    struct text t = {0};
    text_puts(&t, "name: wide\nsteps:\n  first: {executor: noop, outputs: {n: {type: integer}}}\n");
    for (size_t g = 0; g < groups; g++) {
        text_printf(&t, "  g%zu:\n    for_each: [a, b]\n    outputs: {o: s0.o}\n    steps:\n", g);
        for (size_t s = 0; s < steps; s++)
            text_printf(&t,
                        "      s%zu: {command: [x, \"${{ item }}\", \"${{ steps.first.outputs.n "
                        "}}\"%s], outputs: {o: {type: string}}}\n",
                        s, s ? ", \"${{ steps.s0.outputs.o }}\"" : "");
    }
    return text_take(&t);
}

static void ten_thousand_steps_in_groups_take_no_time(void **state)
{
    (void)state;
    struct err err = {0};
    struct parts none = {0};
    cleanup_free char *yaml = wide(1000, 9);
    const int64_t begin = cpu_us();
    cleanup_json json_t *out = parts_compile(&none, "p.yaml", yaml, NULL, &err);
    const int64_t compiled = cpu_us();
    if (!out)
        fail_msg("%s", err.text);
    struct ir *ir = ir_load(out, &err);
    const int64_t loaded = cpu_us();
    if (!ir)
        fail_msg("%s", err.text);
    print_message("%zu steps in 1,000 groups: compiled in %lld ms, loaded in %lld ms\n",
                  ir->step_count, (long long)((compiled - begin) / 1000),
                  (long long)((loaded - compiled) / 1000));
    assert_int_equal(ir->step_count, 10001);
    assert_true(loaded - begin < 60 * US_PER_S);
    ir_free(ir);
}

/* What is pinned for a component is one step more: also where there is no room for it as it is. */
static void each_component_pins_and_is_given_its_parameters(void **state)
{
    static const struct part COMPONENT[] = {
        {IR_REFERENCE_COMPONENT, "c.yaml",
         "{kind: component, name: c, params: {n: 1}, inputs: {i: {}}, command: [c, \"${{ params.n "
         "}}\"]}"}};
    (void)state;
    for (int count = 1; count <= 70; count++) {
        struct parts parts = {COMPONENT, ARRAY_LEN(COMPONENT), {0}};
        struct err err = {0};
        cleanup_text struct text yaml = {0};
        text_puts(&yaml, "name: p\nsteps:\n");
        for (int i = 0; i < count; i++)
            text_printf(&yaml,
                        "  s%d: {uses: ./c.yaml, with: {n: %d}, inputs: {i: {objects: {bucket: "
                        "b, prefix: \"%d/\"}}}}\n",
                        i, i, i);
        cleanup_json json_t *out = parts_compile(&parts, "p.yaml", yaml.data, NULL, &err);
        struct ir *ir = out ? ir_load(out, &err) : NULL;
        if (!ir)
            fail_msg("%s", err.text);
        assert_int_equal(ir->step_count, 3 * count);
        for (int i = 0; i < count; i++)
            assert_int_equal(ir->steps[2 * i].group->param_count, 1);
        ir_free(ir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_at_the_limit_are_taken_and_over_it_refused),
        cmocka_unit_test(items_have_a_size),
        cmocka_unit_test(groups_go_sixteen_deep),
        cmocka_unit_test(what_is_inlined_counts_too),
        cmocka_unit_test(components_do_not_multiply_without_end),
        cmocka_unit_test(each_component_pins_and_is_given_its_parameters),
        cmocka_unit_test(ten_thousand_steps_in_groups_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
