/* tests/unit/scheduler/part_harness.h: a run of a for_each of several steps, of which a later run
 * is to run a part. */
#pragma once
#include "scheduler/core/catalog.h"
#include "tests/unit/scheduler/again_harness.h"

#define TRAIN_STEPS(fetch)                                                                         \
    "name: p\n"                                                                                    \
    "params: {cities: {type: json, default: [rome, oslo]}}\n"                                      \
    "steps:\n"                                                                                     \
    "  prep: {command: [prep], outputs: {t: {type: integer}}}\n"                                   \
    "  other: {command: [other]}\n"                                                                \
    "  train:\n"                                                                                   \
    "    for_each: \"${{ params.cities }}\"\n"                                                     \
    "    steps:\n"                                                                                 \
    "      fetch: {command: [" fetch ", \"${{ item }}\", \"${{ steps.prep.outputs.t }}\"],\n"      \
    "              outputs: {n: {type: integer}}}\n"                                               \
    "      fit: {command: [fit, \"${{ steps.fetch.outputs.n }}\", \"${{ item }}\"],\n"             \
    "            outputs: {model: {type: integer}}}\n"                                             \
    "      evaluate: {command: [evaluate, \"${{ steps.fit.outputs.model }}\"],\n"                  \
    "                 outputs: {rmse: {type: integer}}}\n"                                         \
    "    finally: {clean: {command: [clean, \"${{ steps.fit.outputs.model }}\"]}}\n"               \
    "    outputs: {model: fit.model, rmse: evaluate.rmse}\n"                                       \
    "  best: {command: [best, \"${{ steps.train.outputs.rmse }}\"]}\n"                             \
    "  pick: {command: [pick, \"${{ steps.train.outputs.model }}\"]}\n"
static const char TRAIN[] = TRAIN_STEPS("fetch");
static __attribute__((unused)) const char TRAIN_OTHERWISE[] = TRAIN_STEPS("fetch2");

/* The index of a step in the current version. */
static inline int at(struct harness *h, const char *step)
{
    const int index = ir_step_index(pipeline_find(h->core, "p")->current->ir, step);
    if (index < 0)
        fail_msg("there is no step %s", step);
    return index;
}

/* How many of its results say that it is left out. */
static inline int left_out(struct harness *h, struct uuid run, int step)
{
    int count = 0;
    for (size_t i = 0; i < h->rows->results_count; i++) {
        const struct snapshot_result *r = &h->rows->results[i];
        count += same_id(&r->run, &run) && r->step == step &&
                 strcmp(r->reason, "not among the steps of this run") == 0;
    }
    return count;
}

static inline struct uuid run_with(struct harness *h, const char *params)
{
    json_t *given = json_of(params);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(1), .pipeline = "p", .params = given},
        false);
    json_decref(given);
    return id_of(1);
}

static inline struct uuid only_with(struct harness *h, struct uuid of, const char *steps,
                                    const char *params, int byte)
{
    json_t *given = json_of(params);
    harness_learn_run(h, of, NULL);
    struct uuid run = harness_ask(
        h,
        (struct command){
            .kind = COMMAND_KIND_ONLY, .of = of, .pipeline = "p", .steps = steps, .params = given},
        byte);
    json_decref(given);
    return run;
}

/* A run in which all went well; with two items the models are 20 and 21. */
static inline struct uuid trained_with(struct harness *h, const char *params)
{
    harness_apply(h, TRAIN);
    struct uuid run = run_with(h, params);
    finish(h, 0, "prep", SUCCEEDED, "{\"t\":1}");
    finish(h, 0, "other", SUCCEEDED, NULL);
    const size_t items = starts_of(h, "train/fetch");
    for (size_t i = 0; i < items; i++)
        finish_nth(h, "train/fetch", i, SUCCEEDED, i ? "{\"n\":11}" : "{\"n\":10}");
    for (size_t i = 0; i < items; i++)
        finish_nth(h, "train/fit", i, SUCCEEDED, i ? "{\"model\":21}" : "{\"model\":20}");
    for (size_t i = 0; i < items; i++)
        finish_nth(h, "train/evaluate", i, SUCCEEDED, i ? "{\"rmse\":31}" : "{\"rmse\":30}");
    for (size_t i = 0; i < items; i++)
        finish_nth(h, "train/clean", i, SUCCEEDED, NULL);
    finish(h, 0, "best", SUCCEEDED, NULL);
    finish(h, 0, "pick", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    return run;
}

static inline struct uuid trained(struct harness *h)
{
    return trained_with(h, "{}");
}
