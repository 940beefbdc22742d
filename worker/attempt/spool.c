#include "worker/attempt/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/store/store.h"
#include "worker/attempt/attempt.h"
#include "worker/worker.h"

#define TRIES 20 /* of the last chunks, half a second apart; then the log counts as truncated */

struct spool {
    struct attempt *attempt;
    char *path;
    char run[UUID_TEXT];
    int64_t chunks, bytes; /* in the store */
    bool busy;             /* a chunk is on its way */
    bool counted;          /* in worker->running */
    bool truncated;
    int tries;
    void (*done)(struct attempt *a, json_t *log); /* set: it has ended */
    struct loop_timer again;
    uint8_t digest[SHA256_BYTES];
};

void spool_chunk_name(char out[SPOOL_NAME], const char *run, const char *step, const char *attempt,
                      int64_t n)
{
    snprintf(out, SPOOL_NAME, "logs/%s/%s/%s/%06" PRId64, run, step, attempt, n);
}

static void uncount(struct spool *s)
{
    if (!s->counted)
        return;
    struct worker *w = s->attempt->worker;
    s->counted = false;
    if (--w->running == 0)
        loop_timer_stop(&w->log_tick);
}

static struct spool *spool_of(struct attempt *a)
{
    if (!a->spool) {
        a->spool = mem_alloc(sizeof *a->spool);
        a->spool->attempt = a;
        a->spool->path = attempt_log_path(a);
    }
    return a->spool;
}

void spool_known(struct attempt *a, int64_t chunks, int64_t bytes)
{
    struct spool *s = spool_of(a);
    s->chunks = chunks;
    s->bytes = bytes;
}

void spool_put_known(struct attempt *a)
{
    const struct spool *s = a->spool;
    if (s && s->chunks > 0)
        journal_put(a->worker->journal,
                    &(struct journal_record){
                        .kind = JOURNAL_LOG, .id = a->id, .number = s->chunks, .offset = s->bytes});
}

void spool_open(struct attempt *a)
{
    struct worker *w = a->worker;
    struct spool *s = spool_of(a);
    uuid_format(&a->order.start->run, s->run);
    if (s->counted)
        return;
    s->counted = true;
    if (w->running++ == 0)
        loop_timer_start(w->loop, &w->log_tick, SPOOL_TICK_US, SPOOL_TICK_US, spool_tick, w);
}

void spool_free(struct spool *s)
{
    if (!s)
        return;
    uncount(s);
    loop_timer_stop(&s->again);
    free(s->path);
    free(s);
}

/* ---- chunks
 * -------------------------------------------------------------------------------------- */

static void go_on(struct spool *s);

static void chunk_name(const struct spool *s, char out[SPOOL_NAME])
{
    spool_chunk_name(out, s->run, s->attempt->order.start->step, s->attempt->id_text,
                     s->chunks + 1);
}

/* Pending in the journal, and written with whatever comes next: without it the names are probed. */
static void chunk_stored(struct spool *s, int64_t size)
{
    s->chunks++;
    s->bytes += size;
    s->tries = 0;
    spool_put_known(s->attempt);
    go_on(s);
}

static void again(void *arg)
{
    go_on(arg);
}

static void chunk_failed(struct spool *s, const struct err *err)
{
    if (!s->done)
        return; /* the next tick tries again */
    if (++s->tries < TRIES) {
        loop_timer_start(s->attempt->worker->loop, &s->again, SPOOL_TICK_US, 0, again, s);
        return;
    }
    log_warn("the end of a log could not be stored", LOG_S("attempt", s->attempt->id_text),
             LOG_ERR(err));
    s->truncated = true;
    go_on(s);
}

static void sized(void *arg, const struct store_object *object, const struct err *err)
{
    struct spool *s = arg;
    s->busy = false;
    if (err)
        chunk_failed(s, err);
    else
        chunk_stored(s, object->size);
}

