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

static struct ir *load_yaml(const char *yaml)
{
    struct err err = {0};
    cleanup_json json_t *json = parts_compile(NULL, "p.yaml", yaml, NULL, &err);
    if (!json)
        fail_msg("%s", err.text);
    struct ir *ir = ir_load(json, &err);
    if (!ir)
        fail_msg("%s", err.text);
    return ir;
}

static const char *const DIAMOND =
    "name: d\n"
    "experiment: E\n"
    "concurrency: {limit: 2}\n"
    "params: {n: 5, s: {choices: [x, y]}}\n"
    "on:\n"
    "  cron: {schedule: \"0 3 * * *\", missed: none, params: {s: x}}\n"
    "  event: {type: a.*, filter: event.data.x > 1, vars: {_B: b, _A: a}, params: {s: y}}\n"
    "steps:\n"
    "  end:\n"
    "    command: [x, \"1\"]\n"
    "    args: [\"${{ inputs.l.path }}\"]\n"
    "    inputs: {l: left.o, r: {value: v}, o: {objects: {bucket: b}}}\n"
    "    needs: [right, left, right]\n"
    "    retry: {attempts: 3, on: [lost]}\n"
    "    secrets: [k]\n"
    "    resources: {cpu: 0.5}\n"
    "  left: {executor: noop, needs: top, outputs: {o: {}, n: {type: number, optional: true}}}\n"
    "  right: {executor: noop, when: steps.top.outputs.go, env: {B: \"2\", A: \"1\"}}\n"
    "  top: {executor: noop, outputs: {go: {type: boolean}}}\n";

static void a_version_is_loaded_as_it_was_written(void **state)
{
    (void)state;
    struct ir *ir = load_yaml(DIAMOND);
    assert_string_equal(ir->name, "d");
    assert_string_equal(ir->experiment, "E");
    assert_int_equal(ir->concurrency, IR_CONCURRENCY_QUEUE);
    assert_int_equal(ir->concurrency_limit, 2);
    assert_int_equal(ir->param_count, 2);
    assert_null(ir->params[1].fallback);
    assert_int_equal(json_array_size(ir->params[1].choices), 2);
    assert_int_equal(ir->step_count, 5);
    const struct ir_step *end = &ir->steps[ir_step_index(ir, "end")];
    assert_int_equal(end->need_count, 3);
    assert_int_equal(end->needs[0], ir_step_index(ir, "left"));
    assert_int_equal(end->needs[1], ir_step_index(ir, "right"));
    assert_int_equal(end->needs[2], ir_step_index(ir, "objects:end.o"));
    assert_int_equal(end->argv_count, 3);
    assert_int_equal(end->command_count, 2);
    assert_true(template_is_literal(end->argv[1]));
    assert_false(template_is_literal(end->argv[2]));
    assert_string_equal(end->inputs[0].name, "l"); /* by name */
    assert_int_equal(end->inputs[0].step, ir_step_index(ir, "left"));
    assert_string_equal(end->inputs[1].name, "o");
    assert_string_equal(end->inputs[1].output, "manifest");
    assert_int_equal(end->inputs[2].kind, IR_INPUT_VALUE);
    assert_int_equal(end->retry.max_attempts, 3);
    assert_false(end->retry.on_failed);
    assert_true(end->retry.on_lost);
    assert_int_equal(end->retry.max_lost, 5);
    assert_int_equal(end->slots, 1);
    assert_true(end->cpu > 0.49 && end->cpu < 0.51);
    assert_string_equal(end->secrets[0], "k");
    assert_null(end->extra);
    assert_null(end->pool);
    ir_free(ir);
}

static void dependents_mirror_needs(void **state)
{
    (void)state;
    struct ir *ir = load_yaml(DIAMOND);
    const struct ir_step *top = &ir->steps[ir_step_index(ir, "top")];
    assert_int_equal(top->dependent_count, 2);
    assert_int_equal(top->dependents[0], ir_step_index(ir, "left"));
    assert_int_equal(top->dependents[1], ir_step_index(ir, "right"));
    size_t needs = 0, dependents = 0;
    for (size_t i = 0; i < ir->step_count; i++) {
        needs += ir->steps[i].need_count;
        dependents += ir->steps[i].dependent_count;
    }
    assert_int_equal(needs, dependents);
    assert_int_equal(ir_step_index(ir, "nobody"), -1);
    const struct ir_step *pin = &ir->steps[ir_step_index(ir, "objects:end.o")];
    assert_int_equal(pin->kind, IR_STEP_OBJECTS);
    assert_non_null(pin->bucket);
    assert_null(pin->key);
    ir_free(ir);
}

