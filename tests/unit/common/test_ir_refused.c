/* Shapes that are refused: where, and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/parts.h"

#define TRAIN                                                                                      \
    "kind: component\nname: train\nparams: {lr: 0.1, must: {}}\ninputs: {table: {}}\n"             \
    "outputs: {model: {}}\ncommand: [train]\n"

#define NEAR     "kind: component\nname: near\nsteps: {t: {uses: ./train.yaml}}\n"
#define NEAR_SHA "2eea9ec3cbee9b27cbf0315efc93659340749a190d3c66363b262f6667e47531"

static const struct part PARTS[] = {
    {IR_REFERENCE_PIPELINE, "sub",
     "name: sub\nparams: {n: 3, city: {}}\nsteps: {a: {executor: noop}}\n"},
    {IR_REFERENCE_PIPELINE, "p", "name: p\nsteps: {a: {executor: noop}}\n"},
    {IR_REFERENCE_PIPELINE, "broken", "name: broken\nsteps: {a: {}}\n"},
    {IR_REFERENCE_COMPONENT, "train.yaml", TRAIN},
    {IR_REFERENCE_COMPONENT, "https://x.example/train.yaml", TRAIN},
    {IR_REFERENCE_COMPONENT, "https://x.example/near.yaml", NEAR},
    {IR_REFERENCE_COMPONENT, "self.yaml",
     "kind: component\nname: self\nsteps: {again: {uses: ./self.yaml}}\n"},
    {IR_REFERENCE_COMPONENT, "pipe.yaml", "name: x\nsteps: {a: {executor: noop}}\n"},
    {IR_REFERENCE_COMPONENT, "two.yaml", TRAIN "---\n" TRAIN},
    {IR_REFERENCE_COMPONENT, "bad.yaml", "kind: component\nname: bad\ncommand: [x]\ncomand: [y]\n"},
    {IR_REFERENCE_COMPONENT, "yaml.yaml", "kind: component\nname: [\n"},
    {IR_REFERENCE_COMPONENT, "outer.yaml",
     "kind: component\nname: o\nsteps:\n  a: {command: [x, \"${{ steps.prepare.outputs.n }}\"]}\n"},
    {IR_REFERENCE_COMPONENT, "item.yaml",
     "kind: component\nname: o\nsteps:\n  a: {command: [x, \"${{ item }}\"]}\n"},
    {IR_REFERENCE_COMPONENT, "mixed.yaml",
     "kind: component\nname: m\nimage: x\nsteps: {a: {executor: noop}}\n"},
    {IR_REFERENCE_COMPONENT, "inputs.yaml",
     "kind: component\nname: m\ninputs: {t: {}}\n"
     "steps: {inputs: {executor: noop}, b: {executor: noop, inputs: {i: inputs.u}}}\n"},
};
static struct parts parts = {PARTS, ARRAY_LEN(PARTS), {0}};

struct bad {
    const char *yaml, *place, *text;
};

static void check_bad(const struct bad *rows, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        struct err err = {0};
        cleanup_text struct text all = {0};
        cleanup_json json_t *out = parts_compile(&parts, "p.yaml", rows[i].yaml, &all, &err);
        cleanup_free char *place =
            mem_printf("%s%s: ", strchr(rows[i].place, 'y') ? "" : "p.yaml:", rows[i].place);
        if (out)
            print_error("%s\nis taken\n", rows[i].yaml);
        const char *told = strstr(all.data ? all.data : "", place);
        if (told && strstr(told, rows[i].text) && err.code == LEAT_EINPUT)
            continue;
        print_error("%s\ngave %s\nnot %s%s\n\n", rows[i].yaml, all.data ? all.data : err.text,
                    place, rows[i].text);
        wrong++;
    }
    assert_int_equal(wrong, 0);
}

/* The step to look at is on line 4, after `prepare`. */
#define P(line4)                                                                                   \
    "name: p\nparams: {list: {type: json, default: [a]}, text: x, cfg: {type: json, default: {a: " \
    "1}}}\nsteps:\n  " line4                                                                       \
    "\n  prepare: {command: [p], outputs: {o: {}, n: {type: integer}, j: "                         \
    "{type: json}}}\n"

#define WHEN(text) P("g: {command: [x], when: \"" text "\"}")

