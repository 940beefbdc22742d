/* for_each over the names in a folder: who is asked for them, and what may be wrong with them. */
#include "tests/unit/scheduler/groups_harness.h"

#define HASH          "1111111111111111111111111111111111111111111111111111111111111111"
#define FOLDER(names) "{\"d\":{\"artifact\":\"" HASH "\",\"size\":3,\"folder\":true" names "}}"

static const char OVER[] = "name: p\nsteps:\n"
                           "  split: {command: [x], outputs: {d: {}, other: {optional: true}}}\n"
                           "  each:\n"
                           "    for_each: {from: split.d}\n"
                           "    as: part\n"
                           "    parallelism: 1\n"
                           "    command: [x, \"${{ part }}\", \"${{ index }}\"]\n"
                           "  after: {command: [x], needs: each}\n";

static const char *item_of(struct harness *h)
{
    return order_of(h, ORDER_KIND_START, "each/each")->start->argv[1];
}

static const char *reason_of(struct harness *h, struct uuid run, const char *step)
{
    struct ir *ir = ir_load(h->rows->versions[0].ir, NULL);
    const struct snapshot_result *r = row_of_result(h, run, ir_step_index(ir, step));
    ir_free(ir);
    return r && r->reason ? r->reason : "-";
}

static void items_are_the_names(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, OVER);
    const struct order_start *split = order_of(h, ORDER_KIND_START, "split")->start;
    assert_int_equal(split->listed_count, 1);
    assert_string_equal(split->listed[0], "d");
    finish(h, 0, "split", SUCCEEDED, FOLDER(",\"names\":[\"a b\",\"c\\\"d\",\"\xc3\xa9\"]"));
    assert_string_equal(item_of(h), "a b");
    finish(h, 0, "each/each", SUCCEEDED, "{}");
    harness_restart(h, 0); /* the names are in the row of the group */
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    assert_string_equal(item_of(h), "c\"d");
    finish(h, 0, "each/each", SUCCEEDED, "{}");
    assert_string_equal(item_of(h), "\xc3\xa9");
    finish(h, 0, "each/each", SUCCEEDED, "{}");
    assert_int_equal(order_of(h, ORDER_KIND_START, "after")->start->listed_count, 0);
    finish(h, 0, "after", SUCCEEDED, "{}");
    assert_string_equal(run_is(h, run), "succeeded");
}

/* The leader dies when the folder is committed and the group has not begun. */
static void a_takeover_before_the_group_begins(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(
        h, "name: p\nsteps:\n"
           "  split: {command: [x], outputs: {d: {}}}\n"
           "  other: {command: [x]}\n"
           "  each: {for_each: {from: split.d}, needs: other, command: [x, \"${{ item }}\"]}\n");
    finish(h, 0, "split", SUCCEEDED, FOLDER(",\"names\":[\"a\",\"b\"]"));
    harness_restart(h, 0);
    harness_settle(h);
    harness_heartbeat(h, 0, 1);
    finish(h, 0, "other", SUCCEEDED, "{}");
    assert_string_equal(item_of(h), "b");
    assert_string_equal(run_is(h, run), "running");
}

static void an_empty_folder_succeeds(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, OVER);
    finish(h, 0, "split", SUCCEEDED, FOLDER(",\"names\":[]"));
    finish(h, 0, "after", SUCCEEDED, "{}");
    assert_string_equal(run_is(h, run), "succeeded");
}

static void what_may_be_wrong_with_it(void **state)
{
    static const struct {
        const char *outputs, *reason;
    } ROWS[] = {
        {"{\"d\":{\"artifact\":\"" HASH "\",\"size\":3,\"folder\":false}}",
         "for_each: output d of step split is a file, not a folder"},
        {"{\"d\":{\"artifact\":\"" HASH "\",\"size\":3}}",
         "for_each: output d of step split is a file, not a folder"},
        {FOLDER(",\"unlisted\":\"10001 names, and the limit is 10000\""),
         "for_each: output d of step split: 10001 names, and the limit is 10000"},
        {FOLDER(""), "for_each: the names in output d of step split are not known: what wrote it "
                     "was not asked"},
        {"{}", "for_each: step split has not written output d"},
        {"{\"d\":null}", "for_each: step split has not written output d"},
        {FOLDER(",\"names\":7"), "for_each: the names in output d of step split are not known: "
                                 "what wrote it was not asked"},
    };
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = i ? harness_new() : *state;
        struct uuid run = begin(h, OVER);
        finish(h, 0, "split", SUCCEEDED, ROWS[i].outputs);
        assert_string_equal(reason_of(h, run, "each"), ROWS[i].reason);
        assert_string_equal(run_is(h, run), "failed");
        if (i)
            harness_free(h);
    }
}

