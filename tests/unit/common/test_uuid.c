/* Identifiers: the versions, the text form, determinism. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/base/mem.h"
#include "common/base/uuid.h"

static void test_v5_is_that_of_the_rfc(void **state)
{
    (void)state;
    struct uuid dns, id;
    char text[UUID_TEXT];
    assert_true(uuid_parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8", &dns));
    id = uuid_v5(&dns, "www.example.com", 15);
    uuid_format(&id, text);
    assert_string_equal(text, "2ed6657d-e927-568b-95e1-2665a8aea6a2");
}

static void test_v7_carries_the_time_and_its_rest(void **state)
{
    (void)state;
    uint8_t rest[16];
    char text[UUID_TEXT];
    memset(rest, 0xff, sizeof rest);
    struct uuid id = uuid_v7(0x017f22e279b0, rest);
    uuid_format(&id, text);
    assert_string_equal(text, "017f22e2-79b0-7fff-bfff-ffffffffffff");
    struct uuid again = uuid_v7(0x017f22e279b0, rest), later = uuid_v7(0x017f22e279b1, rest);
    assert_int_equal(uuid_compare(&id, &again), 0);
    assert_true(uuid_compare(&id, &later) < 0);
    struct uuid a = uuid_v7_now(1), b = uuid_v7_now(1);
    assert_int_not_equal(uuid_compare(&a, &b), 0);
}

static void test_parse(void **state)
{
    (void)state;
    struct uuid id, upper;
    static const char *const bad[] = {"",
                                      "017f22e2-79b0-7fff-bfff-fffffffffff",
                                      "017f22e2-79b0-7fff-bfff-fffffffffffff",
                                      "017f22e279b0-7fff-bfff-ffffffffffff-",
                                      "017f22e2-79b0-7fff-bfff-fffffffffffg",
                                      "{17f22e2-79b0-7fff-bfff-ffffffffffff"};
    assert_true(uuid_parse("017f22e2-79b0-7fff-bfff-ffffffffffff", &id));
    assert_true(uuid_parse("017F22E2-79B0-7FFF-BFFF-FFFFFFFFFFFF", &upper));
    assert_int_equal(uuid_compare(&id, &upper), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_false(uuid_parse(bad[i], &upper));
    assert_int_equal(uuid_compare(&id, &upper), 0); /* untouched by what failed */
    const struct uuid nil = {{0}};
    assert_true(uuid_is_nil(&nil));
    assert_false(uuid_is_nil(&UUID_LEAT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v5_is_that_of_the_rfc),
        cmocka_unit_test(test_v7_carries_the_time_and_its_rest),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