/* What a file declares is enough to see that it cannot be meant. */
static const struct bad TYPES[] = {
    {WHEN("steps.prepare.outputs.n"), "4:27",
     "when: a condition is true or false, and this is always int; compare it with something"},
    {WHEN("params.text"), "4:27", "always string"},
    {WHEN("run.number"), "4:27", "always int"},
    {WHEN("run.name + vars.BRANCH_NAME"), "4:27", "always string"},
    {WHEN("steps.prepare.outputs.n > params.text"), "4:27",
     "when: expression 1:25: '>' does not take int and string"},
    {WHEN("steps.prepare.state && true"), "4:27", "'&&' does not take string"},
    {P("g: {command: [x, \"${{ params.text + 1 }}\"]}"), "4:20",
     "command: text 1:17: '+' does not take string and int"},
    {P("g: {for_each: [a], command: [x], outputs: {m: {type: integer}}}\n  h: {command: [x], when: "
       "steps.g.outputs.m == 1 && steps.g.outputs.m}"),
     "5:27", "'&&' does not take list"},
    {P("g: {loop: {until: outputs.m, max: 3}, command: [x], outputs: {m: {type: integer}}}"),
     "4:21", "always int"},
    {P("g: {steps: {a: {command: [x], when: steps.prepare.outputs.n}}}"), "4:39", "always int"},
};

static const struct bad SHAPES[] = {
    {P("g: {command: [x], steps: {a: {executor: noop}}}"), "4:7",
     "a group of steps has no command: put it on the steps inside"},
    {P("g: {steps: {a: {executor: noop}}, wait: {type: t}}"), "4:37", "the step has steps already"},
    {P("g: {wait: {type: t}, retry: {attempts: 2}}"), "4:24", "a wait has no retry"},
    {P("g: {approval: {}, outputs: {a: {}}}"), "4:21", "an approval has no outputs"},
    {P("g: {steps: {a: {executor: noop}}, limits: [x]}"), "4:37", "put it on the steps inside"},
    {P("g: {pipeline: sub, with: {city: x}, image: i}"), "4:39",
     "it is said where that is written"},
    {P("g: {command: [x], with: {a: b}}"), "4:21", "it is for pipeline and uses"},
    {P("g: {command: [x], finally: {a: {executor: noop}}}"), "4:21", "a program has no finally"},
    {P("g: {switch: [{steps: {a: {executor: noop}}}], outputs: {m: a.m}}"), "4:49",
     "write outputs in each branch"},
    {P("g: {command: [x], as: city}"), "4:21", "there is no for_each here"},
    {P("g: {command: [x], parallelism: 3}"), "4:21", "there is no for_each here"},
    {P("g: {steps: {}}"), "4:14", "write at least one"},
    {P("g: {steps: {a: {executor: noop}}, retry: {attempts: 2, lost: 1}}"), "4:58",
     "is of programs"},
    {P("g: {command: [x], retry: {exit_codes: [2], not_exit_codes: [2]}}"), "4:63",
     "2 is in exit_codes too"},
    {P("g: {command: [x], retry: {exit_codes: [0]}}"), "4:42", "at least 1"},
    {P("g: {command: [x], rule: all}"), "4:27", "must be one of all_succeeded"},
    {P("g: {command: [x], priority: 101}"), "4:31", "at most 100"},
    {P("g: {command: [x], limits: [a, a]}"), "4:29", "a is named twice; write {a: 2}"},
    {P("g: {command: [x], limits: [db, nosuch]}"), "4:29",
     "limits nosuch: there is no limit of that name"},
    {P("g: {command: [x], rule: any_failed}"), "4:27",
     "any_failed never holds: the step needs none"},
    {P("g: {command: [x]}") "finally: {f: {command: [x], rule: any_succeeded}}", "6:35",
     "never holds"},
    {P("g: {command: [x], heartbeat: 10ms}"), "4:32", "out of range"},
    {P("g: {command: [x], at_most_once: true, retry: {attempts: 2}}"), "4:59", "never tried again"},
    {P("g: {command: [x], at_most_once: true, retry: {lost: 1}}"), "4:55", "never tried again"},
    {P("g: {command: [x, \"s3://b/k\"], cache: {ttl: 1h}}"), "4:40", "take it as an input"},
    {P("g: {command: [x], env: {A: \"${{ event.data.bucket }}\"}, cache: {}}"), "4:66",
     "env names a bucket"},
    {P("g: {command: [x], image: \"a/b:1\", cache: {}}"), "4:44", "name it by its digest"},
    {P("g: {wait: {filter: true}}"), "4:13", "'type' is missing"},
    {P("g: {wait: {type: t}, timeout: \"0\"}"), "4:33", "out of range"},
    {P("g: {wait: {type: t, filter: vars.BRANCH_NAME == 'x'}}"), "4:31",
     "vars: cannot be used in filter"},
    {P("g: {approval: {by: [Anna]}}"), "4:23", "a-z"},
    {P("g: {approval: {on_timeout: wait}}"), "4:30", "must be one of fail, skip, approve"},
    {P("g: {start: {pipeline: nosuch}}"), "4:25",
     "start nosuch: there is no pipeline of that name"},
    {P("g: {start: {pipeline: sub}}"), "4:14", "must be given city"},
    {P("g: {start: {pipeline: sub, params: {city: x, nn: 2}}}"), "4:48",
     "there is no parameter nn; did you mean n?"},
    {P("g: {start: {pipeline: sub, params: {city: x, n: y}}}"), "4:51", "must be an integer"},
    {P("g: {start: {pipeline: sub, params: {city: x}, wait: false}, outputs: {a: {}}}"), "4:72",
     "is not waited for gives none"},
    {P("g: {start: {pipeline: sub, params: {city: x}}, outputs: {run: {}}}"), "4:59",
     "are there already"},
    {P("g: {command: [x]}") "concurrency: {key: \"${{ run.id }}\"}", "6:20",
     "run: cannot be used in key"},
    {P("g: {command: [x]}") "outputs: {x: g.y}", "6:14", "step g declares no output y"},
    {P("g: {command: [x]}") "outputs: {x: gg.y}", "6:14",
     "there is no step gg in it; did you mean g?"},
    {P("g: {command: [x]}") "finally_timeout: 1m", "6:1", "there is no finally here"},
};

