/* Tokens that are given out: their shape, and that only a hash is kept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "api/token.h"

static void each_is_new_and_read_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < TOKEN_KINDS; kind++) {
        char text[TOKEN_SIZE], other[TOKEN_SIZE];
        struct token made, read, another;
        token_new((enum token_kind)kind, text, &made);
        token_new((enum token_kind)kind, other, &another);
        assert_string_not_equal(text, other);
        assert_true(token_parse(text, &read));
        assert_int_equal(read.kind, kind);
        assert_string_equal(read.id, made.id);
        assert_true(token_equal(&read, made.hash, sizeof made.hash));
        assert_false(token_equal(&another, made.hash, sizeof made.hash));
        assert_false(token_equal(&read, made.hash, 0));
    }
}

static void the_secret_is_not_in_what_is_kept(void **state)
{
    (void)state;
    char text[TOKEN_SIZE];
    struct token made;
    token_new(TOKEN_JOIN, text, &made);
    const char *secret = strrchr(text, '_') + 1;
    assert_int_equal(strlen(secret), 64);
    assert_null(strstr(made.id, secret));
    char hex[2 * SHA256_BYTES + 1];
    hex_encode(made.hash, sizeof made.hash, hex);
    assert_string_not_equal(hex, secret);
}

/* One kind's secret under another's name has another hash. */
static void a_kind_cannot_be_changed(void **state)
{
    (void)state;
    char text[TOKEN_SIZE], other[TOKEN_SIZE];
    struct token made, read;
    token_new(TOKEN_JOIN, text, &made);
    snprintf(other, sizeof other, "leat_user_%s", text + strlen("leat_join_"));
    assert_true(token_parse(other, &read));
    assert_false(token_equal(&read, made.hash, sizeof made.hash));
}

static void other_shapes_are_none(void **state)
{
    (void)state;
    char text[TOKEN_SIZE];
    struct token made, read;
    token_new(TOKEN_USER, text, &made);
    const size_t len = strlen(text);
    text[len - 1] = 'g';
    assert_false(token_parse(text, &read));
    text[len - 1] = '\0';
    assert_false(token_parse(text, &read));
    assert_false(token_parse("", &read));
    assert_false(token_parse("leat_user_", &read));
    assert_false(token_parse("leat_admin_0123456789abcdef_", &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_new_and_read_back),
        cmocka_unit_test(the_secret_is_not_in_what_is_kept),
        cmocka_unit_test(a_kind_cannot_be_changed),
        cmocka_unit_test(other_shapes_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
