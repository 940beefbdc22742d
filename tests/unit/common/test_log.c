/* Log lines as they come out of standard error: both forms, escapes, levels, context. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/mem.h"

static char line[16384];

/* What was written to standard error since the last call, without its time. */
static int saved, ends[2];

static void catch_stderr(void)
{
    assert_int_equal(pipe(ends), 0);
    saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
}

static const char *caught(void)
{
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    const ssize_t n = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    line[n > 0 ? n : 0] = '\0';
    return line;
}

/* From "level=" on. */
static const char *after_time(const char *text)
{
    const char *p = strstr(text, "level=");
    return p ? p : text;
}

static void test_logfmt(void **state)
{
    (void)state;
    log_setup("scheduler", LOG_INFO, LOG_LOGFMT);
    catch_stderr();
    log_info("order sent", LOG_S("worker", "w-1"), LOG_I("offset", -7));
    const char *text = caught();
    assert_int_equal(strncmp(text, "time=20", 7), 0);
    assert_string_equal(after_time(text),
                        "level=info daemon=scheduler msg=\"order sent\" worker=w-1 offset=-7\n");
}

static void test_no_value_forges_a_pair_or_a_line(void **state)
{
    (void)state;
    log_setup("x", LOG_INFO, LOG_LOGFMT);
    catch_stderr();
    log_warn("a\nlevel=error", LOG_S("v", "x=\"y\" z\\\r\n\x1b[0m"), LOG_S("none", NULL),
             LOG_S("empty", ""), LOG_S("bad", "a\xff"));
    const char *text = caught();
    assert_string_equal(after_time(text),
                        "level=warn daemon=x msg=\"a\\nlevel=error\" "
                        "v=\"x=\\\"y\\\" z\\\\\\u000d\\n\\u001b[0m\" none=null empty=\"\" "
                        "bad=\"a\\ufffd\"\n");
}

static void test_json_is_json(void **state)
{
    (void)state;
    const struct log_context of = {{LOG_S("run", "r1"), LOG_I("n", 3), LOG_END_}};
    log_setup("api", LOG_INFO, LOG_JSON);
    catch_stderr();
    log_warn_of(&of, "it \"was\"\n\x01\xfe", LOG_S("path", "/a b"));
    const char *text = caught();
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    assert_int_equal(text[strlen(text) - 1], '\n');
    assert_string_equal(json_string_value(json_object_get(v, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(v, "daemon")), "api");
    assert_string_equal(json_string_value(json_object_get(v, "run")), "r1");
    assert_int_equal(json_integer_value(json_object_get(v, "n")), 3);
    assert_string_equal(json_string_value(json_object_get(v, "path")), "/a b");
    assert_string_equal(json_string_value(json_object_get(v, "msg")),
                        "it \"was\"\n\x01\xef\xbf\xbd");
    json_decref(v);
}

static void test_levels(void **state)
{
    (void)state;
    struct err err = {0};
    err_set(&err, LEAT_EIO, "disk");
    log_setup("x", LOG_ERROR, LOG_LOGFMT);
    catch_stderr();
    log_debug("no");
    log_info("no");
    log_warn("no");
    log_error("yes", LOG_ERR(&err));
    assert_string_equal(after_time(caught()), "level=error daemon=x msg=yes error=disk\n");
    log_setup("x", LOG_DEBUG, LOG_LOGFMT);
    catch_stderr();
    log_debug("yes");
    assert_string_equal(after_time(caught()), "level=debug daemon=x msg=yes\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logfmt),
        cmocka_unit_test(test_no_value_forges_a_pair_or_a_line),
        cmocka_unit_test(test_json_is_json),
        cmocka_unit_test(test_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
