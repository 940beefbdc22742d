/* What of S3 needs no service: credentials in each of their forms, XML, queries, URLs and names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/s3/internal.h"

/* ---- credentials ----------------------------------------------------------------------------- */

static void no_environment(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID",  "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN",  "AWS_SHARED_CREDENTIALS_FILE",
                                        "AWS_PROFILE",        "AWS_REGION",
                                        "AWS_DEFAULT_REGION", "HOME"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
}

static void expect(const char *text, const char *key, const char *secret, const char *token)
{
    struct s3_credentials c;
    struct err err = {0};
    const int rc = s3_credentials_read(text, NULL, &c, &err);
    if (!key) {
        assert_int_equal(rc, LEAT_EAUTH);
        assert_null(c.key);
        return;
    }
    assert_int_equal(rc, 0);
    assert_string_equal(c.key, key);
    assert_string_equal(c.secret, secret);
    if (token)
        assert_string_equal(c.token, token);
    else
        assert_null(c.token);
    s3_credentials_wipe(&c);
    assert_null(c.secret);
}

static void test_credentials(void **state)
{
    (void)state;
    no_environment();
    expect("AKIA:se/cr+et=", "AKIA", "se/cr+et=", NULL);
    expect("AKIA:secret\n", "AKIA", "secret", NULL);
    expect("AKIA:secret\r\nmore", "AKIA", "secret", NULL);
    expect("AKIA:secret:to/ken==", "AKIA", "secret", "to/ken==");
    expect("", NULL, NULL, NULL);
    expect("AKIA", NULL, NULL, NULL);
    expect(":secret", NULL, NULL, NULL);
    expect("AKIA:", NULL, NULL, NULL);
    expect("[default]\naws_access_key_id = A\naws_secret_access_key=B\n", "A", "B", NULL);
    expect("[default]\r\n aws_access_key_id =A \r\naws_secret_access_key\t=\tB=C\r\n"
           "aws_session_token = T",
           "A", "B=C", "T");
    expect("# x\n[other]\naws_access_key_id = O\naws_secret_access_key = P\n[default]\n"
           "aws_access_key_id = A\naws_secret_access_key = B\n[last]\naws_session_token = T\n",
           "A", "B", NULL);
    expect("[other]\naws_access_key_id = O\naws_secret_access_key = P\n", NULL, NULL, NULL);
    expect("[default]\naws_access_key_id = A\n", NULL, NULL, NULL);
    setenv("AWS_PROFILE", "other", 1);
    expect("[default]\naws_access_key_id = A\naws_secret_access_key = B\n[other]\n"
           "aws_access_key_id = O\naws_secret_access_key = P\n",
           "O", "P", NULL);
    no_environment();
}

static void test_places_of_credentials(void **state)
{
    (void)state;
    struct s3_credentials c;
    struct err err = {0};
    char path[] = "/tmp/leat-test-s3-XXXXXX";
    no_environment();
    assert_int_equal(s3_credentials_read(NULL, NULL, &c, &err), LEAT_EAUTH);
    assert_non_null(strstr(err.text, "store-credentials"));
    assert_int_equal(s3_credentials_read(NULL, "/nonexistent", &c, &err), LEAT_EIO);
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, "F:ile\n", 6), 6);
    close(fd);
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    assert_int_equal(s3_credentials_read(NULL, NULL, &c, &err), 0);
    assert_string_equal(c.key, "F");
    s3_credentials_wipe(&c);
    setenv("AWS_ACCESS_KEY_ID", "E", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "nv", 1);
    assert_int_equal(s3_credentials_read(NULL, NULL, &c, &err), 0);
    assert_string_equal(c.key, "E");
    s3_credentials_wipe(&c);
    assert_int_equal(s3_credentials_read(NULL, path, &c, &err), 0); /* said, so it wins */
    assert_string_equal(c.key, "F");
    s3_credentials_wipe(&c);
    unlink(path);
    no_environment();
}

/* ---- URLs ------------------------------------------------------------------------------------ */

