/* What stands at the top of a folder in a store, out of its manifest. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/manifest.h"
#include "common/store/store_internal.h"
#include "common/text/json.h"

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Each first segment once. The manifest's own order is not theirs: "a-b" comes before "a/x". */
static char **top_names(const struct manifest *m, size_t *count)
{
    char **names = mem_array(m->count + 1, sizeof *names);
    for (size_t i = 0; i < m->count; i++)
        names[i] = mem_bytes(m->entries[i].path, strcspn(m->entries[i].path, "/"));
    if (m->count > 0)
        qsort(names, m->count, sizeof *names, by_bytes);
    *count = 0;
    for (size_t i = 0; i < m->count; i++)
        if (*count > 0 && strcmp(names[*count - 1], names[i]) == 0)
            free(names[i]);
        else
            names[(*count)++] = names[i];
    return names;
}

int folder_names(const struct store *store, const char *hash, const struct store_names *most,
                 struct store_object *out, struct err *err)
{
    cleanup_manifest struct manifest m = {0};
    size_t count;
    const int rc = folder_manifest(store, hash, &m, err);
    if (rc != 0)
        return rc;
    char **names = top_names(&m, &count);
    cleanup_json json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, json_string(names[i]));
        free(names[i]);
    }
    free(names);
    out->data = json_write(list);
    out->size = (int64_t)strlen(out->data);
    out->files = (int64_t)count;
    if (count > most->count)
        return err_set(err, LEAT_ELIMIT, "%zu names, and the limit is %zu", count, most->count);
    if ((size_t)out->size > most->bytes)
        return err_set(err, LEAT_ELIMIT, "names of %lld bytes, and the limit is %zu",
                       (long long)out->size, most->bytes);
    return 0;
}
