/* api/live/position.h: how far a reader of a run's stream has come; the text of it is the `id` of a
 * server-sent event and comes back as Last-Event-ID. Nothing of it is kept by the server, so a
 * reader resumes at any leat-api, also after a crash. Pure.
 *
 * It holds which steps are told to their end (state and whole log), as spans, and for logs that
 * were begun the next byte. States on the way (placed, running) are not in it: they are told again.
 *
 *     1;0-41,44,7/0-99;43/0:2:5:100:9000
 *     version; steps, or STEP/iterations; STEP/ITERATION:attempt:chunk:offset in it:offset in all
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/text.h"

#define POSITION_READ_MAX  (16 * 1024) /* bytes of a Last-Event-ID that are looked at */
#define POSITION_WRITE_MAX 4096 /* a longer one is not sent: the reader keeps the one before */

struct span { /* a step's iterations, or steps that have none (both iterations 0) */
    int32_t step, last_step;
    int32_t iteration, last_iteration;
};

struct begun { /* a log that was read in part */
    int32_t step, iteration, attempt;
    int64_t chunk;  /* the next to read, 1 … */
    int64_t inside; /* bytes of it that are read */
    int64_t total;  /* bytes of the log that are read */
};

struct position {
    struct span *spans; /* sorted, apart */
    size_t span_count, span_cap;
    struct begun *begun; /* in no order */
    size_t begun_count, begun_cap;
};

/* Replaces *p. LEAT_EINPUT for what position_write never writes. "" is the beginning. */
int position_read(const char *text, struct position *p, struct err *err);
/* False, and nothing appended, when it would pass POSITION_WRITE_MAX. */
bool position_write(const struct position *p, struct text *out);
void position_free(struct position *p);

bool position_done(const struct position *p, int32_t step, int32_t iteration);
/* Also forgets its begun log. */
void position_add_done(struct position *p, int32_t step, int32_t iteration);
/* NULL when that log was not begun. Good until the next call that adds. */
struct begun *position_begun(const struct position *p, int32_t step, int32_t iteration);
/* The same, made at the beginning of `attempt` when it is not there. */
struct begun *position_begin(struct position *p, int32_t step, int32_t iteration, int32_t attempt);
