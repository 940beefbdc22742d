/* A random walk: runs, cancels, reports of every outcome, repeats, silence, new lives and takeovers
 * in any order. Every turn recounts the state (core_check) and the mirror refuses a second result,
 * a row beside a result and a terminal run that moves. In the end every run is over. */
#include "tests/unit/scheduler/core_harness.h"

static const char DIAMOND[] = "name: p\nconcurrency: {limit: 3}\ntimeout: 10m\n"
                              "defaults: {retry: {attempts: 2, backoff: {first: 2s}, lost: 2}}\n"
                              "steps:\n"
                              "  a: {command: [x], outputs: {n: {type: integer}}}\n"
                              "  b: {command: [x], needs: a, resources: {slots: 2}}\n"
                              "  c: {command: [x], needs: a, timeout: 20s}\n"
                              "  d: {command: [x], when: steps.a.outputs.n > 0}\n"
                              "  e: {command: [x], needs: [b, c, d]}\n";

#define WORKERS 3

struct walk {
    struct harness *h;
    uint64_t random;
    int runs;
    bool silent[WORKERS + 1]; /* and the one that helps in the end */
    int64_t beat;
};

static uint32_t any(struct walk *w, uint32_t below)
{
    w->random = w->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->random >> 33) % below;
}

static void drain_if_wanted(struct harness *h)
{
    int64_t ticket = core_wants_drain(h->core);
    if (ticket)
        core_drained(h->core, ticket, &h->now);
    harness_settle(h);
}

static void report_something(struct walk *w)
{
    struct harness *h = w->h;
    if (!h->order_count)
        return;
    size_t i = any(w, (uint32_t)h->order_count);
    const struct order *o = &h->orders[i];
    int worker = h->order_workers[i][1] - '0';
    if (o->kind == ORDER_KIND_GRANT || w->silent[worker])
        return;
    if (any(w, 4) == 0)
        harness_started(h, worker, o);
    else
        harness_finished(h, worker, o, any(w, 2) ? (int)SUCCEEDED : 1 + (int)any(w, 7),
                         any(w, 2) ? "{\"n\": 1}" : "{\"n\": 0}");
    harness_settle(h);
}

static void new_life(struct walk *w, int worker)
{
    struct harness *h = w->h;
    struct held_attempt held[64];
    size_t count = 0;
    for (size_t i = 0; i < h->order_count && count < 64; i++)
        if (h->orders[i].kind == ORDER_KIND_START && h->order_workers[i][1] - '0' == worker &&
            any(w, 2))
            held[count++] = (struct held_attempt){h->orders[i].attempt, h->orders[i].nonce};
    w->silent[worker] = false;
    harness_hello(h, worker, 1 + (int)any(w, 4), held, count);
}

static void time_passes(struct walk *w, int64_t us)
{
    struct harness *h = w->h;
    harness_pass(h, us);
    w->beat++;
    for (int i = 0; i < WORKERS; i++)
        if (!w->silent[i] && h->numbers[i])
            harness_heartbeat(h, i, w->beat);
    drain_if_wanted(h);
}

static void one_step(struct walk *w)
{
    struct harness *h = w->h;
    uint32_t what = any(w, 100);
    if (what < 12 && w->runs < 90)
        harness_run(h, "p", ++w->runs);
    else if (what < 16 && w->runs)
        harness_cancel(h, id_of(1 + (int)any(w, (uint32_t)w->runs)));
    else if (what < 70)
        report_something(w);
    else if (what < 75)
        new_life(w, (int)any(w, WORKERS));
    else if (what < 78)
        w->silent[any(w, WORKERS)] ^= true;
    else if (what < 81)
        harness_restart(h, any(w, 60) * US_PER_S);
    else
        time_passes(w, 1 + any(w, 6) * US_PER_S);
}

static bool all_over(const struct harness *h)
{
    struct core_stats s = stats_of(h);
    return s.live_runs == 0;
}

/* The worker of a live attempt reports success. */
static void answer_one(struct harness *h)
{
    for (size_t i = 0; i < h->rows->steps_count; i++) {
        const struct snapshot_step *s = &h->rows->steps[i];
        if (!s->worker)
            continue;
        struct order o = {.attempt = s->attempt_id, .nonce = s->nonce};
        harness_finished(h, s->worker[1] - '0', &o, SUCCEEDED, "{\"n\": 1}");
        harness_settle(h);
        return;
    }
}

/* Peace: everybody answers, so everything has to end. */
static void let_it_end(struct walk *w)
{
    struct harness *h = w->h;
    for (int i = 0; i < WORKERS; i++)
        new_life(w, i);
    harness_hello(h, 3, 8, NULL, 0);
    for (int i = 0; i < 4000 && !all_over(h); i++) {
        answer_one(h);
        if (i % 20 == 0) {
            time_passes(w, US_PER_S);
            harness_heartbeat(h, 3, w->beat);
        }
    }
    assert_true(all_over(h));
    assert_int_equal(h->rows->steps_count, 0); /* no live row is left */
    assert_int_equal(stats_of(h).placed, 0);
}

static void walks(void **state)
{
    (void)state;
    size_t results = 0, lost = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct walk w = {.h = harness_new(), .random = seed};
        w.h->config.resend_placed = seed % 2;
        w.h->config.batch_rows = seed % 3 ? 2000 : 4;
        harness_restart(w.h, 0);
        harness_apply(w.h, DIAMOND);
        for (int i = 0; i < 250; i++)
            one_step(&w);
        let_it_end(&w);
        for (size_t i = 0; i < w.h->rows->runs_count; i++)
            assert_true(machine_is_terminal(&MACHINE_RUN, w.h->rows->runs[i].state));
        results += w.h->rows->results_count;
        lost += w.h->attempts_done;
        harness_free(w.h);
    }
    printf("%zu results, %zu attempts beside them\n", results, lost);
    assert_true(results > 2000 && lost > 1000); /* the walk did walk */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(walks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
