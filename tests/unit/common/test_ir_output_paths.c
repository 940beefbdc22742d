/* outputs: {NAME: {path: …}}: of containers, at a place that is the container's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/ir/ir.h"
#include "common/text/json.h"
#include "tests/support/parts.h"

static struct parts parts = {NULL, 0, {0}};

#define STEP(rest) "name: p\nsteps:\n  s: {" rest "}\n"
#define AT(path)   STEP("image: i, outputs: {m: {path: '" path "'}}")
#define PLACE      "p.yaml:3:37: "

static const struct {
    const char *yaml, *place, *text; /* NULL = it is taken */
} ROWS[] = {
    {AT("/opt/model"), NULL, NULL},
    {AT("/a b/\xe2\x80\xae/x.bin"), NULL, NULL},
    {AT("/process/x"), NULL, NULL},
    {AT("/device"), NULL, NULL},
    {AT("/leather/x"), NULL, NULL},
    {STEP("image: i, outputs: {n: {type: integer, optional: true, path: /n}}"), NULL, NULL},
    {STEP("image: i, executor: docker, outputs: {n: {path: /n}}"), NULL, NULL},
    {AT("model"), PLACE, "absolute path"},
    {AT("./model"), PLACE, "absolute path"},
    {AT("../model"), PLACE, "absolute path"},
    {AT("/"), PLACE, "without '/' at its end"},
    {AT("/opt/"), PLACE, "without '/' at its end"},
    {AT("/opt//m"), PLACE, "empty part"},
    {AT("/opt/../etc"), PLACE, "'..'"},
    {AT("/.."), PLACE, "'..'"},
    {AT("/opt/."), PLACE, "'.'"},
    {AT("/leat"), PLACE, "out of /leat"},
    {AT("/leat/out/m"), PLACE, "out of /leat"},
    {AT("/leat/secrets/.token"), PLACE, "out of /leat"},
    {AT("/proc/1/environ"), PLACE, "out of /proc"},
    {AT("/sys/x"), PLACE, "out of /sys"},
    {AT("/dev/shm/x"), PLACE, "out of /dev"},
    {AT("/opt/${{ run.id }}"), PLACE, "no expressions"},
    {STEP("image: i, outputs: {m: {path: \"/a\\nb\"}}"), PLACE, "control character"},
    {STEP("command: [x], outputs: {m: {path: /m}}"), "p.yaml:3:41: ", "of containers"},
    {STEP("image: i, executor: process, outputs: {m: {path: /m}}"),
     "p.yaml:3:56: ", "of containers"},
    {STEP("image: i, executor: noop, outputs: {m: {path: /m}}"), "p.yaml:3:53: ", "of containers"},
};

static void test_what_is_taken_and_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
        struct err err = {0};
        cleanup_text struct text all = {0};
        cleanup_json json_t *out = parts_compile(&parts, "p.yaml", ROWS[i].yaml, &all, &err);
        const char *told = all.data ? all.data : "";
        const char *place = ROWS[i].place ? strstr(told, ROWS[i].place) : NULL;
        if ((out == NULL) != (ROWS[i].text != NULL) ||
            (ROWS[i].text && (!place || !strstr(place, ROWS[i].text))))
            fail_msg("%s\ngave %s\nnot %s%s", ROWS[i].yaml, told,
                     ROWS[i].place ? ROWS[i].place : "it", ROWS[i].text ? ROWS[i].text : "");
    }
}

/* It is no process where no engine is; and without a path nothing of it is in the IR. */
static void test_what_it_becomes(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_text struct text all = {0};
    json_t *out = parts_compile(&parts, "p.yaml", AT("/opt/m"), &all, &err);
    assert_non_null(out);
    const json_t *step = json_pointer(out, "/steps/0");
    assert_string_equal(json_get_string(step, "executor", ""), "docker");
    assert_string_equal(json_string_value(json_pointer(out, "/steps/0/outputs/m/path")), "/opt/m");
    json_decref(out);
    out = parts_compile(&parts, "p.yaml", STEP("image: i, outputs: {m: {}}"), &all, &err);
    assert_non_null(out);
    assert_null(json_pointer(out, "/steps/0/outputs/m/path"));
    assert_null(json_pointer(out, "/steps/0/executor"));
    json_decref(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_is_taken_and_refused),
                                       cmocka_unit_test(test_what_it_becomes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
