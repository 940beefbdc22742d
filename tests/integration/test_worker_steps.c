/* A real worker: steps from order to report, with inputs, outputs, logs, events, secrets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/server.h"
#include "common/store/manifest.h"
#include "common/text/json.h"
#include "tests/support/one_worker.h"
#include "tests/support/waiting.h"
#include "worker/attempt/spool.h"

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

/* ---- the store, read by the test
 * ------------------------------------------------------------------ */

struct got {
    int done;
    char *data;
    int64_t size;
    int code;
    char hash[SHA256_HEX];
};

static void got(void *arg, const struct store_object *object, const struct err *err)
{
    struct got *g = arg;
    g->done = 1;
    g->code = err ? err->code : 0;
    if (err)
        return;
    g->size = object->size;
    memcpy(g->hash, object->hash, sizeof g->hash);
    if (object->data)
        g->data = mem_bytes(object->data, (size_t)object->size);
}

static char *read_store(const char *key)
{
    struct got g = {0};
    store_read(o->store, key, 0, 4 << 20, got, &g);
    assert_true(wait_for_count(o->loop, &g.done, 1, 60000));
    return g.data;
}

static void put_store(const void *data, size_t len, char hash[SHA256_HEX])
{
    struct got g = {0};
    store_put_bytes(o->store, data, len, got, &g);
    assert_true(wait_for_count(o->loop, &g.done, 1, 60000));
    memcpy(hash, g.hash, SHA256_HEX);
}

/* All chunks of an attempt's log, checked against its record. */
static char *read_log(int attempt)
{
    const json_t *log = o->seen[attempt].log;
    struct text all = {0};
    char run[UUID_TEXT], id[UUID_TEXT], name[SPOOL_NAME], hex[SHA256_HEX];
    const struct uuid run_id = {{0x77}}, attempt_id = one_worker_id(attempt);
    uuid_format(&run_id, run);
    uuid_format(&attempt_id, id);
    assert_non_null(log);
    for (int64_t n = 1; n <= json_get_int(log, "chunks", 0); n++) {
        spool_chunk_name(name, run, "step", id, n);
        cleanup_free char *chunk = read_store(name);
        assert_non_null(chunk);
        text_puts(&all, chunk);
    }
    sha256_hex(all.data, all.len, hex);
    assert_int_equal(json_get_int(log, "bytes", -1), all.len);
    assert_string_equal(json_get_string(log, "sha256", ""), hex);
    return text_take(&all);
}

