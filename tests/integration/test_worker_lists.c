/* A real worker: lists of artifacts as folders, in the order or asked of the API; the names in
 * folders that it wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/http/server.h"
#include "common/store/manifest.h"
#include "common/text/json.h"
#include "tests/support/one_worker.h"
#include "tests/support/waiting.h"

#define MANY 10000

static struct one_worker *o;

static int setup(void **state)
{
    (void)state;
    o = one_worker_open();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    one_worker_close(o);
    return 0;
}

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

static json_t *artifact(const char *bytes, bool folder)
{
    struct put p = {0};
    store_put_bytes(o->store, bytes, strlen(bytes), put_done, &p);
    assert_true(wait_for_count(o->loop, &p.done, 1, 60000));
    return json_pack("{s:s, s:b, s:i}", "artifact", p.hash, "folder", (int)folder, "size",
                     (int)strlen(bytes));
}

static json_t *folder(const char *name, const char *bytes)
{
    cleanup_text struct text text = {0};
    cleanup_manifest struct manifest m = {0};
    json_t *file = artifact(bytes, false);
    manifest_add(&m, name, 0644, (int64_t)strlen(bytes), json_get_string(file, "artifact", ""));
    json_decref(file);
    manifest_encode(&m, &text);
    return artifact(text.data, true);
}

static struct seen_attempt *order(int attempt, const char *script, struct order_input *in)
{
    const char *argv[] = {"/bin/sh", "-c", script};
    one_worker_order(o, attempt,
                     &(struct order_start){.executor = ORDER_START_EXECUTOR_PROCESS,
                                           .argv = argv,
                                           .argv_count = 3,
                                           .inputs = in,
                                           .inputs_count = 1});
    return one_worker_finished(o, attempt);
}

static void assert_succeeded(const struct seen_attempt *s)
{
    assert_string_equal(s->reason ? s->reason : "", "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
}

/* Files, folders, nothing, lists of lists, an empty list. */
static void a_list_arrives_as_a_folder(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    json_t *list = json_pack("[o, n, o, [o, n], []]", artifact("zero", false),
                             folder("in two", "2"), artifact("three", false));
    struct order_list of = {1, 2, "m"};
    struct order_input in = {.name = "l", .list = list, .of = &of};
    assert_succeeded(order(1,
                           "cd $LEAT_IN/l && test \"$(ls | tr '\\n' ' ')\" = '0 2 3 4 ' && "
                           "test $(cat 0) = zero && test $(cat '2/in two') = 2 && "
                           "test \"$(ls 3)\" = 0 && test $(cat 3/0) = three && test -z \"$(ls 4)\"",
                           &in));
    json_t *none = json_array();
    in.list = none;
    assert_succeeded(order(2, "test -d $LEAT_IN/l && test -z \"$(ls $LEAT_IN/l)\"", &in));
    json_decref(none);
    json_decref(list);
}

static void what_is_wrong_is_said(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    json_t *bad = json_pack("[{s:s}]", "artifact", "../../etc/passwd");
    struct order_input in = {.name = "l", .list = bad};
    struct seen_attempt *s = order(1, "true", &in);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_FAILED);
    assert_non_null(strstr(s->reason, "input l: "));
    assert_non_null(strstr(s->reason, "/l/0 is no artifact"));
    json_decref(bad);
    char hash[SHA256_HEX];
    memset(hash, 'a', sizeof hash - 1);
    hash[sizeof hash - 1] = '\0';
    json_t *lost = json_pack("[{s:s, s:b}]", "artifact", hash, "folder", 0);
    in.list = lost;
    s = order(2, "true", &in);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_FAILED);
    assert_non_null(strstr(s->reason, hash));
    json_decref(lost);
}

/* It runs nothing, and what it takes has to be there all the same. */
static void a_step_without_a_program_takes_lists(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    json_t *good = json_pack("[o]", artifact("zero", false)), *bad = json_pack("[i]", 7);
    struct order_input in = {.name = "l", .list = good};
    struct order_start start = {
        .executor = ORDER_START_EXECUTOR_NOOP, .inputs = &in, .inputs_count = 1};
    one_worker_order(o, 1, &start);
    assert_succeeded(one_worker_finished(o, 1));
    in.list = bad;
    one_worker_order(o, 2, &start);
    assert_int_equal(one_worker_finished(o, 2)->outcome, REPORT_RESULT_OUTCOME_FAILED);
    json_decref(good);
    json_decref(bad);
}

/* ---- a list that is at the API ---- */

static char *served;
static int refusals, asked;

static void serve(struct http_request *req, void *arg)
{
    (void)arg;
    char want[200], id[UUID_TEXT];
    const struct uuid attempt = one_worker_id(1);
    uuid_format(&attempt, id);
    snprintf(want, sizeof want, "/api/v1/workers/w1/attempts/%s/lists/3/17/m", id);
    asked++;
    if (refusals-- > 0)
        http_answer(req, 503, NULL, "{}", 2);
    else if (strcmp(http_path(req), want) != 0)
        http_answer(req, 404, NULL, "{}", 2);
    else
        http_answer(req, 200, NULL, served, strlen(served));
}

