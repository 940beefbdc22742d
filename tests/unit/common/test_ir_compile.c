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

static json_t *compile_good(const char *yaml)
{
    struct err err = {0};
    json_t *out = parts_compile(NULL, "p.yaml", yaml, NULL, &err);
    if (!out)
        fail_msg("%s\ngave %s", yaml, err.text);
    return out;
}

/* One file, and what stands at a place of its IR ("-": nothing). */
struct good {
    const char *yaml, *pointer, *json;
};

#define A          "name: p\nsteps:\n  a: {command: [x]}\n"
#define STEP(keys) "name: p\nsteps: {a: {command: [x], " keys "}}"
#define TWO(a, b)  "name: p\nsteps:\n  a: {command: [x], " a "}\n  b: {command: [y], " b "}\n"
#define ON(entry)  "name: p\nsteps: {a: {command: [x]}}\nparams: {n: 1, s: t}\non: {" entry "}"

static const struct good TOP[] = {
    {A, "/ir", "1"},
    {A, "/name", "\"p\""},
    {A, "/description", "-"},
    {A, "/experiment", "-"},
    {A, "/timeout_us", "0"},
    {A, "/concurrency", "{\"policy\":\"none\"}"},
    {A, "/params", "[]"},
    {A, "/triggers", "[]"},
    {"kind: pipeline\n" A, "/name", "\"p\""},
    {A "concurrency: {}", "/concurrency", "{\"limit\":1,\"policy\":\"queue\"}"},
    {A "concurrency: {policy: queue, limit: 3}", "/concurrency/limit", "3"},
    {A "timeout: 1.5h", "/timeout_us", "5400000000"},
    {A "experiment: E 1", "/experiment", "\"E 1\""},
    {A "params: {tag: latest}", "/params/0",
     "{\"default\":\"latest\",\"name\":\"tag\",\"type\":\"string\"}"},
    {A "params: {n: 5}", "/params/0/type", "\"integer\""},
    {A "params: {n: 5.0}", "/params/0/type", "\"number\""},
    {A "params: {n: true}", "/params/0/type", "\"boolean\""},
    {A "params: {n: {}}", "/params/0", "{\"name\":\"n\",\"type\":\"string\"}"},
    {A "params: {n: {type: json, default: {a: [1]}}}", "/params/0/default", "{\"a\":[1]}"},
    {A "params: {n: {type: json, default: null}}", "/params/0/default", "null"},
    {A "params: {n: {type: number, default: 1, choices: [1.0, 2]}}", "/params/0/choices",
     "[1.0,2]"},
};

