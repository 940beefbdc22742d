/* What a start order carries: texts, environment, inputs, container; and what its texts may see. */
#include "common/front/bundle.h"
#include "tests/unit/scheduler/core_harness.h"

/* Worker 0, which says this of itself; slots, workspace and boot are given. */
static void hello_as(struct harness *h, struct report_hello hello)
{
    hello.boot = "boot";
    hello.slots = hello.slots ? hello.slots : 100;
    hello.workspace = "/w";
    h->lives[0] = id_of(0xf0);
    h->lives[0].b[13] = (uint8_t)++h->lives_made;
    harness_report(h, 0, (struct report){.kind = REPORT_KIND_HELLO, .hello = &hello});
    harness_settle(h);
}

static void hello_with(struct harness *h, const char *first, const char *second)
{
    const char *executors[] = {first, second};
    hello_as(h, (struct report_hello){.executors = executors, .executors_count = second ? 2 : 1});
}

static struct uuid begin(struct harness *h, const char *yaml)
{
    harness_apply(h, yaml);
    hello_with(h, "process", "noop");
    return harness_run(h, "p", 1);
}

static const struct order_start *start_of(struct harness *h, const char *step)
{
    const struct order *o = order_of(h, ORDER_KIND_START, step);
    if (!o)
        fail_msg("%s was not started", step);
    return o->start;
}

static const struct order_input *input(const struct order_start *start, const char *name)
{
    for (size_t i = 0; i < start->inputs_count; i++)
        if (strcmp(start->inputs[i].name, name) == 0)
            return &start->inputs[i];
    return NULL;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static void environment_and_workdir_are_templates(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\nparams: {n: {type: integer, default: 4}}\n"
             "steps:\n  a: {command: [a], workdir: \"/d/${{ params.n }}\",\n"
             "      env: {N: \"${{ params.n }}\", RUN: \"${{ run.name }} ${{ run.number }}\"}}\n");
    const struct order_start *start = start_of(h, "a");
    assert_string_equal(start->workdir, "/d/4");
    assert_int_equal(start->env_count, 2);
    assert_string_equal(start->env[0].value, "4");
    assert_string_equal(start->env[1].value, "p-1 1");
}

/* Each text that cannot be evaluated fails the step, and says which. */
static void a_text_that_fails_names_itself(void **state)
{
    static const struct {
        const char *keys, *says;
    } ROWS[] = {
        {"command: [a, \"${{ event.data.x }}\"]", "command or args"},
        {"command: [a], env: {N: \"${{ event.data.x }}\"}", "env: N"},
        {"command: [a], workdir: \"${{ event.data.x }}\"", "workdir"},
        {"command: [a], image: \"${{ event.data.x }}\"", "image"},
        {"command: [a], inputs: {i: {value: \"${{ event.data.x }}\"}}", "input: i"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct harness *h = harness_new();
        char yaml[400];
        snprintf(yaml, sizeof yaml, "name: p\nsteps:\n  a: {%s}\n", ROWS[i].keys);
        struct uuid run = begin(h, yaml);
        assert_string_equal(run_is(h, run), "failed");
        reason_has(h, run, 0, ROWS[i].says);
        assert_int_equal(orders_of(h, ORDER_KIND_START), 0);
        harness_free(h);
    }
}

static void where_objects_lie_is_a_template(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\nparams: {b: {type: string, default: inbox}}\n"
             "steps:\n  a: {command: [a], inputs: {raw: {objects:\n"
             "      {bucket: \"${{ params.b }}\", prefix: x/, suffix: .csv}}}}\n");
    const struct order_start *pin = start_of(h, "objects:a.raw");
    assert_int_equal(pin->executor, ORDER_START_EXECUTOR_OBJECTS);
    assert_string_equal(pin->bucket, "inbox");
    assert_string_equal(pin->prefix, "x/");
    assert_string_equal(pin->suffix, ".csv");
    finish(h, 0, "objects:a.raw", SUCCEEDED,
           "{\"manifest\":{\"artifact\":\"abc\",\"folder\":true}}");
    const struct order_input *raw = input(start_of(h, "a"), "raw");
    assert_non_null(raw);
    assert_true(raw->objects && raw->folder);
    assert_string_equal(raw->artifact, "abc");
}

