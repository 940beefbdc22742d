/* What a part (a pipeline or component that was written elsewhere) is given by `with`. */
#include "scheduler/core/dag/groups.h"
#include "tests/support/parts.h"
#include "tests/unit/scheduler/groups_harness.h"

static const struct part PARTS[] = {
    {IR_REFERENCE_COMPONENT, "c.yaml",
     "kind: component\n"
     "name: c\n"
     "params: {n: {type: integer, choices: [3, 7, 12], default: 3}}\n"
     "steps: {a: {command: [a, \"${{ params.n + 1 }}\"], outputs: {o: {type: integer}}}}\n"
     "finally: {tell: {command: [tell, \"${{ outcome.state }}\", \"${{ outcome.reason }}\"]},\n"
     "          tidy: {command: [tidy, \"${{ params.n }}\"]}}\n"
     "outputs: {o: a.o}\n"},
    {IR_REFERENCE_COMPONENT, "k.yaml",
     "kind: component\n"
     "name: k\n"
     "params: {n: 3}\n"
     "steps:\n"
     "  a: {cache: {}, command: [a, \"${{ params.n }}\"], outputs: {o: {type: integer}}}\n"
     "  b: {needs: a, command: [b, \"${{ params.n }}\"]}\n"
     "outputs: {o: a.o}\n"},
    {IR_REFERENCE_COMPONENT, "w.yaml",
     "kind: component\n"
     "name: w\n"
     "params: {n: 3}\n"
     "steps:\n"
     "  s:\n"
     "    retry: {attempts: 2, backoff: {first: 1s}}\n"
     "    switch: [{when: params.n == 7, steps: {x: {command: [x, \"${{ params.n }}\"]}}}]\n"},
};

/* The run has an n of its own. */
static struct uuid begin_part(struct harness *h, const char *entry)
{
    struct parts parts = {PARTS, ARRAY_LEN(PARTS), {0}};
    struct err err = {0};
    cleanup_free char *yaml =
        mem_printf("name: p\n"
                   "params: {n: 99, all: {type: json, default: [{n: 7}, {}, {n: 12}]}}\n"
                   "steps:\n"
                   "  one: {command: [one], outputs: {n: {type: integer, optional: true}}}\n"
                   "  sub: {%s}\n",
                   entry);
    json_t *ir = parts_compile(&parts, "p.yaml", yaml, NULL, &err);
    if (!ir)
        fail_msg("%s", err.text);
    harness_apply_ir(h, ir);
    harness_hello(h, 0, 1000, NULL, 0);
    return harness_run(h, "p", 1);
}

static const char *given(struct harness *h, const char *step, size_t argument)
{
    const struct order *order = order_of(h, ORDER_KIND_START, step);
    if (!order)
        fail_msg("%s was not started", step);
    return order->start->argv[argument];
}

/* Text for a parameter of another type is read as that, whether it was written so or came to it. */
static void what_it_is_given_has_its_type(void **state)
{
    struct harness *h = *state;
    begin_part(h, "uses: ./c.yaml, with: {n: \"7\"}");
    assert_string_equal(given(h, "sub/a", 1), "8");
}

static void what_it_is_given_may_be_of_another_step(void **state)
{
    struct harness *h = *state;
    begin_part(h, "uses: ./c.yaml, with: {n: \"1${{ steps.one.outputs.n }}\"}");
    assert_int_equal(starts_of(h, "sub/a"), 0);
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    assert_string_equal(given(h, "sub/a", 1), "13");
}

/* Nothing of it runs but what it does at the end, which sees no other parameters in their place. */
static void without_its_parameters_it_fails(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "uses: ./c.yaml, with: {n: \"${{ steps.one.outputs.n }}\"}");
    finish(h, 0, "one", SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "sub/a"), 0);
    assert_int_equal(starts_of(h, "sub/tidy"), 0);
    assert_string_equal(given(h, "sub/tell", 1), "failed");
    assert_non_null(strstr(given(h, "sub/tell", 2), "with: parameter n: "));
    harness_restart(h, 0);
    harness_settle(h);
    finish(h, 0, "sub/tell", SUCCEEDED, NULL);
    reason_has(h, run, 1, "with: parameter n: ");
    assert_string_equal(run_is(h, run), "failed");
}

static void what_is_none_of_the_choices_is_not_given(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "uses: ./c.yaml, with: {n: \"${{ steps.one.outputs.n }}\"}");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 4}");
    assert_int_equal(starts_of(h, "sub/a"), 0);
    finish(h, 0, "sub/tell", SUCCEEDED, NULL);
    reason_has(h, run, 1, "with: parameter n: must be one of [3,7,12]");
    assert_string_equal(run_is(h, run), "failed");
}

/* An item that cannot be given its parameters has failed, and it alone. */
static void the_other_items_run(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "for_each: \"${{ params.all }}\", fail_fast: false, "
                                    "uses: ./c.yaml, with: {n: \"${{ item.n }}\"}");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    assert_int_equal(starts_of(h, "sub/a"), 2);
    harness_restart(h, 0);
    harness_settle(h);
    finish_nth(h, "sub/a", 0, SUCCEEDED, "{\"o\": 1}");
    finish_nth(h, "sub/a", 1, SUCCEEDED, "{\"o\": 2}");
    for (size_t i = 0; i < starts_of(h, "sub/tell"); i++)
        finish_nth(h, "sub/tell", i, SUCCEEDED, NULL);
    harness_restart(h, 0);
    harness_settle(h);
    for (size_t i = 0; i < starts_of(h, "sub/tidy"); i++)
        finish_nth(h, "sub/tidy", i, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "sub/tell"), 3);
    assert_int_equal(starts_of(h, "sub/tidy"), 2);
    reason_has(h, run, 1, "item 1: with: parameter n: ");
    assert_string_equal(run_is(h, run), "failed");
}

