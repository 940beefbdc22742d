/* Notifications as MinIO and versitygw really sent them (recorded), as AWS documents them, and what
 * is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "triggers/s3/notice.h"

/* What differs from one record to the next. */
#define MINIO_RECORD(name, bucket, object)                                                         \
    "{\"EventName\":\"" name "\",\"Key\":\"ignored\",\"Records\":[{\"eventVersion\":\"2.0\","      \
    "\"eventSource\":\"minio:s3\",\"awsRegion\":\"\",\"eventTime\":\"%s\",\"eventName\":\"" name   \
    "\",\"userIdentity\":{\"principalId\":\"leat\"},\"requestParameters\":{\"principalId\":"       \
    "\"leat\",\"region\":\"\",\"sourceIPAddress\":\"127.0.0.1\"},\"responseElements\":{"           \
    "\"x-amz-request-id\":\"18EB2964B7EBC38A\"},\"s3\":{\"s3SchemaVersion\":\"1.0\","              \
    "\"configurationId\":\"Config\",\"bucket\":{\"name\":\"" bucket                                \
    "\",\"ownerIdentity\":{\"principalId\":\"leat\"},\"arn\":\"arn:aws:s3:::" bucket               \
    "\"},\"object\":" object "},\"source\":{\"host\":\"127.0.0.1\",\"port\":\"\","                 \
    "\"userAgent\":\"curl/7.88.1\"}}]}"
#define VERSITY_RECORD(name, key, rest)                                                            \
    "{\"Records\":[{\"eventVersion\":\"2.2\",\"eventSource\":\"aws:s3\",\"awsRegion\":"            \
    "\"us-east-1\",\"eventTime\":\"%s\",\"eventName\":\"" name                                     \
    "\",\"userIdentity\":{\"PrincipalId\":\"leat\"},\"requestParameters\":{\"sourceIPAddress\":"   \
    "\"127.0.0.1\"},\"responseElements\":{\"x-amz-request-id\":\"\",\"x-amz-id-2\":\"\"},"         \
    "\"s3\":{\"s3SchemaVersion\":\"1.0\",\"configurationId\":\"webhook-global\",\"bucket\":{"      \
    "\"name\":\"demo\",\"ownerIdentity\":{\"PrincipalId\":\"leat\"},\"arn\":"                      \
    "\"arn:aws:s3:::/demo/" key "\"},\"object\":{\"key\":\"" key "\"," rest                        \
    "}},\"glacierEventData\":{\"restoreEventData\":{\"lifecycleRestorationExpiryTime\":\"\","      \
    "\"lifecycleRestoreStorageClass\":\"\"}}}]}"
#define MD5 "b1946ac92492d2347c6235b4d2611184"

static char when[CLOCK_TEXT];

static json_t *body_of(const char *format)
{
    struct err err = {0};
    cleanup_free char *text = mem_string(format);
    char *gap = strstr(text, "%s\",\"eventName");
    cleanup_free char *full =
        gap ? mem_printf("%.*s%s%s", (int)(gap - text), text, when, gap + 2) : mem_string(text);
    json_t *body = json_read(full, strlen(full), NULL, &err);
    if (!body)
        fail_msg("%s\n%s", err.text, full);
    return body;
}

/* The delivery's part after bucket and key. */
static const char *token(const struct text *delivery)
{
    const char *key = delivery->data + strlen(delivery->data) + 1;
    return key + strlen(key) + 1;
}

