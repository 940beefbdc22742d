/* tests/unit/scheduler/again_harness.h: commands that run again what has run: retries of it, some
 * of its steps; what came of that. */
#pragma once
#include "tests/unit/scheduler/groups_harness.h"

static inline void is_accepted(struct harness *h)
{
    harness_settle(h);
    if (!h->accepted)
        fail_msg("refused: %s", h->detail);
}

static inline void is_refused(struct harness *h, const char *why)
{
    harness_settle(h);
    assert_false(h->accepted);
    assert_string_equal(h->detail, why);
}

/* Takes the command in, without any turn. */
static inline struct uuid ask_retry(struct harness *h, struct uuid of, const char *from, int byte)
{
    harness_learn_run(h, of, NULL);
    return harness_ask(h, (struct command){.kind = COMMAND_KIND_RETRY, .of = of, .from = from},
                       byte);
}

static inline struct uuid retry(struct harness *h, struct uuid of, const char *from, int byte)
{
    struct uuid run = ask_retry(h, of, from, byte);
    is_accepted(h);
    return run;
}

static inline void retry_refused(struct harness *h, struct uuid of, const char *from,
                                 const char *why)
{
    static int byte = 200;
    ask_retry(h, of, from, byte++);
    is_refused(h, why);
}

static inline struct uuid only(struct harness *h, struct uuid of, const char *steps, int byte)
{
    harness_learn_run(h, of, NULL);
    return harness_ask(
        h, (struct command){.kind = COMMAND_KIND_ONLY, .of = of, .pipeline = "p", .steps = steps},
        byte);
}

static inline struct uuid ask_rerun(struct harness *h, struct uuid of, const char *params, int byte)
{
    json_t *given = params ? json_of(params) : NULL;
    harness_learn_run(h, of, NULL);
    struct uuid run = harness_ask(
        h, (struct command){.kind = COMMAND_KIND_RERUN, .of = of, .params = given}, byte);
    json_decref(given);
    return run;
}

/* How many results of the step (-1: of any) it took over. */
static inline int adopted(struct harness *h, struct uuid run, int step)
{
    int count = 0;
    for (size_t i = 0; i < h->rows->results_count; i++) {
        const struct snapshot_result *r = &h->rows->results[i];
        count += same_id(&r->run, &run) && (step < 0 || r->step == step) &&
                 strstr(r->reason, "adopted from") != NULL;
    }
    return count;
}
