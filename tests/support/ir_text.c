#include "tests/support/ir_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"

json_t *json_of(const char *text)
{
    struct err err = {0};
    cleanup_free char *json = mem_string(text);
    for (char *c = json; *c; c++)
        *c = *c == '\'' ? '"' : *c;
    json_t *out = json_read(json, strlen(json), NULL, &err);
    if (!out)
        fail_msg("%s: %s", text, err.text);
    return out;
}

char *repeated(const char *begin, size_t count, const char *before, const char *after,
               const char *end)
{
    struct text t = {0};
    text_puts(&t, begin);
    for (size_t i = 0; i < count; i++)
        text_printf(&t, "%s%zu%s", before, i, after);
    text_puts(&t, end);
    return text_take(&t);
}

void check_counts(const struct ir_count *rows, size_t count,
                  void (*check)(const char *yaml, const char *error))
{
    for (size_t i = 0; i < count; i++) {
        const struct ir_count *r = &rows[i];
        cleanup_free char *at = repeated(r->begin, r->most, r->before, r->after, r->end);
        cleanup_free char *over = repeated(r->begin, r->most + 1, r->before, r->after, r->end);
        check(at, NULL);
        check(over, r->error);
    }
}

static void check_one(const char *whole, const struct broken_ir *row)
{
    struct err err = {0};
    cleanup_json json_t *json = json_of(whole);
    json_t *parent = json_pointer(json, row->parent);
    if (strcmp(row->json, "-") == 0)
        json_object_del(parent, row->key);
    else
        json_object_set_new(parent, row->key, json_of(row->json));
    if (ir_load(json, &err))
        fail_msg("%s/%s = %s is taken", row->parent, row->key, row->json);
    if (!strstr(err.text, row->error))
        fail_msg("%s/%s = %s: %s", row->parent, row->key, row->json, err.text);
    assert_int_equal(err.code, LEAT_EINPUT);
}

void check_broken_ir(const char *ir, const struct broken_ir *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_one(ir, &rows[i]);
}
