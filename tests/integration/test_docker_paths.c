/* Outputs that are somewhere in the container: `path` of an output. Whatever a step leaves there
 * comes into the attempt's folder and nowhere else, for a worker that is root and for one that
 * copies. */
#include "tests/integration/docker_fixture.h"

#define ARTIFACT ORDER_OUTPUT_TYPE_ARTIFACT

static void test_files_folders_and_values(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    struct order_output outputs[] = {{"file", ARTIFACT, false, "/opt/made/model.bin"},
                                     {"folder", ARTIFACT, false, "/srv/site"},
                                     {"n", ORDER_OUTPUT_TYPE_INTEGER, false, "/opt/made/n"},
                                     {"usual", ARTIFACT, false, NULL},
                                     {"none", ARTIFACT, true, "/opt/none"},
                                     {"odd", ARTIFACT, false, "/opt/a b/%41?x=1&\xe2\x80\xae#"},
                                     {"through", ARTIFACT, false, "/link/model.bin"}};
    one_worker_start(o, NULL, docker_flags);
    order_container(1,
                    "mkdir -p /opt/made /srv/site/deep '/opt/a b'; ln -s /opt/made /link; "
                    "echo data > /opt/made/model.bin; chmod 0 /opt/made/model.bin; "
                    "echo x > /srv/site/deep/y; ln /srv/site/deep/y /srv/site/z; "
                    "chmod 0 /srv/site/deep; echo 7 > /opt/made/n; echo u > $LEAT_OUT/usual; "
                    "echo no > $LEAT_OUT/file; mkdir $LEAT_OUT/folder; "
                    "echo odd > '/opt/a b/%41?x=1&\xe2\x80\xae#'",
                    (struct order_start){.outputs = outputs, .outputs_count = 7});
    struct seen_attempt *s = one_worker_finished(o, 1);
    assert_string_equal(s->reason, "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "file"), "size", 0), 5);
    assert_true(json_get_bool(json_object_get(s->outputs, "folder"), "folder", false));
    assert_int_equal(json_get_int(s->outputs, "n", 0), 7);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "usual"), "size", 0), 2);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "odd"), "size", 0), 4);
    assert_int_equal(json_get_int(json_object_get(s->outputs, "through"), "size", 0), 5);
    assert_null(json_object_get(s->outputs, "none"));
    assert_clean();
}

/* Each on its own attempt; /out is what the output says. */
static void test_what_is_no_output(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    static const struct {
        const char *script, *reason; /* NULL = it succeeds */
        int64_t size;
    } rows[] = {
        {"true", "declared and not written", 0},
        {"ln -s /etc/passwd /out", "neither a file nor a folder", 0},
        {"ln -s /proc/self/environ /out", "neither a file nor a folder", 0},
        {"ln -s ../../../../../../etc /out", "neither a file nor a folder", 0},
        {"mkfifo /out", "declared and not written", 0},
        {"echo secret > /out; exit 4", "exit code 4", 0},
        {"printf 12345 > /out; ln /out /tmp/second", NULL, 5},
        {"mkdir /out; ln -s /etc /out/etc", "is a symbolic link", 0},
        {"mkdir /out; ln -s ../../.. /out/up", "is a symbolic link", 0},
        {"mkdir /out; mkfifo /out/pipe; echo x > /out/x", NULL, 0},
        {"mkdir /out; echo x > /out/x; ln /bin/busybox /out/hard", NULL, 0},
    };
    one_worker_start(o, NULL, docker_flags);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const int attempt = (int)i + 1;
        struct order_output outputs[] = {{"o", ARTIFACT, false, "/out"}};
        order_container(attempt, rows[i].script,
                        (struct order_start){.outputs = outputs, .outputs_count = 1});
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%s: %s\n", rows[i].script, s->reason);
        assert_int_equal(s->outcome, rows[i].reason ? REPORT_RESULT_OUTCOME_FAILED
                                                    : REPORT_RESULT_OUTCOME_SUCCEEDED);
        if (rows[i].reason)
            assert_non_null(strstr(s->reason, rows[i].reason));
        if (rows[i].size)
            assert_int_equal(json_get_int(json_object_get(s->outputs, "o"), "size", 0),
                             rows[i].size);
    }
    assert_clean();
}

/* At the limit and over it; a file of holes counts in full. */
static void test_bytes_are_bounded(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    static const struct {
        const char *script;
        bool over;
    } rows[] = {
        {"head -c 900000 /dev/zero > /out", false},
        {"head -c 1100000 /dev/zero > /out", true},
        {"dd if=/dev/null of=/out bs=1M seek=1000000", true}, /* holes */
        {"mkdir /out; for i in 1 2 3; do head -c 400000 /dev/zero > /out/$i; done", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(docker_flags) && docker_flags[i]; i++)
        if (!docker_flags[i + 1]) {
            docker_flags[i + 1] = "--docker-copy-limit=1MiB";
            break;
        }
    one_worker_start(o, NULL, docker_flags);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const int attempt = (int)i + 1;
        struct order_output outputs[] = {{"o", ARTIFACT, false, "/out"}};
        order_container(attempt, rows[i].script,
                        (struct order_start){.outputs = outputs, .outputs_count = 1});
        struct seen_attempt *s = one_worker_finished(o, attempt);
        print_message("%s: %s\n", rows[i].script, s->reason);
        assert_int_equal(s->outcome, rows[i].over ? REPORT_RESULT_OUTCOME_FAILED
                                                  : REPORT_RESULT_OUTCOME_SUCCEEDED);
        if (rows[i].over)
            assert_non_null(strstr(s->reason, "more than 1048576 bytes (docker-copy-limit)"));
    }
    assert_clean();
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, docker_setup, docker_teardown),                          \
        cmocka_unit_test_setup_teardown(test, docker_setup_copies, docker_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {BOTH(test_files_folders_and_values),
                                       BOTH(test_what_is_no_output), BOTH(test_bytes_are_bounded)};
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
