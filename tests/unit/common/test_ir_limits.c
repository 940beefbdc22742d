/* Limits of pipeline files at and over the edge, and the time that large ones take. */
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
#include "tests/support/ir_text.h"
#include "tests/support/parts.h"

static void check(const char *yaml, const char *error)
{
    struct err err = {0};
    cleanup_json json_t *out = parts_compile(NULL, "p.yaml", yaml, NULL, &err);
    if (!error && !out)
        fail_msg("%s", err.text);
    if (error && (out || !strstr(err.text, error)))
        fail_msg("%s: %s", error, out ? "is taken" : err.text);
}

static const struct ir_count COUNTS[] = {
    {IR_PARAMS_MAX, "name: p\nsteps: {a: {executor: noop}}\nparams:\n", "  p", ": x\n", "",
     "257 parameters: at most 256"},
    {IR_TRIGGERS_MAX, "name: p\nsteps: {a: {executor: noop}}\non:\n  event:\n", "  - {type: t",
     "}\n", "", "65 triggers: at most 64"},
    {IR_ENTRIES_MAX, "name: p\nsteps:\n  a:\n    executor: noop\n    env:\n", "      E", ": x\n",
     "", "257 environment variables: at most 256"},
    {IR_ENTRIES_MAX, "name: p\nsteps:\n  a:\n    executor: noop\n    outputs:\n", "      o",
     ": {}\n", "", "257 outputs: at most 256"},
    {IR_ENTRIES_MAX, "name: p\nsteps:\n  a:\n    executor: noop\n    inputs:\n", "      i",
     ": {value: x}\n", "", "257 inputs: at most 256"},
    {IR_ENTRIES_MAX, "name: p\nsteps: {a: {executor: noop}}\non:\n  push:\n    vars:\n", "      _V",
     ": x\n", "", "257 variables: at most 256"},
    {IR_ARGV_MAX, "name: p\nsteps:\n  a:\n    command:\n", "    - x", "\n", "",
     "must have at most 1024 entries"},
    {64, "name: p\nsteps:\n  a:\n    executor: noop\n    secrets:\n", "    - s", "\n", "",
     "must have at most 64 entries"},
};

static void counts_at_the_limit_are_taken_and_over_it_refused(void **state)
{
    (void)state;
    check_counts(COUNTS, ARRAY_LEN(COUNTS), check);
}

static void names_at_the_limit_are_taken_and_over_it_refused(void **state)
{
    (void)state;
    char name[IR_NAME_MAX + 2];
    memset(name, 'a', sizeof name);
    name[IR_NAME_MAX] = '\0';
    cleanup_free char *at = mem_printf("name: %s\nsteps: {%s: {executor: noop}}", name, name);
    check(at, NULL);
    name[IR_NAME_MAX] = 'a';
    name[IR_NAME_MAX + 1] = '\0';
    cleanup_free char *pipeline = mem_printf("name: %s\nsteps: {a: {executor: noop}}", name);
    cleanup_free char *step = mem_printf("name: p\nsteps: {%s: {executor: noop}}", name);
    check(pipeline, "longer than 63");
    check(step, "1 to 63");
}

/* 100,000 steps are the limit; the pins of inputs count too. */
static void steps_at_the_limit_are_taken_and_over_it_refused(void **state)
{
    (void)state;
    const char *begin = "name: p\ndefaults: {executor: noop}\nsteps:\n";
    cleanup_free char *at = repeated(begin, IR_STEPS_MAX, " s", ": {}\n", "");
    cleanup_free char *over = repeated(begin, IR_STEPS_MAX - 1, " s", ": {}\n",
                                       " p: {inputs: {i: {objects: {bucket: b}}}}\n");
    check(at, NULL);
    check(over, "100001 with those that pin objects: at most 100000");
}

/* A file of a few kB may not become a version of gigabytes. */
static void defaults_and_aliases_do_not_multiply_without_end(void **state)
{
    (void)state;
    cleanup_free char *value = mem_alloc(60001);
    memset(value, 'x', 60000);
    cleanup_free char *begin =
        mem_printf("name: p\ndefaults: {executor: noop, image: %s}\nsteps:\n", value);
    cleanup_free char *defaults = repeated(begin, 2000, " s", ": {}\n", "");
    check(defaults, "over 32 MiB");
    cleanup_free char *first = mem_printf("name: p\nsteps:\n a: {image: &a %s}\n", value);
    cleanup_free char *aliases = repeated(first, 2000, " s", ": {image: *a}\n", "");
    check(aliases, "aliases expand to more than"); /* the reader's own limit */
    cleanup_free char *fine = repeated(begin, 200, " s", ": {}\n", "");
    check(fine, NULL);
}

static char *chain(size_t count)
{
    struct text t = {0};
    text_puts(&t, "name: chain\nsteps:\n");
    for (size_t i = 0; i < count; i++) {
        text_printf(&t, "  s%zu: {command: [/bin/true], outputs: {o: {type: number}}", i);
        if (i)
            text_printf(&t, ", when: steps.s%zu.outputs.o > 1.0", i - 1);
        text_puts(&t, "}\n");
    }
    return text_take(&t);
}

/* Generous: the machine may be busy and the build is instrumented. Quadratic work would take
 * minutes. */
static void ten_thousand_steps_take_no_time(void **state)
{
    (void)state;
    struct err err = {0};
    struct yaml_docs docs = {0};
    cleanup_free char *yaml = chain(10000);
    assert_int_equal(yaml_read("p.yaml", yaml, strlen(yaml), &docs, &err), 0);
    const int64_t begin = clock_monotonic_us();
    cleanup_json json_t *json = ir_compile(&docs.items[0], "p.yaml", NULL, NULL, &err);
    const int64_t compiled = clock_monotonic_us();
    if (!json)
        fail_msg("%s", err.text);
    struct ir *ir = ir_load(json, &err);
    const int64_t loaded = clock_monotonic_us();
    if (!ir)
        fail_msg("%s", err.text);
    print_message("10,000 steps: compiled in %lld ms, loaded in %lld ms, %zu bytes\n",
                  (long long)((compiled - begin) / 1000), (long long)((loaded - compiled) / 1000),
                  ir_bytes(ir));
    assert_true(compiled - begin < 10 * US_PER_S);
    assert_true(loaded - compiled < 10 * US_PER_S);
    ir_free(ir);
    yaml_docs_free(&docs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_at_the_limit_are_taken_and_over_it_refused),
        cmocka_unit_test(names_at_the_limit_are_taken_and_over_it_refused),
        cmocka_unit_test(steps_at_the_limit_are_taken_and_over_it_refused),
        cmocka_unit_test(defaults_and_aliases_do_not_multiply_without_end),
        cmocka_unit_test(ten_thousand_steps_take_no_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
