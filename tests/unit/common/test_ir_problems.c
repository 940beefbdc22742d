/* Files that are refused: where, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/parts.h"

struct bad {
    const char *yaml, *place, *text;
};

static void check_bad(const struct bad *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        cleanup_text struct text all = {0};
        cleanup_json json_t *out = parts_compile(NULL, "p.yaml", rows[i].yaml, &all, &err);
        cleanup_free char *place = mem_printf("p.yaml:%s: ", rows[i].place);
        if (out)
            fail_msg("%s\nis taken", rows[i].yaml);
        if (!text_starts_with(err.text, place) || !strstr(err.text, rows[i].text))
            fail_msg("%s\ngave %s\nnot %s%s", rows[i].yaml, all.data, place, rows[i].text);
        assert_int_equal(err.code, LEAT_EINPUT);
    }
}

/* "name: p" is line 1, the step's keys are on line 3 and begin in column 5. */
#define STEP(line3) "name: p\nsteps: {a: {command: [x],\n    " line3 "\n}}"
#define TWO(a, line4)                                                                              \
    "name: p\nsteps:\n  a: {command: [x], " a "}\n  b: {" line4 ", command: [y]}\n"
#define TOP(line3) "name: p\nsteps: {a: {command: [x], outputs: {o: {}}}}\n" line3 "\n"
#define ON(entry)  TOP("on:\n  " entry) "params: {n: 1, s: {choices: [x, y], default: x}}\n"

static const struct bad SCHEMA[] = {
    {"[]", "1:1", "must be a mapping"},
    {"name: p", "1:1", "'steps' is missing"},
    {"steps: {}", "1:1", "'name' is missing"},
    {"name: p\nsteps: {}", "2:8", "at least one"},
    {"name: P\nsteps: {a: {executor: noop}}", "1:7", "a-z"},
    {"kind: service\nname: p\nsteps: {a: {executor: noop}}", "1:7", "pipeline"},
    {TOP("step: {}"), "3:1", "did you mean 'steps'?"},
    {STEP("commands: [y]"), "3:5", "did you mean 'command'?"},
    {STEP("inputs: {i: 5}"), "3:17", "must be"},
    {"name: p\nsteps:\n  a:\n    command: echo hi\n", "4:14", "no shell reads it"},
    {"name: p\nsteps:\n  a:\n    command: [x]\n    args: -v\n", "5:11", "no shell reads it"},
    {STEP("args: [-n, 5]"), "3:16", "args[1]: must be text; write it in quotes"},
    {STEP("retry: {exit_codes: [3, 256]}"), "3:29", "exit_codes[1]: must be at most 255"},
    {"name: p\nsteps: [{command: [x]}]", "2:8", "steps: must be a mapping"},
    {STEP("switch: [5]"), "3:14", "switch[0]: must be a mapping"},
    {STEP("env: {A: 5}"), "3:14", "write it in quotes"},
    {STEP("env: {1A: x}"), "3:11", "not begin with a digit"},
    {STEP("timeout: 30"), "3:14", "with its unit"},
    {STEP("when: true"), "3:11", "in quotes"},
    {STEP("retry: {attempts: 0}"), "3:23", "at least 1"},
    {STEP("retry: {attempts: 101}"), "3:23", "at most 100"},
    {STEP("retry: {on: [error]}"), "3:18", "must be one of"},
    {STEP("executor: podman"), "3:15", "must be one of"},
    {STEP("outputs: {o: {type: float}}"), "3:25", "must be one of"},
    {STEP("resources: {slots: 1001}"), "3:24", "at most 1000"},
    {TOP("concurrency: {policy: cancel}"), "3:23", "must be one of queue, skip"},
    {TOP("concurrency: {limit: 0}"), "3:22", "at least 1"},
    {TOP("params: {a-b: x}"), "3:10", "A-Z"},
    {TOP("on: {webhook: {}}"), "3:6", "unknown key"},
    {TOP("on: {object: {}}"), "3:14", "'bucket' is missing"},
    {TOP("on: {object: []}"), "3:14", "at least 1"},
    {TOP("on: {push: {vars: {A: x}}}"), "3:20", "begin with _"},
};

