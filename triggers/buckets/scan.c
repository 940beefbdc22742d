#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "common/base/mem.h"
#include "triggers/buckets/internal.h"

#define DEPTH_MAX 64

struct entry {
    char *key;
    struct stat st;
};

struct scan { /* filled on a thread of the pool, which touches nothing else */
    struct bucket *bucket;
    char *root;
    struct entry *entries;
    size_t count, cap;
    bool failed; /* not everything could be read: what is absent is not known to be gone */
};

static void walk(struct scan *s, const char *relative, int depth);

static void take(struct scan *s, const char *relative, const char *name, int depth)
{
    cleanup_free char *key = *relative ? mem_printf("%s/%s", relative, name) : mem_string(name);
    cleanup_free char *path = mem_printf("%s/%s", s->root, key);
    struct stat st;
    if (!bucket_key_ok(key) || lstat(path, &st) != 0)
        return;
    if (S_ISDIR(st.st_mode)) {
        walk(s, key, depth + 1);
    } else if (S_ISREG(st.st_mode)) {
        MEM_ROOM(s->entries, s->count, s->cap);
        s->entries[s->count++] = (struct entry){TAKE(key), st};
    }
}

static void walk(struct scan *s, const char *relative, int depth)
{
    cleanup_free char *path = mem_printf("%s/%s", s->root, relative);
    DIR *dir = depth < DEPTH_MAX ? opendir(path) : NULL;
    if (!dir) {
        s->failed = s->failed || errno != ENOENT;
        return;
    }
    for (const struct dirent *e = readdir(dir); e; e = readdir(dir))
        take(s, relative, e->d_name, depth);
    closedir(dir);
}

static void scan_work(void *arg)
{
    struct scan *s = arg;
    walk(s, "", 0);
}

/* A file may have changed since the walk: it is looked at again before anything is said of it. */
static void compare_one(struct bucket *b, const char *key)
{
    cleanup_free char *path = mem_printf("%s/%s", b->root, key);
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISREG(st.st_mode))
        bucket_seen(b, key, &st, NULL, NULL);
}

static void forget_absent(struct bucket *b)
{
    struct known *k, *next;
    HASH_ITER (hh, b->known, k, next) {
        cleanup_free char *path = mem_printf("%s/%s", b->root, k->key);
        if (!k->marked && access(path, F_OK) != 0 && errno == ENOENT)
            bucket_gone(b, k->key);
    }
}

static void scan_done(void *arg)
{
    struct scan *s = arg;
    struct bucket *b = s->bucket;
    struct known *k, *next;
    b->scanning = false;
    HASH_ITER (hh, b->known, k, next) {
        k->marked = false;
    }
    for (size_t i = 0; i < s->count; i++) {
        if (!b->closed)
            compare_one(b, s->entries[i].key);
        free(s->entries[i].key);
    }
    if (s->failed)
        log_warn("a bucket could not be read whole", LOG_S("bucket", b->name));
    else if (!b->closed)
        forget_absent(b);
    if (b->scan_again && !b->closed)
        bucket_scan(b);
    free(s->entries);
    free(s->root);
    free(s);
    bucket_release(b);
}

void bucket_scan(struct bucket *b)
{
    if (!b->loaded || b->scanning) {
        b->scan_again = true;
        return;
    }
    struct scan *s = mem_alloc(sizeof *s);
    s->bucket = b;
    s->root = mem_string(b->root);
    b->scanning = true;
    b->scan_again = false;
    b->open++;
    loop_work(b->triggers->loop, scan_work, scan_done, s);
}