static const struct good STEPS[] = {
    {A, "/steps/0",
     "{\"args\":[],\"command\":[\"x\"],\"env\":{},\"grace_us\":0,\"inputs\":{},\"kind\":\"run\","
     "\"log_limit\":67108864,\"lost_after_us\":0,\"name\":\"a\",\"needs\":[],\"outputs\":{},"
     "\"resources\":{\"cpu\":0.0,\"gpu\":0,\"memory\":0,\"slots\":1},"
     "\"retry\":{\"attempts\":1,\"cap_us\":300000000,\"factor\":2.0,\"first_us\":1000000,"
     "\"lost\":5,\"on\":[\"failed\",\"timed_out\",\"lost\"]},"
     "\"rule\":\"all_succeeded\",\"secrets\":[],\"timeout_us\":0}"},
    {"name: p\nsteps: {a: {executor: noop}}", "/steps/0/executor", "\"noop\""},
    {"name: p\nsteps: {a: {image: i}}", "/steps/0/image", "\"i\""},
    {STEP("description: d"), "/steps/0/description", "\"d\""},
    {STEP("args: [\"${{ run.name }}\", \"\"]"), "/steps/0/args", "[\"${{ run.name }}\",\"\"]"},
    {STEP("args: [\"$${{ no.such }}\"]"), "/steps/0/args/0", "\"$${{ no.such }}\""},
    {STEP("env: {B: b, A: \"\"}"), "/steps/0/env", "{\"A\":\"\",\"B\":\"b\"}"},
    {STEP("pool: big"), "/steps/0/pool", "\"big\""},
    {STEP("pool: default"), "/steps/0/pool", "-"},
    {STEP("timeout: 90s, grace: 100ms, lost_after: 10s"), "/steps/0/grace_us", "100000"},
    {STEP("timeout: 366d"), "/steps/0/timeout_us", "31622400000000"},
    {STEP("log_limit: 1KiB"), "/steps/0/log_limit", "1024"},
    {STEP("resources: {slots: 0, cpu: 1.5, memory: 2GiB, gpu: 1}"), "/steps/0/resources",
     "{\"cpu\":1.5,\"gpu\":1,\"memory\":2147483648,\"slots\":0}"},
    {STEP("retry: {attempts: 100, on: [lost, failed], lost: 0}"), "/steps/0/retry/on",
     "[\"failed\",\"lost\"]"},
    {STEP("retry: {on: []}"), "/steps/0/retry/on", "[]"},
    {STEP("retry: {backoff: {first: 1h}}"), "/steps/0/retry/cap_us", "3600000000"},
    {STEP("secrets: [b, a]"), "/steps/0/secrets", "[\"b\",\"a\"]"},
    {STEP("outputs: {m: {}, n: {type: number, optional: true}}"), "/steps/0/outputs",
     "{\"m\":{\"optional\":false,\"type\":\"artifact\"},"
     "\"n\":{\"optional\":true,\"type\":\"number\"}}"},
    {STEP("inputs: {v: {value: \"${{ run.id }}\"}}"), "/steps/0/inputs/v",
     "{\"value\":\"${{ run.id }}\"}"},
    /* what is referred to is needed */
    {TWO("outputs: {o: {}}", "inputs: {i: a.o}"), "/steps/1/inputs/i",
     "{\"from\":{\"output\":\"o\",\"step\":\"a\"}}"},
    {TWO("outputs: {o: {}}", "inputs: {i: {from: a.o}}"), "/steps/1/needs", "[\"a\"]"},
    {TWO("outputs: {o: {type: number}}", "when: steps.a.outputs.o > 1.0"), "/steps/1/needs",
     "[\"a\"]"},
    {TWO("outputs: {o: {type: json}}", "args: [\"${{ steps.a.outputs.o.x.y }}\"]"),
     "/steps/1/needs", "[\"a\"]"},
    {TWO("outputs: {o: {type: string}}", "args: ['${{ steps[\"a\"].outputs[\"o\"] }}']"),
     "/steps/1/needs", "[\"a\"]"},
    {TWO("outputs: {o: {type: string}}", "image: \"i:${{ steps.a.outputs.o }}\", needs: [a, a]"),
     "/steps/1/needs", "[\"a\"]"},
    {TWO("", "needs: a"), "/steps/1/needs", "[\"a\"]"},
    {TWO("needs: [b]", ""), "/steps/0/needs", "[\"b\"]"},
    /* defaults */
    {"name: p\ndefaults: {image: d, env: {A: \"1\", B: \"1\"}, timeout: 5s, pool: big}\n"
     "steps: {a: {env: {B: \"2\"}}}",
     "/steps/0/env", "{\"A\":\"1\",\"B\":\"2\"}"},
    {"name: p\ndefaults: {timeout: 5s}\nsteps: {a: {command: [x], timeout: \"0\"}}",
     "/steps/0/timeout_us", "0"},
    {"name: p\ndefaults: {executor: noop, log_limit: 1MiB}\nsteps: {a: {}}", "/steps/0/log_limit",
     "1048576"},
    {"name: p\ndefaults: {retry: {attempts: 4}}\nsteps: {a: {command: [x], retry: {lost: 1}}}",
     "/steps/0/retry/attempts", "1"},
};