static const struct bad VALUES[] = {
    {STEP("timeout: 30 s"), "3:14", "is not a duration"},
    {STEP("timeout: -1s"), "3:14", "is not a duration"},
    {STEP("timeout: 367d"), "3:14", "out of range"},
    {STEP("lost_after: 9s"), "3:17", "out of range"},
    {STEP("grace: 0s"), "3:12", "out of range"},
    {STEP("log_limit: big"), "3:16", "is not a size"},
    {STEP("resources: {memory: 1 GB}"), "3:25", "is not a size"},
    {STEP("retry: {backoff: {first: 5s, cap: 1s}}"), "3:39", "below first"},
    {STEP("retry: {backoff: {first: soon}}"), "3:30", "is not a duration"},
    {STEP("env: {LEAT_RUN_ID: x}"), "3:11", "set by Leat"},
    {STEP("secrets: [a, a]"), "3:18", "named twice"},
    {"name: p\nsteps:\n  a: {}\n", "3:3", "needs a command"},
    {"name: p\nsteps:\n  a: {image: i, executor: process}\n", "3:3", "needs a command"},
    {"name: p\nsteps:\n  a: {command: [\"\"]}\n", "3:16", "empty"},
    {"name: p\nsteps:\n  a.b: {command: [x]}\n", "3:3", "no dot"},
    {STEP("outputs: {o.p: {}}"), "3:15", "no dot"},
    {STEP("inputs: {i.j: {value: x}}"), "3:14", "no dot"},
    {TOP("timeout: 1y"), "3:10", "is not a duration"},
    {TOP("params: {n: {type: integer, default: 1.5}}"), "3:38", "a number with a point"},
    {TOP("params: {n: {type: integer, default: x}}"), "3:38", "must be an integer"},
    {TOP("params: {n: {default: 5}}"), "3:23", "must be text"},
    {TOP("params: {n: {choices: [a, 5]}}"), "3:27", "must be text"},
    {TOP("params: {n: {choices: [a, b], default: c}}"), "3:40", "not one of the choices"},
    {TOP("defaults: {timeout: never}"), "3:21", "is not a duration"},
    {TOP("defaults: {env: {A: \"${{ no }}\"}}"), "3:21", "no: is not known"},
};

