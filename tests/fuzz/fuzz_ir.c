/* Any bytes as a pipeline or source file. Whatever compiles must load, and its JSON, written and
 * read again, must be the same version. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/ir/source.h"
#include "common/text/json.h"

static void require(bool holds, const char *what, const char *why)
{
    if (holds)
        return;
    fprintf(stderr, "%s: %s\n", what, why);
    abort();
}

static void check_version(const json_t *json)
{
    struct err err = {0};
    char hash[SHA256_HEX];
    struct ir *ir = ir_load(json, &err);
    require(ir != NULL, "compiled but not loaded", err.text);
    cleanup_free char *text = json_write(json);
    cleanup_json json_t *again = json_read(text, strlen(text), NULL, &err);
    require(again != NULL, "written but not read", err.text);
    ir_hash(again, hash);
    require(strcmp(hash, ir->hash) == 0, "another hash", hash);
    for (size_t i = 0; i < ir->step_count; i++)
        require(ir_step_index(ir, ir->steps[i].name) == (int32_t)i, "lost", ir->steps[i].name);
    cleanup_json json_t *params = ir_params(ir, NULL, false, NULL);
    ir_unref(ir);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = {0};
    struct yaml_docs docs = {0};
    if (yaml_read("fuzz", (const char *)data, size, &docs, &err) < 0)
        return 0;
    for (size_t i = 0; i < docs.count; i++) {
        cleanup_text struct text all = {0};
        cleanup_json json_t *ir = ir_compile(&docs.items[i], "fuzz", &all, &err);
        require(ir || all.len > 0, "refused without a word", "");
        if (ir)
            check_version(ir);
        cleanup_json json_t *source = source_compile(&docs.items[i], "fuzz", NULL, &err);
        struct ir *raw = ir_load(docs.items[i].value, &err); /* any JSON at all as an IR */
        ir_unref(raw);
    }
    yaml_docs_free(&docs);
    return 0;
}