static const struct bad FOR_EACH[] = {
    {P("g: {for_each: 3, command: [x]}"), "4:17", "{from: STEP.OUTPUT}"},
    {P("g: {for_each: abc, command: [x]}"), "4:17", "one ${{ expression }}"},
    {P("g: {for_each: \"a ${{ params.list }}\", command: [x]}"), "4:17", "one ${{ expression }}"},
    {P("g: {for_each: \"${{ params.text }}\", command: [x]}"), "4:17",
     "params.text is of type string; a list is of type json"},
    {P("g: {for_each: \"${{ params.cfg }}\", command: [x]}"), "4:17",
     "the default is an object, not a list"},
    {P("g: {for_each: \"${{ params.cfg.a }}\", command: [x]}"), "4:17",
     "the default is a number, not a list"},
    {P("g: {for_each: \"${{ params.cfg.b }}\", command: [x]}"), "4:17", "has no field b"},
    {P("g: {for_each: \"${{ steps.prepare.outputs.n }}\", command: [x]}"), "4:17",
     "is of type integer"},
    {P("g: {for_each: \"${{ steps.prepare.outputs.o }}\", command: [x]}"), "4:17",
     "is an artifact"},
    {P("g: {for_each: \"${{ run.name }}\", command: [x]}"), "4:17", "is text, not a list"},
    {P("g: {for_each: \"${{ 5 }}\", command: [x]}"), "4:17", "this is always int, not a list"},
    {P("g: {for_each: \"${{ {'a': 1} }}\", command: [x]}"), "4:17",
     "this is always map, not a list"},
    {P("g: {for_each: \"${{ steps.prepare.outputs.n + 1 }}\", command: [x]}"), "4:17",
     "this is always int, not a list"},
    {P("g: {for_each: \"${{ params.text == 'a' }}\", command: [x]}"), "4:17",
     "this is always bool, not a list"},
    {P("g: {for_each: {from: prepare.n}, command: [x]}"), "4:24", "is no folder"},
    {P("g: {for_each: {from: prepare.q}, command: [x]}"), "4:24", "declares no output q"},
    {P("g: {for_each: {from: prepar.o}, command: [x]}"), "4:24", "did you mean prepare?"},
    {P("g: {for_each: {}, command: [x]}"), "4:17", "'from' is missing"},
    {P("g: {for_each: [\"${{ params.text }}\"], command: [x]}"), "4:18",
     "make the whole list an expression"},
    {P("g: {for_each: [{a: 1}], command: [x, \"${{ item.b }}\"]}"), "4:40",
     "no item of g has a field b"},
    {P("g: {for_each: [{name: 1}], command: [x, \"${{ item.nam }}\"]}"), "4:43",
     "did you mean name?"},
    {P("g: {for_each: [a], command: [x, \"${{ item.b }}\"]}"), "4:35",
     "no item of g has a field b"},
    {P("g: {for_each: [a], as: params, command: [x]}"), "4:26", "means something else"},
    {P("g: {for_each: [a], as: int, command: [x]}"), "4:26", "means something else"},
    {P("g: {for_each: [a], as: while, command: [x]}"), "4:26", "means something else"},
    {P("g: {for_each: [a], as: loop, command: [x]}"), "4:26", "means something else"},
    {P("g: {for_each: [a], as: 2b, command: [x]}"), "4:26", "not begin with a digit"},
    {P("g: {for_each: [a], parallelism: 0, command: [x]}"), "4:35", "at least 1"},
    {P("g: {for_each: [a], parallelism: 10001, command: [x]}"), "4:35", "at most 10000"},
    {P("g: {for_each: [a], steps: {h: {for_each: [b], command: [x]}}}"), "4:44",
     "item is the item of g, around it, already"},
    {P("g: {for_each: [a], when: item == 'a', steps: {h: {command: [x]}}}"), "4:28",
     "asked before there are items; ask it on the steps inside"},
    {P("g: {for_each: \"${{ item }}\", command: [x]}"), "4:17", "before there are items"},
    {P("g: {command: [x, \"${{ item }}\"]}"), "4:20", "item: is not known"},
    {P("g: {for_each: [a], as: city, steps: {h: {loop: {until: \"true\", max: 2}, command: [x, "
       "\"${{ item }}\"]}}}"),
     "4:88", "there is params, run, event, vars, steps, inputs, outputs, city, index, loop"},
    {P("g: {for_each: [a], as: city, command: [x, \"${{ citi }}\"]}"), "4:45",
     "did you mean city?"},
    {P("g: {steps: {h: {command: [x]}}, finally: {f: {command: [x, \"${{ outcom.state }}\"]}}}"),
     "4:62", "outputs, outcome; did you mean outcome?"},
    {P("g: {command: [x, \"${{ index }}\"]}"), "4:20", "no step around command has a for_each"},
    {P("g: {for_each: [a], command: [x], outputs: {m: {type: string}}}\n  h: {command: [x, \"${{ "
       "steps.g.outputs.m.x }}\"]}"),
     "5:20", "is a list and has no field x"},
    {P("g: {for_each: [a], command: [x], outputs: {m: {}}}\n  h: {for_each: {from: g.m}, command: "
       "[x]}"),
     "5:24", "is no folder"},
};

