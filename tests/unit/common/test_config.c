/* Settings: the order of the sources, every type at its edges, errors with their place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/config.h"
#include "common/base/mem.h"

struct settings {
    char *listen, *database, *store, *name, *token;
    int64_t slots, wait, size;
    bool detach;
    int executor;
};

static const char *const executors[] = {"auto", "process", "docker", NULL};

static const struct config_key keys[] = {
    {CONFIG_KEY(struct settings, listen, "listen", CONFIG_ADDRESS), .fallback = "127.0.0.1:8080",
     .help = "where to serve"},
    {CONFIG_KEY(struct settings, database, "database", CONFIG_STRING), .secret = true,
     .help = "connection string"},
    {CONFIG_KEY(struct settings, store, "store-dir", CONFIG_PATH), .help = "folder"},
    {CONFIG_KEY(struct settings, name, "name", CONFIG_STRING), .help = "a name"},
    {CONFIG_KEY(struct settings, slots, "slots", CONFIG_INT), .fallback = "4", .least = 1,
     .most = 64, .help = "how many"},
    {CONFIG_KEY(struct settings, wait, "wait", CONFIG_DURATION), .fallback = "10s",
     .most = 60000000, .help = "how long"},
    {CONFIG_KEY(struct settings, size, "size", CONFIG_SIZE), .fallback = "25MiB",
     .help = "how much"},
    {CONFIG_KEY(struct settings, detach, "detach", CONFIG_BOOL), .help = "go to the background"},
    {CONFIG_KEY(struct settings, executor, "executor", CONFIG_ENUM), .fallback = "auto",
     .words = executors, .help = "who | runs"},
    {.name = NULL},
};

static const struct config_program program = {"leat-test", "tests", keys};
static struct settings s;
static struct err err;
static char file[] = "/tmp/leat-test-config-XXXXXX";

/* Also those of whoever runs the tests: LEAT_TOKEN is a key that is looked for here. */
static void forget_settings(void)
{
    for (char **e = environ; *e;) {
        cleanup_free char *name = mem_bytes(*e, strcspn(*e, "="));
        if (strncmp(name, "LEAT_", 5) == 0) {
            unsetenv(name);
            e = environ;
        } else {
            e++;
        }
    }
}

static int setup(void **state)
{
    (void)state;
    memcpy(file + strlen(file) - 6, "XXXXXX", 6);
    const int fd = mkstemp(file);
    forget_settings();
    memset(&s, 0, sizeof s);
    memset(&err, 0, sizeof err);
    return fd >= 0 ? close(fd) : -1;
}

static int teardown(void **state)
{
    (void)state;
    forget_settings();
    config_free(&program, &s);
    return unlink(file);
}

#define load(...) load_args((const char *const[]){"leat-test", __VA_ARGS__ __VA_OPT__(, ) NULL})
static int load_args(const char *const *args)
{
    int argc = 0;
    while (args[argc])
        argc++;
    config_free(&program, &s);
    memset(&s, 0, sizeof s);
    return config_load(&program, argc, (char *const *)(uintptr_t)args, &s, &err);
}