static void a_bucket_that_fails_fails_its_pin(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps:\n  a: {command: [a], inputs: {raw: {objects:\n"
                               "      {bucket: \"${{ event.data.b }}\"}}}}\n");
    assert_string_equal(run_is(h, run), "failed");
    assert_non_null(strstr(row_of_run(h, run)->reason, "bucket"));
}

/* What finally steps see of the DAG that they end, and of the one around that. */
static void finally_steps_see_how_it_went(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\nsteps:\n  a: {command: [a, \"${{ run.name }}\"]}\n"
             "finally:\n"
             "  f: {command: [f, \"${{ outcome.state }}\", \"${{ run.name }}\"]}\n"
             "  g:\n"
             "    steps: {in: {command: [in, \"${{ outcome.state }}\"]}}\n"
             "    finally: {last: {command: [last, \"${{ outcome.state }}\"]}}\n");
    finish(h, 0, "a", FAILED, NULL);
    assert_string_equal(start_of(h, "f")->argv[1], "failed");
    assert_string_equal(start_of(h, "f")->argv[2], "p-1");
    assert_string_equal(start_of(h, "g/in")->argv[1], "failed");
    finish(h, 0, "g/in", SUCCEEDED, NULL);
    assert_string_equal(start_of(h, "g/last")->argv[1], "succeeded"); /* of the nearest */
}

static void finally_steps_see_a_cancel(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, "name: p\nsteps: {a: {command: [a]}}\n"
                               "finally: {f: {command: [f, \"${{ outcome.state }}\"]}}\n");
    harness_cancel(h, run);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(start_of(h, "f")->argv[1], "cancelled");
}

static void finally_steps_see_a_timeout(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\ntimeout: 2s\nsteps: {a: {command: [a]}}\n"
             "finally: {f: {command: [f, \"${{ outcome.state }}\", \"${{ outcome.reason }}\"]}}\n");
    harness_pass(h, 3 * US_PER_S);
    finish(h, 0, "a", REPORT_RESULT_OUTCOME_CANCELLED, NULL);
    assert_string_equal(start_of(h, "f")->argv[1], "failed");
    assert_string_equal(start_of(h, "f")->argv[2], "timed out after 2 s");
}

/* Of two loops around it a step sees the inner one. */
static void a_step_sees_the_nearest_loop(void **state)
{
    struct harness *h = *state;
    begin(h, "name: p\nsteps:\n"
             "  o: {loop: {until: \"true\", max: 2}, steps: {\n"
             "      i: {loop: {until: loop.index == 1, max: 3},"
             " command: [a, \"${{ loop.index }}\"]}}}\n");
    assert_string_equal(start_of(h, "o/i/i")->argv[1], "0");
    finish(h, 0, "o/i/i", SUCCEEDED, NULL);
    assert_string_equal(start_of(h, "o/i/i")->argv[1], "1");
}

/* ---- inputs ---------------------------------------------------------------------------------- */

#define GIVER                                                                                      \
    "name: p\nsteps:\n"                                                                            \
    "  a: {command: [a], outputs: {f: {}, n: {type: integer}, o: {optional: true}}}\n"

static void artifacts_values_and_texts_arrive(void **state)
{
    struct harness *h = *state;
    begin(h, GIVER "  b: {command: [b, \"${{ inputs.f.path }}\", \"${{ outputs.r.path }}\"],\n"
                   "      outputs: {r: {}},\n"
                   "      inputs: {f: a.f, n: a.n, o: a.o, t: {value: \"x\"}}}\n");
    finish(h, 0, "a", SUCCEEDED, "{\"f\":{\"artifact\":\"aa\"},\"n\":7,\"o\":null}");
    const struct order_start *start = start_of(h, "b");
    assert_string_equal(input(start, "f")->artifact, "aa");
    assert_false(input(start, "f")->folder);
    assert_int_equal(json_integer_value(input(start, "n")->value), 7);
    assert_string_equal(json_string_value(input(start, "t")->value), "x");
    assert_null(input(start, "o")); /* it is optional and was not written */
    char want[128], id[UUID_TEXT];
    uuid_format(&order_of(h, ORDER_KIND_START, "b")->attempt, id);
    snprintf(want, sizeof want, "/w/%s/in/f", id);
    assert_string_equal(start->argv[1], want);
    snprintf(want, sizeof want, "/w/%s/out/r", id);
    assert_string_equal(start->argv[2], want);
}

static void an_input_that_is_not_there_fails_the_step(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, GIVER "  b: {command: [b], inputs: {f: a.f}}\n");
    finish(h, 0, "a", SUCCEEDED, "{\"n\":7}");
    assert_string_equal(run_is(h, run), "failed");
    reason_has(h, run, 1, "input f: step a has no output f");
}