static const struct bad GROUPS[] = {
    {P("g: {steps: {a: {command: [x], outputs: {m: {type: integer}}}}}\n  h: {when: "
       "steps.a.outputs.m > 1, command: [x]}"),
     "5:13",
     "steps.a: step a is inside g, which gives out only what its own outputs name: write outputs: "
     "{NAME: a.OUTPUT}"},
    {P("g: {steps: {a: {command: [x]}}}\n  h: {command: [x], needs: a}"), "5:28",
     "step a is inside g"},
    {P("g: {steps: {a: {command: [x], outputs: {m: {}}}}}\n  h: {command: [x], inputs: {i: a.m}}"),
     "5:33", "step a is inside g"},
    {P("g: {steps: {a: {command: [x], outputs: {m: {}}}}, outputs: {m: a.k}}"), "4:66",
     "declares no output k"},
    {P("g: {steps: {a: {command: [x]}}, outputs: {m: b.k}}"), "4:48", "there is no step b in it"},
    {P("g: {steps: {a: {command: [x]}}, outputs: {m: prepare.o}}"), "4:48",
     "there is no step prepare in it"},
    {P("g: {steps: {a: {command: [x]}}, outputs: {m: {}}}"), "4:48",
     "of a group it is STEP.OUTPUT"},
    {P("g: {command: [x], outputs: {m: a.k}}"), "4:34", "STEP.OUTPUT is for groups"},
    {P("g: {steps: {a: {command: [x]}}}\n  h: {command: [x, \"${{ steps.g.outputs.m }}\"]}"),
     "5:20", "step g declares no output of that name"},
    /* names */
    {P("g: {steps: {prepare: {command: [x]}}}"), "4:15", "a step around it is called prepare too"},
    {P("g: {steps: {g: {command: [x]}}}"), "4:15", "a step around it is called g too"},
    {P("g: {steps: {h: {steps: {g: {command: [x]}}}}}"), "4:27",
     "a step around it is called g too"},
    {P("g: {switch: [{when: \"true\", steps: {a: {command: [x]}}}, {steps: {a: {command: [x]}}}]}"),
     "4:69", "another branch has a step of that name"},
    {P("g: {steps: {a: {command: [x]}}, finally: {a: {command: [x]}}}"), "4:45",
     "names of their own"},
    /* circles */
    {P("g: {steps: {a: {command: [x], needs: h}}}\n  h: {steps: {b: {command: [x], needs: g}}}"),
     "4:3", "g → h → g; g/a looks at h, h/b looks at g"},
    {P("g: {for_each: [a], command: [x], needs: h}\n  h: {steps: {b: {command: [x], needs: g}}}"),
     "4:3", "g → h → g; h/b looks at g"},
    {P("g: {steps: {a: {command: [x], needs: b}, b: {command: [x], needs: a}}}"), "4:15",
     "g/a → g/b → g/a"},
    {P("g: {steps: {a: {command: [x], needs: g}}}"), "4:40",
     "this is inside g and cannot wait for it"},
    {P("g: {outputs: {m: a.m}, steps: {a: {command: [x, \"${{ steps.g.outputs.m }}\"], outputs: "
       "{m: {type: string}}}}}"),
     "4:51", "inside g and cannot wait"},
    {P("g: {for_each: [a], command: [x, \"${{ steps.g.outputs.m }}\"], outputs: {m: {type: "
       "string}}}"),
     "4:35", "cannot wait for itself"},
    /* switch */
    {P("g: {switch: [{steps: {a: {command: [x]}}}, {when: \"true\", steps: {b: {command: [x]}}}]}"),
     "4:16", "put it last"},
    {P("g: {switch: []}"), "4:15", "at least 1"},
    {P("g: {switch: [{when: \"true\", steps: {a: {command: [x], outputs: {m: {}}}}, outputs: {m: "
       "a.m}}, {steps: {b: {command: [x], outputs: {m: {type: string}}}}, outputs: {m: b.m}}]}"),
     "4:169", "output m: is string here and artifact in a branch before"},
    {P("g: {switch: [{when: \"true\", steps: {a: {command: [x], outputs: {m: {type: string}}}}, "
       "outputs: {m: a.m}}, {steps: {b: {for_each: [1], command: [x], outputs: {m: {type: "
       "string}}}}, outputs: {m: b.m}}]}"),
     "4:196", "a list of string here and string in a branch before"},
    {P("g: {switch: [{when: \"true\", steps: {a: {command: [x]}}}, {steps: {b: {command: [x], "
       "needs: a}}}]}"),
     "4:94", "is in another branch"},
    {P("g: {switch: [{when: steps.a.outputs.m > 1, steps: {a: {command: [x], outputs: {m: {type: "
       "integer}}}}}]}"),
     "4:23", "step a is inside g and has not run by then"},
    /* loop */
    {P("g: {loop: {until: \"true\"}, command: [x]}"), "4:13",
     "'max' is missing; a loop has until and max"},
    {P("g: {loop: {max: 3}, command: [x]}"), "4:13",
     "'until' is missing; a loop has until and max"},
    {P("g: {loop: {until: \"true\", max: 1001}, command: [x]}"), "4:34", "at most 1000"},
    {P("g: {loop: {until: \"true\", max: 0}, command: [x]}"), "4:34", "at least 1"},
    {P("g: {loop: {until: outputs.x, max: 3}, command: [x]}"), "4:21",
     "declares no output of that name"},
    {P("g: {loop: {until: outputs.x == 'a', max: 3}, command: [x], outputs: {x: {}}}"), "4:21",
     "is an artifact"},
    {P("g: {loop: {until: \"true\", max: 3}, command: [x, \"${{ loop.previous.y }}\"]}"), "4:51",
     "declares no output of that name"},
    {P("g: {loop: {until: \"true\", max: 3}, command: [x, \"${{ loop.count }}\"]}"), "4:51",
     "write loop.index or loop.previous.NAME"},
    {P("g: {command: [x, \"${{ loop.index }}\"]}"), "4:20", "no step around command has a loop"},
    {P("g: {loop: {until: steps.a.outputs.m > 1, max: 3}, steps: {a: {command: [x], outputs: {m: "
       "{type: integer}}}}}"),
     "4:21", "until looks at what the outputs of g name"},
    /* finally */
    {P("g: {command: [x], needs: f}") "finally: {f: {command: [x]}}", "4:28",
     "f is a finally step"},
    {P("g: {command: [x, \"${{ steps.f.state }}\"]}") "finally: {f: {command: [x]}}", "4:20",
     "f is a finally step"},
    {P("g: {steps: {a: {command: [x], needs: f}}}") "finally: {f: {command: [x]}}", "4:40",
     "f is a finally step"},
    {P("g: {command: [x]}") "finally: {f: {command: [x], needs: g}}", "6:36",
     "comes before every finally step already"},
    {P("g: {command: [x]}") "finally: {f: {steps: {a: {command: [x], needs: g}}}}", "6:48",
     "already: leave it out"},
    {P("g: {command: [x, \"${{ outcome.state }}\"]}"), "4:20", "is known in finally steps only"},
    {P("g: {command: [x]}") "finally: {f: {command: [x, \"${{ outcome.status }}\"]}}", "6:28",
     "write outcome.state or outcome.reason"},
    {P("g: {command: [x]}") "finally: {g: {command: [x]}}", "6:11", "names of their own"},
    {P("g: {command: [x]}") "finally: {f: {command: [x], outputs: {o: {}}}}\noutputs: {o: f.o}",
     "7:14", "f is a finally step"},
    {P("g: {command: [x]}") "finally: {f: {command: [x], needs: h}, h: {command: [x], needs: f}}",
     "6:11", "f → h → f"},
};

