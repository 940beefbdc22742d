/* Files with groups, waits and the like: what they compile to. */
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

static const struct part PARTS[] = {
    {IR_REFERENCE_PIPELINE, "sub",
     "name: sub\nparams: {n: 3, city: {}, deep: {type: json, default: [1]}}\ntimeout: 5m\n"
     "outputs: {best: fit.rmse, all: each.m}\n"
     "steps:\n"
     "  fit: {command: [fit, \"${{ params.city }}\"], outputs: {rmse: {type: number}}}\n"
     "  each:\n    for_each: \"${{ params.deep }}\"\n    outputs: {m: s.m}\n"
     "    steps: {s: {command: [s, \"${{ item }}\", \"${{ steps.fit.outputs.rmse }}\"], "
     "outputs: {m: {}}}}\n"
     "finally: {clean: {command: [rm]}}\nfinally_timeout: 3m\n"},
    {IR_REFERENCE_PIPELINE, "plain", "name: plain\nsteps: {a: {executor: noop}}\n"},
    {IR_REFERENCE_COMPONENT, "lib/train.yaml",
     "kind: component\nname: train\nparams: {lr: 0.1}\ninputs: {table: {}, more: {optional: "
     "true}}\n"
     "outputs: {model: {}, rmse: {type: number}}\nimage: tools:1\n"
     "command: [train, \"${{ inputs.table.path }}\", \"${{ outputs.model.path }}\"]\n"
     "args: [\"--lr=${{ params.lr }}\"]\n"},
    {IR_REFERENCE_COMPONENT, "lib/both.yaml",
     "kind: component\nname: both\ninputs: {raw: {}}\noutputs: {model: two.model}\n"
     "steps:\n"
     "  one: {command: [x], inputs: {r: inputs.raw}, outputs: {t: {}}}\n"
     "  two: {uses: ./train.yaml, inputs: {table: one.t, more: inputs.raw}}\n"},
};
static struct parts parts = {PARTS, ARRAY_LEN(PARTS), {0}};

struct good {
    const char *yaml, *pointer, *json; /* "-": nothing; ' is written for " */
};

static void check_good(const struct good *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        cleanup_text struct text all = {0};
        cleanup_json json_t *out = parts_compile(&parts, "p.yaml", rows[i].yaml, &all, &err);
        if (!out)
            fail_msg("%s\ngave %s", rows[i].yaml, all.data ? all.data : err.text);
        struct ir *ir = ir_load(out, &err);
        if (!ir)
            fail_msg("%s\nloaded: %s", rows[i].yaml, err.text);
        ir_free(ir);
        const json_t *value = json_pointer(out, rows[i].pointer);
        cleanup_free char *text = value ? json_write(value) : mem_string("-");
        for (char *c = text; *c; c++)
            *c = *c == '"' ? '\'' : *c;
        if (strcmp(text, rows[i].json) != 0)
            fail_msg("%s\n%s is %s\nnot %s", rows[i].yaml, rows[i].pointer, text, rows[i].json);
    }
}

#define P(steps)   "name: p\nparams: {list: {type: json, default: [a]}}\nsteps:\n" steps
#define PREPARE    "  prepare: {command: [p], outputs: {o: {}, n: {type: integer}, j: {type: json}}}\n"
#define EACH(keys) P(PREPARE "  each: {for_each: [a, b], " keys "}\n")

