#include "common/store/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/store/store.h"
#include "common/text/json.h"

void manifest_add(struct manifest *m, const char *path, int mode, int64_t size, const char *sha256)
{
    MEM_ROOM(m->entries, m->count, m->cap);
    struct manifest_entry *e = &m->entries[m->count++];
    memset(e, 0, sizeof *e);
    e->path = mem_string(path);
    e->mode = mode;
    e->size = size;
    if (sha256)
        memcpy(e->sha256, sha256, SHA256_HEX);
}

static int by_path(const void *a, const void *b)
{
    const struct manifest_entry *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static void sort(struct manifest *m)
{
    if (m->count > 0)
        qsort(m->entries, m->count, sizeof *m->entries, by_path);
}

static void put_files(const struct manifest *m, struct text *out)
{
    const char *comma = "";
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest_entry *e = &m->entries[i];
        if (e->mode == 0)
            continue;
        text_printf(out, "%s{\"path\":", comma);
        text_quote(out, e->path);
        text_printf(out, ",\"mode\":%d,\"size\":%lld,\"sha256\":\"%s\"}", e->mode,
                    (long long)e->size, e->sha256);
        comma = ",";
    }
}

static void put_folders(const struct manifest *m, struct text *out)
{
    const char *comma = "";
    for (size_t i = 0; i < m->count; i++) {
        if (m->entries[i].mode != 0)
            continue;
        text_puts(out, comma);
        text_quote(out, m->entries[i].path);
        comma = ",";
    }
}

void manifest_encode(struct manifest *m, struct text *out)
{
    sort(m);
    text_puts(out, "{\"kind\":\"folder\",\"files\":[");
    put_files(m, out);
    text_puts(out, "]");
    if (manifest_files(m) < m->count) {
        text_puts(out, ",\"folders\":[");
        put_folders(m, out);
        text_puts(out, "]");
    }
    text_puts(out, "}");
}

/* ---- reading -------------------------------------------------------------------------------- */

static int bad(size_t i, const char *what, struct err *err)
{
    return err_set(err, LEAT_EINPUT, "manifest: entry %zu: %s", i, what);
}

static int read_file_entry(struct manifest *m, const json_t *v, size_t i, struct err *err)
{
    const char *path = json_get_string(v, "path", "");
    const char *hash = json_get_string(v, "sha256", "");
    const int64_t mode = json_get_int(v, "mode", 0), size = json_get_int(v, "size", -1);
    if (!store_name_ok(path))
        return bad(i, "bad path", err);
    if (!store_hash_ok(hash))
        return bad(i, "bad hash", err);
    if (mode != 0644 && mode != 0755)
        return bad(i, "bad mode", err);
    if (size < 0)
        return bad(i, "bad size", err);
    manifest_add(m, path, (int)mode, size, hash);
    return 0;
}

static int read_entries(struct manifest *m, const json_t *root, struct err *err)
{
    size_t i;
    json_t *v;
    json_t *files = json_object_get(root, "files"), *folders = json_object_get(root, "folders");
    if (!json_is_array(files) || (folders && !json_is_array(folders)))
        return err_set(err, LEAT_EINPUT, "manifest: no list of files");
    if (json_array_size(files) + json_array_size(folders) > MANIFEST_ENTRIES)
        return err_set(err, LEAT_ELIMIT, "manifest: over %d entries", MANIFEST_ENTRIES);
    json_array_foreach (files, i, v) {
        const int rc = read_file_entry(m, v, i, err);
        if (rc != 0)
            return rc;
    }
    json_array_foreach (folders, i, v) {
        if (!json_is_string(v) || !store_name_ok(json_string_value(v)))
            return bad(i, "bad folder", err);
        manifest_add(m, json_string_value(v), 0, 0, NULL);
    }
    sort(m);
    for (i = 1; i < m->count; i++)
        if (strcmp(m->entries[i - 1].path, m->entries[i].path) == 0)
            return bad(i, "the path is there twice", err);
    return 0;
}

int manifest_decode(const char *json, size_t len, struct manifest *out, struct err *err)
{
    static const struct json_limits limits = {.depth = 4, .bytes = MANIFEST_BYTES};
    cleanup_json json_t *root = json_read(json, len, &limits, err);
    if (!root)
        return err_wrap(err, "manifest");
    if (strcmp(json_get_string(root, "kind", ""), "folder") != 0)
        return err_set(err, LEAT_EINPUT, "manifest: not of a folder");
    cleanup_manifest struct manifest m = {0};
    const int rc = read_entries(&m, root, err);
    if (rc != 0)
        return rc;
    *out = m;
    m = (struct manifest){0};
    return 0;
}

int64_t manifest_bytes(const struct manifest *m)
{
    int64_t sum = 0;
    for (size_t i = 0; i < m->count; i++)
        sum += m->entries[i].size;
    return sum;
}

size_t manifest_files(const struct manifest *m)
{
    size_t n = 0;
    for (size_t i = 0; i < m->count; i++)
        n += m->entries[i].mode != 0;
    return n;
}

void manifest_free(struct manifest *m)
{
    for (size_t i = 0; i < m->count; i++)
        free(m->entries[i].path);
    free(m->entries);
    *m = (struct manifest){0};
}
