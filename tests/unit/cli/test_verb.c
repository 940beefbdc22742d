/* The command line: verbs of one and two words, options in every spelling, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/verb.h"
#include "common/base/mem.h"
#include "tests/unit/cli/capture.h"

static const struct option options[] = {
    {"param", 'p', "NAME=VALUE", true, "a parameter"},
    {"wait", 0, NULL, false, "until it ends"},
    {"output", 'o', "FORMAT", false, "how"},
    {"limit", 0, "N", false, "how many"},
    OPTION_END,
};
static const struct verb verb = {
    .name = "test", .arguments = "A [B]", .least = 1, .most = 2, .options = options};
static const struct verb many = {.name = "many", .arguments = "A...", .least = 0, .most = -1};
static const struct verb offline = {.name = "off", .arguments = "", .offline = true};

static struct err err;

static struct given *parse(const struct verb *of, char *const *argv)
{
    struct given *given = NULL;
    int argc = 0;
    while (argv[argc])
        argc++;
    memset(&err, 0, sizeof err);
    return given_parse(of, argc, argv, &given, &err) == 0 ? given : NULL;
}
#define PARSE(of, ...) parse(of, WORDS(__VA_ARGS__))

#define refuses(of, what, ...)                                                                     \
    do {                                                                                           \
        assert_null(PARSE(of, __VA_ARGS__));                                                       \
        assert_int_equal(err.code, LEAT_EUSAGE);                                                   \
        if (!strstr(err.text, what))                                                               \
            fail_msg("no '%s' in: %s", what, err.text);                                            \
    } while (0)

static void test_every_spelling(void **state)
{
    (void)state;
    struct given *g = PARSE(&verb, "one", "-p", "a=1", "-pb=2", "--param", "c=3", "--param=d=4",
                            "--wait", "-ojson", "two");
    assert_non_null(g);
    assert_string_equal(given_argument(g, 0), "one");
    assert_string_equal(given_argument(g, 1), "two");
    assert_null(given_argument(g, 2));
    const char *const values[] = {"a=1", "b=2", "c=3", "d=4"};
    for (size_t i = 0; i < ARRAY_LEN(values); i++)
        assert_string_equal(given_nth(g, "param", i), values[i]);
    assert_null(given_nth(g, "param", 4));
    assert_true(given_flag(g, "wait"));
    assert_false(given_flag(g, "limit"));
    assert_string_equal(given_value(g, "output", "table"), "json");
    assert_string_equal(given_value(g, "limit", "50"), "50");
    given_free(g);
}

static void test_what_looks_like_an_option(void **state)
{
    (void)state;
    struct given *g = PARSE(&verb, "--", "--wait", "-x");
    assert_non_null(g);
    assert_string_equal(given_argument(g, 0), "--wait");
    assert_false(given_flag(g, "wait"));
    given_free(g);
    g = PARSE(&verb, "-"); /* standard input */
    assert_string_equal(given_argument(g, 0), "-");
    given_free(g);
    g = PARSE(&verb, "a", "--limit", "-5"); /* a value may begin with a dash */
    assert_string_equal(given_value(g, "limit", ""), "-5");
    given_free(g);
    g = PARSE(&verb, "a", "--output="); /* given, and empty */
    assert_string_equal(given_value(g, "output", "table"), "");
    given_free(g);
}

static void test_refused(void **state)
{
    (void)state;
    refuses(&verb, "did you mean --limit?", "a", "--limt", "5");
    refuses(&verb, "there is no option -x", "a", "-x");
    refuses(&verb, "--wait takes no value", "a", "--wait=yes");
    refuses(&verb, "--limit needs a value (N)", "a", "--limit");
    refuses(&verb, "--limit is given twice", "a", "--limit", "1", "--limit=2");
    refuses(&verb, "usage: leat test A [B]", "--wait");
    refuses(&verb, "usage: leat test A [B]", "a", "b", "c");
    given_free(PARSE(&verb, "a", "b"));       /* two are still fine */
    struct given *g = PARSE(&verb, "--help"); /* needs no argument */
    assert_true(given_flag(g, "help"));
    given_free(g);
    g = PARSE(&many, "1", "2", "3", "4", "5", "6", "7", "8", "9", "10");
    assert_string_equal(given_argument(g, 9), "10");
    given_free(g);
}

static void test_options_of_all(void **state)
{
    (void)state;
    struct given *g = PARSE(&many, "--context", "prod", "--url=http://h");
    assert_string_equal(given_value(g, "context", ""), "prod");
    assert_string_equal(given_value(g, "url", ""), "http://h");
    given_free(g);
    refuses(&many, "did you mean --context?", "--contxt", "prod");
    refuses(&offline, "there is no option --context", "--context", "prod");
    assert_ptr_equal(verb_option_letter(&verb, 'p'), &options[0]);
    assert_null(verb_option_letter(&verb, 0)); /* most have none */
    assert_null(verb_option_letter(&verb, 'x'));
    assert_string_equal(verb_option_letter(&offline, 'h')->name, "help");
}

static void test_found(void **state)
{
    (void)state;
    int words = 0;
    const struct verb *v = verb_find(3, WORDS("secret", "set", "x"), &words);
    assert_string_equal(v->name, "secret set");
    assert_int_equal(words, 2);
    v = verb_find(2, WORDS("run", "set"), &words);
    assert_string_equal(v->name, "run");
    assert_int_equal(words, 1);
    assert_null(verb_find(1, WORDS("secret"), &words));
    assert_null(verb_find(1, WORDS(""), &words));
}

/* What every row of the table has to keep to. */
static void test_table(void **state)
{
    (void)state;
    for (const struct verb *const *v = VERBS; *v; v++) {
        const size_t len = strlen((*v)->summary);
        assert_non_null((*v)->run);
        assert_true(len > 0 && (*v)->summary[len - 1] != '.');
        assert_true((*v)->most < 0 || (*v)->most >= (*v)->least);
        assert_int_equal((*v)->most == 0, *(*v)->arguments == '\0');
        for (const struct option *o = (*v)->options; o && o->name; o++) {
            assert_ptr_equal(verb_option(*v, o->name, strlen(o->name)), o); /* no name twice */
            if (o->letter)
                assert_ptr_equal(verb_option_letter(*v, o->letter), o);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_spelling), cmocka_unit_test(test_what_looks_like_an_option),
        cmocka_unit_test(test_refused),        cmocka_unit_test(test_options_of_all),
        cmocka_unit_test(test_found),          cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