static const struct good FOR_EACH[] = {
    /* a program becomes a group with one step in it */
    {EACH("command: [x, \"${{ item }}\"]"), "/ir", "2"},
    {EACH("command: [x, \"${{ item }}\"], outputs: {m: {}, n: {type: number}}"), "/steps/1",
     "{'branches':[{'outputs':{'m':{'output':'m','step':'each/each'},"
     "'n':{'output':'n','step':'each/each'}}}],'for_each':{'items':['a','b']},'kind':'group',"
     "'name':'each','needs':[],'outputs':{'m':{'list':1,'optional':false,'type':'artifact'},"
     "'n':{'list':1,'optional':false,'type':'number'}},'rule':'all_succeeded'}"},
    {EACH("command: [x]"), "/steps/2/in", "'each'"},
    {EACH("command: [x]"), "/steps/2/name", "'each/each'"},
    {EACH("command: [x], retry: {attempts: 3}, timeout: 5s"), "/steps/2/retry/attempts", "3"},
    {EACH("command: [x], retry: {attempts: 3}, timeout: 5s"), "/steps/2/timeout_us", "5000000"},
    {EACH("command: [x], retry: {attempts: 3}, timeout: 5s"), "/steps/1/retry", "-"},
    {EACH("command: [x], as: city, parallelism: 2, fail_fast: false"), "/steps/1/as", "'city'"},
    {EACH("command: [x], as: city, parallelism: 2, fail_fast: false"), "/steps/1/parallelism", "2"},
    {EACH("command: [x], fail_fast: false"), "/steps/1/fail_fast", "false"},
    {EACH("command: [x], fail_fast: true"), "/steps/1/fail_fast", "-"},
    /* what is asked of the item is asked for each */
    {EACH("command: [x], when: item != 'a'"), "/steps/1/when", "-"},
    {EACH("command: [x], when: item != 'a'"), "/steps/2/when", "'item != 'a''"},
    {EACH("command: [x], when: index > 0"), "/steps/2/when", "'index > 0'"},
    {EACH("command: [x], when: steps.prepare.outputs.n > 1"), "/steps/1/when",
     "'steps.prepare.outputs.n > 1'"},
    /* what an inner step looks at, the group needs */
    {EACH("command: [x, \"${{ steps.prepare.outputs.n }}\"]"), "/steps/1/needs", "['prepare']"},
    {EACH("command: [x, \"${{ steps.prepare.outputs.n }}\"]"), "/steps/2/needs", "[]"},
    {EACH("command: [x, \"${{ steps.prepare.outputs.n }}\"]"), "/steps/2/sees", "['prepare']"},
    {EACH("command: [x], inputs: {i: prepare.o}"), "/steps/2/inputs",
     "{'i':{'from':{'output':'o','step':'prepare'}}}"},
    {EACH("command: [x], inputs: {i: prepare.o}"), "/steps/1/needs", "['prepare']"},
    {EACH("steps: {a: {command: [x], needs: prepare}}"), "/steps/1/needs", "['prepare']"},
    /* items */
    {P(PREPARE "  each: {for_each: {from: prepare.o}, command: [x]}\n"), "/steps/1/for_each",
     "{'from':{'output':'o','step':'prepare'}}"},
    {P(PREPARE "  each: {for_each: {from: prepare.o}, command: [x]}\n"), "/steps/1/needs",
     "['prepare']"},
    {P(PREPARE "  each: {for_each: \"${{ steps.prepare.outputs.j }}\", command: [x]}\n"),
     "/steps/1/for_each", "{'value':'${{ steps.prepare.outputs.j }}'}"},
    {P("  each: {for_each: \"${{ params.list }}\", command: [x]}\n"), "/steps/0/for_each/value",
     "'${{ params.list }}'"},
    {P("  each: {for_each: \"${{ event.data.files }}\", command: [x]}\n"),
     "/steps/0/for_each/value", "'${{ event.data.files }}'"},
    {P("  each: {for_each: \"${{ [run.id] }}\", command: [x]}\n"), "/steps/0/for_each/value",
     "'${{ [run.id] }}'"},
    {P(PREPARE "  e: {for_each: \"${{ [1, 2].map(x, x + steps.prepare.outputs.n) }}\", "
               "command: [x]}\n"),
     "/steps/1/needs", "['prepare']"},
    {P("  each: {for_each: [], command: [x]}\n"), "/steps/0/for_each", "{'items':[]}"},
    {P("  each: {for_each: [{n: 1}, {n: 2, m: 3}], command: [x, \"${{ item.n }}\", "
       "\"${{ default(item.m, 0) }}\"]}\n"),
     "/steps/0/for_each/items/1/m", "3"},
    /* lists of lists */
    {P("  a: {for_each: [1], outputs: {m: b.m}, steps: {b: {for_each: [2], as: x, command: "
       "[\"${{ item }}\", \"${{ x }}\"], outputs: {m: {type: string}}}}}\n"),
     "/steps/0/outputs/m", "{'list':2,'optional':false,'type':'string'}"},
    {P("  a: {for_each: [1], command: [x], outputs: {m: {type: string}}}\n"
       "  b: {command: [x, \"${{ steps.a.outputs.m[0] }}\", \"${{ size(steps.a.outputs.m) "
       "}}\"]}\n"),
     "/steps/2/needs", "['a']"},
    {P("  a: {for_each: [1], command: [x], outputs: {m: {type: string}}}\n"
       "  b: {for_each: \"${{ steps.a.outputs.m }}\", command: [x]}\n"),
     "/steps/2/for_each/value", "'${{ steps.a.outputs.m }}'"},
};

