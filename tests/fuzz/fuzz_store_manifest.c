/* Manifests: what is read can be written and reads back as the same bytes; its paths are safe. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/store/manifest.h"
#include "common/store/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    cleanup_manifest struct manifest m = {0}, again = {0};
    cleanup_text struct text first = {0}, second = {0};
    if (manifest_decode((const char *)data, len, &m, NULL) != 0)
        return 0;
    for (size_t i = 0; i < m.count; i++)
        if (!store_name_ok(m.entries[i].path))
            abort();
    manifest_encode(&m, &first);
    if (manifest_decode(first.data, first.len, &again, NULL) != 0)
        abort();
    manifest_encode(&again, &second);
    if (first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
        abort();
    return 0;
}
