/* What `leat up` is told: defaults, folders, what this build refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    assert_int_equal(READ("--docker-network", "container:other"), LEAT_EINPUT);
    assert_non_null(strstr(err.text, "--docker-network container:other"));
    assert_int_equal(READ("--docker-network", ""), LEAT_EINPUT);
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

static void write_file(const char *path, mode_t mode, const char *text)
{
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
}

/* A password never stands on a command line. */
static void test_password_of_the_database(void **state)
{
    (void)state;
    static const char *const refused[] = {"postgres://u:canary@h/d",
                                          "postgres://h/d?password=canary",
                                          "host=h password=canary", "host=h sslpassword=canary"};
    static const char *const fine[] = {"postgres://u@h/d", "host=h password=''",
                                       "host=h passfile=/root/.pgpass", "no conninfo canary"};
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        assert_int_equal(READ("--data", "/tmp/x", "--database", (char *)refused[i]), LEAT_EREFUSED);
        assert_non_null(strstr(err.text, "--database-file"));
        assert_null(strstr(err.text, "canary"));
    }
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        assert_int_equal(READ("--data", "/tmp/x", "--database", (char *)fine[i]), 0);
        assert_string_equal(s.conninfo, fine[i]);
        up_settings_free(&s);
    }
    setenv("LEAT_DATABASE", refused[0], 1);
    assert_int_equal(READ("--data", "/tmp/x"), 0);
    assert_string_equal(s.database, refused[0]);
    assert_string_equal(s.conninfo, refused[0]);
    up_settings_free(&s);
    assert_int_equal(READ("--data", "/tmp/x", "--database", "postgres://h/d"), 0); /* first */
    assert_string_equal(s.conninfo, "postgres://h/d");
    up_settings_free(&s);
    unsetenv("LEAT_DATABASE");
}

static void test_file_of_the_database(void **state)
{
    (void)state;
    char path[] = "/tmp/lt-database-XXXXXX", most[4098];
    close(mkstemp(path));
    memset(most, 'x', sizeof most - 1);
    most[sizeof most - 1] = '\0';
    write_file(path, 0600, "postgres://u:canary@h/d\r\nmore\n");
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", path), 0);
    assert_string_equal(s.conninfo, "postgres://u:canary@h/d");
    up_settings_free(&s);
    write_file(path, 0640, "postgres://u:canary@h/d\n");
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", path), LEAT_EREFUSED);
    assert_non_null(strstr(err.text, "chmod 600"));
    write_file(path, 0600, "\npostgres://h/d\n");
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", path), LEAT_EINPUT);
    write_file(path, 0600, most);
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", path), LEAT_ELIMIT);
    most[4096] = '\0';
    write_file(path, 0600, most);
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", path), 0);
    assert_int_equal(strlen(s.conninfo), 4096);
    up_settings_free(&s);
    unlink(path);
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", path), LEAT_EIO);
    assert_int_equal(READ("--data", "/tmp/x", "--database-file", "relative"), LEAT_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_given),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_password_of_the_database),
        cmocka_unit_test(test_file_of_the_database),
        cmocka_unit_test(test_length_of_the_folder),
        cmocka_unit_test(test_relative_and_default_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