static const struct good GROUPS[] = {
    {P("  g: {steps: {a: {command: [x], outputs: {m: {}}}, b: {command: [y], inputs: {i: a.m}}}, "
       "outputs: {m: a.m}, retry: {attempts: 2}, timeout: 1h, rule: all_done, allow_failure: "
       "true}\n"),
     "/steps/0",
     "{'allow_failure':true,'branches':[{'outputs':{'m':{'output':'m','step':'g/a'}}}],"
     "'kind':'group','name':'g','needs':[],"
     "'outputs':{'m':{'optional':false,'type':'artifact'}},"
     "'retry':{'attempts':2,'cap_us':300000000,'factor':2.0,'first_us':1000000,"
     "'on':['failed','timed_out']},'rule':'all_done','timeout_us':3600000000}"},
    {P("  g: {steps: {a: {command: [x], outputs: {m: {}}}, b: {command: [y], inputs: {i: "
       "a.m}}}}\n"),
     "/steps/2/needs", "['g/a']"},
    /* what may be skipped gives what may be absent */
    {P("  g: {steps: {a: {command: [x], when: size(params.list) > 1, outputs: {m: {}}}}, outputs: "
       "{m: "
       "a.m}}\n"),
     "/steps/0/outputs/m/optional", "true"},
    {P("  g: {steps: {a: {command: [x], when: size(params.list) > 1}, b: {command: [x], needs: a, "
       "outputs: {m: {}}}}, outputs: {m: b.m}}\n"),
     "/steps/0/outputs/m/optional", "true"},
    {P("  g: {for_each: [1], steps: {a: {command: [x], when: item == 1, outputs: {m: {}}}}, "
       "outputs: {m: a.m}}\n"),
     "/steps/0/outputs/m/optional", "false"},
    /* defaults are of programs */
    {"name: p\ndefaults: {retry: {attempts: 4}, timeout: 5s, image: i}\nsteps: {g: {steps: {a: "
     "{}}}}\n",
     "/steps/0/retry", "-"},
    {"name: p\ndefaults: {retry: {attempts: 4}, timeout: 5s, image: i}\nsteps: {g: {steps: {a: "
     "{}}}}\n",
     "/steps/1/retry/attempts", "4"},
    /* names may come again where they mean nothing else */
    {P("  g: {steps: {a: {command: [x]}}}\n  h: {steps: {a: {command: [x]}}}\n"), "/steps/3/name",
     "'h/a'"},
    /* state */
    {P(PREPARE "  b: {command: [x], rule: all_done, when: steps.prepare.state == 'failed'}\n"),
     "/steps/1/needs", "['prepare']"},
    {P(PREPARE "  b: {command: [x], rule: none_failed, needs: prepare}\n"), "/steps/1/rule",
     "'none_failed'"},
    /* switch */
    {P("  s: {switch: [{when: size(params.list) > 1, steps: {a: {command: [x], outputs: {m: {type: "
       "integer}, k: {}}}}, outputs: {m: a.m, k: a.k}}, {steps: {b: {command: [y], outputs: {m: "
       "{type: number}}}}, outputs: {m: b.m}}]}\n"),
     "/steps/0/outputs",
     "{'k':{'optional':true,'type':'artifact'},'m':{'optional':false,'type':'number'}}"},
    {P("  s: {switch: [{when: size(params.list) > 1, steps: {a: {command: [x]}}}, {steps: {b: "
       "{command: [y]}}}]}\n"),
     "/steps/0/branches", "[{'outputs':{},'when':'size(params.list) > 1'},{'outputs':{}}]"},
    {P("  s: {switch: [{when: size(params.list) > 1, steps: {a: {command: [x]}}}, {steps: {b: "
       "{command: [y]}}}]}\n"),
     "/steps/2/branch", "1"},
    {P(PREPARE
       "  s: {switch: [{when: steps.prepare.outputs.n > 1, steps: {a: {command: [x]}}}]}\n"),
     "/steps/1/needs", "['prepare']"},
    /* each item has a switch of its own */
    {P("  s: {for_each: [1], switch: [{when: item > 1, steps: {a: {command: [x], outputs: {m: "
       "{}}}}, outputs: {m: a.m}}]}\n"),
     "/steps/1",
     "{'branches':[{'outputs':{'m':{'output':'m','step':'s/s/a'}},'when':'item > 1'}],"
     "'in':'s','kind':'group','name':'s/s','needs':[],"
     "'outputs':{'m':{'optional':false,'type':'artifact'}},'rule':'all_succeeded'}"},
    /* loop */
    {P("  l: {loop: {until: \"outputs.x < 0.1 && loop.index > 2\", max: 20, delay: 10s}, command: "
       "[x, \"${{ loop.index }}\", \"${{ default(loop.previous.x, 0) }}\"], outputs: {x: {type: "
       "number}}}\n"),
     "/steps/0/loop", "{'delay_us':10000000,'max':20,'until':'outputs.x < 0.1 && loop.index > 2'}"},
    {P("  l: {loop: {until: outputs.x < 1.0, max: 1000}, steps: {a: {command: [x], outputs: {x: "
       "{type: number}}}}, outputs: {x: a.x}}\n"),
     "/steps/0/outputs", "{'x':{'optional':false,'type':'number'}}"},
    /* rounds within items */
    {P("  l: {for_each: [1], loop: {until: outputs.x < item, max: 2}, command: [x, \"${{ item "
       "}}\", "
       "\"${{ loop.index }}\"], outputs: {x: {type: integer}}}\n"),
     "/steps/2/name", "'l/l/l'"},
    {P("  l: {for_each: [1], loop: {until: outputs.x < item, max: 2}, command: [x], outputs: {x: "
       "{type: integer}}}\n"),
     "/steps/1/loop/until", "'outputs.x < item'"},
};

