#include "common/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/store/store_internal.h"

#define S3_THREADS "16"
#define RETRY_US   (10 * US_PER_S)
#define FIRST_US   (500 * US_PER_MS)
#define CAP_US     (10 * US_PER_S)

/* ---- names ---------------------------------------------------------------------------------- */

static bool segment_ok(const char *segment, size_t len)
{
    if (len == 0 || len > 255 || (len == 1 && segment[0] == '.'))
        return false;
    if (len == 2 && segment[0] == '.' && segment[1] == '.')
        return false;
    for (size_t i = 0; i < len; i += text_utf8_length(segment + i))
        if ((unsigned char)segment[i] < 0x20 || segment[i] == 0x7f || segment[i] == '\\' ||
            text_utf8_length(segment + i) == 0)
            return false;
    return true;
}

bool store_name_ok(const char *name)
{
    const size_t total = strnlen(name, STORE_NAME_MAX + 1);
    if (total == 0 || total > STORE_NAME_MAX)
        return false;
    for (const char *p = name;; p++) {
        const size_t len = strcspn(p, "/");
        if (!segment_ok(p, len))
            return false;
        p += len;
        if (!*p)
            return true;
    }
}

/* The store's own folders are no names. */
static bool is_reserved(const char *name)
{
    return text_starts_with(name, "objects/") || text_starts_with(name, "tmp/") ||
           strcmp(name, "objects") == 0 || strcmp(name, "tmp") == 0;
}

bool store_hash_ok(const char *hash)
{
    return strlen(hash) == SHA256_HEX - 1 && strspn(hash, "0123456789abcdef") == SHA256_HEX - 1;
}

static int check_hash(const char *hash, struct err *err)
{
    if (store_hash_ok(hash))
        return 0;
    return err_set(err, LEAT_EINPUT, "'%.80s' is not the hash of an object", hash);
}

static int check_name(const char *name, struct err *err)
{
    if (store_name_ok(name) && !is_reserved(name))
        return 0;
    return err_set(err, LEAT_EINPUT, "'%.200s' cannot name an object", name);
}

static int check_key(const char *key, struct err *err)
{
    return store_hash_ok(key) ? 0 : check_name(key, err);
}

/* ---- open and close ------------------------------------------------------------------------- */

int store_open(struct loop *loop, const char *where, const struct store_options *options,
               struct store **out, struct err *err)
{
    void *self = NULL;
    const bool s3 = text_starts_with(where, S3_SCHEME);
    if (!s3 && strstr(where, "://"))
        return err_set(err, LEAT_EINPUT,
                       "store %.200s: a store is a directory or s3://BUCKET[/PREFIX]", where);
    if (s3) /* its threads wait for the network: more of them, before there are any */
        setenv("UV_THREADPOOL_SIZE", S3_THREADS, 0);
    const int rc =
        s3 ? s3_store_open(where, options, &self, err) : directory_open(where, options, &self, err);
    if (rc != 0)
        return rc;
    struct store *store = mem_alloc(sizeof *store);
    *store = (struct store){
        .loop = loop,
        .where = mem_string(where),
        .backend = s3 ? &STORE_S3 : &STORE_DIRECTORY,
        .self = self,
        .retry_us = options && options->retry_us ? options->retry_us : RETRY_US,
    };
    *out = store;
    return 0;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    store->backend->close(store->self);
    free(store->where);
    free(store);
}

int source_open(int at, const char *name, const char *shown, struct err *err)
{
    struct stat st;
    cleanup_close int fd = openat(at, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ELOOP || errno == ENXIO))
        return err_set(err, LEAT_EINPUT, "%s is a symbolic link or a special file", shown);
    if (fd < 0 && errno == ENOENT)
        return err_set(err, LEAT_ENOTFOUND, "%s does not exist", shown);
    if (fd < 0 || fstat(fd, &st) != 0)
        return err_errno(err, errno, "%s", shown);
    if (!S_ISREG(st.st_mode))
        return err_set(err, LEAT_EINPUT, "%s is not a regular file", shown);
    const int taken = fd;
    fd = -1;
    return taken;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

