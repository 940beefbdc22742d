/* What of the old run a rerun keeps: pinned objects and images, where their texts see the same. */
#include "tests/unit/scheduler/again_harness.h"

static struct uuid rerun(struct harness *h, struct uuid of, const char *params, int byte)
{
    struct uuid run = ask_rerun(h, of, params, byte);
    is_accepted(h);
    return run;
}

/* ---- images -------------------------------------------------------------------------------- */

static const char IMAGES[] =
    "name: p\nparams: {tag: v1}\nsteps:\n"
    "  a: {command: [a], outputs: {t: {type: string}}}\n"
    "  steps: {image: \"r/s:${{ steps.a.outputs.t }}\", command: [s]}\n"
    "  all: {image: \"r/p:${{ size(params) }}\", command: [p]}\n"
    "  run: {image: \"r/r:${{ run.pipeline }}\", command: [r]}\n"
    "  round: {loop: {until: \"true\", max: 2}, image: \"r/l:${{ loop.index }}\", command: [l]}\n";
enum { A, STEPS, ALL, RUN, ROUND, IN_ROUND };

static struct uuid run_of_images(struct harness *h)
{
    harness_apply(h, IMAGES);
    struct uuid run = harness_run(h, "p", 1);
    static const char *const STARTED[] = {"a", "all", "run", "round/round", "steps"};
    for (size_t i = 0; i < ARRAY_LEN(STARTED); i++)
        finish(h, 0, STARTED[i], SUCCEEDED, i ? NULL : "{\"t\":\"x\"}");
    assert_string_equal(run_is(h, run), "succeeded");
    for (int step = A; step <= RUN; step++)
        row_of_result(h, run, step)->image = "digest";
    result_of_instance(h, run, IN_ROUND, 1)->image = "digest";
    row_of_result(h, run, ROUND)->image = ""; /* says nothing */
    return run;
}

static void image_is(struct harness *h, const char *step, const char *image)
{
    const struct order *o = order_of(h, ORDER_KIND_START, step);
    assert_non_null(o);
    assert_string_equal(o->start->image, image);
}

/* What comes from other steps and rounds may come to something else. */
static void texts_that_see_other_steps_are_evaluated_anew(void **state)
{
    struct harness *h = *state;
    rerun(h, run_of_images(h), NULL, 2);
    image_is(h, "a", "digest"); /* it ran in a container, though it names none */
    image_is(h, "all", "digest");
    image_is(h, "run", "digest");
    image_is(h, "round/round", "r/l:0");
    finish(h, 0, "a", SUCCEEDED, "{\"t\":\"y\"}");
    image_is(h, "steps", "r/s:y");
}

static void texts_that_see_all_parameters_want_all_of_them(void **state)
{
    struct harness *h = *state;
    rerun(h, run_of_images(h), "{\"tag\":\"v2\"}", 2);
    image_is(h, "all", "r/p:1");
    image_is(h, "run", "digest");
}

/* Rows of another build. */
static void steps_that_are_none_have_no_image(void **state)
{
    struct harness *h = *state;
    struct uuid old = run_of_images(h);
    for (int step = -1; step < 1000; step += 1000)
        *snapshot_add_results(h->rows) = (struct snapshot_result){.run = old,
                                                                  .step = step,
                                                                  .state = STEP_SUCCEEDED,
                                                                  .attempt = 1,
                                                                  .image = "digest",
                                                                  .reason = ""};
    rerun(h, old, NULL, 2);
    image_is(h, "run", "digest");
}

/* ---- objects ------------------------------------------------------------------------------- */

static const char OBJECTS[] =
    "name: p\nparams: {b: inbox, k: x}\nsteps:\n"
    "  a: {command: [a], inputs: {raw: {objects: {bucket: \"${{ params.b }}\", suffix: .csv}},\n"
    "      one: {object: {bucket: fixed, key: \"${{ params.k }}\"}}}}\n"
    "  g: {steps: {in: {command: [i]}}}\n";
#define RAW "objects:a.raw"
#define ONE "objects:a.one"
static const char MANIFEST[] = "{\"manifest\":{\"artifact\":\"m\",\"folder\":true}}";

static struct uuid run_of_objects(struct harness *h)
{
    harness_apply(h, OBJECTS);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, ONE, SUCCEEDED, MANIFEST);
    finish(h, 0, "g/in", SUCCEEDED, NULL);
    finish(h, 0, RAW, SUCCEEDED, MANIFEST);
    finish(h, 0, "a", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    return run;
}

static void objects_are_those_of_then(void **state)
{
    struct harness *h = *state;
    rerun(h, run_of_objects(h), NULL, 2);
    assert_null(order_of(h, ORDER_KIND_START, RAW));
    assert_null(order_of(h, ORDER_KIND_START, ONE));
    assert_non_null(order_of(h, ORDER_KIND_START, "a"));
    assert_non_null(order_of(h, ORDER_KIND_START, "g/in")); /* what is in a group runs anew */
}

static void another_bucket_is_pinned_anew(void **state)
{
    struct harness *h = *state;
    rerun(h, run_of_objects(h), "{\"b\":\"other\"}", 2);
    assert_string_equal(order_of(h, ORDER_KIND_START, RAW)->start->bucket, "other");
    assert_null(order_of(h, ORDER_KIND_START, ONE));
}

static int step_named(const struct harness *h, const char *name)
{
    const json_t *steps = json_object_get(h->rows->versions[0].ir, "steps");
    int step = 0;
    while (strcmp(json_get_string(json_array_get(steps, (size_t)step), "name", ""), name) != 0)
        step++;
    return step;
}

static void what_was_not_pinned_is_pinned(void **state)
{
    struct harness *h = *state;
    struct uuid old = run_of_objects(h);
    row_of_result(h, old, step_named(h, RAW))->state = STEP_FAILED;
    rerun(h, old, NULL, 2);
    assert_non_null(order_of(h, ORDER_KIND_START, RAW));
    assert_null(order_of(h, ORDER_KIND_START, ONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(texts_that_see_other_steps_are_evaluated_anew),
        T(texts_that_see_all_parameters_want_all_of_them),
        T(steps_that_are_none_have_no_image),
        T(objects_are_those_of_then),
        T(another_bucket_is_pinned_anew),
        T(what_was_not_pinned_is_pinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
