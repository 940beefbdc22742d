#include "tests/sim/minimise.h"

struct search {
    struct minimised best;
    const struct keep_counts *counts;
    minimise_fn *fails;
    void *ctx;
};

/* Tries without what is left of [from, to) of the row. */
static bool try_without(struct search *s, int from, int to)
{
    struct keep less = s->best.keep;
    bool any = false;
    for (int n = from; n < to; n++)
        if (keep_has(&less, s->counts, n)) {
            keep_drop(&less, s->counts, n);
            any = true;
        }
    if (!any || s->best.runs == MINIMISE_RUNS)
        return false;
    s->best.runs++;
    if (!s->fails(s->ctx, &less))
        return false;
    s->best.keep = less;
    return true;
}

/* The row from `from` to `to` in ever smaller pieces. Did any of it go? */
static bool reduce(struct search *s, int from, int to)
{
    bool went = false;
    int size = to - from;
    while (size > 0) {
        for (int at = from; at < to; at += size)
            went |= try_without(s, at, at + size < to ? at + size : to);
        size = size == 1 ? 0 : (size + 1) / 2;
    }
    return went;
}

struct minimised minimise(const struct keep *keep, const struct keep_counts *counts,
                          minimise_fn *fails, void *ctx)
{
    struct search s = {.best.keep = *keep, .counts = counts, .fails = fails, .ctx = ctx};
    const int sendings = counts->pipelines + counts->sendings;
    const int faults = sendings + counts->faults;
    bool went = true;
    while (went && s.best.runs < MINIMISE_RUNS) { /* what one kind needed may have gone since */
        went = reduce(&s, 0, counts->pipelines);
        went |= reduce(&s, counts->pipelines, sendings);
        went |= reduce(&s, sendings, faults);
        went |= reduce(&s, faults, keep_row(counts));
    }
    s.best.least = !went;
    return s.best;
}
