/* Any bytes as YAML: refused with a place, or values whose every member can be located. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

#define LOOKS_MAX 200

static void locate_all(const struct yaml_doc *doc, json_t *v, struct text *pointer, int *looks)
{
    int line, column;
    if (++*looks > LOOKS_MAX)
        return;
    yaml_locate(doc, pointer->data, &line, &column);
    if (line < 1 || column < 1 || json_pointer(doc->value, pointer->data) != v)
        abort();
    const size_t len = pointer->len;
    const char *key;
    json_t *item;
    size_t i;
    json_object_foreach (v, key, item) {
        json_pointer_add(pointer, key);
        locate_all(doc, item, pointer, looks);
        pointer->data[pointer->len = len] = '\0';
    }
    json_array_foreach (v, i, item) {
        json_pointer_add_index(pointer, i);
        locate_all(doc, item, pointer, looks);
        pointer->data[pointer->len = len] = '\0';
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = {0};
    cleanup_yaml struct yaml_docs docs;
    if (yaml_read("f", (const char *)data, len, &docs, &err) < 0) {
        if (!err.code || strncmp(err.text, "f:", 2) != 0 || docs.count != 0)
            abort();
        return 0;
    }
    for (size_t i = 0; i < docs.count; i++) {
        cleanup_text struct text pointer = {0};
        text_puts(&pointer, "");
        int looks = 0;
        locate_all(&docs.items[i], docs.items[i].value, &pointer, &looks);
    }
    return 0;
}
