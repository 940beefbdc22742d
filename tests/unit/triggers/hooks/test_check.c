/* The two proofs that a request knows the secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/mem.h"
#include "tests/support/hook_call.h"

static char secret[] = "s3cr3t";
static char name[] = "here";
static const struct source known = {.name = name, .secret = secret, .secret_len = 6};
static const struct source unset = {.name = name}; /* declared, its secret not set yet */

static int check_hmac(const struct delivery *d, struct err *err)
{
    if (hook_hmac_matches(d, http_header(d->request, "X-Sum")))
        return 0;
    return err_set(err, LEAT_EAUTH, "no");
}

static int check_bearer(const struct delivery *d, struct err *err)
{
    return hook_bearer_matches(d) ? 0 : err_set(err, LEAT_EAUTH, "no");
}

static int check_basic(const struct delivery *d, struct err *err)
{
    return hook_basic_matches(d) ? 0 : err_set(err, LEAT_EAUTH, "no");
}

static int nothing(const struct delivery *d, json_t *body, struct draft *draft, json_t **keep,
                   struct err *err)
{
    (void)d, (void)body, (void)draft, (void)keep, (void)err;
    return 1;
}

static const struct hook_provider hmac = {.check = check_hmac, .normalise = nothing};
static const struct hook_provider basic = {.check = check_basic, .normalise = nothing};
static const struct hook_provider bearer = {.check = check_bearer, .normalise = nothing};

static bool passes(const struct hook_provider *p, const struct source *s, const char *headers,
                   const void *body, size_t len)
{
    cleanup_reply struct hook_reply r = {0};
    hook_call(p, s, headers, body, len, &r);
    assert_true(r.checked == 0 || r.checked == LEAT_EAUTH);
    return r.checked == 0;
}

static void test_an_hmac_is_over_every_byte_of_the_body(void **state)
{
    (void)state;
    static const char body[] = "{\"a\":\"\0\xff\"}", other[] = "{\"a\":\"\0\xfe\"}";
    cleanup_free char *sum = hook_signature(&known, "X-Sum", body, sizeof body);
    assert_true(passes(&hmac, &known, sum, body, sizeof body));
    assert_false(passes(&hmac, &known, sum, other, sizeof other));
    assert_false(passes(&hmac, &known, sum, body, sizeof body - 1));
    assert_false(passes(&hmac, &unset, sum, body, sizeof body));
    cleanup_free char *of_nothing = hook_signature(&known, "X-Sum", "", 0);
    assert_true(passes(&hmac, &known, of_nothing, NULL, 0));
}

/* RFC 4231, test case 2: the digest is the standard's, not only the same on both sides. */
static void test_an_hmac_of_the_standard(void **state)
{
    (void)state;
    static char key[] = "Jefe";
    const struct source jefe = {.name = name, .secret = key, .secret_len = 4};
    static const char body[] = "what do ya want for nothing?";
    assert_true(passes(&hmac, &jefe,
                       "X-Sum: sha256=5bdcc146bf60754e6a042426089575c7"
                       "5a003f089d2739839dec58b964ec3843\r\n",
                       body, sizeof body - 1));
}

static void test_what_is_almost_an_hmac(void **state)
{
    (void)state;
    cleanup_free char *sum = hook_signature(&known, "X-Sum", "{}", 2);
    cleanup_free char *line = mem_string(sum);
    line[strlen(line) - 2] = '\0';
    const char *hex = line + strlen("X-Sum: sha256=");
    static const char *const shapes[] = {
        "X-Sum: %s\r\n",          "X-Sum: sha1=%s\r\n",    "X-Sum: SHA256=%s\r\n",
        "X-Sum: sha256=%s0\r\n",  "X-Sum: sha256=0%s\r\n", "X-Sum: sha256=%.63s\r\n",
        "X-Sum: sha256=%.0s\r\n", "X-Sum: sha256= %s\r\n", "X-Other: sha256=%s\r\n",
    };
    assert_true(passes(&hmac, &known, sum, "{}", 2));
    for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
        char header[200];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(header, sizeof header, shapes[i], hex);
#pragma GCC diagnostic pop
        if (passes(&hmac, &known, header, "{}", 2))
            fail_msg("taken: %s", header);
    }
}

static void test_a_bearer_secret(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "Authorization: Bearer s3cr3\r\n",
        "Authorization: Bearer s3cr3tt\r\n",
        "Authorization: Bearer S3CR3T\r\n",
        "Authorization: bearer\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Basic s3cr3t\r\n",
        "Authorization: s3cr3t\r\n",
        "X-Authorization: Bearer s3cr3t\r\n",
    };
    assert_true(passes(&bearer, &known, "Authorization: Bearer s3cr3t\r\n", NULL, 0));
    assert_true(passes(&bearer, &known, "authorization: Bearer s3cr3t\r\n", NULL, 0));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (passes(&bearer, &known, bad[i], NULL, 0))
            fail_msg("taken: %s", bad[i]);
}

/* What a URL with a password becomes: leat:s3cr3t, :s3cr3t. */
static void test_a_password_of_a_url(void **state)
{
    (void)state;
    static const char *const good[] = {"bGVhdDpzM2NyM3Q=", "OnMzY3IzdA=="};
    static const char *const bad[] = {"",
                                      "=",
                                      "====",
                                      "s3cr3t",
                                      "czNjcjN0",         /* s3cr3t */
                                      "bGVhdDpzM2NyMw==", /* leat:s3cr3 */
                                      "bGVhdDpzM2NyM3R0", /* leat:s3cr3tt */
                                      "czNjcjN0Og==",     /* s3cr3t: */
                                      "bGVhdDpzM2NyM3Q",  /* without its padding */
                                      "bGVhdDpzM2NyM3Q= ",
                                      "####"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        cleanup_free char *header = mem_printf("Authorization: Basic %s\r\n", good[i]);
        assert_true(passes(&basic, &known, header, NULL, 0));
        assert_false(passes(&basic, &unset, header, NULL, 0));
        assert_false(passes(&bearer, &known, header, NULL, 0));
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        cleanup_free char *header = mem_printf("Authorization: Basic %s\r\n", bad[i]);
        if (passes(&basic, &known, header, NULL, 0))
            assert_string_equal(bad[i], "bGVhdDpzM2NyM3Q= "); /* the server trims it */
    }
    char longest[8192] = "Authorization: Basic ";
    memset(longest + strlen(longest), 'A', 6000);
    memcpy(longest + 6020, "\r\n", 3);
    assert_false(passes(&basic, &known, longest, NULL, 0));
}

/* Without a secret nothing proves anything, least of all an empty one. */
static void test_nothing_passes_without_a_secret(void **state)
{
    (void)state;
    static char empty[] = "";
    const struct source none = {.name = name, .secret = empty, .secret_len = 0};
    cleanup_free char *sum = hook_signature(&none, "X-Sum", "{}", 2);
    assert_false(passes(&bearer, &unset, "Authorization: Bearer \r\n", NULL, 0));
    assert_false(passes(&hmac, &unset, sum, "{}", 2));
    assert_false(passes(&bearer, &none, "Authorization: Bearer \r\n", NULL, 0));
    assert_false(passes(&hmac, &none, sum, "{}", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_hmac_is_over_every_byte_of_the_body),
        cmocka_unit_test(test_an_hmac_of_the_standard),
        cmocka_unit_test(test_what_is_almost_an_hmac),
        cmocka_unit_test(test_a_bearer_secret),
        cmocka_unit_test(test_a_password_of_a_url),
        cmocka_unit_test(test_nothing_passes_without_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