static const struct good PINS[] = {
    {STEP("inputs: {i: {objects: {bucket: b, suffix: .csv}}}"), "/steps/0/inputs/i",
     "{\"from\":{\"output\":\"manifest\",\"step\":\"objects:a.i\"}}"},
    {STEP("inputs: {i: {objects: {bucket: b, suffix: .csv}}}"), "/steps/0/needs",
     "[\"objects:a.i\"]"},
    {STEP("inputs: {i: {objects: {bucket: b, suffix: .csv}}}"), "/steps/1",
     "{\"bucket\":\"b\",\"grace_us\":0,\"kind\":\"objects\",\"log_limit\":67108864,"
     "\"lost_after_us\":0,\"name\":\"objects:a.i\",\"needs\":[],"
     "\"outputs\":{\"manifest\":{\"optional\":false,\"type\":\"artifact\"}},"
     "\"resources\":{\"cpu\":0.0,\"gpu\":0,\"memory\":0,\"slots\":1},"
     "\"retry\":{\"attempts\":3,\"cap_us\":30000000,\"factor\":2.0,\"first_us\":1000000,"
     "\"lost\":5,\"on\":[\"failed\",\"timed_out\",\"lost\"]},"
     "\"rule\":\"all_succeeded\",\"suffix\":\".csv\",\"timeout_us\":0}"},
    /* the same set is pinned once, another or another pool's apart */
    {TWO("inputs: {i: {objects: {bucket: b}}}", "inputs: {j: {objects: {bucket: b}}}"),
     "/steps/1/inputs/j/from/step", "\"objects:a.i\""},
    {TWO("inputs: {i: {objects: {bucket: b}}}", "inputs: {j: {objects: {bucket: b}}}"), "/steps/3",
     "-"},
    {TWO("inputs: {i: {objects: {bucket: b, prefix: \"\"}}}",
         "inputs: {j: {objects: {bucket: b}}}"),
     "/steps/3", "-"},
    {TWO("inputs: {i: {objects: {bucket: b}}}", "inputs: {j: {objects: {bucket: c}}}"),
     "/steps/3/name", "\"objects:b.j\""},
    {TWO("inputs: {i: {objects: {bucket: b}}}", "pool: q, inputs: {j: {objects: {bucket: b}}}"),
     "/steps/3/pool", "\"q\""},
    {STEP("inputs: {i: {object: {bucket: b, key: \"${{ params.k }}\"}}}}}\nparams: {k: x, z: {"),
     "/steps/1/key", "\"${{ params.k }}\""},
    {STEP("inputs: {i: {object: \"${{ event.data.object }}\"}}"), "/steps/1/bucket",
     "\"${{ default((event.data.object).bucket, event.data.bucket) }}\""},
    {STEP("inputs: {i: {object: \"${{event.data.object}}\"}}"), "/steps/1/key",
     "\"${{ (event.data.object).key }}\""},
    {STEP("inputs: {i: {object: \"${{ event.data.object }}\"}}"), "/steps/1/version",
     "\"${{ default((event.data.object).version, \\\"\\\") }}\""},
};

static const struct good TRIGGERS[] = {
    {ON("object: {bucket: b}"), "/triggers/0",
     "{\"bucket\":\"b\",\"kind\":\"object\",\"name\":\"object\",\"params\":{},"
     "\"types\":[\"created\"],\"vars\":{}}"},
    {ON("object: {bucket: b, types: [deleted, created]}"), "/triggers/0/types",
     "[\"created\",\"deleted\"]"},
    {ON("object: [{bucket: b}, {bucket: c}, {bucket: d, name: x}]"), "/triggers/1/name",
     "\"object-2\""},
    {ON("push: {branch: main, repository: o/r, tag: v*}"), "/triggers/0",
     "{\"branch\":\"main\",\"kind\":\"push\",\"name\":\"push\",\"params\":{},"
     "\"repository\":\"o/r\",\"tag\":\"v*\",\"vars\":{}}"},
    {ON("cron: {schedule: \"0 3 * * *\"}"), "/triggers/0",
     "{\"kind\":\"cron\",\"missed\":\"latest\",\"name\":\"cron\",\"params\":{},"
     "\"schedule\":\"0 3 * * *\",\"timezone\":\"UTC\",\"vars\":{}}"},
    {ON("cron: {schedule: \"@daily\", timezone: Europe/Rome, missed: all}"), "/triggers/0/timezone",
     "\"Europe/Rome\""},
    {ON("event: {type: a.b.*, source: s, filter: event.data.psi > 0.2}"), "/triggers/0/filter",
     "\"event.data.psi > 0.2\""},
    {ON("event: {type: t, params: {n: \"${{ event.data.n }}\", s: x}}"), "/triggers/0/params",
     "{\"n\":\"${{ event.data.n }}\",\"s\":\"x\"}"},
    {ON("event: {type: t, params: {n: 7}}"), "/triggers/0/params/n", "\"7\""},
    {ON("event: {type: t, params: {n: \"7\"}}"), "/triggers/0/params/n", "\"7\""},
    {ON("event: {type: t, vars: {_A: \"${{ vars.SHORT_SHA }}\"}, run_name: \"${{ vars._A }} "
        "${{ params.s }}\"}"),
     "/triggers/0/vars/_A", "\"${{ vars.SHORT_SHA }}\""},
    {A "params: {j: {type: json, default: 1}}\n"
       "on: {event: {type: t, params: {j: {a: \"${{ x\"}}}}",
     "/triggers/0/params/j", "\"{\\\"a\\\":\\\"$${{ x\\\"}\""},
    {STEP("args: [\"${{ vars._A }}\"]}}\non: {push: {vars: {_A: x}}, cron: {schedule: \"@daily\""),
     "/steps/0/args/0", "\"${{ vars._A }}\""},
};

