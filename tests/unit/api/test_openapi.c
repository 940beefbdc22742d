/* openapi.json says the same as the table of routes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

static void every_route_is_described(void **state)
{
    (void)state;
    cleanup_json json_t *all = openapi_document();
    const json_t *paths = json_get_object(all, "paths"), *methods;
    const char *path;
    size_t described = 0, served = 0;
    assert_string_equal(json_get_string(all, "openapi", ""), "3.1.0");
    json_object_foreach ((json_t *)(uintptr_t)paths, path, methods)
        described += json_object_size(methods);
    for (const struct http_route *r = API_ROUTES; r->method; r++)
        served++;
    assert_int_equal(described, served);
    assert_true(served > 20);
}

static void parameters_of_a_path_are_named(void **state)
{
    (void)state;
    cleanup_json json_t *all = openapi_document();
    const json_t *item =
        json_object_get(json_get_object(all, "paths"), "/api/v1/runs/{run}/logs/{step}");
    const json_t *parameters = json_get_array(json_get_object(item, "get"), "parameters");
    assert_int_equal(json_array_size(parameters), 2);
    assert_string_equal(json_get_string(json_array_get(parameters, 0), "name", ""), "run");
    assert_string_equal(json_get_string(json_array_get(parameters, 1), "name", ""), "step");
    assert_string_equal(json_get_string(json_array_get(parameters, 1), "in", ""), "path");
}

static void methods_of_one_path_stand_together(void **state)
{
    (void)state;
    cleanup_json json_t *all = openapi_document();
    const json_t *runs = json_object_get(json_get_object(all, "paths"), "/api/v1/runs");
    assert_non_null(json_get_object(runs, "get"));
    assert_non_null(json_get_object(runs, "post"));
}

static void no_path_holds_a_colon(void **state)
{
    (void)state;
    cleanup_json json_t *all = openapi_document();
    json_t *methods;
    const char *path;
    json_object_foreach (json_object_get(all, "paths"), path, methods) {
        assert_null(strchr(path, ':'));
        assert_int_equal(path[0], '/');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_route_is_described),
        cmocka_unit_test(parameters_of_a_path_are_named),
        cmocka_unit_test(methods_of_one_path_stand_together),
        cmocka_unit_test(no_path_holds_a_colon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