static void an_input_that_is_no_artifact_fails_the_step(void **state)
{
    struct harness *h = *state;
    struct uuid run = begin(h, GIVER "  b: {command: [b], inputs: {f: a.f}}\n");
    finish(h, 0, "a", SUCCEEDED, "{\"f\":3}");
    reason_has(h, run, 1, "is no artifact");
}

/* ---- containers ------------------------------------------------------------------------------ */

static void a_container_is_told_how_it_is_made(void **state)
{
    struct harness *h = *state;
    harness_apply(
        h, "name: p\nsteps:\n"
           "  a: {image: \"i:1\", command: [a, \"${{ outputs.r.path }}\"], outputs: {r: {}},\n"
           "      resources: {cpu: 1.5, memory: 64MiB},\n"
           "      container: {pull: always, network: none, pids: 9, read_only: true}}\n");
    hello_with(h, "docker", "process");
    harness_run(h, "p", 1);
    const struct order_start *start = start_of(h, "a");
    assert_int_equal(start->executor, ORDER_START_EXECUTOR_DOCKER);
    assert_string_equal(start->image, "i:1");
    assert_non_null(start->container);
    assert_int_equal(start->container->pull, ORDER_CONTAINER_PULL_ALWAYS);
    assert_string_equal(start->container->network, "none");
    assert_int_equal(start->container->pids, 9);
    assert_true(start->container->read_only);
    assert_int_equal(start->container->memory, 64 << 20);
    assert_int_equal(start->command, 2);
    assert_string_equal(start->argv[1], "/leat/out/r");
}

/* A program that chooses its own place. */
static void an_output_may_lie_elsewhere_in_a_container(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  a: {image: \"i:1\", command: [a, \"${{ outputs.m.path }}\"],\n"
                     "      outputs: {m: {path: /opt/model}}}\n");
    hello_with(h, "docker", NULL);
    harness_run(h, "p", 1);
    assert_string_equal(start_of(h, "a")->argv[1], "/opt/model");
    assert_string_equal(start_of(h, "a")->outputs[0].path, "/opt/model");
}

/* The digest that ran is no other image tomorrow: it is fetched when it is not there. */
static void a_rerun_fetches_no_image_that_it_has(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps:\n"
                     "  a: {image: \"i:1\", command: [a], container: {pull: always}}\n");
    hello_with(h, "docker", NULL);
    struct uuid old = harness_run(h, "p", 1);
    assert_int_equal(start_of(h, "a")->container->pull, ORDER_CONTAINER_PULL_ALWAYS);
    finish(h, 0, "a", SUCCEEDED, NULL);
    row_of_result(h, old, 0)->image = "i@sha256:aa";
    harness_learn_run(h, old, NULL);
    harness_ask(h, (struct command){.kind = COMMAND_KIND_RERUN, .of = old}, 2);
    harness_settle(h);
    assert_string_equal(start_of(h, "a")->image, "i@sha256:aa");
    assert_int_equal(start_of(h, "a")->container->pull, ORDER_CONTAINER_PULL_IF_MISSING);
}

/* A worker that prefers containers: without an image it is a process, where it can run those. */
static void without_an_image_it_is_a_process(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\nsteps: {a: {command: [a]}}\n");
    hello_with(h, "docker", "process");
    harness_run(h, "p", 1);
    assert_int_equal(start_of(h, "a")->executor, ORDER_START_EXECUTOR_PROCESS);
    assert_null(start_of(h, "a")->container);
    hello_with(h, "docker", NULL);
    harness_run(h, "p", 2);
    assert_int_equal(start_of(h, "a")->executor, ORDER_START_EXECUTOR_DOCKER);
}