static const char *in_dir(const char *name)
{
    static char path[256];
    one_worker_path(o, path, sizeof path, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* ---- tests
 * ---------------------------------------------------------------------------------------- */

static void test_noop_steps(void **state)
{
    (void)state;
    enum { N = 10000 };
    one_worker_start(o, NULL, NULL);
    struct order_start start = {.executor = ORDER_START_EXECUTOR_NOOP};
    const int64_t begun = clock_monotonic_us();
    for (int i = 1; i <= N; i++)
        one_worker_order(o, i, &start);
    assert_true(wait_for_count(o->loop, &o->finished, N, 180000));
    print_message("%d noop steps in %d ms\n", N, (int)((clock_monotonic_us() - begun) / 1000));
    for (int i = 1; i <= N; i++) {
        assert_int_equal(o->seen[i].finished, 1);
        assert_int_equal(o->seen[i].outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    }
    assert_int_equal(o->ignored, 0);
}

static void test_outputs_metrics_log_and_environment(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    const char *argv[] = {
        "sh", "-c",
        "cd \"$LEAT_OUT\"; printf '0.25\\n' > rmse; printf model > model; mkdir tree; "
        "printf leaf > tree/leaf; printf "
        "'{\"name\":\"a\",\"value\":1}\\n{\"name\":\"a\",\"value\":2.5}"
        "\\n' > \"$LEAT_METRICS\"; env | sort; cat \"$LEAT_EVENT\" | tr -d ' \\n'; echo oops >&2"};
    struct order_output outputs[] = {{"rmse", ORDER_OUTPUT_TYPE_NUMBER, false, NULL},
                                     {"model", ORDER_OUTPUT_TYPE_ARTIFACT, false, NULL},
                                     {"tree", ORDER_OUTPUT_TYPE_ARTIFACT, false, NULL},
                                     {"extra", ORDER_OUTPUT_TYPE_STRING, true, NULL}};
    struct order_env env[] = {{"MINE", "a'b $(c)"}};
    cleanup_json json_t *event = json_pack("{s:s, s:{s:i}}", "id", "e", "data", "x", 1);
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 3,
                                .outputs = outputs,
                                .outputs_count = 4,
                                .env = env,
                                .env_count = 1,
                                .event = event,
                                .number = 3};
    one_worker_order(o, 1, &start);
    const struct seen_attempt *s = one_worker_finished(o, 1);
    assert_string_equal(s->reason, "");
    assert_int_equal(s->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    assert_true(json_number_value(json_object_get(s->outputs, "rmse")) == 0.25);
    assert_int_equal(json_object_size(s->outputs), 3);
    assert_true(json_number_value(json_object_get(s->metrics, "a")) == 2.5);
    const json_t *model = json_object_get(s->outputs, "model");
    cleanup_free char *bytes = read_store(json_get_string(model, "artifact", ""));
    assert_string_equal(bytes, "model");
    assert_int_equal(json_get_int(model, "size", 0), 5);
    assert_false(json_get_bool(model, "folder", true));
    const json_t *tree = json_object_get(s->outputs, "tree");
    assert_true(json_get_bool(tree, "folder", false));
    cleanup_free char *log = read_log(1);
    assert_non_null(strstr(log, "LEAT_ATTEMPT=3\n"));
    char id[UUID_TEXT];
    const struct uuid attempt = one_worker_id(1);
    uuid_format(&attempt, id);
    cleanup_free char *told = mem_printf("LEAT_ATTEMPT_ID=%s\n", id);
    assert_non_null(strstr(log, told));
    assert_non_null(strstr(log, "LEAT_PIPELINE=pipe\n"));
    assert_non_null(strstr(log, "LEAT_RUN_NAME=run 1\n"));
    assert_non_null(strstr(log, "MINE=a'b $(c)\n"));
    assert_non_null(strstr(log, "{\"data\":{\"x\":1},\"id\":\"e\"}oops\n"));
    assert_null(strstr(log, "CANARY"));
    assert_null(strstr(log, "LEAT_DATABASE"));
    char workspace[400];
    one_worker_workspace(o, 1, "", workspace, sizeof workspace);
    assert_true(wait_until(o->loop, access(workspace, F_OK) != 0)); /* acknowledged */
}

static void finish_with_output(int attempt, const char *script, int type, const char *expected)
{
    const char *argv[] = {"sh", "-c", script};
    struct order_output outputs[] = {{"out", type, false, NULL}};
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 3,
                                .outputs = outputs,
                                .outputs_count = 1};
    one_worker_order(o, attempt, &start);
    const struct seen_attempt *s = one_worker_finished(o, attempt);
    if (!strstr(s->reason, expected))
        fail_msg("'%s' lacks '%s'", s->reason, expected);
    assert_int_equal(s->outcome,
                     expected[0] ? REPORT_RESULT_OUTCOME_FAILED : REPORT_RESULT_OUTCOME_SUCCEEDED);
}

static void test_outputs_that_are_wrong(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    finish_with_output(1, "true", ORDER_OUTPUT_TYPE_NUMBER,
                       "output out: it was declared and not written");
    finish_with_output(2, "echo abc > $LEAT_OUT/out", ORDER_OUTPUT_TYPE_NUMBER, "output out: ");
    finish_with_output(3, "ln -s /etc/hostname $LEAT_OUT/out", ORDER_OUTPUT_TYPE_STRING,
                       "not a regular file");
    finish_with_output(4, "ln -s /etc/hostname $LEAT_OUT/out", ORDER_OUTPUT_TYPE_ARTIFACT,
                       "neither a file nor a folder");
    finish_with_output(5, "mkdir $LEAT_OUT/out; ln -s /etc $LEAT_OUT/out/x",
                       ORDER_OUTPUT_TYPE_ARTIFACT, "output out: ");
    finish_with_output(6, "mkfifo $LEAT_OUT/out", ORDER_OUTPUT_TYPE_STRING, "not a regular file");
    finish_with_output(7, "head -c 65537 /dev/zero | tr '\\0' x > $LEAT_OUT/out",
                       ORDER_OUTPUT_TYPE_STRING, "output out: ");
    finish_with_output(8, "(head -c 65536 /dev/zero | tr '\\0' x; echo) > $LEAT_OUT/out",
                       ORDER_OUTPUT_TYPE_STRING, "");
    finish_with_output(9, "touch $LEAT_OUT/out; chmod 500 $LEAT_OUT; exit 3",
                       ORDER_OUTPUT_TYPE_STRING, "exit code 3");
    finish_with_output(10, "kill -SEGV $$", ORDER_OUTPUT_TYPE_STRING, "killed by signal 11");
}

static void test_inputs(void **state)
{
    (void)state;
    char file[SHA256_HEX], set[SHA256_HEX], folder[SHA256_HEX];
    one_worker_start(o, NULL, NULL);
    put_store("hello", 5, file);
    cleanup_text struct text json = {0};
    cleanup_manifest struct manifest manifest = {0};
    manifest_add(&manifest, "a/b.txt", 0644, 5, file);
    manifest_encode(&manifest, &json);
    put_store(json.data, json.len, folder);
    cleanup_free char *objects = mem_printf(
        "{\"bucket\":\"b\",\"objects\":[{\"key\":\"x/y.csv\",\"sha256\":\"%s\",\"size\":5}]}",
        file);
    put_store(objects, strlen(objects), set);
    cleanup_json json_t *text = json_string("as it is"), *number = json_real(1.5);
    struct order_input inputs[] = {{.name = "file", .artifact = file},
                                   {.name = "tree", .artifact = folder, .folder = true},
                                   {.name = "raw", .artifact = set, .objects = true},
                                   {.name = "text", .value = text},
                                   {.name = "number", .value = number}};
    const char *argv[] = {"sh", "-c",
                          "cd $LEAT_IN; for f in file tree/a/b.txt raw/files/x/y.csv text number; "
                          "do cat $f; echo; done; grep -c x/y.csv raw/manifest.json"};
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 3,
                                .inputs = inputs,
                                .inputs_count = 5};
    one_worker_order(o, 1, &start);
    const struct seen_attempt *s = one_worker_finished(o, 1);
    assert_string_equal(s->reason, "");
    cleanup_free char *log = read_log(1);
    assert_string_equal(log, "hello\nhello\nhello\nas it is\n1.5\n1\n");
    struct order_input bad[] = {{.name = "../evil", .value = text}};
    start.inputs = bad;
    start.inputs_count = 1;
    one_worker_order(o, 2, &start);
    assert_non_null(strstr(one_worker_finished(o, 2)->reason, "input ../evil"));
    memset(file, 'f', 64);
    start.inputs = inputs;
    one_worker_order(o, 3, &start);
    assert_non_null(strstr(one_worker_finished(o, 3)->reason, "input file"));
}

/* No source has the bucket. */
static void know_no_bucket(struct http_request *req, void *arg)
{
    (void)arg;
    http_answer(req, 404, NULL, "{}", 2);
}

static void test_objects_are_pinned(void **state)
{
    (void)state;
    static const struct http_route routes[] = {
        {.method = "GET", .pattern = "/*all", .handle = know_no_bucket}, {0}};
    struct http_server *server = NULL;
    const int port = http_server_start(o->loop, "127.0.0.1:0", routes, NULL, NULL, &server, NULL);
    assert_true(port > 0);
    cleanup_free char *api = mem_printf("--api=http://127.0.0.1:%d", port);
    const char *const flags[] = {api, NULL};
    assert_int_equal(mkdir(in_dir("buckets"), 0755), 0);
    assert_int_equal(mkdir(in_dir("buckets/b"), 0755), 0);
    assert_int_equal(mkdir(in_dir("buckets/b/sub"), 0755), 0);
    write_file(in_dir("buckets/b/z.csv"), "zz");
    write_file(in_dir("buckets/b/sub/a.csv"), "a");
    write_file(in_dir("buckets/b/note.txt"), "n");
    write_file(in_dir("buckets/b/.leat-upload.csv"), "half");
    assert_int_equal(symlink("/etc/passwd", in_dir("buckets/b/link.csv")), 0);
    one_worker_start(o, NULL, flags);
    struct order_start start = {
        .executor = ORDER_START_EXECUTOR_OBJECTS, .bucket = "b", .suffix = ".csv"};
    one_worker_order(o, 1, &start);
    const struct seen_attempt *s = one_worker_finished(o, 1);
    assert_string_equal(s->reason, "");
    const char *hash = json_get_string(json_object_get(s->outputs, "manifest"), "artifact", "");
    cleanup_free char *text = read_store(hash);
    cleanup_json json_t *manifest = json_read(text, strlen(text), NULL, NULL);
    json_t *objects = json_get_array(manifest, "objects");
    assert_int_equal(json_array_size(objects), 2);
    const json_t *first = json_array_get(objects, 0);
    assert_string_equal(json_get_string(first, "key", ""), "sub/a.csv");
    struct stat st;
    assert_int_equal(stat(in_dir("buckets/b/sub/a.csv"), &st), 0);
    cleanup_free char *version =
        mem_printf("%lld-%llu-1", (long long)st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec,
                   (unsigned long long)st.st_ino);
    assert_string_equal(json_get_string(first, "version", ""), version);
    cleanup_free char *bytes = read_store(json_get_string(first, "sha256", ""));
    assert_string_equal(bytes, "a");
    start.suffix = NULL;
    start.key = "sub/a.csv";
    start.version = version;
    one_worker_order(o, 2, &start);
    assert_int_equal(one_worker_finished(o, 2)->outcome, REPORT_RESULT_OUTCOME_SUCCEEDED);
    start.version = "1-2-3";
    one_worker_order(o, 3, &start);
    assert_non_null(strstr(one_worker_finished(o, 3)->reason, "is no longer in bucket b"));
    start.key = "../../etc/passwd";
    one_worker_order(o, 4, &start);
    assert_non_null(strstr(one_worker_finished(o, 4)->reason, "cannot be the key"));
    struct order_start none = {.executor = ORDER_START_EXECUTOR_OBJECTS, .bucket = "none"};
    one_worker_order(o, 5, &none);
    assert_non_null(strstr(one_worker_finished(o, 5)->reason, "there is no bucket none"));
    http_server_stop(server);
}

static void test_log_of_several_chunks_and_its_limit(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    one_worker_shell(o, 1, "seq 1 100000; sleep 1.2; seq 1 1000");
    cleanup_free char *log = (one_worker_finished(o, 1), read_log(1));
    assert_true(json_get_int(o->seen[1].log, "chunks", 0) >= 3);
    assert_true(text_ends_with(log, "\n999\n1000\n"));
    assert_int_equal(o->seen[1].started, 1);
    const char *argv[] = {"sh", "-c", "seq 1 100000"};
    struct order_start start = {
        .executor = ORDER_START_EXECUTOR_PROCESS, .argv = argv, .argv_count = 3, .log_limit = 1000};
    one_worker_order(o, 2, &start);
    cleanup_free char *cut = (one_worker_finished(o, 2), read_log(2));
    assert_int_equal(strlen(cut), 1000);
    assert_true(json_get_bool(o->seen[2].log, "truncated", false));
    one_worker_shell(o, 3, "exit 0");
    assert_null(one_worker_finished(o, 3)->log);
}

static void test_timeout_cancel_and_revoke(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    const char *argv[] = {"sleep", "30"};
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 2,
                                .timeout_us = 200 * US_PER_MS};
    one_worker_order(o, 1, &start);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_TIMED_OUT);
    assert_string_equal(o->seen[1].reason, "timed out after 0.2 s");
    start.timeout_us = 0;
    one_worker_order(o, 2, &start);
    one_worker_pass(o, 200);
    struct order cancel = {.kind = ORDER_KIND_CANCEL,
                           .attempt = one_worker_id(2),
                           .nonce = 2,
                           .grace_us = US_PER_S,
                           .reason = "asked for"};
    one_worker_send(o, &cancel);
    assert_int_equal(one_worker_finished(o, 2)->outcome, REPORT_RESULT_OUTCOME_CANCELLED);
    assert_string_equal(o->seen[2].reason, "asked for");
    cancel.attempt = one_worker_id(3); /* before it comes */
    cancel.nonce = 3;
    one_worker_send(o, &cancel);
    one_worker_order(o, 3, &start);
    assert_int_equal(one_worker_finished(o, 3)->outcome, REPORT_RESULT_OUTCOME_REFUSED);
    one_worker_order(o, 4, &start);
    assert_true(wait_for_count(o->loop, &o->seen[4].started, 1, 60000));
    struct order revoke = {
        .kind = ORDER_KIND_REVOKE, .attempt = one_worker_id(4), .nonce = 4, .reason = "r"};
    one_worker_send(o, &revoke); /* too late: it runs */
    one_worker_pass(o, 300);
    assert_int_equal(o->seen[4].finished, 0);
    revoke.kind = ORDER_KIND_CANCEL;
    revoke.nonce = 5; /* another placing of it */
    one_worker_send(o, &revoke);
    one_worker_pass(o, 300);
    assert_int_equal(o->seen[4].finished, 0);
}

