/* trigger test: which triggers would an event start? By the scheduler's own functions; nothing is
 * published. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/files.h"
#include "cli/gather.h"
#include "cli/output.h"
#include "common/base/clock.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/ir/firing.h"
#include "common/text/json.h"
#include "common/text/yaml.h"
#include "schema/gen/messages.h"

#define EVENT_MAX (1024 * 1024)

static const struct option options[] = {
    {"event", 0, "FILE", false, "the CloudEvent as JSON; - is standard input"},
    OPTION_OUTPUT,
    OPTION_END,
};
static const struct column columns[] = {{"TRIGGER", "/trigger", ALWAYS},
                                        {"PIPELINE", "/pipeline", ALWAYS},
                                        {"VERDICT", "/verdict", ALWAYS},
                                        {"RUN NAME", "/run_name", ALWAYS},
                                        {"PARAMS", "/params", ALWAYS},
                                        {"REASON", "/reason", ALWAYS},
                                        {"EXPERIMENT", "/experiment", WIDE},
                                        {"VARS", "/vars", WIDE},
                                        COLUMN_END};

struct test {
    struct event event;
    json_t *envelope; /* its JSON */
    json_t *items;    /* what was found */
};

static void usual(json_t *envelope, const char *key, const char *value)
{
    if (!json_object_get(envelope, key))
        json_object_set_new(envelope, key, json_string(value));
}

/* What a hook would add is added where it is absent, so that a few lines make an event. */
static void complete(json_t *envelope)
{
    char id[UUID_TEXT], now[CLOCK_TEXT];
    uint8_t random[SHA256_BYTES];
    random_bytes(random, sizeof random);
    const struct uuid made = uuid_v7(clock_wall_us() / US_PER_MS, random);
    uuid_format(&made, id);
    clock_format(clock_wall_us(), now);
    usual(envelope, "specversion", "1.0");
    usual(envelope, "id", id);
    usual(envelope, "source", "/leat/trigger-test");
    usual(envelope, "leatsource", "test");
    usual(envelope, "time", now);
}

static int read_event(const char *path, struct test *t, struct err *err)
{
    size_t len;
    cleanup_free char *text = file_read(path, EVENT_MAX, &len, err);
    if (!text)
        return err->code;
    t->envelope = json_read(text, len, NULL, err);
    if (!t->envelope || !json_is_object(t->envelope))
        return t->envelope ? err_set(err, LEAT_EINPUT, "%s: must be a JSON object", path)
                           : err_wrap(err, "%s", path);
    complete(t->envelope);
    cleanup_free char *whole = json_write(t->envelope);
    const int rc = event_decode(whole, strlen(whole), &t->event, err);
    return rc < 0 ? err_wrap(err, "%s", path) : 0;
}

static json_t *verdict_of(struct ir_firing *f, struct err *why)
{
    char id[UUID_TEXT];
    uuid_format(&f->event->id, id); /* BUILD_ID is the run's id, of which there is none */
    const int passes = ir_firing_passes(f, why);
    if (passes == 0)
        return json_string("filtered");
    if (passes < 0 || ir_firing_find(f, id, why) < 0)
        return json_string("failed");
    return json_string("run");
}

static json_t *text_or_null(const char *text)
{
    return text ? json_string(text) : json_null();
}

static void try_trigger(struct test *t, const struct ir *ir, const struct ir_trigger *trigger)
{
    struct err why = {0};
    struct ir_firing f = {
        .ir = ir, .trigger = trigger, .event = &t->event, .envelope = t->envelope};
    json_t *verdict = verdict_of(&f, &why);
    const char *usual_experiment = ir->experiment ? ir->experiment : ir->name;
    json_array_append_new(t->items,
                          json_pack("{s:s, s:s, s:o, s:o, s:o, s:O?, s:O?, s:o}", "trigger",
                                    trigger->name, "pipeline", ir->name, "verdict", verdict,
                                    "run_name", text_or_null(f.run_name), "experiment",
                                    text_or_null(f.experiment ? f.experiment : usual_experiment),
                                    "params", f.params, "vars", f.vars, "reason",
                                    text_or_null(why.code ? why.text : NULL)));
    ir_firing_clear(&f);
}

static int try_pipeline(struct test *t, const json_t *ir_json, struct err *err)
{
    struct ir *ir = ir_load(ir_json, err);
    if (!ir)
        return err->code;
    for (size_t i = 0; i < ir->trigger_count; i++)
        if (ir_trigger_fits(&ir->triggers[i], ir->name, &t->event))
            try_trigger(t, ir, &ir->triggers[i]);
    ir_free(ir);
    return 0;
}

static int try_files(struct test *t, const struct given *given, struct err *err)
{
    struct gathered *g = NULL;
    int rc = gather_given(given, &g, err);
    for (size_t i = 0; rc >= 0 && i < gathered_count(g); i++) {
        if (*gathered_problems(g, i))
            rc = err_set(err, LEAT_EINPUT, "%.*s", (int)strcspn(gathered_problems(g, i), "\n"),
                         gathered_problems(g, i));
    }
    for (size_t i = 0; rc >= 0 && i < bundle_count(gathered_bundle(g)); i++) {
        cleanup_text struct text problems = {0};
        if (strcmp(bundle_kind(gathered_bundle(g), i), "pipeline") != 0)
            continue;
        cleanup_json json_t *ir = bundle_compile(gathered_bundle(g), i, &problems);
        rc = ir ? try_pipeline(t, ir, err)
                : err_set(err, LEAT_EINPUT, "%.*s",
                          (int)strcspn(problems.len ? problems.data : "", "\n"),
                          problems.len ? problems.data : "");
    }
    gathered_free(g);
    return rc;
}

/* The pipelines that Leat holds; what is paused or not is no matter here. */
static int try_applied(struct test *t, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    const json_t *item;
    size_t i;
    int rc = client_call("GET", "/api/v1/pipelines", NULL, &answer, err);
    json_array_foreach (json_object_get(answer, "items"), i, item) {
        cleanup_json json_t *whole = NULL;
        cleanup_free char *path =
            client_path("/api/v1/pipelines/%s", json_get_string(item, "name", ""));
        if (rc >= 0)
            rc = client_call("GET", path, NULL, &whole, err);
        if (rc >= 0)
            rc = try_pipeline(t, json_object_get(whole, "ir"), err);
    }
    return rc;
}

static int run_test(const struct given *given, struct err *err)
{
    const char *file = given_value(given, "event", NULL);
    struct test t = {.items = json_array()};
    int rc = output_check(given, err);
    if (rc == 0)
        rc = file ? read_event(file, &t, err)
                  : err_set(err, LEAT_EUSAGE, "leat trigger test: --event FILE must be given");
    if (rc >= 0 && !given_argument(given, 0))
        rc = try_applied(&t, err);
    if (rc >= 0 && given_argument(given, 0))
        rc = try_files(&t, given, err);
    if (rc >= 0)
        output_list(given, t.items, columns);
    event_clear(&t.event);
    json_decref(t.envelope);
    json_decref(t.items);
    return rc < 0 ? rc : 0;
}
const struct verb VERB_TRIGGER_TEST = {
    .name = "trigger test",
    .arguments = "[FILE...]",
    .summary = "Says which triggers an event would start, with which parameters and run name",
    .details =
        "The event needs no more than type and data; an object's also data.bucket and\n"
        "data.object.key, a push's leatsource and vars. The pipelines are those of the files, "
        "else\n"
        "those that were applied. Nothing is published. A trigger that is not shown does not fit.",
    .least = 0,
    .most = -1,
    .options = options,
    .run = run_test};