static const struct good FINALLY[] = {
    {P(PREPARE) "finally: {f: {command: [x, \"${{ outcome.state }}\", \"${{ outcome.reason }}\", "
                "\"${{ default(steps.prepare.outputs.n, 0) }}\"]}}\nfinally_timeout: 2m",
     "/steps/1/finally", "true"},
    {P(PREPARE) "finally: {f: {command: [x, \"${{ default(steps.prepare.outputs.n, 0) }}\"]}}",
     "/steps/1/needs", "[]"},
    {P(PREPARE) "finally: {f: {command: [x, \"${{ default(steps.prepare.outputs.n, 0) }}\"]}}",
     "/steps/1/sees", "['prepare']"},
    {P(PREPARE) "finally: {f: {command: [x]}}\nfinally_timeout: 2m", "/finally_timeout_us",
     "120000000"},
    {P(PREPARE) "finally: {f: {command: [x]}, g: {command: [y], needs: f}}", "/steps/2/needs",
     "['f']"},
    {P(PREPARE) "finally: {f: {command: [x], inputs: {i: prepare.o}, when: steps.prepare.state == "
                "'succeeded'}}",
     "/steps/1/inputs/i/from/step", "'prepare'"},
    /* for_each in an exit handler, and groups */
    {P(PREPARE) "finally: {f: {for_each: [a], steps: {x: {command: [x, \"${{ item }}\", \"${{ "
                "outcome.state }}\", \"${{ steps.prepare.state }}\"]}}}}",
     "/steps/2/sees", "['prepare']"},
    {P(PREPARE) "finally: {f: {for_each: [a], command: [x]}}", "/steps/2/finally", "-"},
    {P("  g: {steps: {a: {command: [x]}}, finally: {f: {command: [x, \"${{ outcome.state }}\"]}}, "
       "finally_timeout: 1s}\n"),
     "/steps/0/branches/0/finally_timeout_us", "1000000"},
    {P("  g: {switch: [{steps: {a: {command: [x]}}, finally: {f: {command: [x]}}, "
       "finally_timeout: 1s}]}\n"),
     "/steps/2/finally", "true"},
};

