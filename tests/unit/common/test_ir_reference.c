#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/ir/ir.h"

static const struct {
    const char *from, *reference, *path;
} PATHS[] = {
    {"a.yaml", "./b.yaml", "b.yaml"},
    {"x/y/a.yaml", "./b.yaml", "x/y/b.yaml"},
    {"x/y/a.yaml", "../b.yaml", "x/b.yaml"},
    {"x/y/a.yaml", "../../b.yaml", "b.yaml"},
    {"x/y/a.yaml", "../../../b.yaml", "../b.yaml"},
    {"a.yaml", "../../b.yaml", "../../b.yaml"},
    {"../x/a.yaml", "../b.yaml", "../b.yaml"},
    {"../a.yaml", "../b.yaml", "../../b.yaml"},
    {"", "../b.yaml", "../b.yaml"},
    {"/x/a.yaml", "../b.yaml", "/b.yaml"},
    {"x/a.yaml", "./y/./z/../b.yaml", "x/y/b.yaml"},
    {"x/a.yaml", ".//b.yaml", "x/b.yaml"},
    {"x/a.yaml", "./..b.yaml", "x/..b.yaml"},
    {"x/a.yaml", "./", "x/"},
    {"-", "./b.yaml", "b.yaml"},
};

static void a_path_is_found_from_the_file_that_names_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(PATHS); i++) {
        struct err err = {0};
        cleanup_free char *path = ir_relative(PATHS[i].from, PATHS[i].reference, &err);
        assert_non_null(path);
        assert_string_equal(path, PATHS[i].path);
    }
}

static void what_came_over_https_has_no_neighbours(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(ir_relative("https://h/a.yaml", "./b.yaml", &err));
    assert_int_equal(err.code, LEAT_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_found_from_the_file_that_names_it),
        cmocka_unit_test(what_came_over_https_has_no_neighbours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
