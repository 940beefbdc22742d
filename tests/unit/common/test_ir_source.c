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
    {"{kind: source, name: up, provider: minio, secret: hook}",
     "{\"config\":{\"events\":\"all\",\"look\":\"60s\",\"style\":\"auto\"},\"name\":\"up\","
     "\"provider\":"
     "\"minio\",\"secret\":\"hook\"}"},
    {"{kind: source, name: up, provider: s3, bucket: data, credentials: keys, prefix: a/, "
     "events: created, look: 5m}",
     "{\"config\":{\"bucket\":\"data\",\"credentials\":\"keys\",\"events\":\"created\",\"look\":"
     "\"5m\","
     "\"prefix\":\"a/\",\"style\":\"auto\"},\"name\":\"up\",\"provider\":\"s3\"}"},
    {"{kind: source, name: k, provider: kafka, topic: t, brokers: 'a:1,b:2'}",
     "{\"config\":{\"brokers\":\"a:1,b:2\",\"topic\":\"t\",\"type\":\"dev.leat.hook\"},\"name\":"
     "\"k\","
     "\"provider\":\"kafka\"}"},
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
    {"kind: source\nname: a\nprovider: kafka\n", "s.yaml:3:11:", "'topic' is missing"},
    {"kind: source\nname: a\nprovider: minio\ntopic: t\n", "s.yaml:1:1:", "'brokers' is missing"},
    {"kind: source\nname: a\nprovider: minio\ncredentials: c\nbucket: bbb\n",
     "s.yaml:1:1:", "'endpoint' is missing"},
    {"kind: source\nname: a\nprovider: s3\ncredentials: c\n", "s.yaml:1:1:", "'bucket' is missing"},
    {"kind: source\nname: a\nprovider: s3\nendpoint: minio:9000\n", "s.yaml:4:11:", "http"},
    {"kind: source\nname: a\nprovider: s3\nlook: often\n", "s.yaml:4:7:", "duration"},
    {"kind: source\nname: a\nprovider: github\nendpoint: \"http://m:1\"\n", "s.yaml:4:1:", "s3"},
    {"kind: source\nname: a\nprovider: svn\n", "s.yaml:3:11:", "must be one of"},
    {"kind: source\nname: a\n", "s.yaml:1:1:", "'provider' is missing"},
    {"kind: source\nname: Upper\nprovider: github\n", "s.yaml:2:7:", "a-z"},
    {"kind: source\nname: cron\nprovider: github\n", "s.yaml:2:7:", "taken"},
    {"kind: source\nname: a\nprovider: github\nbucket: bbb\n",
     "s.yaml:4:1:", "provider directory, s3"},
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
