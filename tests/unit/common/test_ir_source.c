#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/source.h"
#include "common/text/json.h"

static json_t *compile(const char *yaml, struct text *all, struct err *err)
{
    struct yaml_docs docs = {0};
    if (yaml_read("s.yaml", yaml, strlen(yaml), &docs, err) < 0)
        return NULL;
    json_t *out = source_compile(&docs.items[0], "s.yaml", all, err);
    yaml_docs_free(&docs);
    return out;
}

static const struct {
    const char *yaml, *json;
} GOOD[] = {
    {"{kind: source, name: gh, provider: github, secret: hook}",
     "{\"config\":{},\"name\":\"gh\",\"provider\":\"github\",\"secret\":\"hook\"}"},
    {"{kind: source, name: inbox, provider: directory}",
     "{\"config\":{\"bucket\":\"inbox\"},\"name\":\"inbox\",\"provider\":\"directory\"}"},
    {"{kind: source, name: inbox, provider: directory, bucket: forecast-example}",
     "{\"config\":{\"bucket\":\"forecast-example\"},\"name\":\"inbox\",\"provider\":"
     "\"directory\"}"},
    {"{kind: source, name: any, provider: generic, signature_header: X-Sign, description: d}",
     "{\"config\":{\"delivery_header\":\"X-Delivery-Id\",\"description\":\"d\","
     "\"signature_header\":\"X-Sign\",\"type\":\"dev.leat.hook\"},\"name\":\"any\","
     "\"provider\":\"generic\"}"},
    {"{kind: source, name: ce, provider: cloudevents}",
     "{\"config\":{},\"name\":\"ce\",\"provider\":\"cloudevents\"}"},
};

static void good_sources_compile(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        struct err err = {0};
        cleanup_json json_t *out = compile(GOOD[i].yaml, NULL, &err);
        if (!out)
            fail_msg("%s: %s", GOOD[i].yaml, err.text);
        cleanup_free char *json = json_write(out);
        assert_string_equal(json, GOOD[i].json);
    }
}

static const struct {
    const char *yaml, *place, *text;
} BAD[] = {
    {"kind: source\nname: a\nprovider: gitlab\n", "s.yaml:3:11:", "not in this build; there is"},
    {"kind: source\nname: a\nprovider: kafka\n", "s.yaml:3:11:", "not in this build"},
    {"kind: source\nname: a\nprovider: svn\n", "s.yaml:3:11:", "must be one of"},
    {"kind: source\nname: a\n", "s.yaml:1:1:", "'provider' is missing"},
    {"kind: source\nname: Upper\nprovider: github\n", "s.yaml:2:7:", "a-z"},
    {"kind: source\nname: cron\nprovider: github\n", "s.yaml:2:7:", "taken"},
    {"kind: source\nname: a\nprovider: github\nbucket: bbb\n", "s.yaml:4:1:", "provider directory"},
    {"kind: source\nname: a\nprovider: directory\nbucket: ../etc\n", "s.yaml:4:9:", "a-z"},
    {"kind: source\nname: a\nprovider: github\nsecrets: b\n", "s.yaml:4:1:", "secret"},
    {"kind: source\nname: a\nprovider: generic\ndelivery_header: \"a: b\"\n",
     "s.yaml:4:18:", "header"},
};

static void bad_sources_are_refused_with_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        struct err err = {0};
        cleanup_text struct text all = {0};
        cleanup_json json_t *out = compile(BAD[i].yaml, &all, &err);
        assert_null(out);
        assert_int_equal(err.code, LEAT_EINPUT);
        if (!text_starts_with(err.text, BAD[i].place) || !strstr(err.text, BAD[i].text))
            fail_msg("%s\ngave %s", BAD[i].yaml, err.text);
        assert_true(text_starts_with(all.data, err.text));
    }
}

static void providers_are_one_table(void **state)
{
    (void)state;
    for (int p = 0; p < SOURCE_PROVIDER_COUNT; p++)
        assert_int_equal(source_provider_parse(source_provider_name((enum source_provider)p)), p);
    assert_int_equal(source_provider_parse("svn"), -1);
    assert_true(source_provider_built(SOURCE_DIRECTORY));
    assert_false(source_provider_built(SOURCE_KAFKA));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_sources_compile),
        cmocka_unit_test(bad_sources_are_refused_with_their_place),
        cmocka_unit_test(providers_are_one_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