static void the_first_that_fails_stops_the_others(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "for_each: \"${{ params.all }}\", parallelism: 1, "
                                    "uses: ./c.yaml, with: {n: \"${{ item.n }}\"}");
    finish_nth(h, "sub/a", 0, SUCCEEDED, "{\"o\": 1}");
    finish_nth(h, "sub/tell", 0, SUCCEEDED, NULL);
    finish_nth(h, "sub/tidy", 0, SUCCEEDED, NULL);
    finish_nth(h, "sub/tell", 1, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "sub/a"), 1);
    assert_string_equal(step_is(h, run, 1), "failed");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    assert_string_equal(run_is(h, run), "failed");
}

/* One that waits for the end of its own finally steps is not asked to stop once more. */
static void an_item_that_fails_leaves_one_without_its_parameters_alone(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "for_each: \"${{ params.all }}\", parallelism: 2, "
                                    "uses: ./c.yaml, with: {n: \"${{ item.n }}\"}");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    assert_int_equal(starts_of(h, "sub/tell"), 1); /* of the second */
    finish_nth(h, "sub/a", 0, FAILED, NULL);
    assert_int_equal(starts_of(h, "sub/tell"), 2);
    finish_nth(h, "sub/tell", 1, SUCCEEDED, NULL);
    finish_nth(h, "sub/tidy", 0, SUCCEEDED, NULL);
    assert_string_equal(step_is(h, run, 1), "cancelling");
    harness_restart(h, 0);
    harness_settle(h);
    finish_nth(h, "sub/tell", 0, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "sub/tell"), 2);
    reason_has(h, run, 1, "item 0: step sub/a failed");
    assert_string_equal(run_is(h, run), "failed");
}

/* What the round before gave is known to a leader that takes over in the middle of the next. */
static void a_round_is_given_what_the_one_before_gave(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "loop: {until: outputs.o > 9, max: 3}, uses: ./c.yaml, "
                                    "with: {n: \"${{ default(loop.previous.o, 3) }}\"}");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    finish_nth(h, "sub/a", 0, SUCCEEDED, "{\"o\": 7}");
    finish_nth(h, "sub/tell", 0, SUCCEEDED, NULL);
    assert_string_equal(given(h, "sub/tidy", 1), "3");
    finish_nth(h, "sub/tidy", 0, SUCCEEDED, NULL);
    harness_restart(h, 0); /* the report is heard before anything else */
    finish_nth(h, "sub/a", 1, SUCCEEDED, "{\"o\": 12}");
    harness_restart(h, 0);
    harness_settle(h);
    finish_nth(h, "sub/tell", 1, SUCCEEDED, NULL);
    assert_int_equal(starts_of(h, "sub/tidy"), 2);
    assert_string_equal(given(h, "sub/tidy", 1), "7");
    finish_nth(h, "sub/tidy", 1, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* Nor is it worked out too early, when what is looked at is the key of a result that comes first.
 */
static void a_result_that_comes_first_finds_the_round_before(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "loop: {until: outputs.o > 9, max: 3}, uses: ./k.yaml, "
                                    "with: {n: \"${{ default(loop.previous.o, 3) }}\"}");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    finish_nth(h, "sub/a", 0, SUCCEEDED, "{\"o\": 7}");
    assert_string_equal(given(h, "sub/b", 1), "3");
    finish_nth(h, "sub/b", 0, SUCCEEDED, NULL);
    assert_string_equal(given(h, "sub/a", 1), "7");
    harness_restart(h, 0);
    finish_nth(h, "sub/a", 1, SUCCEEDED, "{\"o\": 12}");
    assert_int_equal(starts_of(h, "sub/b"), 2);
    assert_string_equal(given(h, "sub/b", 1), "7");
    finish_nth(h, "sub/b", 1, SUCCEEDED, NULL);
    assert_string_equal(run_is(h, run), "succeeded");
}

/* What waits for its next try is due at once: that is no reason to look too early. */
static void a_try_that_is_due_at_the_takeover_sees_what_it_is_given(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin_part(h, "uses: ./w.yaml, with: {n: 7}");
    finish(h, 0, "one", SUCCEEDED, "{\"n\": 2}");
    finish_nth(h, "sub/s/x", 0, FAILED, NULL);
    assert_int_equal(starts_of(h, "sub/s/x"), 1); /* the next try waits */
    harness_restart(h, 10 * US_PER_S);
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    harness_settle(h);
    finish_nth(h, "sub/s/x", 1, SUCCEEDED, NULL);
    assert_string_equal(given(h, "sub/s/x", 1), "7");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* As the header says: of what is not over yet, and before the first. */
static void what_a_round_has_not_given_yet_is_nothing(void **state)
{
    (void)state;
    const struct group none = {.out_count = 0};
    assert_null(group_gave(&none, -1));
    assert_null(group_gave(&none, 0));
    json_t *gave cleanup_json = json_object();
    json_t *outs[] = {gave};
    const struct group one = {.outs = outs, .out_count = 1};
    assert_ptr_equal(group_gave(&one, 0), gave);
    assert_null(group_gave(&one, 1));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(what_it_is_given_has_its_type),
        T(what_it_is_given_may_be_of_another_step),
        T(without_its_parameters_it_fails),
        T(what_is_none_of_the_choices_is_not_given),
        T(the_other_items_run),
        T(the_first_that_fails_stops_the_others),
        T(an_item_that_fails_leaves_one_without_its_parameters_alone),
        T(a_round_is_given_what_the_one_before_gave),
        T(a_result_that_comes_first_finds_the_round_before),
        T(a_try_that_is_due_at_the_takeover_sees_what_it_is_given),
        T(what_a_round_has_not_given_yet_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
