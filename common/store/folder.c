/* Folders in a store: every file by its hash, and a manifest of them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/store/manifest.h"
#include "common/store/store_internal.h"

#define DEPTH_MAX 64

/* ---- in ------------------------------------------------------------------------------------- */

/* The walk goes by open folders and never through a link, because what made the folder may still
 * be changing it. */
struct walk {
    const struct store *store;
    const char *top; /* for messages */
    struct manifest manifest;
    struct err *err;
};

static int walk_folder(struct walk *w, int fd, const char *path, int depth);

static int put_entry_file(struct walk *w, int fd, const char *path)
{
    struct stat st;
    struct store_object object = {0};
    int rc = w->store->backend->put_fd(w->store->self, fd, NULL, &object, w->err);
    if (rc != 0)
        return rc;
    const int mode = fstat(fd, &st) == 0 && (st.st_mode & S_IXUSR) ? 0755 : 0644;
    manifest_add(&w->manifest, path, mode, object.size, object.hash);
    return 0;
}

static int put_entry(struct walk *w, int at, const char *name, const char *path, int depth)
{
    cleanup_free char *shown = mem_printf("%s/%s", w->top, path);
    if (!store_name_ok(path))
        return err_set(w->err, LEAT_EINPUT, "%s: such a name cannot be kept", shown);
    if (w->manifest.count >= MANIFEST_ENTRIES)
        return err_set(w->err, LEAT_ELIMIT, "%s: over %d files", w->top, MANIFEST_ENTRIES);
    cleanup_close int folder = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0)
        return walk_folder(w, folder, path, depth + 1);
    cleanup_close int fd = source_open(at, name, shown, w->err);
    return fd < 0 ? fd : put_entry_file(w, fd, path);
}

static int walk_folder(struct walk *w, int fd, const char *path, int depth)
{
    if (depth > DEPTH_MAX)
        return err_set(w->err, LEAT_ELIMIT, "%s/%s: over %d folders deep", w->top, path, DEPTH_MAX);
    DIR *dir = fdopendir(dup(fd));
    if (!dir)
        return err_errno(w->err, errno, "%s/%s", w->top, path);
    int rc = 0;
    bool empty = true;
    for (struct dirent *e = readdir(dir); e && rc == 0; e = readdir(dir)) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        empty = false;
        cleanup_free char *below = mem_printf("%s%s%s", path, *path ? "/" : "", e->d_name);
        rc = put_entry(w, fd, e->d_name, below, depth);
    }
    closedir(dir);
    if (rc == 0 && empty && *path)
        manifest_add(&w->manifest, path, 0, 0, NULL);
    return rc;
}

int folder_put(const struct store *store, const char *path, struct store_object *out,
               struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, LEAT_ENOTFOUND, "%s does not exist", path);
    if (fd < 0)
        return err_set(err, LEAT_EINPUT, "%s is not a folder: %s", path, strerror(errno));
    struct walk w = {.store = store, .top = path, .err = err};
    cleanup_text struct text json = {0};
    int rc = walk_folder(&w, fd, "", 0);
    if (rc == 0) {
        manifest_encode(&w.manifest, &json);
        rc = store->backend->put_bytes(store->self, json.data, json.len, out, err);
    }
    out->size = manifest_bytes(&w.manifest);
    out->files = (int64_t)manifest_files(&w.manifest);
    manifest_free(&w.manifest);
    return rc;
}

/* ---- out ------------------------------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    (void)!remove(path);
    return 0;
}

/* Each folder between `top` and the last segment of `path`, and that too where `all`. */
static int make_folders(const char *top, const char *path, bool all, struct err *err)
{
    cleanup_free char *full = mem_printf("%s/%s", top, path);
    for (char *slash = full + strlen(top) + 1; *slash; slash++) {
        if (*slash != '/')
            continue;
        *slash = '\0';
        if (mkdir(full, 0755) != 0 && errno != EEXIST)
            return err_errno(err, errno, "%s", full);
        *slash = '/';
    }
    if (all && mkdir(full, 0755) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", full);
    return 0;
}

static int get_entries(const struct store *store, const struct manifest *m, const char *path,
                       struct err *err)
{
    for (size_t i = 0; i < m->count; i++) {
        const struct manifest_entry *e = &m->entries[i];
        struct store_object unused = {0};
        cleanup_free char *to = mem_printf("%s/%s", path, e->path);
        int rc = make_folders(path, e->path, e->mode == 0, err);
        if (rc == 0 && e->mode != 0)
            rc = store->backend->get_file(store->self, e->sha256, to, e->mode, &unused, err);
        if (rc != 0)
            return rc;
    }
    return 0;
}

int folder_manifest(const struct store *store, const char *hash, struct manifest *out,
                    struct err *err)
{
    struct store_object object = {0};
    char actual[SHA256_HEX];
    int rc = store->backend->read(store->self, hash, 0, MANIFEST_BYTES, &object, err);
    cleanup_free char *data = object.data;
    if (rc != 0)
        return rc;
    sha256_hex(data, (size_t)object.size, actual);
    if (strcmp(actual, hash) != 0)
        return err_set(err, LEAT_EIO, "object %s is damaged or too large for a manifest", hash);
    rc = manifest_decode(data, (size_t)object.size, out, err);
    return rc ? err_wrap(err, "object %s", hash) : 0;
}

int folder_get(const struct store *store, const char *hash, const char *path,
               struct store_object *out, struct err *err)
{
    cleanup_manifest struct manifest m = {0};
    int rc = folder_manifest(store, hash, &m, err);
    if (rc != 0)
        return rc;
    if (mkdir(path, 0755) != 0)
        return errno == EEXIST ? err_set(err, LEAT_EEXISTS, "%s exists", path)
                               : err_errno(err, errno, "%s", path);
    rc = get_entries(store, &m, path, err);
    if (rc != 0)
        nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    memcpy(out->hash, hash, SHA256_HEX);
    out->size = manifest_bytes(&m);
    out->files = (int64_t)manifest_files(&m);
    return rc;
}
