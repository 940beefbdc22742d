/* Any text with ${{ }}: refused with a place, or substituted once. The last line is the value of
 * `x`, so that what is inserted looks like a template too. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    cleanup_free char *source = mem_bytes(data, len);
    char *last = strrchr(source, '\n');
    if (last)
        *last = '\0';
    cleanup_json json_t *x = json_string(last ? last + 1 : "${{ x }}");
    struct cel_var var = {"x", x}; /* NULL when it is not UTF-8: then there is no x */
    const struct cel_vars vars = {&var, 1, 5000};
    cleanup_template struct template *t = template_compile(source, &err);
    if (!t) {
        if (!err.code || !strchr(err.text, ':'))
            abort();
        return 0;
    }
    cleanup_free char *text = template_eval(t, &vars, &err);
    if (text && strlen(text) > TEMPLATE_RESULT_MAX)
        abort();
    if (text && template_is_literal(t) && strlen(text) > strlen(source))
        abort();
    cleanup_json json_t *v = template_eval_json(t, &vars, &err);
    if (text && !v && err.code != LEAT_ELIMIT)
        abort();
    return 0;
}