static void test_orders_that_are_not_followed(void **state)
{
    (void)state;
    one_worker_start(o, NULL, NULL);
    struct order_start start = {.executor = ORDER_START_EXECUTOR_NOOP};
    const struct uuid right = o->incarnation;
    o->incarnation = (struct uuid){{1}};
    one_worker_order(o, 1, &start);
    assert_int_equal(one_worker_finished(o, 1)->outcome, REPORT_RESULT_OUTCOME_REFUSED);
    o->incarnation = right;
    o->epoch = 5;
    one_worker_order(o, 2, &start);
    one_worker_finished(o, 2);
    o->epoch = 4; /* a leader that is none any more */
    one_worker_order(o, 3, &start);
    o->epoch = 5;
    one_worker_order(o, 2, &start); /* again: it was done */
    one_worker_order(o, 4, &start);
    one_worker_finished(o, 4);
    assert_int_equal(o->seen[3].finished, 0);
    assert_int_equal(o->seen[2].finished, 1);
}

/* ---- secrets
 * -------------------------------------------------------------------------------------- */

static char asked_for[512];

static void give_secrets(struct http_request *req, void *arg)
{
    (void)arg;
    size_t len;
    const char *token = http_header(req, "Authorization");
    snprintf(asked_for, sizeof asked_for, "%s %s %s", token ? token : "", http_path(req),
             http_body(req, &len));
    static const char answer[] = "{\"secrets\":{\"db\":\"s3cret\\nline\"},\"token\":\"t0\"}";
    http_answer(req, 200, NULL, answer, sizeof answer - 1);
}