/* One operation on its way to a thread and back. */
struct store_job {
    struct store *store;
    int (*run)(struct store_job *job);
    char *key;  /* hash or name */
    char *path; /* of a file outside the store */
    char *data;
    size_t len; /* of data; read: at most */
    int64_t offset;
    struct store_names most;
    int flags;
    int rc;
    struct store_object object;
    struct err err;
    int fd; /* store_open_fd */
    int64_t began_us;
    int tries;
    struct loop_timer again;
    store_done_fn *done;
    store_fd_fn *fd_done; /* instead of done */
    void *arg;
};

static void run_job(void *arg)
{
    struct store_job *job = arg;
    job->rc = job->run(job);
}

static void end_job(void *arg);

static void again(void *arg)
{
    struct store_job *job = arg;
    loop_work(job->store->loop, run_job, end_job, job);
}

/* Once for each change, not for each operation. */
static void tell_away(struct store *store, const struct store_job *job)
{
    const bool away = job->rc == LEAT_EUNREACHABLE;
    if (away && !store->away)
        log_warn("the store does not answer: what needs it waits", LOG_ERR(&job->err));
    if (!away && store->away)
        log_info("the store answers again", LOG_S("store", store->where));
    store->away = away;
}

/* The service is away: the job waits on the loop, not on a thread, and begins anew. What it had
 * sent in parts is gone on with. */
static bool try_later(struct store_job *job)
{
    const int64_t spent = clock_monotonic_us() - job->began_us;
    int64_t wait = FIRST_US << (job->tries < 5 ? job->tries : 5);
    wait = wait < CAP_US ? wait : CAP_US;
    if (job->rc != LEAT_EUNREACHABLE || spent + wait > job->store->retry_us)
        return false;
    job->tries++;
    job->flags |= STORE_AGAIN;
    free(job->object.data);
    job->object = (struct store_object){.files = 1};
    loop_timer_start(job->store->loop, &job->again, wait, 0, again, job);
    return true;
}

static void end_job(void *arg)
{
    struct store_job *job = arg;
    const struct err *err = job->rc == 0 ? NULL : &job->err;
    tell_away(job->store, job);
    if (try_later(job))
        return;
    if (job->fd_done)
        job->fd_done(job->arg, err ? -1 : job->fd, job->object.size, err);
    else
        job->done(job->arg, &job->object, err);
    free(job->object.data);
    free(job->key);
    free(job->path);
    free(job->data);
    free(job);
}

static void start(struct store *store, int (*run)(struct store_job *), struct store_job with,
                  store_done_fn *done, void *arg)
{
    struct store_job *job = mem_alloc(sizeof *job);
    *job = with;
    job->store = store;
    job->run = run;
    job->object.files = 1;
    job->began_us = clock_monotonic_us();
    job->done = done;
    job->arg = arg;
    loop_work(store->loop, run_job, end_job, job);
}

static int run_put_file(struct store_job *job)
{
    const struct store *store = job->store;
    cleanup_close int fd = source_open(AT_FDCWD, job->path, job->path, &job->err);
    if (fd < 0)
        return fd;
    const char *move = job->flags & STORE_MOVE ? job->path : NULL;
    return store->backend->put_fd(store->self, fd, move, &job->object, &job->err);
}

void store_put_file(struct store *store, const char *path, int flags, store_done_fn *done,
                    void *arg)
{
    start(store, run_put_file, (struct store_job){.path = mem_string(path), .flags = flags}, done,
          arg);
}

static int run_put_bytes(struct store_job *job)
{
    return job->store->backend->put_bytes(job->store->self, job->data, job->len, &job->object,
                                          &job->err);
}

void store_put_bytes(struct store *store, const void *data, size_t len, store_done_fn *done,
                     void *arg)
{
    start(store, run_put_bytes, (struct store_job){.data = mem_bytes(data, len), .len = len}, done,
          arg);
}

static int run_put_folder(struct store_job *job)
{
    return folder_put(job->store, job->path, &job->object, &job->err);
}

void store_put_folder(struct store *store, const char *path, store_done_fn *done, void *arg)
{
    start(store, run_put_folder, (struct store_job){.path = mem_string(path)}, done, arg);
}

static int run_get_file(struct store_job *job)
{
    const struct store *store = job->store;
    const int rc = check_hash(job->key, &job->err);
    return rc ? rc
              : store->backend->get_file(store->self, job->key, job->path,
                                         job->flags & STORE_EXEC ? 0755 : 0644, &job->object,
                                         &job->err);
}