static const struct bad ELSEWHERE[] = {
    {P("g: {pipeline: nosuch}"), "4:17", "pipeline nosuch: there is no pipeline of that name"},
    {P("g: {pipeline: sub@9}"), "4:17", "pipeline sub@9: there is no pipeline of that name"},
    {P("g: {pipeline: broken}"), "4:17", "pipeline broken: broken:2:9"},
    {P("g: {pipeline: p}"), "4:17", "cannot be a part of itself"},
    {P("g: {pipeline: sub}"), "4:6", "with: parameter city must be given"},
    {P("g: {pipeline: sub, with: {city: x, nn: 1}}"), "4:38",
     "there is no parameter nn; did you mean n?"},
    {P("g: {pipeline: sub, with: {city: x, n: y}}"), "4:41", "must be an integer"},
    {P("g: {pipeline: sub, with: {city: \"${{ item }}\"}}"), "4:35", "item: is not known in with"},
    {P("g: {uses: train.yaml}"), "4:13", "write ./FILE"},
    {P("g: {uses: /train.yaml}"), "4:13", "write ./FILE"},
    {P("g: {uses: ./passwd}"), "4:13", "is called .yaml or .yml"},
    {P("g: {uses: http://x.example/train.yaml}"), "4:13", "write ./FILE"},
    {P("g: {uses: https://x.example/train.yaml}"), "4:13", "must be named with its hash"},
    {P("g: {uses: \"https://x.example/train.yaml@sha256:00\"}"), "4:13", "64 of 0-9 a-f"},
    {P("g: {uses: "
       "\"https://x.example/"
       "train.yaml@sha256:0000000000000000000000000000000000000000000000000000000000000000\"}"),
     "4:13", "has another content: its sha256 is "},
    {P("g: {uses: "
       "\"./train.yaml@sha256:0000000000000000000000000000000000000000000000000000000000000000\"}"),
     "4:13", "has another content"},
    {P("g: {uses: \"https://x.example/near.yaml@sha256:" NEAR_SHA "\"}"),
     "https://x.example/near.yaml:3:19", "names others by https and hash"},
    {P("g: {uses: ./nosuch.yaml}"), "4:13", "there is no file nosuch.yaml"},
    {P("g: {uses: ../train.yaml}"), "4:13", "there is no file ../train.yaml"},
    {P("g: {uses: ./pipe.yaml}"), "4:13", "is of kind pipeline: write kind: component"},
    {P("g: {uses: ./two.yaml}"), "4:13", "has 2 documents"},
    {P("g: {uses: ./self.yaml}"), "self.yaml:3:23", "uses itself"},
    {P("g: {uses: ./bad.yaml}"), "bad.yaml:4:1", "did you mean 'command'?"},
    {P("g: {uses: ./yaml.yaml}"), "4:13", "uses: yaml.yaml:"},
    {P("g: {uses: ./outer.yaml}"), "outer.yaml:4:20", "there is no step prepare"},
    {P("g: {for_each: [a], uses: ./item.yaml}"), "item.yaml:4:20", "item: is not known"},
    {P("g: {uses: ./mixed.yaml}"), "mixed.yaml:3:1", "a component of steps has no image"},
    {P("g: {uses: ./inputs.yaml, inputs: {t: prepare.o}}"), "inputs.yaml:4:9",
     "call the step otherwise"},
    {P("g: {uses: ./inputs.yaml, inputs: {t: prepare.o}}"), "inputs.yaml:4:67",
     "declares no input u"},
    {P("g: {uses: ./train.yaml, with: {must: 1}}"), "4:6", "inputs: table must be given"},
    {P("g: {uses: ./train.yaml, with: {must: x}, inputs: {table: prepare.o, tabl: prepare.o}}"),
     "4:71", "declares no input tabl"},
    {P("g: {uses: ./train.yaml, with: {must: x}, inputs: {table: {value: x}}}"), "4:60",
     "by a parameter, under with"},
    {P("g: {uses: ./train.yaml, inputs: {table: prepare.o}}"), "4:6",
     "parameter must must be given"},
    {P("g: {uses: ./train.yaml, with: {must: x, lr: much}, inputs: {table: prepare.o}}"), "4:47",
     "must be a number"},
};