static const struct bad REFERENCES[] = {
    {STEP("needs: [bb]"), "3:13", "there is no step bb"},
    {STEP("needs: bb"), "3:12", "there is no step bb"},
    {TWO("outputs: {rmse: {}}", "inputs: {i: a.rms}"), "4:19", "declares no output rms"},
    {TWO("", "inputs: {i: aa.o}"), "4:19", "there is no step aa; did you mean a?"},
    {TWO("", "inputs: {i: {from: bbb}}"), "4:26", "write STEP.OUTPUT"},
    {TWO("", "inputs: {i: {from: .oo}}"), "4:26", "write STEP.OUTPUT"},
    {TWO("", "inputs: {i: \"a..\"}"), "4:19", "declares no output"},
    {STEP("inputs: {i: {}}"), "3:17", "exactly one of"},
    {STEP("inputs: {i: {value: x, from: a.b}}"), "3:17", "exactly one of"},
    {STEP("inputs: {i: {objects: {bucket: \"\"}}}"), "3:36", "is empty"},
    {STEP("inputs: {i: {object: {bucket: b, key: \"\"}}}"), "3:43", "is empty"},
    {STEP("inputs: {i: {object: event.data.object}}"), "3:26", "write one ${{ expression }}"},
    {STEP("inputs: {i: {object: \"x ${{ event.data.object }}\"}}"), "3:26", "write one"},
    {STEP("inputs: {i: {objects: {bucket: \"${{ steps.a.outputs.o }}\"}}}"), "3:36",
     "steps: cannot be used in bucket"},
    {STEP("args: [\"${{ params.tagg }}\"]}}\nparams: {tag: x, zz: {"), "3:12",
     "params.tagg: there is no parameter of that name; did you mean tag?"},
    {STEP("args: [\"${{ parms.tag }}\"]"), "3:12", "parms: is not known in args; there is params"},
    {STEP("args: [\"${{ parms.tag }}\"]"), "3:12", "did you mean params?"},
    {STEP("args: [\"${{ run.user }}\"]"), "3:12", "a run has id, name"},
    {STEP("args: [\"${{ vars.COMIT_SHA }}\"]"), "3:12", "did you mean COMMIT_SHA?"},
    {STEP("args: [\"${{ vars._X }}\"]"), "3:12", "no trigger sets it"},
    {STEP("args: [\"${{ inputs.x.path }}\"]"), "3:12", "declares no input of that name"},
    {STEP("inputs: {x: {value: v}}, args: [\"${{ inputs.x }}\"]"), "3:37", "write inputs.x.path"},
    {STEP("args: [\"${{ outputs.x.path }}\"]"), "3:12", "declares no output of that name"},
    {STEP("image: \"${{ inputs.x.path }}\""), "3:12", "inputs: cannot be used in image"},
    {STEP("when: steps.b.outputs.x"), "3:11", "steps.b: there is no step b"},
    {STEP("when: steps.size() > 0"), "3:11", "name the step"},
    {TWO("outputs: {o: {type: number}}", "when: steps.a.outputs.p > 1"), "4:13",
     "declares no output of that name"},
    {TWO("outputs: {o: {type: number}}", "when: steps.a.o > 1"), "4:13", "steps.a.outputs.NAME"},
    {TWO("outputs: {o: {}}", "when: steps.a.outputs.o == 'x'"), "4:13", "is an artifact"},
    {TWO("outputs: {o: {type: string}}", "when: steps.a.outputs.o.x"), "4:13", "has no field x"},
    {"name: p\nsteps:\n  a-b: {command: [x], outputs: {o: {type: number}}}\n"
     "  c: {command: [y], when: steps.a-b.outputs.o > 1}\n",
     "4:27", "a name with a dash is written steps[\"a-…\"]"},
};

static const struct bad EXPRESSIONS[] = {
    {STEP("when: 1 +"), "3:11", "when: expression 1:"},
    {STEP("when: \"${{ params.x }}\""), "3:11", "without ${{ }}"},
    {STEP("when: nosuch(1)"), "3:11", "nosuch"},
    {STEP("args: [\"${{ 1 + }}\"]"), "3:12", "args: text 1:"},
    {STEP("args: [\"a ${{ b\"]"), "3:12", "args: text 1:3"},
};

static const struct bad CYCLES[] = {
    {STEP("needs: [a]"), "3:13", "cannot wait for itself"},
    {TWO("needs: [b]", "needs: [a]"), "3:3", "a → b → a"},
    {TWO("outputs: {o: {type: number}}, when: steps.b.outputs.o > 1",
         "outputs: {o: {type: number}}, args: [\"${{ steps.a.outputs.o }}\"]"),
     "3:3", "a → b → a"},
    {"name: p\nsteps:\n  z: {executor: noop, needs: b}\n  a: {executor: noop, needs: c}\n"
     "  b: {executor: noop, needs: a}\n  c: {executor: noop, needs: b}\n",
     "4:3", "a → c → b → a"},
};