static void put(void *arg, const struct store_object *object, const struct err *err)
{
    struct spool *s = arg;
    s->busy = false;
    if (!err) {
        chunk_stored(s, object->size);
    } else if (err->code == LEAT_EEXISTS) { /* by an earlier life of this worker */
        char name[SPOOL_NAME];
        chunk_name(s, name);
        s->busy = true;
        store_exists(s->attempt->worker->store, name, sized, s);
    } else {
        chunk_failed(s, err);
    }
}

static int64_t file_bytes(const struct spool *s)
{
    struct stat st;
    return stat(s->path, &st) == 0 ? st.st_size : 0;
}

/* The next chunk on its way; false when there is nothing new. */
static bool put_chunk(struct spool *s)
{
    if (file_bytes(s) <= s->bytes)
        return false;
    cleanup_close int fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_free char *buf = mem_alloc(SPOOL_CHUNK);
    const ssize_t n = fd >= 0 ? pread(fd, buf, SPOOL_CHUNK, s->bytes) : -1;
    if (n <= 0)
        return false;
    char name[SPOOL_NAME];
    chunk_name(s, name);
    s->busy = true;
    store_put_named(s->attempt->worker->store, name, buf, (size_t)n, 0, put, s);
    return true;
}

/* ---- the end
 * ------------------------------------------------------------------------------------- */

static void tell(struct spool *s)
{
    char hex[2 * SHA256_BYTES + 1];
    hex_encode(s->digest, sizeof s->digest, hex);
    json_t *log = json_pack("{s:I, s:I, s:s, s:b}", "chunks", (json_int_t)s->chunks, "bytes",
                            (json_int_t)s->bytes, "sha256", hex, "truncated", (int)s->truncated);
    failpoint_hit(FAILPOINT_LOG_CLOSED_AFTER);
    s->done(s->attempt, log);
}

/* Of the bytes that are in the store: the first s->bytes of the file. */
static void digest(void *arg)
{
    struct spool *s = arg;
    struct sha256_stream *stream = sha256_start();
    cleanup_close int fd = open(s->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    cleanup_free char *buf = mem_alloc(SPOOL_CHUNK);
    for (int64_t at = 0; fd >= 0 && at < s->bytes;) {
        const int64_t left = s->bytes - at;
        const ssize_t n = pread(fd, buf, left < SPOOL_CHUNK ? (size_t)left : SPOOL_CHUNK, at);
        if (n <= 0)
            break;
        sha256_add(stream, buf, (size_t)n);
        at += n;
    }
    sha256_end(stream, s->digest);
}

static void digested(void *arg)
{
    tell(arg);
}

static void close_log(struct spool *s)
{
    uncount(s);
    if (s->chunks == 0 && !s->truncated) {
        s->done(s->attempt, NULL);
    } else if (s->bytes <= SPOOL_CHUNK) {
        digest(s);
        tell(s);
    } else {
        loop_work(s->attempt->worker->loop, digest, digested, s);
    }
}

static void go_on(struct spool *s)
{
    if (s->busy)
        return;
    const bool gave_up = s->done && s->tries >= TRIES;
    const bool much = file_bytes(s) - s->bytes >= SPOOL_CHUNK;
    if (!gave_up && (s->done || much) && put_chunk(s))
        return;
    if (s->done)
        close_log(s);
}

void spool_finish(struct attempt *a, bool truncated, void (*done)(struct attempt *a, json_t *log))
{
    struct spool *s = a->spool;
    failpoint_hit(FAILPOINT_LOG_CLOSED_BEFORE);
    s->truncated = truncated;
    s->done = done;
    go_on(s);
}

void spool_tick(void *worker)
{
    struct worker *w = worker;
    struct attempt *a, *next;
    HASH_ITER (hh, w->attempts, a, next)
        if (a->spool && a->spool->counted && !a->spool->busy && !a->spool->done)
            put_chunk(a->spool);
    worker_journal(w);
}