static void write_file(const char *text)
{
    FILE *f = fopen(file, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void test_defaults(void **state)
{
    (void)state;
    assert_int_equal(load(), CONFIG_GO);
    assert_string_equal(s.listen, "127.0.0.1:8080");
    assert_true(!s.database && !s.store && !s.name && !s.detach);
    assert_int_equal(s.slots, 4);
    assert_int_equal(s.wait, 10000000);
    assert_int_equal(s.size, 25 << 20);
    assert_int_equal(s.executor, 0);
}

static void test_sources_in_order(void **state)
{
    (void)state;
    write_file(
        "# comment\n\nlisten = 1.1.1.1:1 # more\n  slots=2\r\nstore-dir = \"/a #b\\\"c\\\\\"\n"
        "name = a#b\nexecutor = docker");
    setenv("LEAT_LISTEN", "2.2.2.2:2", 1);
    setenv("LEAT_STORE_DIR", "", 1); /* empty: not set */
    assert_int_equal(load("--config", file, "--listen", "3.3.3.3:3", "--detach"), CONFIG_GO);
    assert_string_equal(s.listen, "3.3.3.3:3");
    assert_int_equal(s.slots, 2);
    assert_string_equal(s.store, "/a #b\"c\\");
    assert_string_equal(s.name, "a#b");
    assert_int_equal(s.executor, 2);
    assert_true(s.detach);
    setenv("LEAT_CONFIG", file, 1);
    assert_int_equal(load("--slots=3", "--detach=off"), CONFIG_GO);
    assert_string_equal(s.listen, "2.2.2.2:2");
    assert_int_equal(s.slots, 3);
    assert_false(s.detach);
}

static void test_bad_flags(void **state)
{
    (void)state;
    static const struct {
        const char *flag, *text;
    } rows[] = {
        {"--lisen=1:1", "did you mean 'listen'?"},
        {"--xyzzy", "see leat-test --help"},
        {"positional", "'positional' is not a flag"},
        {"--", "is not a flag"},
        {"-s", "is not a flag"},
        {"--slots", "--slots needs a value"},
        {"--slots=0", "0 is not from 1 to 64"},
        {"--slots=65", "65 is not from 1 to 64"},
        {"--slots=x", "'x' is not a whole number"},
        {"--wait=10", "'10' is not a duration"},
        {"--wait=61s", "is not from 0 to 60000000"},
        {"--size=-1", "is not a size"},
        {"--detach=maybe", "is not true or false"},
        {"--executor=k8s", "'k8s' is none of: auto, process, docker"},
        {"--listen=nowhere", "is not an address"},
        {"--listen=a:65536", "is not an address"},
        {"--store-dir=", "the path is empty"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(load(rows[i].flag), LEAT_EUSAGE);
        if (!strstr(err.text, rows[i].text))
            fail_msg("%s: %s", rows[i].flag, err.text);
        assert_null(s.listen); /* freed */
    }
    assert_int_equal(load("--slots=1"), CONFIG_GO);
    assert_int_equal(load("--slots=64", "--wait=60s"), CONFIG_GO);
}

static void test_bad_files(void **state)
{
    (void)state;
    static const struct {
        const char *text, *at, *what;
    } rows[] = {
        {"slots = 2\n  slot = 3\n", ":2:3: ", "did you mean 'slots'?"},
        {"slots = 2\nslots = 3\n", ":2:1: ", "given twice"},
        {"\nslots =  99", ":2:10: ", "from 1 to 64"},
        {"slots", ":1:6: ", "key = value"},
        {"= 3", ":1:1: ", "key = value"},
        {"name = \"open\nslots = 1", ":1:8: ", "not closed"},
        {"name = \"a\" b", ":1:12: ", "follow"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        write_file(rows[i].text);
        cleanup_free char *place = mem_printf("%s%s", file, rows[i].at);
        assert_int_equal(load("--config", file), LEAT_EINPUT);
        if (!strstr(err.text, place) || !strstr(err.text, rows[i].what))
            fail_msg("%s: %s", rows[i].text, err.text);
    }
    assert_int_equal(load("--config", "/nowhere"), LEAT_EIO);
    assert_int_equal(load("--config", "/tmp"), LEAT_EINPUT);
    assert_int_equal(load("--config"), LEAT_EUSAGE);
}

static void test_bad_environment(void **state)
{
    (void)state;
    setenv("LEAT_SLOTS", "many", 1);
    assert_int_equal(load(), LEAT_EINPUT);
    assert_non_null(strstr(err.text, "LEAT_SLOTS: slots: 'many'"));
}

static void test_required(void **state)
{
    (void)state;
    static const struct config_key one[] = {
        {CONFIG_KEY(struct settings, token, "token", CONFIG_STRING), .required = true, .help = "x"},
        {.name = NULL}};
    static const struct config_program needs = {"leat-needs", "tests", one};
    char program_name[] = "leat-needs", *const argv[] = {program_name, NULL};
    assert_int_equal(config_load(&needs, 1, argv, &s, &err), LEAT_EUSAGE);
    assert_non_null(strstr(err.text, "--token must be given"));
}

static void test_secrets_are_not_shown(void **state)
{
    (void)state;
    assert_int_equal(load("--database", "postgres://u:hunter2@h/d"), CONFIG_GO);
    cleanup_text struct text shown = {0}, help = {0}, document = {0};
    config_describe(&program, &s, &shown);
    assert_null(strstr(shown.data, "hunter2"));
    assert_non_null(strstr(shown.data, "database=***"));
    assert_non_null(strstr(shown.data, "listen=127.0.0.1:8080"));
    assert_non_null(strstr(shown.data, "wait=10000000us"));
    assert_non_null(strstr(shown.data, "executor=auto"));
    config_help(&program, &help);
    assert_non_null(strstr(help.data, "--slots N"));
    assert_non_null(strstr(help.data, "(default 4)"));
    assert_non_null(strstr(help.data, "--executor auto|process|docker"));
    config_document(&program, &document);
    assert_non_null(strstr(document.data, "| `wait` | DURATION | `10s` | how long |"));
    assert_non_null(strstr(document.data, "auto\\|process\\|docker"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_defaults),
        T(test_sources_in_order),
        T(test_bad_flags),
        T(test_bad_files),
        T(test_bad_environment),
        T(test_required),
        T(test_secrets_are_not_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