static const struct {
    const char *body;
    bool deleted;
    const char *key, *version, *token;
} GOOD[] = {
    {MINIO_RECORD("s3:ObjectCreated:Put", "demo",
                  "{\"key\":\"data+sets%2Fgb+%2B1%25%2541.csv\",\"size\":6,\"eTag\":\"" MD5
                  "\",\"sequencer\":\"18EB2964B7F6EB57\"}"),
     false, "data sets/gb +1%%41.csv", "", "m-" MD5 "-6-1795574388997"},
    {MINIO_RECORD("s3:ObjectCreated:CompleteMultipartUpload", "demo",
                  "{\"key\":\"q%22o%27te%2F%C3%BC%E2%82%AC%0Anl.csv\",\"size\":6,\"eTag\":\"" MD5
                  "-2\",\"sequencer\":\"18EB2964BA6E8745\"}"),
     false, "q\"o'te/\xc3\xbc\xe2\x82\xac\nnl.csv", "", "m-" MD5 "-2-6-1795574389038"},
    {MINIO_RECORD("s3:ObjectCreated:Put", "demo",
                  "{\"key\":\"plain.csv\",\"size\":0,\"eTag\":\"" MD5
                  "\",\"versionId\":\"1c8be17c-cada-4346-9113-ff12ea05b42b\","
                  "\"sequencer\":\"18EB2964BE3A49DE\"}"),
     false, "plain.csv", "1c8be17c-cada-4346-9113-ff12ea05b42b",
     "v-1c8be17c-cada-4346-9113-ff12ea05b42b"},
    {MINIO_RECORD("s3:ObjectRemoved:Delete", "demo",
                  "{\"key\":\"plain.csv\",\"sequencer\":\"18EB2964BD8CF42C\"}"),
     true, "plain.csv", "", "s---1-18EB2964BD8CF42C-deleted"},
    {MINIO_RECORD("s3:ObjectRemoved:DeleteMarkerCreated", "demo",
                  "{\"key\":\"plain.csv\",\"versionId\":\"a1749829\",\"sequencer\":"
                  "\"18EB2964C3FC5FDD\"}"),
     true, "plain.csv", "a1749829", "v-a1749829-deleted"},
    {VERSITY_RECORD("s3:ObjectCreated:Put", "data sets/gb +1%%41.csv",
                    "\"size\":6,\"eTag\":\"\\\"" MD5 "\\\"\",\"versionId\":null,"
                    "\"sequencer\":\"1\""),
     false, "data sets/gb +1%%41.csv", "", NULL},
    {VERSITY_RECORD("s3:ObjectRemoved:Delete", "q\\\"o'te/\xc3\xbc\\nnl.csv",
                    "\"size\":0,\"eTag\":null,\"versionId\":null,\"sequencer\":\"4\""),
     true, "q\"o'te/\xc3\xbc\nnl.csv", "", NULL},
    /* AWS: names without the prefix s3:, '/' not encoded, a sequencer that is no time. */
    {"{\"Records\":[{\"eventSource\":\"aws:s3\",\"eventTime\":\"1970-01-01T00:00:00.000Z\","
     "\"eventName\":\"ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"demo\",\"arn\":"
     "\"arn:aws:s3:::demo\"},\"object\":{\"key\":\"a/Happy+Face%2B.jpg\",\"size\":1024,"
     "\"eTag\":\"d41d8cd98f00b204e9800998ecf8427e\",\"sequencer\":\"0055AED6DCD90281E5\"}}}]}",
     false, "a/Happy Face+.jpg", "", "s-d41d8cd98f00b204e9800998ecf8427e-1024-0055AED6DCD90281E5"},
    {"{\"version\":\"0\",\"id\":\"x\",\"detail-type\":\"Object Created\",\"source\":\"aws.s3\","
     "\"time\":\"2021-11-12T00:00:00Z\",\"detail\":{\"version\":\"0\",\"bucket\":{\"name\":"
     "\"demo\"},\"object\":{\"key\":\"a b+c%20.jpg\",\"size\":5,\"etag\":\"b1946\",\"version-id\":"
     "\"IYV3p45BT0ac8hjHg1houSdS1a.Mro8e\",\"sequencer\":\"617f08299329d189\"},"
     "\"reason\":\"PutObject\"}}",
     false, "a b+c%20.jpg", "IYV3p45BT0ac8hjHg1houSdS1a.Mro8e",
     "v-IYV3p45BT0ac8hjHg1houSdS1a.Mro8e"},
    /* The same record in SNS's envelope. */
    {"{\"Type\":\"Notification\",\"MessageId\":\"m\",\"Message\":\"{\\\"Records\\\":[{"
     "\\\"eventSource\\\":\\\"aws:s3\\\",\\\"eventName\\\":\\\"ObjectRemoved:Delete\\\","
     "\\\"s3\\\":{\\\"bucket\\\":{\\\"name\\\":\\\"demo\\\"},\\\"object\\\":{\\\"key\\\":"
     "\\\"x+y\\\",\\\"sequencer\\\":\\\"0055AED6DCD90281E5\\\"}}}]}\"}",
     true, "x y", "", "s---1-0055AED6DCD90281E5-deleted"},
};

