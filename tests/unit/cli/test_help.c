/* --help and docs/cli.md say every verb and every option. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "cli/help.h"
#include "common/base/mem.h"

static void contains(const struct text *text, const char *what)
{
    if (!strstr(text->data, what))
        fail_msg("no '%s' in:\n%s", what, text->data);
}

static void test_all_verbs(void **state)
{
    (void)state;
    cleanup_text struct text all = {0}, page = {0};
    help_all(&all);
    help_document(&page);
    for (const struct verb *const *v = VERBS; *v; v++) {
        cleanup_free char *line = mem_printf("\n  %s ", (*v)->name);
        cleanup_free char *title = mem_printf("\n## leat %s\n", (*v)->name);
        assert_int_equal(strstr(all.data, line) == NULL, (*v)->hidden);
        assert_int_equal(strstr(page.data, title) == NULL, (*v)->hidden);
    }
}

static void test_one_verb(void **state)
{
    (void)state;
    static const struct option options[] = {
        {"param", 'p', "NAME=VALUE", true, "a|b"}, {"wait", 0, NULL, false, "waits"}, OPTION_END};
    const struct verb verb = {
        .name = "x", .arguments = "RUN", .summary = "Does", .details = "More.", .options = options};
    cleanup_text struct text out = {0};
    help_verb(&verb, &out);
    contains(&out, "usage: leat x RUN [OPTIONS]\n\nDoes.\n\nMore.\n");
    contains(&out, "  -p, --param NAME=VALUE         a|b (may be repeated)\n");
    contains(&out, "      --wait                     waits\n");
    contains(&out, "  -h, --help                     this text\n");
    contains(&out, "      --context CONTEXT ");
}

static void test_a_table_cell_keeps_its_bars(void **state)
{
    (void)state;
    cleanup_text struct text page = {0};
    help_document(&page);
    for (const char *line = page.data; line;
         line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        int bars = 0;
        if (*line != '|')
            continue;
        for (const char *p = line; *p && *p != '\n'; p++)
            bars += *p == '|' && p[-1] != '\\';
        assert_int_equal(bars, 3);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_all_verbs),
                                       cmocka_unit_test(test_one_verb),
                                       cmocka_unit_test(test_a_table_cell_keeps_its_bars)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