static void base(const char *bucket, const char *endpoint, enum s3_style style, const char *url)
{
    struct s3 *s3 = NULL;
    struct err err = {0};
    const struct s3_settings settings = {.bucket = bucket,
                                         .endpoint = endpoint,
                                         .style = style,
                                         .region = "eu-south-1",
                                         .credentials_text = "A:B"};
    const int rc = s3_open(&settings, &s3, &err);
    if (!url) {
        assert_int_equal(rc, LEAT_EINPUT);
        return;
    }
    assert_int_equal(rc, 0);
    assert_string_equal(s3->base, url);
    assert_null(strstr(s3_where(s3), "A:B"));
    s3_close(s3);
}

static void test_urls(void **state)
{
    (void)state;
    base("data", NULL, S3_AUTO, "https://data.s3.eu-south-1.amazonaws.com");
    base("data", NULL, S3_PATH, "https://s3.eu-south-1.amazonaws.com/data");
    base("my.data", NULL, S3_AUTO, "https://s3.eu-south-1.amazonaws.com/my.data");
    base("data", "http://127.0.0.1:9000", S3_AUTO, "http://127.0.0.1:9000/data");
    base("data", "http://127.0.0.1:9000/", S3_AUTO, "http://127.0.0.1:9000/data");
    base("data", "https://minio.example", S3_HOST, "https://data.minio.example");
    base("data", "http://[::1]:9000", S3_AUTO, "http://[::1]:9000/data");
    const char *const bad[] = {"minio:9000",    "ftp://x",    "http://",   "http://u:p@x",
                               "http://x/path", "http://x?y", "http://x y"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        base("data", bad[i], S3_AUTO, NULL);
    const char *const names[] = {
        "",     "ab",
        "Data", "a_b",
        "a/b",  "..a",
        "a..b", "-ab",
        "a b",  "0123456789012345678901234567890123456789012345678901234567890123"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        base(names[i], NULL, S3_AUTO, NULL);
}

static void test_queries(void **state)
{
    (void)state;
    cleanup_text struct text query = {0};
    s3_query_add(&query, "prefix", "a b/c+d%\xc3\xbc=&");
    s3_query_add(&query, "versions", "");
    assert_string_equal(query.data, "prefix=a%20b%2Fc%2Bd%25%C3%BC%3D%26&versions=");
}

/* ---- XML ------------------------------------------------------------------------------------- */

static void note(void *arg, const char *name, const char *text)
{
    text_printf(arg, "%s=%s;", name, text);
}

static int told(const char *xml, struct text *out)
{
    out->len = 0;
    text_append(out, "", 0);
    return s3_xml_read(xml, strlen(xml), note, out, NULL);
}

static void test_xml(void **state)
{
    (void)state;
    cleanup_text struct text out = {0};
    assert_int_equal(
        told("<?xml version=\"1.0\"?>\n<A xmlns=\"x\"> <K>a&amp;b &#x3c;</K><N/></A>", &out), 0);
    assert_string_equal(out.data, "K=a&b <;N=;A=;");
    const char *const bad[] = {"",
                               "<A>",
                               "no",
                               "<A></B>",
                               "<A/><B/>",
                               "<!DOCTYPE A [<!ENTITY x \"y\">]><A>&x;</A>",
                               "<!DOCTYPE A SYSTEM \"file:///etc/passwd\"><A/>",
                               "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a>deep</a></a></a>"
                               "</a></a></a></a></a></a></a></a></a></a></a></a></a></a>"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(told(bad[i], &out), LEAT_EIO);
}

static void test_etags(void **state)
{
    (void)state;
    char etag[S3_ETAG_MAX], longest[2 * S3_ETAG_MAX];
    s3_etag_copy(etag, "\"abc-2\"");
    assert_string_equal(etag, "abc-2");
    s3_etag_copy(etag, "abc");
    assert_string_equal(etag, "abc");
    s3_etag_copy(etag, "\"");
    assert_string_equal(etag, "\"");
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    s3_etag_copy(etag, longest);
    assert_int_equal(strlen(etag), S3_ETAG_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_credentials), cmocka_unit_test(test_places_of_credentials),
        cmocka_unit_test(test_urls),        cmocka_unit_test(test_queries),
        cmocka_unit_test(test_xml),         cmocka_unit_test(test_etags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
