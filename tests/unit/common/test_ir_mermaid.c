#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/ir/mermaid.h"
#include "common/text/json.h"
#include "tests/support/parts.h"

static char *draw(const char *yaml)
{
    struct err err = {0};
    cleanup_json json_t *json = parts_compile(NULL, "p.yaml", yaml, NULL, &err);
    struct ir *ir = json ? ir_load(json, &err) : NULL;
    if (!ir)
        fail_msg("%s", err.text);
    struct text out = {0};
    ir_graph(ir, &out);
    ir_free(ir);
    return text_take(&out);
}

static const struct {
    const char *yaml, *drawing;
} DRAWINGS[] = {
    {"name: p\nsteps:\n  a: {executor: noop}\n  b: {executor: noop, needs: a}\n"
     "  c: {executor: noop, needs: [a, b], when: \"true\"}\n",
     "flowchart TD\n    s0[\"a\"]\n    s1[\"b\"]\n    s2[\"c\"]\n    s0 --> s1\n"
     "    s0 -.-> s2\n    s1 -.-> s2\n"},
    {"name: p\nparams: {l: {type: json, default: []}}\nsteps:\n"
     "  a: {for_each: \"${{ params.l }}\", as: x, steps: {b: {executor: noop}, c: {executor: noop, "
     "needs: b}}}\n  d: {executor: noop, needs: a}\n",
     "flowchart TD\n    subgraph s0[\"a: for each x of ${{ params.l }}\"]\n        s1[\"b\"]\n"
     "        s2[\"c\"]\n        s1 --> s2\n    end\n    s3[\"d\"]\n    s0 --> s3\n"},
    {"name: p\nsteps:\n  a: {switch: [{when: 1 < 2, steps: {b: {executor: noop}}}, {steps: {c: "
     "{executor: noop}}}]}\n",
     "flowchart TD\n    subgraph s0[\"a: one of\"]\n        subgraph s0b0[\"when 1 #60; 2\"]\n"
     "            s1[\"b\"]\n        end\n        subgraph s0b1[\"else\"]\n            s2[\"c\"]\n"
     "        end\n    end\n"},
    {"name: p\nsteps:\n  a: {loop: {until: loop.index == 3, max: 5}, executor: noop}\n"
     "finally: {b: {for_each: ['\"'], executor: noop}, c: {executor: noop, needs: b}}\n",
     "flowchart TD\n    subgraph s0[\"a: until loop.index == 3, at most 5 times\"]\n"
     "        s1[\"a\"]\n    end\n    subgraph f2[\"finally\"]\n"
     "        subgraph s2[\"b: for each item of [#34;#92;#34;#34;]\"]\n            s3[\"b\"]\n"
     "        end\n        s4[\"c\"]\n        s2 --> s4\n    end\n"},
    {"name: p\nsteps:\n  a: {wait: {type: t.u}}\n  b: {approval: {}}\n  c: {start: {pipeline: q}}\n"
     "  d: {executor: noop, inputs: {i: {objects: {bucket: b}}}}\n",
     "flowchart TD\n    s0([\"a: wait for t.u\"])\n    s1{{\"b: approval\"}}\n"
     "    s2[[\"c: start q\"]]\n    s3[\"d\"]\n    s4[(\"objects:d.i\")]\n    s4 --> s3\n"},
};

static void each_shape_is_drawn(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(DRAWINGS); i++) {
        cleanup_free char *drawing = draw(DRAWINGS[i].yaml);
        assert_string_equal(drawing, DRAWINGS[i].drawing);
    }
}

/* A label is cut between characters, and nothing in it ends it. */
static void labels_are_short_and_harmless(void **state)
{
    (void)state;
    struct text yaml = {0};
    text_puts(&yaml, "name: p\nsteps:\n  a: {executor: noop, for_each: [\"x");
    for (int i = 0; i < 100; i++)
        text_puts(&yaml, "\xc3\xa4");
    text_puts(&yaml, "\"]}\n");
    cleanup_free char *text = text_take(&yaml);
    cleanup_free char *drawing = draw(text);
    assert_non_null(strstr(drawing, "\xc3\xa4\xe2\x80\xa6\"]\n"));
    assert_true(strlen(drawing) < 250);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_shape_is_drawn),
        cmocka_unit_test(labels_are_short_and_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
