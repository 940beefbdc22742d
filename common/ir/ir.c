#include "common/ir/ir.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/ir/load.h"
#include "common/text/json.h"

void ir_hash(const json_t *ir_json, char out[SHA256_HEX])
{
    cleanup_free char *text = json_write(ir_json);
    sha256_hex(text, strlen(text), out);
}

void ir_free(struct ir *ir)
{
    if (!ir)
        return;
    owned_free(ir->owned);
    arena_free(ir->arena);
    json_decref(ir->json);
    free(ir);
}

void ir_drop_json(struct ir *ir)
{
    json_decref(ir->json);
    ir->json = NULL;
}

int32_t ir_step_index(const struct ir *ir, const char *name)
{
    return names_find(ir->owned->steps, name);
}

size_t ir_bytes(const struct ir *ir)
{
    return sizeof *ir + arena_size(ir->arena) + owned_bytes(ir->owned);
}