static void test_what_services_send(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
        struct err err = {0};
        cleanup_json json_t *body = body_of(GOOD[i].body), *records = NULL;
        cleanup_s3_notice struct s3_notice n = {0};
        cleanup_text struct text delivery = {0};
        assert_int_equal(s3_records(body, &records, &err), 1);
        if (s3_notice_read(json_array_get(records, 0), &n, &err) != 0)
            fail_msg("%zu: %s", i, err.text);
        assert_string_equal(n.bucket, "demo");
        assert_string_equal(n.key, GOOD[i].key);
        assert_string_equal(n.version, GOOD[i].version);
        assert_int_equal(n.deleted, GOOD[i].deleted);
        s3_notice_delivery(&n, &delivery);
        if (GOOD[i].token)
            assert_string_equal(token(&delivery), GOOD[i].token);
        assert_int_equal(strspn(n.etag, "\""), 0);
    }
}

/* versitygw counts from 1 after each start: time, size and eTag tell two first ones apart. */
static void test_a_counter_is_not_enough(void **state)
{
    (void)state;
    char first[sizeof when];
    cleanup_text struct text a = {0}, b = {0}, c = {0};
    memcpy(first, when, sizeof when);
    struct text *const out[] = {&a, &b, &c};
    for (size_t i = 0; i < ARRAY_LEN(out); i++) {
        if (i == 2)
            clock_format(clock_wall_us() - 60 * US_PER_S, when);
        cleanup_json json_t *body = body_of(GOOD[5].body), *records = NULL;
        cleanup_s3_notice struct s3_notice n = {0};
        assert_int_equal(s3_records(body, &records, NULL), 1);
        assert_int_equal(s3_notice_read(json_array_get(records, 0), &n, NULL), 0);
        s3_notice_delivery(&n, out[i]);
    }
    memcpy(when, first, sizeof when);
    assert_string_equal(token(&a), token(&b));
    assert_string_not_equal(token(&a), token(&c));
}

static const char *const NONE[] = {
    "{\"Bucket\":\"Test-Bucket\",\"Event\":\"s3:TestEvent\",\"Service\":\"S3\"}",
    "{\"Type\":\"SubscriptionConfirmation\",\"Token\":\"t\",\"Message\":\"You have chosen\","
    "\"SubscribeURL\":\"https://sns/\"}",
    "{\"Records\":[]}",
};
static const char *const BAD[] = {"{}",
                                  "[]",
                                  "1",
                                  "{\"Records\":{}}",
                                  "{\"Records\":1}",
                                  "{\"Message\":\"no json\"}",
                                  "{\"detail\":{}}"};
static const char *const BAD_RECORDS[] = {
    "{\"eventName\":\"s3:ObjectCreated:Put\"}",
    "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"}}}",
    "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"object\":{\"key\":\"k\"}}}",
    "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{"
    "\"key\":"
    "\"a%2\"}}}",
    "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":\"b\"},\"object\":{"
    "\"key\":"
    "\"a%00b\"}}}",
    "{\"eventName\":\"s3:ObjectCreated:Put\",\"s3\":{\"bucket\":{\"name\":1},\"object\":{\"key\":"
    "\"a\"}}}",
};
static const char *const OTHERS[] = {"{\"eventName\":\"s3:ObjectAccessed:Get\"}",
                                     "{\"eventName\":\"s3:ObjectTagging:Put\"}", "{}", "1",
                                     "{\"detail-type\":\"Object Tags Added\",\"detail\":{}}"};