static void triggers_are_loaded(void **state)
{
    (void)state;
    struct ir *ir = load_yaml(DIAMOND);
    assert_int_equal(ir->trigger_count, 2);
    assert_int_equal(ir->triggers[0].kind, IR_ON_CRON);
    assert_int_equal(ir->triggers[0].missed, IR_MISSED_NONE);
    assert_string_equal(ir->triggers[0].timezone, "UTC");
    assert_int_equal(ir->triggers[1].kind, IR_ON_EVENT);
    assert_non_null(ir->triggers[1].filter);
    assert_int_equal(ir->triggers[1].var_count, 2);
    assert_string_equal(ir->triggers[1].vars[0].name, "_A");
    assert_null(ir->triggers[1].run_name);
    ir_free(ir);
}

/* Equal texts are compiled once; the JSON may go while the structs stay. */
static void memory_is_shared_and_counted(void **state)
{
    (void)state;
    struct ir *ir = load_yaml("name: p\nsteps:\n  a: {command: [x, x]}\n  b: {command: [x]}\n"
                              "params: {j: {type: json, default: {k: 1}}}\n");
    assert_ptr_equal(ir->steps[0].argv[0], ir->steps[0].argv[1]);
    assert_ptr_equal(ir->steps[0].argv[0], ir->steps[1].argv[0]);
    assert_true(ir_bytes(ir) > sizeof *ir);
    ir_drop_json(ir);
    assert_null(ir->json);
    assert_string_equal(ir->steps[1].name, "b");
    assert_int_equal(json_get_int(ir->params[0].fallback, "k", 0), 1);
    ir_free(ir);
    ir_free(NULL);
}

static void the_hash_is_of_the_canonical_text(void **state)
{
    (void)state;
    struct ir *ir = load_yaml(DIAMOND);
    char hash[SHA256_HEX], of_text[SHA256_HEX];
    cleanup_free char *text = json_write(ir->json);
    sha256_hex(text, strlen(text), of_text);
    ir_hash(ir->json, hash);
    assert_string_equal(hash, of_text);
    /* and survives being written and read */
    cleanup_json json_t *again = json_of(text);
    ir_hash(again, hash);
    assert_string_equal(hash, of_text);
    ir_free(ir);
}

static const char *const MINIMAL =
    "{\"ir\":1,\"name\":\"p\",\"steps\":[{\"name\":\"a\",\"kind\":\"run\"},"
    "{\"name\":\"b\",\"kind\":\"run\",\"needs\":[\"a\"],\"later\":{\"x\":1}}]}";

static void what_is_absent_gets_its_default_and_what_is_unknown_is_kept(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_json json_t *json = json_of(MINIMAL);
    struct ir *ir = ir_load(json, &err);
    if (!ir)
        fail_msg("%s", err.text);
    assert_int_equal(ir->concurrency, IR_CONCURRENCY_NONE);
    assert_int_equal(ir->steps[0].retry.max_attempts, 1);
    assert_true(ir->steps[0].retry.on_lost);
    assert_int_equal(ir->steps[0].log_limit, 64 << 20);
    assert_null(ir->steps[0].extra);
    assert_int_equal(json_get_int(json_get_object(ir->steps[1].extra, "later"), "x", 0), 1);
    ir_free(ir);
}