static const struct good OTHERS[] = {
    {P("  h: {wait: {type: a.b, source: s, filter: event.data.run == run.id}, timeout: 1h}\n"),
     "/steps/0",
     "{'kind':'wait','name':'h','needs':[],'outputs':{'event':{'optional':false,'type':'json'}},"
     "'rule':'all_succeeded','timeout_us':3600000000,"
     "'wait':{'filter':'event.data.run == run.id','source':'s','type':'a.b'}}"},
    {P("  h: {wait: {type: a.b}}\n"), "/steps/0/timeout_us", "604800000000"},
    {P("  h: {wait: {type: t}}\n  i: {command: [x, \"${{ steps.h.outputs.event.data.k }}\"]}\n"),
     "/steps/1/needs", "['h']"},
    {P("  h: {approval: {by: [anna], message: \"ok ${{ run.name }}?\", on_timeout: skip}, timeout: "
       "1d}\n"),
     "/steps/0/approval", "{'by':['anna'],'message':'ok ${{ run.name }}?','on_timeout':'skip'}"},
    {P("  h: {approval: {}}\n"), "/steps/0/approval", "{'on_timeout':'fail'}"},
    {P("  h: {approval: {}}\n"), "/steps/0/outputs/comment", "{'optional':true,'type':'string'}"},
    {P("  c: {start: {pipeline: sub, params: {city: \"${{ run.id }}\", n: 4}, name: x}, outputs: "
       "{best: {type: number}}}\n"),
     "/steps/0/start",
     "{'name':'x','params':{'city':'${{ run.id }}','n':'4'},'pipeline':'sub','wait':true}"},
    {P("  c: {start: {pipeline: plain, wait: false}}\n"), "/steps/0/outputs",
     "{'run':{'optional':false,'type':'string'},'state':{'optional':true,'type':'string'}}"},
    {P("  c: {for_each: [a], start: {pipeline: sub, params: {city: \"${{ item }}\"}}}\n"),
     "/steps/1/name", "'c/c'"},
    {P("  a: {command: [x], limits: [db, gpu]}\n"), "/steps/0/limits", "{'db':1,'gpu':1}"},
    {P("  a: {command: [x], limits: {db: 2}}\n"), "/steps/0/limits", "{'db':2}"},
    {P("  a: {command: [x], priority: -100}\n"), "/steps/0/priority", "-100"},
    {P("  a: {command: [x], priority: 0}\n"), "/ir", "1"},
    {P("  a: {command: [x], cache: {ttl: 24h}}\n"), "/steps/0/cache", "{'ttl_us':86400000000}"},
    {P("  a: {command: [x], cache: {}}\n"), "/steps/0/cache", "{'ttl_us':0}"},
    {P("  a: {command: [x], image: "
       "'a/b@sha256:abababababababababababababababababababababababababababababababab', cache: "
       "{}}\n"),
     "/steps/0/cache", "{'ttl_us':0}"},
    {P("  a: {command: [x], image: \"a:${{ run.name }}\", cache: {}}\n"), "/steps/0/cache",
     "{'ttl_us':0}"},
    {P("  a: {command: [x], image: a, executor: process, cache: {}}\n"), "/steps/0/cache",
     "{'ttl_us':0}"},
    {P("  a: {command: [x, \"s3://b\"], cache: {}, inputs: {i: {objects: {bucket: b}}}}\n"),
     "/steps/0/cache", "{'ttl_us':0}"},
    {P("  a: {command: [x], at_most_once: true}\n"), "/steps/0/retry/lost", "0"},
    {P("  a: {command: [x], queue_timeout: 5m, heartbeat: 30s}\n"), "/steps/0/heartbeat_us",
     "30000000"},
    {P("  a: {command: [x], queue_timeout: 5m, heartbeat: 30s}\n"), "/steps/0/queue_timeout_us",
     "300000000"},
    {P("  a: {command: [x], retry: {attempts: 2, exit_codes: [75, 3, 75], not_exit_codes: [2]}}\n"),
     "/steps/0/retry/exit_codes", "[3,75]"},
    {P("  a: {command: [x]}\n") "priority: 5\nqueue_timeout: 1h\n", "/queue_timeout_us",
     "3600000000"},
    {P("  a: {command: [x]}\n") "priority: 5\n", "/priority", "5"},
    {P("  a: {command: [x], outputs: {m: {}}}\n") "outputs: {m: a.m}\n", "/outputs",
     "{'m':{'output':'m','step':'a'}}"},
    {P("  a: {command: [x]}\n") "concurrency: {policy: latest_only, key: \"${{ params.list[0] "
                                "}}\"}\n",
     "/concurrency", "{'key':'${{ params.list[0] }}','limit':1,'policy':'latest_only'}"},
};

