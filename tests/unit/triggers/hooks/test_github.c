/* GitHub's deliveries: what is believed, what is refused with which words, what becomes of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "tests/support/hook_call.h"

static char secret[] = "s3cr3t";
static char name[] = "code";
static const struct source source = {.name = name, .secret = secret, .secret_len = 6};

#define SHA "0123456789abcdef0123456789abcdef01234567"
#define REPO                                                                                       \
    "\"repository\":{\"name\":\"mill\",\"full_name\":\"leat/mill\",\"html_url\":\"https://"        \
    "git.example/leat/mill\"}"
#define PUSH "X-GitHub-Event: push\r\nX-GitHub-Delivery: d-1\r\n"

/* Signed as it should be. */
static void call(const char *headers, const char *body, struct hook_reply *r)
{
    cleanup_free char *sum = hook_signature(&source, "X-Hub-Signature-256", body, strlen(body));
    cleanup_free char *all = mem_printf("%s%s", sum, headers);
    hook_call(&HOOK_GITHUB, &source, all, body, strlen(body), r);
    assert_int_equal(r->checked, 0);
}

static const char *var(const struct hook_reply *r, const char *key)
{
    return json_get_string(r->vars, key, "-");
}

static void refused(const char *headers, const char *body, const char *why)
{
    cleanup_reply struct hook_reply r = {0};
    call(headers, body, &r);
    if (r.normalised >= 0 || !strstr(r.error, why))
        fail_msg("%s%s: %d '%s', not '%s'", headers, body, r.normalised, r.error, why);
}

static void test_a_delivery_must_be_signed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "X-Hub-Signature-256: sha256=\r\n",
        /* What GitHub sends beside it, of the weak kind. */
        "X-Hub-Signature: sha1=7d38cdd689735b008b3c702edd92eea23791c5f6\r\n",
        "Authorization: Bearer s3cr3t\r\n"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_reply struct hook_reply r = {0};
        hook_call(&HOOK_GITHUB, &source, bad[i], "{}", 2, &r);
        assert_int_equal(r.checked, LEAT_EAUTH);
        assert_non_null(strstr(r.error, "X-Hub-Signature-256"));
    }
}

static void test_a_push_to_a_branch(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0};
    call(PUSH, "{\"ref\":\"refs/heads/feature/x\",\"after\":\"" SHA "\"," REPO "}", &r);
    assert_int_equal(r.normalised, 0);
    assert_string_equal(r.type, "dev.leat.git.push");
    assert_string_equal(r.subject, "refs/heads/feature/x");
    assert_string_equal(r.origin, "https://git.example/leat/mill");
    assert_string_equal(r.delivery, "d-1");
    assert_string_equal(var(&r, "COMMIT_SHA"), SHA);
    assert_string_equal(var(&r, "SHORT_SHA"), "0123456");
    assert_string_equal(var(&r, "REPO_NAME"), "mill");
    assert_string_equal(var(&r, "REPO_FULL_NAME"), "leat/mill");
    assert_string_equal(var(&r, "BRANCH_NAME"), "feature/x");
    assert_string_equal(var(&r, "REF_NAME"), "feature/x");
    assert_string_equal(var(&r, "TAG_NAME"), "-");
    assert_string_equal(json_get_string(r.data, "after", ""), SHA);
}

static void test_a_push_of_a_tag_and_of_another_ref(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply tag = {0}, note = {0}, bare = {0};
    call(PUSH, "{\"ref\":\"refs/tags/v1.0\",\"after\":\"" SHA "\"," REPO "}", &tag);
    assert_string_equal(var(&tag, "TAG_NAME"), "v1.0");
    assert_string_equal(var(&tag, "REF_NAME"), "v1.0");
    assert_string_equal(var(&tag, "BRANCH_NAME"), "-");
    call(PUSH, "{\"ref\":\"refs/notes/commits\",\"after\":\"" SHA "\"," REPO "}", &note);
    assert_string_equal(var(&note, "REF_NAME"), "commits");
    assert_string_equal(var(&note, "BRANCH_NAME"), "-");
    call(PUSH, "{\"ref\":\"HEAD\",\"after\":\"abc\"}", &bare); /* no repository, a short commit */
    assert_string_equal(var(&bare, "REF_NAME"), "HEAD");
    assert_string_equal(var(&bare, "SHORT_SHA"), "-");
    assert_string_equal(bare.origin, "/hooks/github");
}

static void test_a_deleted_branch_is_no_push(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0}, odd = {0};
    call(PUSH, "{\"ref\":\"refs/heads/x\",\"after\":\"" SHA "\",\"deleted\":true," REPO "}", &r);
    assert_string_equal(r.type, "dev.leat.git.delete");
    call(PUSH, "{\"ref\":\"refs/heads/x\",\"after\":\"" SHA "\",\"deleted\":\"yes\"," REPO "}",
         &odd);
    assert_string_equal(odd.type, "dev.leat.git.push");
}

