#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/glob.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "schema/gen/messages.h"

static const struct {
    const char *pattern, *text;
    bool match;
} GLOBS[] = {
    {"main", "main", true},
    {"main", "mai", false},
    {"main", "mainly", false},
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "main", true},
    {"*", "release/1", false}, /* one star stays within a segment */
    {"**", "release/1/2", true},
    {"**", "", true},
    {"release/*", "release/1", true},
    {"release/*", "release/", true},
    {"release/*", "release", false},
    {"release/*", "release/1/2", false},
    {"release/**", "release/1/2", true},
    {"**/fix", "a/b/fix", true},
    {"**/fix", "fix", false},
    {"*/fix", "a/b/fix", false},
    {"v*.*", "v1.2", true},
    {"v*.*", "v1", false},
    {"v*.*.*", "v1.2.3.4", true},
    {"**a*b", "xa/ab", true}, /* a later choice of ** is tried when * cannot go on */
    {"**a*b", "xab/c", false},
    {"a**b*c", "a/x/b1b/bc", true},
    {"***", "a/b", true},
    {"a?c", "abc", false}, /* only stars are special */
    {"[a]", "a", false},
};

static void globs_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(GLOBS); i++) {
        if (glob_match(GLOBS[i].pattern, GLOBS[i].text) != GLOBS[i].match)
            fail_msg("%s on %s", GLOBS[i].pattern, GLOBS[i].text);
    }
}

/* The definition, tried in every way there is. */
static bool slow_match(const char *p, const char *t)
{
    if (!*p)
        return !*t;
    if (*p != '*')
        return *p == *t && slow_match(p + 1, t + 1);
    const bool any = p[1] == '*';
    for (const char *after = p + (any ? 2 : 1);; t++) {
        if (slow_match(after, t))
            return true;
        if (!*t || (!any && *t == '/'))
            return false;
    }
}

static void globs_match_as_their_definition_says(void **state)
{
    (void)state;
    char pattern[8] = "", text[8] = "";
    for (uint32_t n = 0; n < 200000; n++) {
        uint32_t bits = n * 2654435761U;
        const size_t plen = bits % 7, tlen = (bits >> 3) % 7;
        for (size_t i = 0; i < 7; i++, bits = bits * 1664525U + 1013904223U) {
            pattern[i] = i < plen ? "a*b/**"[(bits >> 16) % 6] : '\0';
            text[i] = i < tlen ? "ab/a"[(bits >> 24) % 4] : '\0';
        }
        if (glob_match(pattern, text) != slow_match(pattern, text))
            fail_msg("%s on %s", pattern, text);
    }
}

static void a_glob_of_many_stars_is_not_slow(void **state)
{
    (void)state;
    char pattern[256], text[1024];
    for (size_t i = 0; i + 3 < sizeof pattern; i += 3)
        memcpy(pattern + i, (i / 3) % 2 ? "*ab" : "**a", 3);
    pattern[252] = 'z';
    pattern[253] = '\0';
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_false(glob_match(pattern, text));
}

static struct event event_of(const char *type, const char *source, const char *json)
{
    struct err err = {0};
    struct event event = {.type = type, .leatsource = source};
    if (json) {
        cleanup_json json_t *all = json_read(json, strlen(json), NULL, &err);
        if (!all)
            fail_msg("%s", err.text);
        event.data = json_incref(json_object_get(all, "data"));
        event.vars = json_incref(json_object_get(all, "vars"));
    }
    return event;
}

static void fits(const struct ir_trigger *trigger, const char *type, const char *source,
                 const char *json, bool expected)
{
    struct event event = event_of(type, source, json);
    if (ir_trigger_fits(trigger, "train", &event) != expected)
        fail_msg("%s of %s, %s: not %d", type, source, json ? json : "", expected);
    json_decref(event.data);
    json_decref(event.vars);
}

#define OBJECT(bucket, key)                                                                        \
    "{\"data\":{\"bucket\":\"" bucket "\",\"object\":{\"key\":\"" key "\"}}}"

static void object_triggers(void **state)
{
    (void)state;
    const char *created = "dev.leat.object.created", *deleted = "dev.leat.object.deleted";
    struct ir_trigger t = {.name = "object", .kind = IR_ON_OBJECT, .bucket = "b", .created = true};
    fits(&t, created, "s", OBJECT("b", "a.csv"), true);
    fits(&t, deleted, "s", OBJECT("b", "a.csv"), false);
    fits(&t, created, "s", OBJECT("c", "a.csv"), false);
    fits(&t, created, "s", "{\"data\":{\"bucket\":\"b\"}}", false);
    fits(&t, created, "s", "{\"data\":{\"bucket\":\"b\",\"object\":{\"key\":7}}}", false);
    fits(&t, created, "s", "{\"data\":[]}", false);
    fits(&t, created, "s", NULL, false);
    t.suffix = ".csv";
    t.prefix = "in/";
    fits(&t, created, "s", OBJECT("b", "in/a.csv"), true);
    fits(&t, created, "s", OBJECT("b", "a.csv"), false);
    fits(&t, created, "s", OBJECT("b", "in/a.txt"), false);
    t.source = "s";
    fits(&t, created, "s", OBJECT("b", "in/a.csv"), true);
    fits(&t, created, "other", OBJECT("b", "in/a.csv"), false);
    t.created = false;
    t.deleted = true;
    fits(&t, created, "s", OBJECT("b", "in/a.csv"), false);
    fits(&t, deleted, "s", OBJECT("b", "in/a.csv"), true);
}