/* What is put at a place of MINIMAL ("-" takes it away), and what is said then. */
static const struct broken_ir BROKEN[] = {
    {"", "ir", "3", "format is 3"},
    {"", "ir", "-", "format is 0"},
    {"", "name", "\"No\"", "is not a name"},
    {"", "name", "7", "must be text"},
    {"", "name", "-", "is missing"},
    {"", "steps", "[]", "there is none"},
    {"", "steps", "{}", "must be a list"},
    {"", "concurrency", "{\"policy\":\"cancel\"}", "nothing that this build knows"},
    {"", "params", "[{\"name\":\"n\"}]", "nothing that this build knows"},
    {"", "params", "[{\"name\":\"n\",\"type\":\"artifact\"}]", "of no type"},
    {"", "params", "[{\"name\":\"n\",\"type\":\"integer\",\"default\":\"x\"}]", "not of its type"},
    {"", "triggers", "[{\"name\":\"t\",\"kind\":\"webhook\"}]", "nothing that this build knows"},
    {"", "triggers", "[{\"name\":\"t\",\"kind\":\"object\"}]", "bucket: is missing"},
    {"", "triggers", "[{\"name\":\"t\",\"kind\":\"push\",\"filter\":\"1 +\"}]", "expression"},
    {"", "triggers", "[7]", "is missing"},
    {"/steps/0", "name", "\"b\"", "two steps are called b"},
    {"/steps/0", "name", "-", "is missing"},
    {"/steps/0", "kind", "\"loop\"", "IR: a: kind"},
    {"/steps/0", "kind", "\"objects\"", "bucket: is missing"},
    {"/steps/0", "rule", "\"any\"", "nothing that this build knows"},
    {"/steps/0", "needs", "[\"c\"]", "there is no step c"},
    {"/steps/0", "needs", "[7]", "there is no step"},
    {"/steps/0", "needs", "[\"b\"]", "circle, a among them"},
    {"/steps/0", "when", "\"1 +\"", "when: expression"},
    {"/steps/0", "when", "true", "must be text"},
    {"/steps/0", "image", "\"${{\"", "text 1:1"},
    {"/steps/0", "command", "[7]", "lists of text"},
    {"/steps/0", "env", "[]", "must be a mapping"},
    {"/steps/0", "env", "{\"A\":7}", "must be text"},
    {"/steps/0", "inputs", "{\"i\":{}}", "comes from nowhere"},
    {"/steps/1", "inputs", "{\"i\":{\"from\":{\"step\":\"a\",\"output\":\"o\"}}}", "no output o"},
    {"/steps/1", "inputs", "{\"i\":{\"from\":{\"step\":\"b\",\"output\":\"o\"}}}", "not needed"},
    {"/steps/0", "outputs", "{\"o\":{\"type\":\"float\"}}", "nothing that this build knows"},
    {"/steps/0", "retry", "{\"attempts\":0}", "from 1 to 100"},
    {"/steps/0", "retry", "{\"attempts\":101}", "from 1 to 100"},
    {"/steps/0", "retry", "{\"attempts\":1.5}", "must be an integer"},
    {"/steps/0", "retry", "{\"on\":[\"error\"]}", "nothing that this build knows"},
    {"/steps/0", "retry", "{\"factor\":0.5}", "from 1 to 100"},
    {"/steps/0", "resources", "{\"slots\":-1}", "from 0 to 1000"},
    {"/steps/0", "secrets", "[7]", "must be a list of text"},
    {"/steps/0", "timeout_us", "-1", "must be an integer"},
};

static void what_is_no_ir_of_this_build_is_refused(void **state)
{
    (void)state;
    check_broken_ir(MINIMAL, BROKEN, ARRAY_LEN(BROKEN));
    struct err err = {0};
    cleanup_json json_t *list = json_array();
    assert_null(ir_load(list, &err));
}

/* `count` noop steps, each needing up to three before it. */
static json_t *many_steps(size_t count)
{
    json_t *steps = json_array();
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *name = mem_printf("step-%zu", i);
        json_t *needs = json_array();
        for (size_t n = 1; n <= 3 && n <= i; n++) {
            cleanup_free char *need = mem_printf("step-%zu", i - n);
            json_array_append_new(needs, json_string(need));
        }
        json_array_append_new(steps,
                              json_pack("{s:s, s:s, s:s, s:o, s:[s]}", "name", name, "kind", "run",
                                        "executor", "noop", "needs", needs, "command", "true"));
    }
    return json_pack("{s:i, s:s, s:o}", "ir", 1, "name", "wide", "steps", steps);
}

static void the_limit_of_steps_holds(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_json json_t *json = many_steps(IR_STEPS_MAX);
    struct ir *ir = ir_load(json, &err);
    if (!ir)
        fail_msg("%s", err.text);
    assert_int_equal(ir_step_index(ir, "step-99999"), 99999);
    ir_free(ir);
    json_array_append_new(json_object_get(json, "steps"),
                          json_pack("{s:s, s:s}", "name", "over", "kind", "run"));
    assert_null(ir_load(json, &err));
    assert_non_null(strstr(err.text, "at most 100000"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_loaded_as_it_was_written),
        cmocka_unit_test(dependents_mirror_needs),
        cmocka_unit_test(triggers_are_loaded),
        cmocka_unit_test(memory_is_shared_and_counted),
        cmocka_unit_test(the_hash_is_of_the_canonical_text),
        cmocka_unit_test(what_is_absent_gets_its_default_and_what_is_unknown_is_kept),
        cmocka_unit_test(what_is_no_ir_of_this_build_is_refused),
        cmocka_unit_test(the_limit_of_steps_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