static void check_good(const struct good *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        cleanup_json json_t *ir = compile_good(rows[i].yaml);
        json_t *at = json_pointer(ir, rows[i].pointer);
        cleanup_free char *json = at ? json_write(at) : mem_string("-");
        if (strcmp(json, rows[i].json) != 0)
            fail_msg("%s\n%s: %s\nnot %s", rows[i].yaml, rows[i].pointer, json, rows[i].json);
    }
}

static void tops(void **state)
{
    (void)state;
    check_good(TOP, ARRAY_LEN(TOP));
}

static void steps(void **state)
{
    (void)state;
    check_good(STEPS, ARRAY_LEN(STEPS));
}

static void pins(void **state)
{
    (void)state;
    check_good(PINS, ARRAY_LEN(PINS));
}

static void triggers(void **state)
{
    (void)state;
    check_good(TRIGGERS, ARRAY_LEN(TRIGGERS));
}

static void formatting_and_comments_make_no_new_version(void **state)
{
    (void)state;
    static const char *const SAME[] = {
        TWO("outputs: {o: {}, n: {type: number}}, env: {A: \"1\", B: \"2\"}", "needs: [a]"),
        "# a comment\nsteps:\n    a:\n        env: {B: '2', A: '1'}\n        command: [\"x\"]\n"
        "        outputs:\n            n: {type: number, optional: false}\n            o: {}\n"
        "    b: {needs: a, command: &c [y], timeout: \"0\"}\nkind: pipeline\nname: 'p'\n",
    };
    char hash[ARRAY_LEN(SAME)][SHA256_HEX];
    for (size_t i = 0; i < ARRAY_LEN(SAME); i++) {
        cleanup_json json_t *ir = compile_good(SAME[i]);
        ir_hash(ir, hash[i]);
    }
    assert_string_equal(hash[0], hash[1]);
    cleanup_json json_t *other = compile_good(TWO("", "needs: [a]"));
    char other_hash[SHA256_HEX];
    ir_hash(other, other_hash);
    assert_string_not_equal(hash[0], other_hash);
}

static void what_compiles_can_be_loaded(void **state)
{
    (void)state;
    const struct {
        const struct good *rows;
        size_t count;
    } all[] = {{TOP, ARRAY_LEN(TOP)},
               {STEPS, ARRAY_LEN(STEPS)},
               {PINS, ARRAY_LEN(PINS)},
               {TRIGGERS, ARRAY_LEN(TRIGGERS)}};
    for (size_t t = 0; t < ARRAY_LEN(all); t++) {
        for (size_t i = 0; i < all[t].count; i++) {
            struct err err = {0};
            cleanup_json json_t *json = compile_good(all[t].rows[i].yaml);
            struct ir *ir = ir_load(json, &err);
            if (!ir)
                fail_msg("%s\ngave %s", all[t].rows[i].yaml, err.text);
            ir_free(ir);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tops),
        cmocka_unit_test(steps),
        cmocka_unit_test(pins),
        cmocka_unit_test(triggers),
        cmocka_unit_test(formatting_and_comments_make_no_new_version),
        cmocka_unit_test(what_compiles_can_be_loaded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
