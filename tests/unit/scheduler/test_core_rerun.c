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

static int step_named(const struct harness *h, const char *name)
{
    const json_t *steps = json_object_get(h->rows->versions[0].ir, "steps");
    int step = 0;
    while (strcmp(json_get_string(json_array_get(steps, (size_t)step), "name", ""), name) != 0)
        step++;
    return step;
}

/* ---- images of items and parts ------------------------------------------------------------- */

static const char ITEMS[] =
    "name: p\nparams: {where: rome}\nsteps:\n"
    "  each:\n    for_each: \"${{ [params.where, 'oslo'] }}\"\n    parallelism: 1\n    steps:\n"
    "      s: {image: \"r/${{ item }}\", command: [s]}\n"
    "      n: {image: \"r/n-${{ index }}\", command: [n]}\n"
    "      u: {image: r/u, command: [u]}\n";

/* From that order on, one item after the other. */
static void finish_all(struct harness *h, size_t from)
{
    for (size_t i = from; i < h->order_count; i++) {
        if (h->orders[i].kind == ORDER_KIND_START)
            harness_finished(h, 0, &h->orders[i], SUCCEEDED, NULL);
        harness_settle(h);
    }
}

static struct uuid run_of_items(struct harness *h)
{
    harness_apply(h, ITEMS);
    struct uuid run = harness_run(h, "p", 1);
    finish_all(h, 0);
    assert_string_equal(run_is(h, run), "succeeded");
    for (int item = 0; item < 2; item++) {
        result_of_instance(h, run, step_named(h, "each/s"), item + 1)->image = item ? "s1" : "s0";
        result_of_instance(h, run, step_named(h, "each/n"), item + 1)->image = item ? "n1" : "n0";
        result_of_instance(h, run, step_named(h, "each/u"), item + 1)->image = "u";
    }
    return run;
}

/* Those of the orders for a step, in the order in which they were sent. */
static void images_are(struct harness *h, const char *step, const char *first, const char *second)
{
    const char *found[2] = {NULL};
    size_t count = 0;
    for (size_t i = 0; i < h->order_count; i++)
        if (h->orders[i].kind == ORDER_KIND_START && count < 2 &&
            strcmp(h->orders[i].start->step, step) == 0)
            found[count++] = h->orders[i].start->image;
    assert_int_equal(count, 2);
    assert_string_equal(found[0], first);
    assert_string_equal(found[1], second);
}

static void each_item_has_its_own(void **state)
{
    struct harness *h = *state;
    struct uuid old = run_of_items(h);
    harness_forget_orders(h);
    rerun(h, old, NULL, 2);
    harness_restart(h, 0); /* and a leader that takes over knows of them */
    finish_all(h, 0);
    images_are(h, "each/s", "s0", "s1");
    images_are(h, "each/n", "n0", "n1");
    images_are(h, "each/u", "u", "u");
}

static void other_items_have_none_of_then(void **state)
{
    struct harness *h = *state;
    struct uuid old = run_of_items(h);
    harness_forget_orders(h);
    rerun(h, old, "{\"where\":\"bonn\"}", 2);
    finish_all(h, 0);
    images_are(h, "each/s", "r/bonn", "r/oslo");
    images_are(h, "each/u", "u", "u");
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

static void what_was_not_pinned_is_pinned(void **state)
{
    struct harness *h = *state;
    struct uuid old = run_of_objects(h);
    row_of_result(h, old, step_named(h, RAW))->state = STEP_FAILED;
    rerun(h, old, NULL, 2);
    assert_non_null(order_of(h, ORDER_KIND_START, RAW));
    assert_null(order_of(h, ORDER_KIND_START, ONE));
}

/* ---- in items ------------------------------------------------------------------------------ */

static const char OF_ITEMS[] =
    "name: p\nsteps:\n"
    "  a: {command: [a], outputs: {n: {type: integer}}}\n"
    "  e: {for_each: \"${{ [1, steps.a.outputs.n] }}\", steps: {\n"
    "      in: {command: [i], inputs: {raw: {objects: {bucket: b, prefix: \"${{ item }}\"}}}}}}\n";
#define OF_ITEM "e/objects:in.raw"

static struct uuid run_that_pins_items(struct harness *h)
{
    harness_apply(h, OF_ITEMS);
    struct uuid run = harness_run(h, "p", 1);
    finish(h, 0, "a", SUCCEEDED, "{\"n\":2}");
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, OF_ITEM, i, SUCCEEDED, MANIFEST);
    for (size_t i = 0; i < 2; i++)
        finish_nth(h, "e/in", i, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
    return run;
}

static void items_of_the_same_list_see_what_was_pinned(void **state)
{
    struct harness *h = *state;
    rerun(h, run_that_pins_items(h), NULL, 2);
    finish(h, 0, "a", SUCCEEDED, "{\"n\":2}");
    assert_int_equal(starts_of(h, OF_ITEM), 0);
    assert_int_equal(starts_of(h, "e/in"), 2);
}

static void items_of_another_list_pin_anew(void **state)
{
    struct harness *h = *state;
    rerun(h, run_that_pins_items(h), NULL, 2);
    finish(h, 0, "a", SUCCEEDED, "{\"n\":3}");
    assert_int_equal(starts_of(h, OF_ITEM), 2);
    assert_int_equal(starts_of(h, "e/in"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, harness_setup_worker, harness_teardown)
        T(texts_that_see_other_steps_are_evaluated_anew),
        T(texts_that_see_all_parameters_want_all_of_them),
        T(steps_that_are_none_have_no_image),
        T(each_item_has_its_own),
        T(other_items_have_none_of_then),
        T(objects_are_those_of_then),
        T(another_bucket_is_pinned_anew),
        T(what_was_not_pinned_is_pinned),
        T(items_of_the_same_list_see_what_was_pinned),
        T(items_of_another_list_pin_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
