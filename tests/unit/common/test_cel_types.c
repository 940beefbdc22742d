/* What an expression can come to, judged without values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/cel.h"
#include "common/text/template.h"

#define BIT(type) (1U << (type))

/* By the first letter of the variable: n whole, d number, s text, b truth, l list; others unknown.
 */
static unsigned by_letter(void *user, const struct cel_reference *ref)
{
    (void)user;
    switch (ref->count == 1 ? ref->names[0][0] : 0) {
    case 'n':
        return BIT(CEL_INT);
    case 'd':
        return BIT(CEL_INT) | BIT(CEL_DOUBLE);
    case 's':
        return BIT(CEL_STRING);
    case 'b':
        return BIT(CEL_BOOL);
    case 'l':
        return BIT(CEL_LIST);
    default:
        return CEL_ANY;
    }
}

struct row {
    const char *source, *types; /* "int or double", "any", "!MESSAGE" */
};

static char *types_text(const char *source)
{
    struct err err = {0};
    cleanup_text struct text out = {0};
    cleanup_cel struct cel *cel = cel_compile(source, &err);
    assert_non_null(cel);
    const unsigned types = cel_types(cel, by_letter, NULL, &err);
    if (!types)
        return mem_printf("!%s", err.text);
    cel_types_text(types, &out);
    return types == CEL_ANY ? mem_string("any") : text_take(&out);
}

static void check_rows(const struct row *rows, size_t count)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = types_text(rows[i].source);
        if (strcmp(got, rows[i].types) != 0) {
            print_error("%s: %s, expected %s\n", rows[i].source, got, rows[i].types);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}

static void what_comes_out(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"n", "int"},
        {"d", "int or double"},
        {"x", "any"},
        {"n.deep", "any"}, /* the caller says of a path what it likes */
        {"n + 1", "int"},
        {"d * d", "int or double"},
        {"-d", "int or double"},
        {"-x", "int or double"},
        {"d + 1.5", "double"},
        {"x + 1", "int"},
        {"x + 's'", "string"},
        {"s + s", "string"},
        {"l + [1]", "list"},
        {"n < 2.5", "bool"},
        {"n == s", "bool"}, /* of any two it may be asked whether they are the same */
        {"n in l && !b || x", "bool"},
        {"'k' in x", "bool"},
        {"b ? n : s", "int or string"},
        {"default(n, s)", "int or string"},
        {"default(x, null)", "any"},
        {"has(x.y)", "bool"},
        {"{'a': 1}", "map"},
        {"{'a': 1}.a", "any"},
        {"has({'a': 1}.a)", "bool"},
        {"[1][0]", "any"},
        {"l.map(i, i + 1)", "list"},
        {"l.map(i, i > 1, i + 1)", "list"},
        {"l.filter(i, i > n)", "list"},
        {"l.exists(n, n + 's' == s)", "bool"}, /* n is the macro's own here */
        {"size(s)", "int"},
        {"s.split(',')", "list"},
        {"l.join(',')", "string"},
        {"dyn(n) + s", "string"}, /* who knows better says so */
        {"type(n) == int", "bool"},
        {"int", "type"},
        {"timestamp(s) - timestamp(s)", "google.protobuf.Duration"},
        {"timestamp(s) + duration(s)", "google.protobuf.Timestamp"},
        {"duration('1s') + timestamp(s)", "google.protobuf.Timestamp"},
        {"timestamp(s) - x", "google.protobuf.Timestamp or google.protobuf.Duration"},
        {"timestamp(s).getHours()", "int"},
        {"b'a' + b'b'", "bytes"},
        {"7u / 2u", "uint"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void what_never_fits(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"n + s", "!1:3: '+' does not take int and string"},
        {"d < s", "!1:3: '<' does not take int or double and string"},
        {"n * 1.5", "!1:3: '*' does not take int and double; convert one side, like double(x)"},
        {"1.5 % 2.0", "!1:5: '%' does not take double and double"},
        {"n in s", "!1:3: 'in' does not take int and string"},
        {"!n", "!1:2: '!' does not take int"},
        {"n && b", "!1:1: '&&' does not take int"},
        {"b || s", "!1:6: '||' does not take string"},
        {"-s", "!1:1: '-' does not take string"},
        {"n ? 1 : 2", "!1:1: '?' does not take int"},
        {"b ? n + s : 1", "!1:7: '+' does not take int and string"},
        {"b ? 1 : n + s", "!1:11: '+' does not take int and string"},
        {"(n + 1).x", "!1:4: a key does not take int"},
        {"has((n + 1).x)", "!1:8: has() does not take int"},
        {"s[0]", "!1:1: an index does not take string"},
        {"l[n + s]", "!1:5: '+' does not take int and string"},
        {"[n + s]", "!1:4: '+' does not take int and string"},
        {"{'a': n + s}", "!1:9: '+' does not take int and string"},
        {"n.startsWith('a')", "!1:1: startsWith() does not take int"},
        {"size(n)", "!1:6: size() does not take int"},
        {"l.join(n + s)", "!1:10: '+' does not take int and string"},
        {"s.map(i, i)", "!1:1: a macro does not take string"},
        {"l.filter(i, n)", "!1:13: a test does not take int"},
        {"l.map(i, n, i)", "!1:10: a test does not take int"},
        {"l.map(i, n + s)", "!1:12: '+' does not take int and string"},
        {"default(n + s, 1)", "!1:11: '+' does not take int and string"},
        {"default(1, n + s)", "!1:14: '+' does not take int and string"},
        {"-(n + s)", "!1:5: '+' does not take int and string"},
        {"(n + s) + 1", "!1:4: '+' does not take int and string"},
        {"1 + (n + s)", "!1:8: '+' does not take int and string"},
        {"(n + s) ? 1 : 2", "!1:4: '+' does not take int and string"},
        {"timestamp(s) + timestamp(s)",
         "!1:14: '+' does not take google.protobuf.Timestamp and google.protobuf.Timestamp"},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void of_texts(void **state)
{
    (void)state;
    struct err err = {0};
    cleanup_template struct template *good = template_compile("a ${{ n }} ${{ s + s }}", NULL);
    cleanup_template struct template *bad = template_compile("a ${{ n }}\n ${{ n + s }}", NULL);
    assert_true(template_types_fit(good, by_letter, NULL, &err));
    assert_false(template_types_fit(bad, by_letter, NULL, &err));
    assert_string_equal(err.text, "2:8: '+' does not take int and string");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_comes_out),
        cmocka_unit_test(what_never_fits),
        cmocka_unit_test(of_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
