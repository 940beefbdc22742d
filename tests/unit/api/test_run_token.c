/* The token of an attempt: made, checked, and every forgery refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "api/run_token.h"

static const uint8_t KEY[32] = {1, 2, 3}, OTHER_KEY[32] = {1, 2, 4};
static const struct uuid ATTEMPT = {{0xaa, 1}}, OTHER = {{0xaa, 2}};

static void what_was_made_is_taken(void **state)
{
    (void)state;
    char text[RUN_TOKEN_SIZE], again[RUN_TOKEN_SIZE];
    struct uuid attempt;
    run_token_make(KEY, &ATTEMPT, text);
    assert_int_equal(strlen(text), RUN_TOKEN_SIZE - 1);
    assert_memory_equal(text, "leat_run_aa010000-0000-0000-0000-000000000000_", 46);
    assert_true(run_token_check(KEY, text, &attempt));
    assert_int_equal(uuid_compare(&attempt, &ATTEMPT), 0);
    run_token_make(KEY, &ATTEMPT, again); /* asked for twice: the same */
    assert_string_equal(text, again);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    char text[RUN_TOKEN_SIZE];
    struct uuid attempt;
    run_token_make(KEY, &ATTEMPT, text);
    for (size_t i = 0; i < RUN_TOKEN_SIZE - 1; i++) {
        text[i] ^= 1;
        assert_false(run_token_check(KEY, text, &attempt));
        text[i] ^= 1;
    }
    assert_true(run_token_check(KEY, text, &attempt));
}

static void the_mac_of_another_is_refused(void **state)
{
    (void)state;
    char text[RUN_TOKEN_SIZE], other[RUN_TOKEN_SIZE];
    struct uuid attempt;
    run_token_make(KEY, &ATTEMPT, text);
    run_token_make(KEY, &OTHER, other);
    memcpy(text + 46, other + 46, 64);
    assert_false(run_token_check(KEY, text, &attempt));
    run_token_make(OTHER_KEY, &ATTEMPT, text); /* another cluster's */
    assert_false(run_token_check(KEY, text, &attempt));
}

static void no_other_length_is_looked_at(void **state)
{
    (void)state;
    char text[RUN_TOKEN_SIZE + 1] = "";
    struct uuid attempt;
    run_token_make(KEY, &ATTEMPT, text);
    text[RUN_TOKEN_SIZE - 1] = 'a';
    text[RUN_TOKEN_SIZE] = '\0';
    assert_false(run_token_check(KEY, text, &attempt));
    text[RUN_TOKEN_SIZE - 2] = '\0';
    assert_false(run_token_check(KEY, text, &attempt));
    assert_false(run_token_check(KEY, "", &attempt));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_made_is_taken),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(the_mac_of_another_is_refused),
        cmocka_unit_test(no_other_length_is_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
