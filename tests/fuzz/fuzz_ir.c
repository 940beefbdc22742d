/* Any bytes as a pipeline, source, limit or component file, with parts that it may name: itself, a
 * component and another pipeline. Whatever compiles must load, and its JSON, written and read
 * again, must be the same version. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/front/bundle.h"
#include "common/ir/ir.h"
#include "common/ir/mermaid.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

static const char COMPONENT[] =
    "kind: component\nname: c\nparams: {p: {default: x}, q: {type: json}}\ninputs: {i: {}}\n"
    "outputs: {o: d.o}\nsteps:\n  d: {for_each: [1], command: [x, \"${{ item }}\", \"${{ "
    "inputs.j.path }}\"], inputs: {j: inputs.i}, outputs: {o: {type: string}}}\n"
    "finally: {e: {executor: noop}}\n";

static const char PIPELINE[] =
    "name: other\nparams: {p: 1}\noutputs: {o: s.o}\nsteps:\n"
    "  s: {switch: [{when: params.p > 1, steps: {a: {executor: noop, outputs: {o: {}}}}, outputs: "
    "{o: a.o}}, {steps: {b: {executor: noop, outputs: {o: {}}}}, outputs: {o: b.o}}]}\n";

static void require(bool holds, const char *what, const char *why)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static void check_step(const struct ir *ir, int32_t i)
{
    const struct ir_step *step = &ir->steps[i];
    const struct ir_dag *dag = ir_dag_of(ir, i);
    require(ir_step_index(ir, step->name) == i, "lost", step->name);
    require(dag->steps[step->place] == i, "not in its place", step->name);
    require((step->group != NULL) == (step->kind == IR_STEP_GROUP), "half a group", step->name);
    require(step->depth <= IR_DEPTH_MAX, "too deep", step->name);
    for (size_t n = 0; n < step->need_count; n++)
        require(ir_dag_of(ir, step->needs[n]) == dag, "needs what is elsewhere", step->name);
}

static void check_version(const json_t *json)
{
    struct err err = {0};
    char hash[SHA256_HEX], then[SHA256_HEX];
    struct ir *ir = ir_load(json, &err);
    require(ir != NULL, "compiled but not loaded", err.text);
    cleanup_free char *text = json_write(json);
    cleanup_json json_t *again = json_read(text, strlen(text), NULL, &err);
    require(again != NULL, "written but not read", err.text);
    ir_hash(json, then);
    ir_hash(again, hash);
    require(strcmp(hash, then) == 0, "another hash", hash);
    for (size_t i = 0; i < ir->step_count; i++)
        check_step(ir, (int32_t)i);
    cleanup_text struct text drawing = {0};
    ir_graph(ir, &drawing);
    cleanup_json json_t *params = ir_params(ir, NULL, false, NULL);
    ir_free(ir);
}

static void check_document(struct bundle *b, size_t i)
{
    cleanup_text struct text problems = {0};
    cleanup_json json_t *out = bundle_compile(b, i, &problems);
    require(out || problems.len > 0, "refused without a word", bundle_kind(b, i));
    if (out && json_object_get(out, "ir"))
        check_version(out);
}

/* Any JSON at all as an IR. */
static void load_raw(const char *text, size_t len)
{
    struct err err = {0};
    struct yaml_docs docs = {0};
    if (yaml_read("fuzz", text, len, &docs, &err) < 0)
        return;
    for (size_t i = 0; i < docs.count; i++) {
        struct ir *raw = ir_load(docs.items[i].value, &err);
        cleanup_text struct text drawing = {0};
        if (raw)
            ir_graph(raw, &drawing);
        ir_free(raw);
    }
    yaml_docs_free(&docs);
}

static void note(void *arg, enum ir_reference kind, const char *name)
{
    require(kind == IR_REFERENCE_PIPELINE || kind == IR_REFERENCE_COMPONENT ||
                kind == IR_REFERENCE_LIMIT,
            "a fourth kind", name);
    ++*(size_t *)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t missing = 0;
    cleanup_free char *text = mem_bytes(data, size);
    cleanup_text struct text problems = {0};
    struct bundle *b = bundle_new(NULL, NULL);
    bundle_add(b, "fuzz.yaml", text, &problems);
    bundle_add(b, "other.yaml", PIPELINE, &problems);
    bundle_add_part(b, "fuzz.yaml", text);
    bundle_add_part(b, "c.yaml", COMPONENT);
    bundle_missing(b, note, &missing);
    for (size_t i = 0; i < bundle_count(b); i++)
        check_document(b, i);
    bundle_free(b);
    load_raw(text, strlen(text));
    return 0;
}