static const struct bad TRIGGERS[] = {
    {ON("cron: {schedule: \"0 25 * * *\"}"), "4:20", "schedule: column 3"},
    {ON("cron: {schedule: \"@daily\", timezone: Europe/Roma}"), "4:40", "timezone:"},
    {ON("cron: {schedule: \"@daily\", timezone: ../etc}"), "4:40", "timezone:"},
    {ON("event: [{type: t, name: x}, {type: u, name: x}]"), "4:47", "two triggers are called x"},
    {ON("event: [{type: t, name: event-2}, {type: u}]"), "4:37", "two triggers are called event-2"},
    {ON("event: {type: t, filter: \"1 +\"}"), "4:28", "filter: expression 1:"},
    {ON("event: {type: t, filter: params.n > 1}"), "4:28", "params: cannot be used in filter"},
    {ON("event: {type: t, filter: vars._A == 'x', vars: {_A: x}}"), "4:28", "git variables only"},
    {ON("event: {type: t, filter: vars.BUILD_ID != ''}"), "4:28", "before there is a run"},
    {ON("event: {type: t, run_name: \"${{ run.name }}\"}"), "4:30",
     "run: cannot be used in run_name"},
    {ON("event: {type: t, run_name: \"${{ steps.a.outputs.o }}\"}"), "4:30", "cannot be used"},
    {ON("event: {type: t, params: {m: 1}}"), "4:29", "there is no parameter m"},
    {ON("event: {type: t, params: {n: x}}"), "4:32", "must be an integer"},
    {ON("event: {type: t, params: {n: true}}"), "4:32", "must be an integer"},
    {ON("event: {type: t, params: {n: null}}"), "4:32", "not null"},
    {ON("event: {type: t, params: {s: 5}}"), "4:32", "must be text"},
    {ON("event: {type: t, params: {s: z}}"), "4:32", "choices"},
    {ON("event: {type: t, params: {s: \"${{ params.n }}\"}}"), "4:32", "cannot be used in params"},
    {TOP("on: {event: {type: t}}\nparams: {must: {}}"), "3:13",
     "gives no value for parameter must"},
};

static void schema_problems(void **state)
{
    (void)state;
    check_bad(SCHEMA, ARRAY_LEN(SCHEMA));
}

static void value_problems(void **state)
{
    (void)state;
    check_bad(VALUES, ARRAY_LEN(VALUES));
}

static void reference_problems(void **state)
{
    (void)state;
    check_bad(REFERENCES, ARRAY_LEN(REFERENCES));
}

static void expression_problems(void **state)
{
    (void)state;
    check_bad(EXPRESSIONS, ARRAY_LEN(EXPRESSIONS));
}

static void cycles(void **state)
{
    (void)state;
    check_bad(CYCLES, ARRAY_LEN(CYCLES));
}

static void trigger_problems(void **state)
{
    (void)state;
    check_bad(TRIGGERS, ARRAY_LEN(TRIGGERS));
}

static size_t count_lines(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

static void problems_are_told_together_in_order_of_the_file(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_text struct text all = {0};
    cleanup_json json_t *out = parts_compile(
        NULL, "p.yaml",
        "name: p\non: {cron: {schedule: never}}\nsteps:\n  a: {command: [x], needs: b}\n"
        "  c: {timeout: long, command: [\"${{ q }}\"]}\n",
        &all, &err);
    assert_null(out);
    assert_int_equal(count_lines(all.data), 4);
    const char *const places[] = {"p.yaml:2:23:", "p.yaml:4:28:", "p.yaml:5:16:", "p.yaml:5:32:"};
    const char *at = all.data;
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (!text_starts_with(at, places[i]))
            fail_msg("%s: not at %s", all.data, places[i]);
        at = strchr(at, '\n') + 1;
    }
    assert_true(text_starts_with(all.data, err.text));
}

static void many_problems_are_counted(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_text struct text all = {0}, yaml = {0};
    text_puts(&yaml, "name: p\nsteps:\n");
    for (int i = 0; i < 1000; i++)
        text_printf(&yaml, "  s%d: {command: [x], needs: no%d}\n", i, i);
    cleanup_json json_t *out = parts_compile(NULL, "p.yaml", yaml.data, &all, &err);
    assert_null(out);
    assert_int_equal(count_lines(all.data), IR_PROBLEMS_MAX + 1);
    assert_non_null(strstr(all.data, "p.yaml: and 980 more\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schema_problems),
        cmocka_unit_test(value_problems),
        cmocka_unit_test(reference_problems),
        cmocka_unit_test(expression_problems),
        cmocka_unit_test(cycles),
        cmocka_unit_test(trigger_problems),
        cmocka_unit_test(problems_are_told_together_in_order_of_the_file),
        cmocka_unit_test(many_problems_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
