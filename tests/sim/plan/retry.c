/* When what has failed is tried again. */
#include "common/base/text.h"
#include "schema/gen/messages.h"
#include "tests/sim/plan/plan.h"

#define NEVER_BEGAN (-1)

static const int CODES[] = {1, 2, 75}; /* a bit each in only_codes and never_codes */
#define CODES_COUNT ((int)(sizeof CODES / sizeof *CODES))

void plan_retry_whole(struct rng *rng, struct plan_step *s)
{
    s->attempts = rng_chance(rng, 0.3) ? 2 : 1;
    if (rng_chance(rng, 0.25))
        s->again = (unsigned)rng_in(rng, 0, PLAN_AGAIN_FAILED | PLAN_AGAIN_TIMED_OUT);
}

void plan_retry(struct rng *rng, struct plan_step *s)
{
    if (s->at_most_once)
        return; /* nothing is tried twice */
    if (rng_chance(rng, 0.25))
        s->lost = (int)rng_in(rng, 0, 2);
    if (rng_chance(rng, 0.15))
        s->again = (unsigned)rng_in(rng, 0, PLAN_AGAIN_ALL);
    if (s->attempts == 1)
        return;
    const unsigned all = (1u << CODES_COUNT) - 1;
    if (rng_chance(rng, 0.3))
        s->only_codes = (unsigned)rng_in(rng, 1, all);
    if (rng_chance(rng, 0.2))
        s->never_codes = (unsigned)rng_in(rng, 1, all) & ~s->only_codes;
}

int plan_exit_code(struct rng *rng)
{
    if (rng_chance(rng, 0.1))
        return NEVER_BEGAN;
    return CODES[rng_in(rng, 0, CODES_COUNT - 1)];
}

static bool has_code(unsigned codes, int code)
{
    for (int i = 0; i < CODES_COUNT; i++)
        if (codes >> i & 1u && CODES[i] == code)
            return true;
    return false;
}

bool plan_is_meant(const struct plan_step *s, int outcome, int code)
{
    if (outcome == REPORT_RESULT_OUTCOME_TIMED_OUT)
        return s->again & PLAN_AGAIN_TIMED_OUT;
    if (outcome != REPORT_RESULT_OUTCOME_FAILED)
        return s->again & PLAN_AGAIN_LOST;
    if (!(s->again & PLAN_AGAIN_FAILED) || has_code(s->never_codes, code))
        return false;
    return !s->only_codes || has_code(s->only_codes, code);
}

static void write_codes(struct text *out, const char *key, unsigned codes)
{
    const char *before = "[";
    if (!codes)
        return;
    text_printf(out, ", %s: ", key);
    for (int i = 0; i < CODES_COUNT; i++)
        if (codes >> i & 1u) {
            text_printf(out, "%s%d", before, CODES[i]);
            before = ", ";
        }
    text_puts(out, "]");
}

void plan_write_retry(struct text *out, const struct plan_step *s)
{
    static const char *const ENDS[] = {"failed", "timed_out", "lost"};
    const char *before = "";
    text_printf(out, ", retry: {attempts: %d, backoff: {first: 2s, cap: 5s}", s->attempts);
    if (s->kind == PLAN_RUN && s->lost != PLAN_LOST_USUAL)
        text_printf(out, ", lost: %d", s->lost);
    if (s->again != PLAN_AGAIN_ALL) {
        text_puts(out, ", on: [");
        for (int i = 0; i < 3; i++)
            if (s->again >> i & 1u) {
                text_printf(out, "%s%s", before, ENDS[i]);
                before = ", ";
            }
        text_puts(out, "]");
    }
    write_codes(out, "exit_codes", s->only_codes);
    write_codes(out, "not_exit_codes", s->never_codes);
    text_puts(out, "}");
}