/* Ten thousand, and not one more; so many bytes, and not one more: a worker that lies. */
static void too_many_names(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, OVER);
    json_t *names = json_array();
    for (int i = 0; i < IR_ITEMS_MAX + 1; i++)
        json_array_append_new(names, json_integer(i));
    json_t *outputs =
        json_pack("{s:{s:s, s:b, s:o}}", "d", "artifact", HASH, "folder", 1, "names", names);
    cleanup_free char *text = json_write(outputs);
    json_decref(outputs);
    finish(h, 0, "split", SUCCEEDED, text);
    assert_string_equal(reason_of(h, run, "each"), "for_each: 10001 items, and the limit is 10000");
}

/* It is the program inside that is asked, through a group, a switch, a loop; each output once. */
static void groups_pass_the_question_on(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\nsteps:\n"
             "  pick: {command: [x], outputs: {n: {type: integer}}}\n"
             "  one:\n"
             "    switch:\n"
             "      - when: steps.pick.outputs.n > 1\n"
             "        steps: {a: {command: [x], outputs: {d: {}, e: {}}}}\n"
             "        outputs: {d: a.d}\n"
             "      - steps:\n"
             "          b:\n"
             "            steps: {c: {command: [x], outputs: {f: {}}}}\n"
             "            outputs: {g: c.f}\n"
             "        outputs: {d: b.g}\n"
             "  each: {for_each: {from: one.d}, command: [x, \"${{ item }}\"]}\n"
             "  again: {for_each: {from: one.d}, command: [x, \"${{ item }}\"]}\n");
    finish(h, 0, "pick", SUCCEEDED, "{\"n\":1}");
    const struct order_start *c = order_of(h, ORDER_KIND_START, "one/b/c")->start;
    assert_int_equal(c->listed_count, 1);
    assert_string_equal(c->listed[0], "f");
    finish(h, 0, "one/b/c", SUCCEEDED,
           "{\"f\":{\"artifact\":\"" HASH "\",\"size\":3,\"folder\":true,\"names\":[\"k\"]}}");
    assert_string_equal(item_of(h), "k");
    assert_string_equal(order_of(h, ORDER_KIND_START, "again/again")->start->argv[1], "k");
}

/* Of a group with several outputs only the one that is meant; of many steps each its own. */
static void each_is_asked_for_what_is_meant(void **state)
{
    struct harness *h = *state;
    cleanup_text struct text yaml = {0};
    text_puts(&yaml, "name: p\nsteps:\n");
    for (int i = 0; i < 12; i++)
        text_printf(&yaml,
                    "  g%d:\n    steps: {a: {command: [x], outputs: {d: {}, e: {}}}}\n"
                    "    outputs: {one: a.d, two: a.e}\n"
                    "  each%d: {for_each: {from: g%d.two}, command: [x, \"${{ item }}\"]}\n",
                    i, i, i);
    begin(h, yaml.data);
    for (int i = 0; i < 12; i++) {
        char step[16];
        snprintf(step, sizeof step, "g%d/a", i);
        const struct order_start *start = order_of(h, ORDER_KIND_START, step)->start;
        assert_int_equal(start->listed_count, 1);
        assert_string_equal(start->listed[0], "e");
    }
}

/* Inside each item a folder of its own; what is collected of them does not carry the names. */
static void a_folder_of_each_item(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n"
                               "  all:\n"
                               "    for_each: [1, 2]\n"
                               "    as: n\n"
                               "    parallelism: 1\n"
                               "    steps:\n"
                               "      a: {command: [x], outputs: {d: {}}}\n"
                               "      b: {for_each: {from: a.d}, command: [x, \"${{ item }}\"]}\n"
                               "    outputs: {d: a.d}\n");
    for (int i = 0; i < 2; i++) {
        finish(h, 0, "all/a", SUCCEEDED, FOLDER(",\"names\":[\"k\"]"));
        finish(h, 0, "all/b/b", SUCCEEDED, "{}");
    }
    assert_string_equal(run_is(h, run), "succeeded");
    struct ir *ir = ir_load(h->rows->versions[0].ir, NULL);
    cleanup_free char *text = json_write(row_of_result(h, run, ir_step_index(ir, "all"))->outputs);
    ir_free(ir);
    assert_null(strstr(text, "names"));
    assert_non_null(strstr(text, HASH));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(items_are_the_names, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(a_takeover_before_the_group_begins, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(an_empty_folder_succeeds, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(what_may_be_wrong_with_it, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(too_many_names, harness_setup, harness_teardown),
        cmocka_unit_test_setup_teardown(groups_pass_the_question_on, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(each_is_asked_for_what_is_meant, harness_setup,
                                        harness_teardown),
        cmocka_unit_test_setup_teardown(a_folder_of_each_item, harness_setup, harness_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
