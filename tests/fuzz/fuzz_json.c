/* Any bytes as JSON: refused with a place, or written canonically and read back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    cleanup_json json_t *v = json_read((const char *)data, len, NULL, &err);
    if (!v) {
        if (!err.code || !strchr(err.text, ':'))
            abort();
        return 0;
    }
    cleanup_free char *text = json_write(v), *pretty = json_write_pretty(v);
    cleanup_json json_t *again = json_read(text, strlen(text), NULL, &err);
    cleanup_json json_t *indented = json_read(pretty, strlen(pretty), NULL, &err);
    if (!again || !indented || !json_equal(v, again) || !json_equal(v, indented))
        abort();
    cleanup_free char *twice = json_write(again);
    if (strcmp(text, twice) != 0)
        abort();
    return 0;
}
