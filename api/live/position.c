#include "api/live/position.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

void position_free(struct position *p)
{
    free(p->spans);
    free(p->begun);
    *p = (struct position){0};
}

/* ---- what is done --------------------------------------------------------------------------- */

static bool before(int32_t step, int32_t iteration, const struct span *s)
{
    return step < s->step || (step == s->step && iteration < s->iteration);
}

/* How many spans begin at or before this step. */
static size_t place_of(const struct position *p, int32_t step, int32_t iteration)
{
    size_t low = 0, high = p->span_count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (before(step, iteration, &p->spans[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static bool covers(const struct span *s, int32_t step, int32_t iteration)
{
    if (s->step == s->last_step)
        return step == s->step && iteration >= s->iteration && iteration <= s->last_iteration;
    return iteration == 0 && step >= s->step && step <= s->last_step;
}

/* 0-5 holds iteration 0 of these steps, and the other iterations of 3 stand behind it: the one span
 * before is not enough. */
bool position_done(const struct position *p, int32_t step, int32_t iteration)
{
    for (size_t at = place_of(p, step, iteration); at > 0; at--) {
        const struct span *s = &p->spans[at - 1];
        if (covers(s, step, iteration))
            return true;
        if (iteration != 0 && s->step < step)
            return false;
        if (iteration == 0 && s->iteration == 0)
            return false;
    }
    return false;
}

/* Does `b` go on where `a` ends? */
static bool joins(const struct span *a, const struct span *b)
{
    if (a->step == a->last_step && b->step == b->last_step && a->step == b->step)
        return b->iteration == a->last_iteration + 1;
    return a->last_iteration == 0 && b->iteration == 0 && b->last_iteration == 0 &&
           b->step == a->last_step + 1;
}

static bool join(struct position *p, size_t at)
{
    if (at + 1 >= p->span_count || !joins(&p->spans[at], &p->spans[at + 1]))
        return false;
    p->spans[at].last_step = p->spans[at + 1].last_step;
    p->spans[at].last_iteration = p->spans[at + 1].last_iteration;
    memmove(&p->spans[at + 1], &p->spans[at + 2], (p->span_count - at - 2) * sizeof *p->spans);
    p->span_count--;
    return true;
}

static void insert(struct position *p, size_t at, struct span span)
{
    MEM_ROOM(p->spans, p->span_count, p->span_cap);
    memmove(&p->spans[at + 1], &p->spans[at], (p->span_count - at) * sizeof *p->spans);
    p->spans[at] = span;
    p->span_count++;
    join(p, at);
    if (at > 0)
        join(p, at - 1);
}

void position_add_done(struct position *p, int32_t step, int32_t iteration)
{
    struct begun *b = position_begun(p, step, iteration);
    if (b)
        *b = p->begun[--p->begun_count];
    if (!position_done(p, step, iteration))
        insert(p, place_of(p, step, iteration), (struct span){step, step, iteration, iteration});
}

/* ---- what is begun -------------------------------------------------------------------------- */

struct begun *position_begun(const struct position *p, int32_t step, int32_t iteration)
{
    for (size_t i = 0; i < p->begun_count; i++)
        if (p->begun[i].step == step && p->begun[i].iteration == iteration)
            return &p->begun[i];
    return NULL;
}

struct begun *position_begin(struct position *p, int32_t step, int32_t iteration, int32_t attempt)
{
    struct begun *b = position_begun(p, step, iteration);
    if (b)
        return b;
    MEM_ROOM(p->begun, p->begun_count, p->begun_cap);
    b = &p->begun[p->begun_count++];
    *b = (struct begun){.step = step, .iteration = iteration, .attempt = attempt, .chunk = 1};
    return b;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void write_span(const struct span *s, struct text *out)
{
    if (s->step != s->last_step)
        text_printf(out, "%d-%d", s->step, s->last_step);
    else if (s->iteration == 0 && s->last_iteration == 0)
        text_printf(out, "%d", s->step);
    else if (s->iteration == s->last_iteration)
        text_printf(out, "%d/%d", s->step, s->iteration);
    else
        text_printf(out, "%d/%d-%d", s->step, s->iteration, s->last_iteration);
}

static void write_begun(const struct begun *b, struct text *out)
{
    text_printf(out, "%d/%d:%d:%" PRId64 ":%" PRId64 ":%" PRId64, b->step, b->iteration, b->attempt,
                b->chunk, b->inside, b->total);
}

static bool at_beginning(const struct begun *b)
{
    return b->attempt <= 1 && b->chunk == 1 && b->inside == 0;
}

bool position_write(const struct position *p, struct text *out)
{
    cleanup_text struct text all = {0};
    text_puts(&all, "1;");
    for (size_t i = 0; i < p->span_count && all.len <= POSITION_WRITE_MAX; i++) {
        text_puts(&all, i ? "," : "");
        write_span(&p->spans[i], &all);
    }
    const char *between = ";";
    for (size_t i = 0; i < p->begun_count && all.len <= POSITION_WRITE_MAX; i++) {
        if (at_beginning(&p->begun[i]))
            continue;
        text_puts(&all, between);
        write_begun(&p->begun[i], &all);
        between = ",";
    }
    text_puts(&all, *between == ';' ? ";" : "");
    if (all.len > POSITION_WRITE_MAX)
        return false;
    text_append(out, all.data, all.len);
    return true;
}

/* ---- and back ------------------------------------------------------------------------------- */

/* Digits only; *at is moved behind them. */
static bool read_number(const char **at, int64_t most, int64_t *out)
{
    int64_t n = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (n > (most - (*p - '0')) / 10)
            return false;
        n = n * 10 + (*p - '0');
    }
    const bool any = p != *at;
    *at = p;
    *out = n;
    return any;
}

static bool read_small(const char **at, int32_t *out)
{
    int64_t n = 0;
    const bool ok = read_number(at, INT32_MAX - 1, &n);
    *out = (int32_t)n;
    return ok;
}

static bool eat(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

static bool read_span(const char **at, struct span *s)
{
    if (!read_small(at, &s->step))
        return false;
    s->last_step = s->step;
    s->iteration = s->last_iteration = 0;
    if (eat(at, '/')) {
        if (!read_small(at, &s->iteration))
            return false;
        s->last_iteration = s->iteration;
        return !eat(at, '-') ||
               (read_small(at, &s->last_iteration) && s->last_iteration > s->iteration);
    }
    return !eat(at, '-') || (read_small(at, &s->last_step) && s->last_step > s->step);
}

static bool in_order(const struct span *a, const struct span *b)
{
    return a->step < b->step || (a->step == b->step && a->last_iteration < b->iteration);
}

static bool read_spans(const char **at, struct position *p)
{
    while (**at && **at != ';') {
        MEM_ROOM(p->spans, p->span_count, p->span_cap);
        struct span *s = &p->spans[p->span_count];
        if (!read_span(at, s) || (p->span_count > 0 && !in_order(s - 1, s)))
            return false;
        p->span_count++;
        if (!eat(at, ',') && **at != ';')
            return false;
    }
    return eat(at, ';');
}

static bool read_begun(const char **at, struct begun *b)
{
    return read_small(at, &b->step) && eat(at, '/') && read_small(at, &b->iteration) &&
           eat(at, ':') && read_small(at, &b->attempt) && eat(at, ':') &&
           read_number(at, INT32_MAX, &b->chunk) && eat(at, ':') &&
           read_number(at, INT64_MAX / 2, &b->inside) && eat(at, ':') &&
           read_number(at, INT64_MAX / 2, &b->total) && b->chunk > 0;
}

static bool read_all(const char *at, struct position *p)
{
    if (!eat(&at, '1') || !eat(&at, ';') || !read_spans(&at, p))
        return false;
    while (*at) {
        MEM_ROOM(p->begun, p->begun_count, p->begun_cap);
        if (!read_begun(&at, &p->begun[p->begun_count]))
            return false;
        p->begun_count++;
        if (*at && !(eat(&at, ',') && *at))
            return false;
    }
    return true;
}

int position_read(const char *text, struct position *p, struct err *err)
{
    *p = (struct position){0};
    if (!*text)
        return 0;
    if (strlen(text) <= POSITION_READ_MAX && read_all(text, p))
        return 0;
    position_free(p);
    return err_set(err, LEAT_EINPUT,
                   "Last-Event-ID: give back the id of an event of this stream, "
                   "or none to read from the beginning");
}