void store_get_file(struct store *store, const char *hash, const char *path, int flags,
                    store_done_fn *done, void *arg)
{
    start(store, run_get_file,
          (struct store_job){.key = mem_string(hash), .path = mem_string(path), .flags = flags},
          done, arg);
}

static int run_get_folder(struct store_job *job)
{
    const int rc = check_hash(job->key, &job->err);
    return rc ? rc : folder_get(job->store, job->key, job->path, &job->object, &job->err);
}

void store_get_folder(struct store *store, const char *hash, const char *path, store_done_fn *done,
                      void *arg)
{
    start(store, run_get_folder,
          (struct store_job){.key = mem_string(hash), .path = mem_string(path)}, done, arg);
}

static int run_list_folder(struct store_job *job)
{
    const int rc = check_hash(job->key, &job->err);
    return rc ? rc : folder_names(job->store, job->key, &job->most, &job->object, &job->err);
}

void store_list_folder(struct store *store, const char *hash, struct store_names most,
                       store_done_fn *done, void *arg)
{
    start(store, run_list_folder, (struct store_job){.key = mem_string(hash), .most = most}, done,
          arg);
}

static int run_put_named(struct store_job *job)
{
    const struct store *store = job->store;
    job->object.size = (int64_t)job->len;
    const int rc = check_name(job->key, &job->err);
    return rc ? rc
              : store->backend->put_named(store->self, job->key, job->data, job->len, job->flags,
                                          &job->err);
}

void store_put_named(struct store *store, const char *name, const void *data, size_t len, int flags,
                     store_done_fn *done, void *arg)
{
    start(store, run_put_named,
          (struct store_job){
              .key = mem_string(name), .data = mem_bytes(data, len), .len = len, .flags = flags},
          done, arg);
}

static int run_put_named_file(struct store_job *job)
{
    const struct store *store = job->store;
    const int rc = check_name(job->key, &job->err);
    if (rc != 0)
        return rc;
    cleanup_close int fd = source_open(AT_FDCWD, job->path, job->path, &job->err);
    if (fd < 0)
        return fd;
    const char *move = job->flags & STORE_MOVE ? job->path : NULL;
    return store->backend->put_named_fd(store->self, job->key, fd, move, job->flags,
                                        &job->object.size, &job->err);
}

void store_put_named_file(struct store *store, const char *name, const char *path, int flags,
                          store_done_fn *done, void *arg)
{
    start(store, run_put_named_file,
          (struct store_job){.key = mem_string(name), .path = mem_string(path), .flags = flags},
          done, arg);
}

static int run_read(struct store_job *job)
{
    const int rc = check_key(job->key, &job->err);
    return rc ? rc
              : job->store->backend->read(job->store->self, job->key, job->offset, job->len,
                                          &job->object, &job->err);
}

void store_read(struct store *store, const char *key, int64_t offset, size_t max,
                store_done_fn *done, void *arg)
{
    start(store, run_read, (struct store_job){.key = mem_string(key), .offset = offset, .len = max},
          done, arg);
}

static int run_exists(struct store_job *job)
{
    const int rc = check_key(job->key, &job->err);
    return rc ? rc
              : job->store->backend->exists(job->store->self, job->key, &job->object, &job->err);
}

void store_exists(struct store *store, const char *key, store_done_fn *done, void *arg)
{
    start(store, run_exists, (struct store_job){.key = mem_string(key)}, done, arg);
}

static int run_remove(struct store_job *job)
{
    const int rc = check_key(job->key, &job->err);
    return rc ? rc : job->store->backend->remove(job->store->self, job->key, &job->err);
}

void store_remove(struct store *store, const char *key, store_done_fn *done, void *arg)
{
    start(store, run_remove, (struct store_job){.key = mem_string(key)}, done, arg);
}

static int run_open_fd(struct store_job *job)
{
    const int rc = check_key(job->key, &job->err);
    if (rc != 0)
        return rc;
    job->fd =
        job->store->backend->open_fd(job->store->self, job->key, &job->object.size, &job->err);
    return job->fd < 0 ? job->fd : 0;
}

void store_open_fd(struct store *store, const char *key, store_fd_fn *done, void *arg)
{
    start(store, run_open_fd, (struct store_job){.key = mem_string(key), .fd_done = done}, NULL,
          arg);
}