static void test_secrets_are_files_in_memory(void **state)
{
    (void)state;
    static const struct http_route routes[] = {
        {.method = "POST", .pattern = "/*all", .handle = give_secrets, .max_body = 4096}, {0}};
    struct http_server *server = NULL;
    const int port = http_server_start(o->loop, "127.0.0.1:0", routes, NULL, NULL, &server, NULL);
    assert_true(port > 0);
    write_file(in_dir("token"), "worker-token\n");
    cleanup_free char *api = mem_printf("--api=http://127.0.0.1:%d", port);
    cleanup_free char *token = mem_printf("--token-file=%s/token", o->dir);
    const char *const flags[] = {api, token, NULL};
    one_worker_start(o, NULL, flags);
    const char *argv[] = {"sh", "-c",
                          "cd $LEAT_SECRETS; cat db; stat -c ' %a' db; cat $LEAT_TOKEN_FILE; "
                          "readlink -f . > $HOME/../../../where"};
    const char *names[] = {"db"};
    struct order_start start = {.executor = ORDER_START_EXECUTOR_PROCESS,
                                .argv = argv,
                                .argv_count = 3,
                                .secrets = names,
                                .secrets_count = 1};
    one_worker_order(o, 1, &start);
    const struct seen_attempt *s = one_worker_finished(o, 1);
    assert_string_equal(s->reason, "");
    cleanup_free char *log = read_log(1);
    assert_string_equal(log, "s3cret\nline 400\nt0");
    char id[UUID_TEXT];
    const struct uuid attempt = one_worker_id(1);
    uuid_format(&attempt, id);
    cleanup_free char *asked = mem_printf(
        "Bearer worker-token /api/v1/workers/w1/attempts/%s/secrets {\"names\":[\"db\"]}", id);
    assert_string_equal(asked_for, asked);
    char where[300] = "";
    cleanup_close int fd = open(in_dir("where"), O_RDONLY | O_CLOEXEC);
    assert_true(read(fd, where, sizeof where - 1) > 10);
    where[strcspn(where, "\n")] = '\0';
    assert_int_not_equal(access(where, F_OK), 0); /* gone with the attempt */
    const char *missing[] = {"db", "nope"};
    start.secrets = missing;
    start.secrets_count = 2;
    one_worker_order(o, 2, &start);
    assert_non_null(strstr(one_worker_finished(o, 2)->reason, "there is no secret nope"));
    http_server_stop(server);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_noop_steps),
        T(test_outputs_metrics_log_and_environment),
        T(test_outputs_that_are_wrong),
        T(test_inputs),
        T(test_objects_are_pinned),
        T(test_log_of_several_chunks_and_its_limit),
        T(test_timeout_cancel_and_revoke),
        T(test_orders_that_are_not_followed),
        T(test_secrets_are_files_in_memory),
    };
    cmocka_set_test_filter(getenv("LEAT_TEST_FILTER"));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
