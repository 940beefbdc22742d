/* worker/attempt/spool.h: the log of a process step, from its file on this worker's disk into the
 * store in numbered chunks, logs/RUN/STEP/ATTEMPT-ID/000001 and so on: while it runs every half
 * second or 256 KiB, the rest when it has ended. After the worker's own death it goes on where the
 * store stands: a chunk's name can be written once only, and tells its size. */
#pragma once
#include <stdint.h>
#include <stdbool.h>
#include <jansson.h>

struct attempt;
struct worker;
struct spool;

#define SPOOL_CHUNK   (256 * 1024)
#define SPOOL_TICK_US 500000LL
#define SPOOL_NAME    512 /* bytes of a chunk's name, the NUL included */

/* Name of chunk n (1, 2, …). */
void spool_chunk_name(char out[SPOOL_NAME], const char *run, const char *step, const char *attempt,
                      int64_t n);

void spool_open(struct attempt *a); /* a->spool; goes on behind what the journal knows */
/* No more than `chunks` and `bytes` are known to be in the store (replay). */
void spool_known(struct attempt *a, int64_t chunks, int64_t bytes);
void spool_put_known(struct attempt *a); /* that, into the journal */
void spool_free(struct spool *s);        /* with nothing under way; takes NULL */

/* The attempt has ended: the rest goes into the store, then done(a, log), once, now or later, with
 * {chunks, bytes, sha256, truncated} or NULL for an empty log. */
void spool_finish(struct attempt *a, bool truncated, void (*done)(struct attempt *a, json_t *log));

/* Keeps the worker's half-second tick going while logs may grow. */
void spool_tick(void *worker);
