/* Contexts: who decides where a verb goes, and where a token may go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/context.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "tests/unit/cli/capture.h"

static char folder[] = "/tmp/leat-test-context-XXXXXX";
static char path[128];
static struct err err;
static const struct verb verb = {.name = "t", .arguments = "", .most = 0};

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/leat/contexts.json", folder);
    return setenv("XDG_CONFIG_HOME", folder, 1);
}

static int setup(void **state)
{
    (void)state;
    const char *const names[] = {"LEAT_URL", "LEAT_TOKEN", "LEAT_CONTEXT"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
    memset(&err, 0, sizeof err);
    unlink(path);
    return 0;
}

static int put(json_t *all, void *arg, struct err *e)
{
    (void)e;
    json_t *from = arg;
    json_object_update(all, from);
    return 0;
}

/* prod has a token, dev has none; prod is current. */
static void two_contexts(void)
{
    cleanup_json json_t *all =
        json_pack("{s:s, s:{s:{s:s, s:s}, s:{s:s}}}", "current", "prod", "contexts", "prod", "url",
                  "https://prod", "token", "prod-token", "dev", "url", "http://127.0.0.1:1");
    assert_int_equal(contexts_change(put, all, &err), 0);
}

static int choose(int argc, char *const *argv)
{
    struct given *given = given_of(&verb, argc, argv);
    const int rc = context_choose(given, &err);
    given_free(given);
    return rc;
}
#define CHOOSE(n, ...) choose(n, WORDS(__VA_ARGS__))

static void expect(const char *url, const char *token)
{
    const char *got_url = getenv("LEAT_URL"), *got_token = getenv("LEAT_TOKEN");
    assert_string_equal(got_url ? got_url : "-", url);
    assert_string_equal(got_token ? got_token : "-", token);
}

static void test_nothing_there(void **state)
{
    (void)state;
    assert_int_equal(choose(0, NULL), 0);
    expect("-", "-");
    assert_int_equal(CHOOSE(2, "--context", "x"), LEAT_ENOTFOUND);
}

static void test_order(void **state)
{
    (void)state;
    two_contexts();
    assert_int_equal(choose(0, NULL), 0); /* the current one */
    expect("https://prod", "prod-token");
    setup(NULL);
    two_contexts();
    setenv("LEAT_CONTEXT", "dev", 1); /* before it the environment's */
    assert_int_equal(choose(0, NULL), 0);
    expect("http://127.0.0.1:1", "-");
    unsetenv("LEAT_URL");
    assert_int_equal(CHOOSE(2, "--context", "prod"), 0); /* before it the option's */
    expect("https://prod", "prod-token");
    setenv("LEAT_URL", "http://env", 1);
    unsetenv("LEAT_TOKEN");
    assert_int_equal(choose(0, NULL), 0);
    expect("http://env", "-");
    assert_int_equal(CHOOSE(1, "--url=http://flag"), 0);
    expect("http://flag", "-");
    assert_int_equal(CHOOSE(3, "--url=http://flag", "--context", "prod"), LEAT_EUSAGE);
    setenv("LEAT_URL", "", 1); /* empty is not set */
    setenv("LEAT_CONTEXT", "", 1);
    assert_int_equal(choose(0, NULL), 0);
    expect("https://prod", "prod-token");
}

/* A context's token goes to that context's URL alone; one of the environment not to a context that
 * was asked for by name. */
static void test_tokens_stay(void **state)
{
    (void)state;
    two_contexts();
    setenv("LEAT_TOKEN", "env-token", 1);
    assert_int_equal(choose(0, NULL), 0);
    expect("https://prod", "env-token");
    assert_int_equal(CHOOSE(2, "--context", "prod"), 0);
    expect("https://prod", "prod-token");
    setenv("LEAT_TOKEN", "env-token", 1);
    assert_int_equal(CHOOSE(2, "--context", "dev"), 0);
    expect("http://127.0.0.1:1", "-");
}

static void test_file(void **state)
{
    (void)state;
    struct stat st;
    two_contexts();
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    chmod(path, 0640);
    assert_null(contexts_read(&err));
    assert_int_equal(err.code, LEAT_EREFUSED);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_int_equal(choose(0, NULL), LEAT_EREFUSED);
    chmod(path, 0600);
    FILE *file = fopen(path, "w");
    fputs("{\"contexts\": 7}", file);
    fclose(file);
    assert_null(contexts_read(&err));
    assert_int_equal(err.code, LEAT_EINPUT);
    assert_non_null(strstr(err.text, path));
}

static int refuse(json_t *all, void *arg, struct err *e)
{
    (void)arg;
    json_object_clear(all);
    return err_set(e, LEAT_EREFUSED, "no");
}

static void test_a_refused_change_changes_nothing(void **state)
{
    (void)state;
    two_contexts();
    assert_int_equal(contexts_change(refuse, NULL, &err), LEAT_EREFUSED);
    assert_int_equal(choose(0, NULL), 0);
    expect("https://prod", "prod-token");
}

/* A writer that died before its rename leaves a file that the next one replaces. */
static void test_after_a_dead_writer(void **state)
{
    (void)state;
    two_contexts();
    cleanup_free char *fresh = mem_printf("%s.new", path);
    FILE *file = fopen(fresh, "w");
    fputs("{\"half", file);
    fclose(file);
    two_contexts();
    assert_int_not_equal(access(fresh, F_OK), 0);
    assert_int_equal(choose(0, NULL), 0);
    expect("https://prod", "prod-token");
}

static void test_checks(void **state)
{
    (void)state;
    const char *const good[] = {"http://h", "https://leat.example.org/below", "http://[::1]:8080"};
    const char *const bad[] = {
        "",           "h:80",          "ftp://h",     "http://",    "http:///x",
        "http://:80", "http://h/?a=1", "http://h/#a", "http://u@h", "http://h\r\nX: y",
        "http://a b"};
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(context_check_url(good[i], &err), 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(context_check_url(bad[i], &err), LEAT_EINPUT);
    char token[CONTEXT_TOKEN_MAX + 2] = "";
    assert_int_equal(context_check_token("", &err), LEAT_EINPUT);
    assert_int_equal(context_check_token("a b", &err), LEAT_EINPUT);
    assert_int_equal(context_check_token("a\r\nb", &err), LEAT_EINPUT);
    memset(token, 'x', CONTEXT_TOKEN_MAX);
    assert_int_equal(context_check_token(token, &err), 0);
    token[CONTEXT_TOKEN_MAX] = 'x';
    assert_int_equal(context_check_token(token, &err), LEAT_EINPUT);
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
    return rmdir(folder);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, setup)
    const struct CMUnitTest tests[] = {
        T(test_nothing_there),
        T(test_order),
        T(test_tokens_stay),
        T(test_file),
        T(test_a_refused_change_changes_nothing),
        T(test_after_a_dead_writer),
        T(test_checks),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