/* Pins stand as far out as their texts allow. */
static const struct good PINS[] = {
    {P("  g: {steps: {a: {command: [x], inputs: {i: {objects: {bucket: b}}}}}}\n"), "/steps/2/name",
     "'objects:g.a.i'"},
    {P("  g: {steps: {a: {command: [x], inputs: {i: {objects: {bucket: b}}}}}}\n"),
     "/steps/0/needs", "['objects:g.a.i']"},
    {P("  g: {steps: {a: {command: [x], inputs: {i: {objects: {bucket: b}}}}}}\n"),
     "/steps/1/needs", "[]"},
    {P("  g: {for_each: [x], command: [x], inputs: {i: {objects: {bucket: \"${{ item }}\"}}}}\n"),
     "/steps/2/name", "'g/objects:g.i'"},
    {P("  g: {for_each: [x], steps: {h: {steps: {a: {command: [x], inputs: {i: {objects: {bucket: "
       "\"${{ item }}\"}}}}}}}}\n"),
     "/steps/3/name", "'g/objects:h.a.i'"},
    {P("  a: {command: [x], inputs: {i: {objects: {bucket: b}}}}\n  g: {steps: {a2: {command: [x], "
       "inputs: {i: {objects: {bucket: b}}}}}}\n"),
     "/steps/2/inputs/i/from/step", "'objects:a.i'"},
    {P("  a: {command: [x], inputs: {i: {objects: {bucket: b}}}}\n") "finally: {f: {command: [x], "
                                                                     "inputs: {i: {objects: "
                                                                     "{bucket: b}}}}}\n",
     "/steps/3/finally", "true"},
};