/* ---- size ------------------------------------------------------------------------------------ */

static char *large(size_t bytes)
{
    char *text = mem_alloc(bytes + 1);
    memset(text, 'x', bytes);
    return text;
}

static struct uuid event_of(struct harness *h, const char *type, json_t *data)
{
    struct event event = {.specversion = "1.0",
                          .id = id_of(77),
                          .source = "/t",
                          .type = type,
                          .leatsource = "t",
                          .data = data};
    size_t len;
    cleanup_free char *envelope = event_encode(&event, &len);
    core_event(h->core, &event, envelope, &h->now, h->out);
    harness_settle(h);
    json_decref(data);
    assert_int_equal(h->rows->runs_count, 1);
    return h->rows->runs[0].id;
}

static void a_large_event_rides_without_its_data(void **state)
{
    struct harness *h = *state;
    harness_apply(h, "name: p\non: {event: {type: a.b}}\nsteps: {a: {command: [a]}}\n");
    hello_with(h, "process", NULL);
    cleanup_free char *text = large(200 * 1024);
    cleanup_free char *more = large(100 * 1024);
    event_of(h, "a.b", json_pack("{s:s, s:s}", "x", text, "y", more));
    const json_t *event = start_of(h, "a")->event;
    assert_null(json_object_get(event, "data"));
    assert_string_equal(json_string_value(json_object_get(event, "type")), "a.b");
}

static void an_order_that_is_too_large_fails_the_step(void **state)
{
    struct harness *h = *state;
    harness_apply(h,
                  "name: p\non: {event: {type: a.b}}\n"
                  "steps: {a: {command: [a, \"${{ event.data.x }}\", \"${{ event.data.x }}\", "
                  "\"${{ event.data.x }}\", \"${{ event.data.x }}\", \"${{ event.data.x }}\"]}}\n");
    hello_with(h, "process", NULL);
    cleanup_free char *text = large(60 * 1024);
    struct uuid run = event_of(h, "a.b", json_pack("{s:s}", "x", text));
    assert_string_equal(run_is(h, run), "failed");
    reason_has(h, run, 0, "pass large values as artifacts");
}

/* ---- a worker's word of itself --------------------------------------------------------------- */

static void a_hello_is_kept_as_it_was_said(void **state)
{
    struct harness *h = *state;
    const char *executors[] = {"warp", "process"}; /* one that this leader does not know */
    cleanup_json json_t *labels = json_pack("{s:s}", "zone", "a");
    harness_apply(h, "name: p\nsteps: {a: {command: [a], pool: big}}\n");
    hello_as(h, (struct report_hello){.executors = executors,
                                      .executors_count = 2,
                                      .pool = "big",
                                      .labels = labels,
                                      .runtime = "docker 20.10",
                                      .version = "9"});
    const json_t *info = h->rows->workers[0].info;
    assert_string_equal(json_get_string(info, "runtime", ""), "docker 20.10");
    assert_string_equal(json_get_string(info, "version", ""), "9");
    assert_non_null(json_object_get(info, "labels"));
    harness_run(h, "p", 1);
    assert_int_equal(start_of(h, "a")->executor, ORDER_START_EXECUTOR_PROCESS);
}

static void a_worker_may_change_its_pool(void **state)
{
    struct harness *h = *state;
    const char *process = "process";
    harness_apply(h, "name: p\nsteps: {a: {command: [a], pool: big}}\n");
    hello_with(h, "process", NULL);
    struct uuid run = harness_run(h, "p", 1);
    assert_string_equal(step_is(h, run, 0), "-"); /* ready: nobody in that pool */
    hello_as(h, (struct report_hello){.executors = &process, .executors_count = 1, .pool = "big"});
    assert_string_equal(step_is(h, run, 0), "placed");
}

/* ---- another pipeline as a part -------------------------------------------------------------- */