static void shapes_that_do_not_go_together(void **state)
{
    (void)state;
    check_bad(SHAPES, ARRAY_LEN(SHAPES));
}

static void types_that_do_not_fit(void **state)
{
    (void)state;
    check_bad(TYPES, ARRAY_LEN(TYPES));
}

static void items_that_are_none(void **state)
{
    (void)state;
    check_bad(FOR_EACH, ARRAY_LEN(FOR_EACH));
}

static void references_across_groups(void **state)
{
    (void)state;
    check_bad(GROUPS, ARRAY_LEN(GROUPS));
}

static void what_is_written_elsewhere(void **state)
{
    (void)state;
    check_bad(ELSEWHERE, ARRAY_LEN(ELSEWHERE));
}

/* Without anybody to ask. A start is looked for when the run comes to it. */
static void without_a_resolver_nothing_is_taken_in(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(parts_compile(NULL, "p.yaml", P("g: {pipeline: sub}"), NULL, &err));
    assert_non_null(
        strstr(err.text, "p.yaml:4:17: pipeline sub: nothing but this file is read here"));
    err = (struct err){0};
    assert_null(parts_compile(NULL, "p.yaml", P("g: {uses: ./train.yaml}"), NULL, &err));
    assert_non_null(strstr(err.text, "nothing but this file is read here"));
    cleanup_json json_t *start =
        parts_compile(NULL, "p.yaml", P("g: {start: {pipeline: nosuch}}"), NULL, &err);
    assert_non_null(start);
}