static void test_what_is_none(void **state)
{
    (void)state;
    struct err err = {0};
    for (size_t i = 0; i < ARRAY_LEN(NONE); i++) {
        cleanup_json json_t *body = body_of(NONE[i]), *records = NULL;
        assert_int_equal(s3_records(body, &records, &err), 0);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
        cleanup_json json_t *body = body_of(BAD[i]), *records = NULL;
        assert_int_equal(s3_records(body, &records, &err), LEAT_EINPUT);
    }
    for (size_t i = 0; i < ARRAY_LEN(BAD_RECORDS); i++) {
        cleanup_json json_t *record = body_of(BAD_RECORDS[i]);
        cleanup_s3_notice struct s3_notice n = {0};
        assert_int_equal(s3_notice_read(record, &n, &err), LEAT_EINPUT);
    }
    for (size_t i = 0; i < ARRAY_LEN(OTHERS); i++) {
        cleanup_json json_t *record = body_of(OTHERS[i]);
        cleanup_s3_notice struct s3_notice n = {0};
        assert_int_equal(s3_notice_read(record, &n, &err), 1);
    }
    cleanup_json json_t *many = json_pack("{s:[]}", "Records"), *records = NULL;
    for (int i = 0; i < S3_NOTICE_RECORDS; i++)
        json_array_append_new(json_object_get(many, "Records"), json_object());
    assert_int_equal(s3_records(many, &records, &err), S3_NOTICE_RECORDS);
    json_decref(records);
    json_array_append_new(json_object_get(many, "Records"), json_object());
    assert_int_equal(s3_records(many, &records, &err), LEAT_EINPUT);
}

static bool wanted(const char *config, const struct s3_notice *n)
{
    cleanup_json json_t *c = body_of(config);
    const struct source source = {.config = c};
    return s3_notice_wanted(&source, n);
}

static void test_filters(void **state)
{
    (void)state;
    char bucket[] = "demo", key[] = "in/a.csv";
    struct s3_notice n = {.bucket = bucket, .key = key};
    assert_true(wanted("{}", &n));
    assert_true(wanted("{\"bucket\":\"demo\",\"prefix\":\"in/\",\"suffix\":\".csv\"}", &n));
    assert_false(wanted("{\"bucket\":\"other\"}", &n));
    assert_false(wanted("{\"prefix\":\"out/\"}", &n));
    assert_false(wanted("{\"suffix\":\".txt\"}", &n));
    assert_true(wanted("{\"events\":\"created\"}", &n));
    assert_false(wanted("{\"events\":\"deleted\"}", &n));
    n.deleted = true;
    assert_false(wanted("{\"events\":\"created\"}", &n));
    assert_true(wanted("{\"events\":\"deleted\"}", &n));
}

static void test_the_event(void **state)
{
    (void)state;
    char name[] = "up";
    const struct source source = {.name = name};
    cleanup_json json_t *body = body_of(GOOD[0].body), *records = NULL, *keep = NULL;
    cleanup_s3_notice struct s3_notice n = {0};
    cleanup_text struct text delivery = {0};
    struct draft draft;
    assert_int_equal(s3_records(body, &records, NULL), 1);
    assert_int_equal(s3_notice_read(json_array_get(records, 0), &n, NULL), 0);
    s3_notice_draft(&source, &n, NULL, &draft, &keep);
    s3_notice_delivery(&n, &delivery);
    assert_string_equal(draft.type, "dev.leat.object.created");
    assert_string_equal(draft.origin, "/buckets/demo");
    assert_string_equal(draft.subject, "data sets/gb +1%%41.csv");
    assert_int_equal(draft.delivery_len, delivery.len);
    assert_memory_equal(draft.delivery, delivery.data, delivery.len);
    cleanup_free char *data = json_write(draft.data);
    assert_string_equal(data, "{\"bucket\":\"demo\",\"object\":{\"etag\":\"" MD5
                              "\",\"key\":\"data sets/gb +1%%41.csv\",\"size\":6,"
                              "\"version\":\"etag:" MD5 "\"}}");
}

int main(void)
{
    clock_format(clock_wall_us(), when);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_services_send), cmocka_unit_test(test_a_counter_is_not_enough),
        cmocka_unit_test(test_what_is_none),       cmocka_unit_test(test_filters),
        cmocka_unit_test(test_the_event),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