/* p, a part of which is the pipeline in the second file. */
static void apply_with_part(struct harness *h, const char *yaml, const char *part)
{
    cleanup_text struct text problems = {0};
    struct bundle *b = bundle_new(NULL, NULL);
    bundle_add(b, "p.yaml", yaml, &problems);
    bundle_add(b, "part.yaml", part, &problems);
    json_t *ir = bundle_compile(b, 0, &problems);
    if (!ir)
        fail_msg("%s", problems.data);
    bundle_free(b);
    harness_apply_ir(h, ir);
    hello_with(h, "process", NULL);
}

#define PART                                                                                       \
    "name: q\nparams: {city: {type: string}, n: {type: integer, default: 3}}\n"                    \
    "steps: {z: {command: [z, \"${{ params.city }}\", \"${{ params.n }}\"]}}\n"

static void a_part_sees_its_own_parameters(void **state)
{
    struct harness *h = *state;
    apply_with_part(h,
                    "name: p\nparams: {city: {type: string, default: Bari}, n: {type: integer, "
                    "default: 8}}\n"
                    "steps:\n  sub: {pipeline: q, with: {city: \"in ${{ params.city }}\"}}\n"
                    "  own: {command: [o, \"${{ params.n }}\"]}\n",
                    PART);
    harness_run(h, "p", 1);
    const struct order_start *start = start_of(h, "sub/z");
    assert_string_equal(start->argv[1], "in Bari");
    assert_string_equal(start->argv[2], "3");
    assert_string_equal(start_of(h, "own")->argv[1], "8");
}

/* The first report after a takeover comes before any turn: what was found out under the wrong
 * parameters would be taken as the result of other ones. */
static void a_part_sees_them_at_once_after_a_takeover(void **state)
{
    struct harness *h = *state;
    apply_with_part(h,
                    "name: p\nparams: {city: Bari}\nsteps:\n  sub: {pipeline: q, with: {city: "
                    "Rome}}\n",
                    "name: q\nparams: {city: {type: string}}\n"
                    "steps: {z: {command: [z, \"${{ params.city }}\"], cache: {}}}\n");
    harness_run(h, "p", 1);
    finish(h, 0, "sub/z", SUCCEEDED, NULL);
    assert_int_equal(h->cached_count, 1);
    harness_command(
        h,
        (struct command){
            .kind = COMMAND_KIND_RUN, .run = id_of(2), .pipeline = "p", .no_cache = true},
        false);
    harness_restart(h, 0);
    finish(h, 0, "sub/z", SUCCEEDED, NULL);
    assert_string_equal(run_is(h, id_of(2)), "succeeded");
    assert_int_equal(h->cached_count, 1); /* the same key */
}

static void a_parameter_that_fails_fails_the_part(void **state)
{
    struct harness *h = *state;
    apply_with_part(
        h, "name: p\nsteps:\n  sub: {pipeline: q, with: {city: \"${{ event.data.c }}\"}}\n", PART);
    struct uuid run = harness_run(h, "p", 1);
    assert_string_equal(run_is(h, run), "failed");
    reason_has(h, run, 0, "with: parameter city");
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, harness_setup, harness_teardown)
    const struct CMUnitTest tests[] = {
        T(environment_and_workdir_are_templates),
        T(a_text_that_fails_names_itself),
        T(finally_steps_see_how_it_went),
        T(finally_steps_see_a_cancel),
        T(finally_steps_see_a_timeout),
        T(a_step_sees_the_nearest_loop),
        T(where_objects_lie_is_a_template),
        T(a_bucket_that_fails_fails_its_pin),
        T(artifacts_values_and_texts_arrive),
        T(an_input_that_is_not_there_fails_the_step),
        T(an_input_that_is_no_artifact_fails_the_step),
        T(a_container_is_told_how_it_is_made),
        T(an_output_may_lie_elsewhere_in_a_container),
        T(a_rerun_fetches_no_image_that_it_has),
        T(without_an_image_it_is_a_process),
        T(a_large_event_rides_without_its_data),
        T(an_order_that_is_too_large_fails_the_step),
        T(a_hello_is_kept_as_it_was_said),
        T(a_worker_may_change_its_pool),
        T(a_part_sees_its_own_parameters),
        T(a_part_sees_them_at_once_after_a_takeover),
        T(a_parameter_that_fails_fails_the_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