/* A hash that is right is taken, near and far. */
static void a_component_with_its_hash_is_taken(void **state)
{
    (void)state;
    char hex[SHA256_HEX];
    sha256_hex(TRAIN, strlen(TRAIN), hex);
    static const char *const WHERE[] = {"./train.yaml", "https://x.example/train.yaml"};
    for (size_t i = 0; i < ARRAY_LEN(WHERE); i++) {
        struct err err = {0};
        cleanup_free char *yaml = mem_printf("name: p\nsteps: {g: {uses: \"%s@sha256:%s\", inputs: "
                                             "{table: {object: {bucket: b, key: k}}}, with: {must: "
                                             "x}}}\n",
                                             WHERE[i], hex);
        cleanup_json json_t *out = parts_compile(&parts, "p.yaml", yaml, NULL, &err);
        if (!out)
            fail_msg("%s", err.text);
        const char *origin = json_get_string(json_pointer(out, "/steps/0"), "origin", "");
        assert_true(text_ends_with(origin, hex));
        assert_true(text_starts_with(origin, i ? WHERE[i] : "train.yaml@sha256:"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_that_do_not_go_together),
        cmocka_unit_test(types_that_do_not_fit),
        cmocka_unit_test(items_that_are_none),
        cmocka_unit_test(references_across_groups),
        cmocka_unit_test(what_is_written_elsewhere),
        cmocka_unit_test(without_a_resolver_nothing_is_taken_in),
        cmocka_unit_test(a_component_with_its_hash_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