#define PUSH(kind, name)                                                                           \
    "{\"vars\":{\"" kind "\":\"" name "\",\"REPO_NAME\":\"r\",\"REPO_FULL_NAME\":\"o/r\"}}"

static void push_triggers(void **state)
{
    (void)state;
    const char *push = "dev.leat.git.push";
    struct ir_trigger t = {.name = "push", .kind = IR_ON_PUSH};
    fits(&t, push, "s", PUSH("BRANCH_NAME", "main"), true);
    fits(&t, push, "s", PUSH("TAG_NAME", "v1"), true);
    fits(&t, "dev.leat.git.other", "s", PUSH("BRANCH_NAME", "main"), false);
    t.branch = "release/*";
    fits(&t, push, "s", PUSH("BRANCH_NAME", "release/1"), true);
    fits(&t, push, "s", PUSH("BRANCH_NAME", "main"), false);
    fits(&t, push, "s", PUSH("TAG_NAME", "release/1"), false);
    t.tag = "v*";
    fits(&t, push, "s", PUSH("TAG_NAME", "v1"), true);
    fits(&t, push, "s", PUSH("BRANCH_NAME", "release/1"), true);
    fits(&t, push, "s", PUSH("BRANCH_NAME", "v1"), false);
    fits(&t, push, "s", NULL, false);
    t.repository = "o/*";
    fits(&t, push, "s", PUSH("TAG_NAME", "v1"), true);
    t.repository = "r";
    fits(&t, push, "s", PUSH("TAG_NAME", "v1"), true);
    t.repository = "o/other";
    fits(&t, push, "s", PUSH("TAG_NAME", "v1"), false);
}

static void event_triggers(void **state)
{
    (void)state;
    struct ir_trigger t = {.name = "event", .kind = IR_ON_EVENT, .type = "dev.example.drift"};
    fits(&t, "dev.example.drift", "s", NULL, true);
    fits(&t, "dev.example.drifting", "s", NULL, false);
    t.type = "dev.example.*";
    fits(&t, "dev.example.drift", "s", NULL, true);
    fits(&t, "dev.example.a.b", "s", NULL, true);
    fits(&t, "dev.example", "s", NULL, false);
    fits(&t, "dev.example.", "s", NULL, false);
    fits(&t, "dev.exampled", "s", NULL, false);
    t.type = "*";
    fits(&t, "dev.example", "s", NULL, false); /* a lone star is no pattern */
    t.type = "dev.example.drift";
    t.source = "bus";
    fits(&t, "dev.example.drift", "s", NULL, false);
}

static void ticks_reach_the_one_trigger_that_is_meant(void **state)
{
    (void)state;
    struct ir_trigger cron = {.name = "cron", .kind = IR_ON_CRON};
    struct ir_trigger all = {.name = "all", .kind = IR_ON_EVENT, .type = "dev.leat.*"};
    struct event tick = {.type = "dev.leat.cron",
                         .leatsource = "cron",
                         .leatpipeline = "train",
                         .leattrigger = "cron"};
    assert_true(ir_trigger_fits(&cron, "train", &tick));
    assert_false(ir_trigger_fits(&cron, "other", &tick));
    assert_false(ir_trigger_fits(&all, "train", &tick));
    cron.name = "nightly";
    assert_false(ir_trigger_fits(&cron, "train", &tick));
    cron.name = "cron";
    tick.leatsource = "hook"; /* a tick that did not come from the clock */
    assert_false(ir_trigger_fits(&cron, "train", &tick));
    const struct event nobody = {.type = "dev.leat.cron", .leatsource = "cron"};
    assert_false(ir_trigger_fits(&cron, "train", &nobody));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(globs_match),
        cmocka_unit_test(globs_match_as_their_definition_says),
        cmocka_unit_test(a_glob_of_many_stars_is_not_slow),
        cmocka_unit_test(object_triggers),
        cmocka_unit_test(push_triggers),
        cmocka_unit_test(event_triggers),
        cmocka_unit_test(ticks_reach_the_one_trigger_that_is_meant),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