static const struct good ELSEWHERE[] = {
    {P("  s: {pipeline: sub, with: {city: \"${{ run.name }}\"}}\n"), "/steps/0/params",
     "[{'default':3,'name':'n','type':'integer'},"
     "{'name':'city','type':'string','value':'${{ run.name }}'},"
     "{'default':[1],'name':'deep','type':'json'}]"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/0/scope", "true"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/0/outputs",
     "{'all':{'list':1,'optional':false,'type':'artifact'},"
     "'best':{'optional':false,'type':'number'}}"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/0/branches/0/finally_timeout_us",
     "180000000"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/0/timeout_us", "300000000"},
    {P("  s: {pipeline: sub, with: {city: x}, timeout: 1m}\n"), "/steps/0/timeout_us", "60000000"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/4/name", "'s/each/s'"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/4/sees", "['s/fit']"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/2/needs", "['s/fit']"},
    {P("  s: {pipeline: sub, with: {city: x}}\n"), "/steps/3/finally", "true"},
    {P("  s: {for_each: [a, b], pipeline: sub, with: {city: \"${{ item }}\"}}\n"),
     "/steps/0/outputs/all/list", "2"},
    {P(PREPARE "  s: {pipeline: sub, with: {city: x, n: \"${{ steps.prepare.outputs.n }}\"}}\n"),
     "/steps/1/needs", "['prepare']"},
    {P(PREPARE "  t: {uses: ./lib/train.yaml, with: {lr: 0.5}, inputs: {table: prepare.o}}\n"),
     "/steps/2/inputs", "{'table':{'from':{'output':'o','step':'prepare'}}}"},
    {P(PREPARE "  t: {uses: ./lib/train.yaml, with: {lr: 0.5}, inputs: {table: prepare.o}}\n"),
     "/steps/2/name", "'t/t'"},
    {P(PREPARE "  t: {uses: ./lib/train.yaml, with: {lr: 0.5}, inputs: {table: prepare.o}}\n"),
     "/steps/1/needs", "['prepare']"},
    {P(PREPARE "  t: {uses: ./lib/train.yaml, inputs: {table: prepare.o}}\n"), "/steps/1/outputs",
     "{'model':{'optional':false,'type':'artifact'},"
     "'rmse':{'optional':false,'type':'number'}}"},
    {P(PREPARE "  t: {uses: ./lib/both.yaml, inputs: {raw: prepare.o}}\n"), "/steps/4/inputs",
     "{'more':{'from':{'output':'o','step':'prepare'}},"
     "'table':{'from':{'output':'t','step':'t/one'}}}"},
    {P(PREPARE "  t: {uses: ./lib/both.yaml, inputs: {raw: prepare.o}}\n"), "/steps/4/name",
     "'t/two/two'"},
    {P("  t: {uses: ./lib/both.yaml, inputs: {raw: {objects: {bucket: b}}}}\n"), "/steps/4/name",
     "'objects:t.raw'"},
    {P(PREPARE "  t: {for_each: [0.1, 0.2], uses: ./lib/train.yaml, with: {lr: \"${{ item }}\"}, "
               "inputs: {table: prepare.o}}\n"),
     "/steps/1/params/0/value", "'${{ item }}'"},
};

static void for_each_is_a_group(void **state)
{
    (void)state;
    check_good(FOR_EACH, ARRAY_LEN(FOR_EACH));
}

static void groups_switches_and_loops(void **state)
{
    (void)state;
    check_good(GROUPS, ARRAY_LEN(GROUPS));
}

static void finally_comes_last_and_sees_all(void **state)
{
    (void)state;
    check_good(FINALLY, ARRAY_LEN(FINALLY));
}

static void waits_starts_and_what_any_step_may_say(void **state)
{
    (void)state;
    check_good(OTHERS, ARRAY_LEN(OTHERS));
}

static void pins_stand_as_far_out_as_they_can(void **state)
{
    (void)state;
    check_good(PINS, ARRAY_LEN(PINS));
}

static void what_is_written_elsewhere_is_inlined(void **state)
{
    (void)state;
    check_good(ELSEWHERE, ARRAY_LEN(ELSEWHERE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(for_each_is_a_group),
        cmocka_unit_test(groups_switches_and_loops),
        cmocka_unit_test(finally_comes_last_and_sees_all),
        cmocka_unit_test(waits_starts_and_what_any_step_may_say),
        cmocka_unit_test(pins_stand_as_far_out_as_they_can),
        cmocka_unit_test(what_is_written_elsewhere_is_inlined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
