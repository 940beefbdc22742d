/* What `leat up` is told: defaults, folders, what this build refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up/settings.h"
#include "common/base/mem.h"
#include "tests/unit/cli/capture.h"

extern const struct verb VERB_UP;
static struct up_settings s;
static struct err err;

static int read_settings(char *const *argv)
{
    int argc = 0;
    while (argv[argc])
        argc++;
    struct given *given = given_of(&VERB_UP, argc, argv);
    memset(&err, 0, sizeof err);
    const int rc = up_settings_read(given, &s, &err);
    given_free(given); /* the values are argv's own */
    return rc;
}
#define READ(...) read_settings(WORDS(__VA_ARGS__))

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(READ("--data", "/tmp/x"), 0);
    assert_string_equal(s.data, "/tmp/x");
    assert_string_equal(s.listen, "127.0.0.1:8080");
    assert_string_equal(s.hooks, "127.0.0.1:8081");
    assert_string_equal(s.bus, "embedded");
    assert_string_equal(s.user, "leat");
    assert_string_equal(s.store, "/tmp/x/store");
    assert_string_equal(s.doorbells, "/tmp/x/run/doorbells");
    assert_string_equal(s.conninfo, "host=/tmp/x/run port=5432 user=leat dbname=leat");
    assert_null(s.database);
    assert_false(s.detach || s.insecure);
    up_settings_free(&s);
    assert_null(s.data);
}

static void test_given(void **state)
{
    (void)state;
    assert_int_equal(READ("-d/tmp/x", "--database", "postgres://h/d", "--store=/s", "--detach"), 0);
    assert_string_equal(s.conninfo, "postgres://h/d");
    assert_string_equal(s.store_at, "/s");
    assert_true(s.detach);
    up_settings_free(&s);
}

static void test_refused(void **state)
{
    (void)state;
    assert_int_equal(READ("--bus", "nonsense"), LEAT_EUSAGE);
    assert_non_null(strstr(err.text, "nonsense"));
    assert_int_equal(READ("--bus", "kafka://"), LEAT_EINPUT);
    assert_int_equal(READ("--bus", "kafka://host"), LEAT_EINPUT);
    assert_int_equal(READ("--bus", "kafka://127.0.0.1:1,far.example:9092"), LEAT_EREFUSED);
    assert_non_null(strstr(err.text, "far.example:9092"));
    assert_int_equal(READ("--bus", "kafka://127.0.0.1:1", "--bus-user", "u"), LEAT_EINPUT);
    assert_int_equal(READ("--bus", "kafka://127.0.0.1:1", "--bus-sasl", "plain"), LEAT_EINPUT);
    assert_int_equal(READ("--bus", "kafka://127.0.0.1:1", "--bus-ca-file", "/f"), LEAT_EINPUT);
    assert_int_equal(READ("--bus", "kafka://h:1", "--bus-tls", "--bus-ca-file", "f"), LEAT_EUSAGE);
    assert_int_equal(READ("--executor", "nonsense"), LEAT_EUSAGE);
    assert_int_equal(READ("--store", "relative"), LEAT_EUSAGE);
}

/* DATA/run/doorbells/<32 digits>.sock has to fit into a socket's address of 108 bytes. */
static void test_length_of_the_folder(void **state)
{
    (void)state;
    char path[52] = "/";
    memset(path + 1, 'x', 50);
    path[50] = '\0';
    assert_int_equal(READ("--data", path), 0);
    assert_true(strlen(s.doorbells) + 1 + 32 + 5 < 108);
    up_settings_free(&s);
    path[50] = 'x';
    assert_int_equal(READ("--data", path), LEAT_EINPUT);
    assert_non_null(strstr(err.text, "50 characters"));
}

static void test_relative_and_default_folder(void **state)
{
    (void)state;
    assert_int_equal(chdir("/tmp"), 0);
    assert_int_equal(READ("--data", "x/y"), 0);
    assert_string_equal(s.data, "/tmp/x/y");
    up_settings_free(&s);
    setenv("XDG_DATA_HOME", "/tmp/share", 1);
    struct given *given = given_of(&VERB_UP, 0, NULL);
    cleanup_free char *data = up_data_folder(given, &err);
    assert_string_equal(data, geteuid() == 0 ? "/var/lib/leat" : "/tmp/share/leat");
    given_free(given);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_length_of_the_folder),
        cmocka_unit_test(test_relative_and_default_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
