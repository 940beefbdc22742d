#include "worker/executor/bucket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/store/store.h"
#include "common/text/json.h"

#define UPLOADING ".leat-"
#define DEPTH     32 /* folders inside one another */

void bucket_version(const struct stat *st, char out[BUCKET_VERSION])
{
    snprintf(out, BUCKET_VERSION, "%lld-%llu-%lld",
             (long long)st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec,
             (unsigned long long)st->st_ino, (long long)st->st_size);
}

void bucket_add(struct bucket_list *list, const char *key)
{
    MEM_ROOM(list->objects, list->count, list->cap);
    list->objects[list->count++] = (struct bucket_object){.key = mem_string(key)};
}

struct scan {
    const char *prefix, *suffix;
    struct bucket_list *list;
};

static int scan_folder(const struct scan *scan, int parent, const char *name, const char *above,
                       int depth, struct err *err);

static int take_key(const struct scan *scan, const char *key, struct err *err)
{
    if (!text_starts_with(key, scan->prefix) || !text_ends_with(key, scan->suffix))
        return 0;
    if (!store_name_ok(key))
        return err_set(err, LEAT_EINPUT, "'%.200s' cannot be the key of an object", key);
    if (scan->list->count == BUCKET_OBJECTS)
        return err_set(err, LEAT_ELIMIT, "there are more than %d objects; give a prefix or suffix",
                       BUCKET_OBJECTS);
    bucket_add(scan->list, key);
    return 0;
}

static int take_entry(const struct scan *scan, int folder, const char *name, const char *above,
                      int depth, struct err *err)
{
    struct stat st;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || text_starts_with(name, UPLOADING))
        return 0;
    if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s%s", above, name);
    cleanup_free char *key = mem_printf("%s%s", above, name);
    if (S_ISREG(st.st_mode))
        return take_key(scan, key, err);
    if (!S_ISDIR(st.st_mode))
        return 0;
    cleanup_free char *inside = mem_printf("%s/", key);
    return scan_folder(scan, folder, name, inside, depth + 1, err);
}

static int scan_folder(const struct scan *scan, int parent, const char *name, const char *above,
                       int depth, struct err *err)
{
    if (depth > DEPTH)
        return err_set(err, LEAT_ELIMIT, "'%.200s' lies deeper than %d folders", above, DEPTH);
    const int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT && depth > 0 ? 0 : err_errno(err, errno, "%s", name);
    DIR *dir = fdopendir(fd);
    if (!dir) {
        close(fd);
        return err_errno(err, errno, "%s", name);
    }
    int rc = 0;
    for (const struct dirent *e; rc == 0 && (e = readdir(dir));)
        rc = take_entry(scan, fd, e->d_name, above, depth, err);
    closedir(dir);
    return rc;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct bucket_object *)a)->key, ((const struct bucket_object *)b)->key);
}

int bucket_scan(const char *folder, const char *prefix, const char *suffix, struct bucket_list *out,
                struct err *err)
{
    const struct scan scan = {.prefix = prefix, .suffix = suffix, .list = out};
    const int rc = scan_folder(&scan, AT_FDCWD, folder, "", 0, err);
    if (rc == 0 && out->count > 0)
        qsort(out->objects, out->count, sizeof *out->objects, by_key);
    return rc;
}

void bucket_list_free(struct bucket_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->objects[i].key);
    free(list->objects);
    *list = (struct bucket_list){0};
}

char *bucket_manifest(const char *bucket, const struct bucket_list *list)
{
    cleanup_json json_t *objects = json_array();
    for (size_t i = 0; i < list->count; i++) {
        const struct bucket_object *o = &list->objects[i];
        char modified[CLOCK_TEXT];
        clock_format(o->modified_us, modified);
        json_array_append_new(objects, json_pack("{s:s, s:s, s:I, s:s, s:s}", "key", o->key,
                                                 "version", o->version, "size", (json_int_t)o->size,
                                                 "sha256", o->sha256, "modified", modified));
    }
    cleanup_json json_t *manifest = json_pack("{s:s, s:O}", "bucket", bucket, "objects", objects);
    return json_write(manifest);
}