/* Ten thousand files; the API is away at first. */
static void a_long_list_is_asked_of_the_api(void **state)
{
    (void)state;
    static const struct http_route routes[] = {
        {.method = "GET", .pattern = "/*all", .handle = serve}, {0}};
    struct http_server *server = NULL;
    const int port = http_server_start(o->loop, "127.0.0.1:0", routes, NULL, NULL, &server, NULL);
    assert_true(port > 0);
    cleanup_free char *api = mem_printf("--api=http://127.0.0.1:%d", port);
    const char *const flags[] = {api, NULL};
    one_worker_start(o, NULL, flags);
    json_t *list = json_array();
    char text[32];
    for (int i = 0; i < 50; i++) {
        snprintf(text, sizeof text, "artifact %d", i);
        json_array_append_new(list, artifact(text, false));
    }
    for (int i = 50; i < MANY; i++)
        json_array_append(list, json_array_get(list, (size_t)(i % 50)));
    served = json_write(list);
    json_decref(list);
    refusals = 1;
    struct order_list of = {3, 17, "m"};
    struct order_input in = {.name = "l", .of = &of};
    const int64_t began = clock_monotonic_us();
    assert_succeeded(order(1,
                           "cd $LEAT_IN/l && test $(ls | wc -l) = 10000 && "
                           "test \"$(cat 9999)\" = 'artifact 49'",
                           &in));
    print_message("%d files in %.1f s\n", MANY, (double)(clock_monotonic_us() - began) / 1e6);
    assert_int_equal(asked, 2);
    struct seen_attempt *s = order(2, "true", &in);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_FAILED);
    assert_non_null(
        strstr(s->reason, "input l: its list could not be fetched: the API answered 404"));
    free(served);
    http_server_stop(server);
}

/* ---- names ---- */

static struct seen_attempt *write_folder(int attempt, const char *script, bool listed)
{
    const char *argv[] = {"/bin/sh", "-c", script}, *const names[] = {"d"};
    struct order_output outputs[] = {
        {.name = "d", .type = ORDER_OUTPUT_TYPE_ARTIFACT},
        {.name = "n", .type = ORDER_OUTPUT_TYPE_STRING, .optional = true}};
    one_worker_order(o, attempt,
                     &(struct order_start){.executor = ORDER_START_EXECUTOR_PROCESS,
                                           .argv = argv,
                                           .argv_count = 3,
                                           .outputs = outputs,
                                           .outputs_count = 2,
                                           .listed = (const char **)names,
                                           .listed_count = listed});
    return one_worker_finished(o, attempt);
}

static void names_are(const struct seen_attempt *s, const char *want)
{
    assert_succeeded(s);
    const json_t *d = json_object_get(s->outputs, "d");
    cleanup_free char *names =
        json_object_get(d, "names") ? json_write(json_object_get(d, "names")) : NULL;
    assert_string_equal(names ? names : json_get_string(d, "unlisted", "none"), want);
}

static void names_of_folders_are_told(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    names_are(write_folder(1,
                           "mkdir -p $LEAT_OUT/d/b/c $LEAT_OUT/d/empty && cd $LEAT_OUT/d && "
                           "touch b/c/x b/y b-0 'a b' '\"q\"' \xc3\xa9 Z",
                           true),
              "[\"\\\"q\\\"\",\"Z\",\"a b\",\"b\",\"b-0\",\"empty\",\"\xc3\xa9\"]");
    names_are(write_folder(2, "mkdir $LEAT_OUT/d", true), "[]");
    names_are(write_folder(3, "mkdir $LEAT_OUT/d", false), "none");
    names_are(write_folder(4, "echo file > $LEAT_OUT/d", true), "none");
    struct seen_attempt *s =
        write_folder(5, "mkdir $LEAT_OUT/d && touch \"$LEAT_OUT/d/$(printf 'a\\nb')\"", true);
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_FAILED);
    assert_non_null(strstr(s->reason, "such a name cannot be kept"));
}

/* The step has done its work; who wants the names hears why there are none. */
static void too_many_names(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    struct seen_attempt *s =
        write_folder(1, "mkdir $LEAT_OUT/d && cd $LEAT_OUT/d && seq 10000 | xargs touch", true);
    assert_succeeded(s);
    assert_int_equal(json_array_size(json_object_get(json_object_get(s->outputs, "d"), "names")),
                     MANY);
    names_are(
        write_folder(2, "mkdir $LEAT_OUT/d && cd $LEAT_OUT/d && seq 10001 | xargs touch", true),
        "10001 names, and the limit is 10000");
    names_are(write_folder(3,
                           "mkdir $LEAT_OUT/d && cd $LEAT_OUT/d && x=$(printf %0200d 0) && "
                           "for i in $(seq 1300); do : > $x$i; done",
                           true),
              "names of 267994 bytes, and the limit is 262144");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_list_arrives_as_a_folder, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_wrong_is_said, setup, teardown),
        cmocka_unit_test_setup_teardown(a_step_without_a_program_takes_lists, setup, teardown),
        cmocka_unit_test_setup_teardown(a_long_list_is_asked_of_the_api, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_folders_are_told, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_names, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
