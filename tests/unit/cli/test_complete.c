/* Completion without an API: verbs, options, values, what kind of thing comes next. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/complete.h"
#include "common/base/mem.h"
#include "tests/unit/cli/capture.h"

/* Only the words that are offered, one a line. */
static char *offered(char *const *words)
{
    struct text out = {0}, only = {0};
    size_t n = 0;
    while (words[n])
        n++;
    complete_words(words, n, false, &out);
    for (const char *line = out.data; line && *line; line = strchr(line, '\n') + 1) {
        text_append(&only, line, strcspn(line, "\t\n"));
        text_puts(&only, "\n");
    }
    text_free(&out);
    return text_take(&only);
}

#define offers(expected, ...)                                                                      \
    do {                                                                                           \
        cleanup_free char *got_ = offered(WORDS(__VA_ARGS__));                                     \
        assert_string_equal(got_, expected);                                                       \
    } while (0)

static void test_verbs(void **state)
{
    (void)state;
    offers("run\nruns\n", "run");
    offers("secret\n", "sec"); /* once, of three verbs */
    offers("set\nlist\nremove\n", "secret", "");
    offers("list\n", "secret", "l");
    offers("", "nonsense");
    offers("", "nonsense", "");
    offers("completion\n", "comple"); /* what is for programs is not offered */
    cleanup_free char *all = offered(WORDS(""));
    assert_non_null(strstr(all, "status\n"));
    assert_non_null(strstr(all, "help\n"));
    complete_words(NULL, 0, false, NULL); /* nothing to complete */
}

static void test_options(void **state)
{
    (void)state;
    offers("--follow\n", "run", "x", "--fo");
    offers("--context\n", "runs", "--con");
    offers("", "cron", "--con"); /* calls nothing, has no context */
    offers("--help\n", "down", "--h");
    offers("", "run", "--", "--fo"); /* only arguments after it */
}

static void test_values(void **state)
{
    (void)state;
    offers("json\n", "runs", "-o", "j");
    offers("--output=json\n", "runs", "--output=j");
    offers("-ojson\n", "runs", "-oj");
    offers("cancelling\ncancelled\n", "runs", "--state", "canc");
    offers("json\nmermaid\n", "dump", "machines", "--format", "");
    offers("", "runs", "--limit", ""); /* a number: nobody knows */
    offers("--limit\n", "runs", "-o", "json", "--li");
}

static void test_arguments(void **state)
{
    (void)state;
    offers(":files\n", "apply", "");
    offers(":files\n", "apply", "a.yaml", "b.yaml", ""); /* FILE|DIR... goes on */
    offers(":files\n", "run", "p", "--params", "");
    offers("latest\n", "show", "");
    offers("latest\n", "show", "-o", "json", "l");
    offers("", "show", "latest", ""); /* it takes one */
    offers("bash\nzsh\nfish\n", "completion", "");
    offers("", "pipeline", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_verbs), cmocka_unit_test(test_options),
                                       cmocka_unit_test(test_values),
                                       cmocka_unit_test(test_arguments)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