static void test_other_events_keep_their_name(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0};
    call("X-GitHub-Event: pull_request\r\nX-GitHub-Delivery: d-2\r\n",
         "{\"action\":\"opened\"," REPO "}", &r);
    assert_int_equal(r.normalised, 0);
    assert_string_equal(r.type, "dev.leat.github.pull_request");
    assert_null(r.vars);
    assert_null(r.subject);
}

static void test_a_ping_is_answered_and_not_published(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0};
    call("X-GitHub-Event: ping\r\n", "{\"zen\":\"x\"}", &r);
    assert_int_equal(r.normalised, 1);
}

static void test_what_is_malformed(void **state)
{
    (void)state;
    refused("X-GitHub-Delivery: d\r\n", "{}", "X-GitHub-Event is missing");
    refused("X-GitHub-Event: push\r\n", "{}", "X-GitHub-Delivery is missing");
    refused("X-GitHub-Event: Push\r\nX-GitHub-Delivery: d\r\n", "{}", "a name that is none");
    refused("X-GitHub-Event: a.b\r\nX-GitHub-Delivery: d\r\n", "{}", "a name that is none");
    refused("X-GitHub-Event: dev.leat.cron\r\nX-GitHub-Delivery: d\r\n", "{}",
            "a name that is none");
    refused(PUSH, "[]", "must be a JSON object");
    refused(PUSH, "", "must be a JSON object");
    refused(PUSH, "{", "1:");
    refused(PUSH, "{\"ref\":\"a\",\"ref\":\"b\"}", "ref");
    refused(PUSH, "{\"after\":\"" SHA "\"}", "'ref' and 'after'");
    refused(PUSH, "{\"ref\":\"refs/heads/x\"}", "'ref' and 'after'");
    refused(PUSH, "{\"ref\":1,\"after\":\"" SHA "\"}", "'ref' and 'after'");
    refused(PUSH, "{\"ref\":\"refs/heads/\xff\",\"after\":\"x\"}", "1:19");
}

/* Members of a wrong type and of great length change nothing but what they name. */
static void test_a_strange_repository(void **state)
{
    (void)state;
    cleanup_reply struct hook_reply r = {0};
    call(PUSH,
         "{\"ref\":\"refs/heads/"
         "x\",\"after\":\"\",\"repository\":{\"name\":7,\"full_name\":\"\",\"html_url\":[]}}",
         &r);
    assert_int_equal(r.normalised, 0);
    assert_string_equal(var(&r, "REPO_NAME"), "-");
    assert_string_equal(var(&r, "REPO_FULL_NAME"), "-");
    assert_string_equal(var(&r, "COMMIT_SHA"), "-");
    assert_string_equal(r.origin, "/hooks/github");
}

static char *delivery_of(size_t len)
{
    struct text t = {0};
    text_puts(&t, "X-GitHub-Event: push\r\nX-GitHub-Delivery: ");
    for (size_t i = 0; i < len; i++)
        text_puts(&t, "d");
    text_puts(&t, "\r\n");
    return text_take(&t);
}

static void test_the_longest_delivery_key(void **state)
{
    (void)state;
    cleanup_free char *at = delivery_of(128), *over = delivery_of(129);
    cleanup_reply struct hook_reply r = {0};
    call(at, "{\"ref\":\"refs/heads/x\",\"after\":\"" SHA "\"}", &r);
    assert_int_equal(r.normalised, 0);
    assert_int_equal(r.delivery_len, 128);
    refused(over, "{\"ref\":\"refs/heads/x\",\"after\":\"" SHA "\"}", "missing or too long");
}

static void test_depth_at_the_limit_and_over(void **state)
{
    (void)state;
    for (size_t depth = 64; depth <= 65; depth++) {
        cleanup_reply struct hook_reply r = {0};
        cleanup_text struct text t = {0};
        text_puts(&t, "{\"ref\":\"refs/heads/x\",\"after\":\"" SHA "\",\"deep\":");
        for (size_t i = 1; i < depth; i++)
            text_puts(&t, "[");
        for (size_t i = 1; i < depth; i++)
            text_puts(&t, "]");
        text_puts(&t, "}");
        call(PUSH, t.data, &r);
        assert_int_equal(r.normalised<0, depth> 64);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_delivery_must_be_signed),
        cmocka_unit_test(test_a_push_to_a_branch),
        cmocka_unit_test(test_a_push_of_a_tag_and_of_another_ref),
        cmocka_unit_test(test_a_deleted_branch_is_no_push),
        cmocka_unit_test(test_other_events_keep_their_name),
        cmocka_unit_test(test_a_ping_is_answered_and_not_published),
        cmocka_unit_test(test_what_is_malformed),
        cmocka_unit_test(test_a_strange_repository),
        cmocka_unit_test(test_the_longest_delivery_key),
        cmocka_unit_test(test_depth_at_the_limit_and_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
