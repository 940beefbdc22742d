/* A list of artifacts in a container, read by any user; the names in a folder that it wrote. */
#include "common/store/store.h"
#include "tests/integration/docker_fixture.h"

struct put {
    int done;
    char hash[SHA256_HEX];
};

static void put_done(void *arg, const struct store_object *object, const struct err *err)
{
    struct put *p = arg;
    p->done = err ? -1 : 1;
    memcpy(p->hash, object->hash, sizeof p->hash);
}

static json_t *artifact(const char *bytes)
{
    struct put p = {0};
    store_put_bytes(o->store, bytes, strlen(bytes), put_done, &p);
    assert_true(wait_for_count(o->loop, &p.done, 1, 60000));
    return json_pack("{s:s, s:b, s:i}", "artifact", p.hash, "folder", 0, "size",
                     (int)strlen(bytes));
}

static void lists_and_names(void **state)
{
    (void)state;
    NEEDS_ENGINE();
    const char *const names[] = {"d"};
    struct order_output outputs[] = {{.name = "d", .type = ORDER_OUTPUT_TYPE_ARTIFACT}};
    json_t *list = json_pack("[o, n, [o]]", artifact("zero"), artifact("one"));
    struct order_input in = {.name = "l", .list = list};
    one_worker_start(o, NULL, docker_flags);
    order_container(1,
                    "cd /leat/in/l && test \"$(echo *)\" = '0 2' && test $(cat 2/0) = one && "
                    "mkdir -p /leat/out/d/sub && cp 0 '/leat/out/d/a b' && cp 0 /leat/out/d/sub/x",
                    (struct order_start){.inputs = &in,
                                         .inputs_count = 1,
                                         .outputs = outputs,
                                         .outputs_count = 1,
                                         .listed = (const char **)names,
                                         .listed_count = 1});
    struct seen_attempt *s = one_worker_finished(o, 1);
    json_decref(list);
    assert_string_equal(s->reason ? s->reason : "", "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    cleanup_free char *told =
        json_write(json_object_get(json_object_get(s->outputs, "d"), "names"));
    assert_string_equal(told, "[\"a b\",\"sub\"]");
    assert_clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lists_and_names, docker_setup, docker_teardown),
        cmocka_unit_test_setup_teardown(lists_and_names, docker_setup_copies, docker_teardown),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
