#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/cel.h"
#include "common/text/json.h"

/* An expression and its canonical JSON; "!TEXT" when it fails with a message that contains TEXT. */
struct row {
    const char *source, *result;
};

static const char variables[] =
    "{\"a\": {\"b\": {\"c\": 7}, \"list\": [1, 2.5, \"x\", null, {\"k\": true}], \"null\": null,"
    " \"dash-ed\": 1, \"in\": 2, \"as\": 3},"
    " \"n\": 5, \"d\": 0.5, \"s\": \"caf\\u00e9\", \"t\": true, \"nil\": null,"
    " \"steps\": {\"sgd\": {\"outputs\": {\"rmse\": 3.5}}, \"forest\": {\"outputs\": {\"rmse\": "
    "2}}},"
    " \"big\": 9223372036854775807, \"empty\": [], \"m\": {\"x\": 1, \"y\": 2}}";

#define VARS_MAX 16

static size_t variables_of(json_t *all, struct cel_var out[VARS_MAX])
{
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach (all, name, value)
        out[count++] = (struct cel_var){name, value};
    return count;
}

/* The result as canonical JSON, or "!message". malloc'd. */
static char *evaluate(const char *source, const struct cel_vars *vars)
{
    struct err err = {0};
    cleanup_cel struct cel *cel = cel_compile(source, &err);
    cleanup_json json_t *v = cel ? cel_eval_json(cel, vars, &err) : NULL;
    return v ? json_write(v) : mem_printf("!%s", err.text);
}

static void check_rows(const struct row *rows, size_t count)
{
    cleanup_json json_t *all = json_read(variables, sizeof variables - 1, NULL, NULL);
    assert_non_null(all);
    struct cel_var items[VARS_MAX];
    const struct cel_vars vars = {items, variables_of(all, items), 0};
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *got = evaluate(rows[i].source, &vars);
        const bool fails = rows[i].result[0] == '!';
        const bool ok = fails ? got[0] == '!' && strstr(got, rows[i].result + 1)
                              : strcmp(got, rows[i].result) == 0;
        if (!ok) {
            print_error("%s gives %s, expected %s\n", rows[i].source, got, rows[i].result);
            wrong++;
        }
    }
    assert_int_equal(wrong, 0);
}
#define CHECK(rows) check_rows(rows, ARRAY_LEN(rows))

static void literals(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"null", "null"},
        {"true", "true"},
        {"42", "42"},
        {"-42", "-42"},
        {"0x2A", "42"},
        {"-0xff", "-255"},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"9223372036854775808", "!1:1: the integer does not fit"},
        {"-9223372036854775809", "!the integer does not fit"},
        {"18446744073709551616u", "!does not fit into 64 bits"},
        {"7u", "7"},
        {"0xFFu", "255"},
        {"18446744073709551615u", "\"18446744073709551615\""},
        {"1.5", "1.5"},
        {".5", "0.5"},
        {"1e3", "1000.0"},
        {"1.5E-2", "0.015"},
        {"-1.5", "-1.5"},
        {"1e999", "\"Infinity\""},
        {"1.", "!expected a name after the dot"},
        {"1x", "!a number runs into a name"},
        {"0x", "!a number runs into a name"},
        {"'a'", "\"a\""},
        {"\"a'b\"", "\"a'b\""},
        {"'a\"b'", "\"a\\\"b\""},
        {"'''a'b\"\nc'''", "\"a'b\\\"\\nc\""},
        {"\"\"\"x\"\"\"", "\"x\""},
        {"''", "\"\""},
        {"''''''", "\"\""},
        {"r'\\n'", "\"\\\\n\""},
        {"R\"\"\"\\d\"\"\"", "\"\\\\d\""},
        {"'\\n\\t\\r\\\\\\'\\\"\\`\\?'", "\"\\n\\t\\r\\\\'\\\"`?\""},
        {"'\\a\\b\\f\\v'", "\"\\u0007\\b\\f\\u000b\""},
        {"'\\x41\\u00e9\\U0001F600\\101'", "\"A\xc3\xa9\xf0\x9f\x98\x80"
                                           "A\""},
        {"'\\ud800'", "!an escape is"},
        {"'\\U00110000'", "!an escape is"},
        {"'\\xg0'", "!an escape is"},
        {"'\\q'", "!an escape that is not known"},
        {"'\\400'", "!an escape that is not known"},
        {"'\\", "!ends within an escape"},
        {"'abc", "!1:1: the text has no closing quote"},
        {"'a\nb'", "!1:1: the text has no closing quote"},
        {"'''a", "!no closing quote"},
        {"b'abc'", "\"YWJj\""},
        {"b'\\xff\\377'", "\"//8=\""},
        {"b'\xc3\xa9'", "\"w6k=\""},
        {"br'\\n'", "\"XG4=\""},
        {"bb'x'", "!one r and one b"},
        {"b'\\u0041'", "!no place in bytes"},
        {"'a\\x00b'", "!NUL"},
        {"[]", "[]"},
        {"[1, 'a', [2.0],]", "[1,\"a\",[2.0]]"},
        {"{}", "{}"},
        {"{'a': 1, 'b': {'c': []},}", "{\"a\":1,\"b\":{\"c\":[]}}"},
        {"{1: 'a', 2u: 'b', true: 'c'}", "{\"1\":\"a\",\"2\":\"b\",\"true\":\"c\"}"},
        {"{'a': 1, 'a': 2}", "!the key is in the map twice"},
        {"{1: 1, 1u: 2}", "!the key is in the map twice"},
        {"{1.5: 1}", "!a map has no key of type double"},
        {"{null: 1}", "!a map has no key of type null_type"},
        {"{'a\\x00': 1}", "!NUL"},
        {"1 // comment", "1"},
        {"1 + // c\n 2", "3"},
        {"", "!1:1: the expression ends where a value is expected"},
        {"  \n ", "!2:2: the expression ends"},
    };
    CHECK(rows);
}

static void syntax(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 2", "!1:3: expected an operator or the end"},
        {"1 +", "!1:4: the expression ends"},
        {"(1", "!1:3: expected ')'; the expression ends before"},
        {"(1]", "!1:3: expected ')'"},
        {"[1", "!expected ']'"},
        {"{1}", "!1:3: expected ':'"},
        {"[1,,2]", "!1:4: expected a value"},
        {"a.", "!1:3: expected a name after the dot"},
        {"a.1", "!expected an operator or the end"},
        {"a.true", "!expected a name after the dot"},
        {"a = 1", "!1:3: write == to compare"},
        {"a & b", "!write && and ||"},
        {"a | b", "!write && and ||"},
        {"a ; b", "!1:3: a character that has no place here"},
        {"\xc3\xa9 + 1", "!1:1: a character that has no place"},
        {"'\xc3\xa9' + $", "!1:7: a character that has no place"},
        {"n +\n  q.r", "!2:3: there is no variable q"},
        {"if", "!1:1: a word that is reserved"},
        {"in", "!expected a value"},
        {"true ? 1", "!expected ':'"},
        {"size(1, 2)", "!size() has the wrong number of arguments"},
        {"'a'.contains()", "!contains() has the wrong number"},
        {"nope(1)", "!1:1: there is no function nope()"},
        {"'a'.startWith('b')", "!did you mean startsWith()?"},
        {"startsWith('a', 'b')", "!write x.startsWith(), not startsWith(x)"},
        {"'a'.string()", "!write string(x), not x.string()"},
        {"all([1], x, true)", "!write x.all(), not all(x)"},
        {"[1].all(x)", "!the macro takes a name and an expression"},
        {"[1].all(x.y, true)", "!the first argument of a macro is a plain name"},
        {"has(a)", "!has() takes one selection"},
        {"has(a['b'])", "!has() takes one selection"},
        {"has(a.b, 1)", "!has() takes one selection"},
        {"default(1)", "!default() takes two arguments"},
        {"a.`dash-ed`", "1"},
        {"a.``", "!a name in backticks"},
        {"a.`x", "!a name in backticks"},
        {"`n`", "!expected a value"},
        {"a.in", "!expected a name after the dot"},
        {"a['in'] + a.as", "5"},
        {".n", "5"},
        {".n + .a.b.c", "12"},
    };
    CHECK(rows);
}

static void names_and_members(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"n", "5"},
        {"a.b.c", "7"},
        {"a['b'].c", "7"},
        {"a[\"b\"]['c']", "7"},
        {"a.list[0]", "1"},
        {"a.list[1]", "2.5"},
        {"a.list[2u]", "\"x\""},
        {"a.list[2.0]", "\"x\""},
        {"a.list[4].k", "true"},
        {"a.list[5]", "!1:7: index out of range: the list has 5 elements"},
        {"a.list[-1]", "!index out of range"},
        {"a.list[1.5]", "!index out of range"},
        {"a.list['0']", "!a list has no index of type string"},
        {"a[0]", "!no such key"},
        {"a[null]", "!a map has no key of type null_type"},
        {"{1: 'x'}[1]", "\"x\""},
        {"{1: 'x'}[1.0]", "\"x\""},
        {"{1: 'x'}[1u]", "\"x\""},
        {"{true: 'x'}[true]", "\"x\""},
        {"{true: 'x'}[1]", "!no such key"},
        {"a.nope", "!1:2: no such key: nope"},
        {"a['no\\npe']", "!no such key: no?pe"},
        {"a['b\\x00']", "!no such key"},
        {"nope", "!1:1: there is no variable nope"},
        {"n.x", "!1:2: a value of type int has no keys, so no .x"},
        {"nil.x", "!a value of type null_type has no keys"},
        {"n[0]", "!a value of type int has no index"},
        {"a['dash-ed']", "1"},
        {"steps.sgd.outputs.rmse", "3.5"},
        {"steps.forest.outputs.rmse <= steps.sgd.outputs.rmse", "true"},
        {"has(a.b)", "true"},
        {"has(a.b.c)", "true"},
        {"has(a.x)", "false"},
        {"has(a.null)", "!expected a name"},
        {"has(a.x.y)", "!no such key: x"},
        {"has(n.x)", "!has no keys"},
        {"!has(a.x) || a.x == 1", "true"},
        {"default(a.x, 1)", "1"},
        {"default(a.b.c, 1)", "7"},
        {"default(nil, 'z')", "\"z\""},
        {"default(nope.x.y, default(nil, 2))", "2"},
        {"default(1/0, 3)", "3"},
        {"default(nil, 1/0)", "!division by zero"},
        {"default(false, true)", "false"},
        {"default(nil, nil)", "null"},
    };
    CHECK(rows);
}

static void arithmetic(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 + 2 * 3 - 4 / 2", "5"},
        {"(1 + 2) * 3", "9"},
        {"7 / 2", "3"},
        {"-7 / 2", "-3"},
        {"7 % 3", "1"},
        {"-7 % 3", "-1"},
        {"7 % -3", "1"},
        {"2 - 3 - 4", "-5"},
        {"100 / 10 / 5", "2"},
        {"- -5", "5"},
        {"--5", "5"},
        {"-(n)", "-5"},
        {"-n", "-5"},
        {"n -1", "4"},
        {"n-1", "4"},
        {"big + 1", "!1:5: integer overflow"},
        {"-big - 2", "!integer overflow"},
        {"big * 2", "!integer overflow"},
        {"-(-9223372036854775808)", "!integer overflow"},
        {"-9223372036854775808 / -1", "!integer overflow"},
        {"-9223372036854775808 % -1", "!integer overflow"},
        {"1 / 0", "!1:3: division by zero"},
        {"1 % 0", "!modulus by zero"},
        {"1u / 0u", "!division by zero"},
        {"1u % 0u", "!modulus by zero"},
        {"1u + 2u", "3"},
        {"1u - 2u", "!integer overflow"},
        {"18446744073709551615u + 1u", "!integer overflow"},
        {"18446744073709551615u * 2u", "!integer overflow"},
        {"7u / 2u", "3"},
        {"-1u", "!'-' takes int or double, not uint"},
        {"1.5 + 1.0", "2.5"},
        {"3.0 / 2.0", "1.5"},
        {"1.0 / 0.0", "\"Infinity\""},
        {"-1.0 / 0.0", "\"-Infinity\""},
        {"1.0 / -0.0", "\"-Infinity\""},
        {"0.0 / 0.0", "\"NaN\""},
        {"-(1.5)", "-1.5"},
        {"5.0 % 2.0", "!'%' does not take double and double"},
        {"1 + 1.0", "!'+' does not take int and double; convert one side"},
        {"1 + 1u", "!'+' does not take int and uint"},
        {"double(n) * d", "2.5"},
        {"'a' + 'b'", "\"ab\""},
        {"'' + ''", "\"\""},
        {"s + '!'", "\"caf\xc3\xa9!\""},
        {"b'a' + b'b'", "\"YWI=\""},
        {"'a' + b'b'", "!'+' does not take string and bytes"},
        {"'a' + 1", "!'+' does not take string and int"},
        {"'a' * 2", "!'*' does not take string and int"},
        {"[1] + [2, 3]", "[1,2,3]"},
        {"a.list + empty + [n]", "[1,2.5,\"x\",null,{\"k\":true},5]"},
        {"[1] + 2", "!'+' does not take list and int"},
        {"[1] - [1]", "!'-' does not take list and list"},
        {"null + null", "!'+' does not take null_type and null_type"},
        {"true + true", "!'+' does not take bool and bool"},
        {"{} + {}", "!'+' does not take map and map"},
    };
    CHECK(rows);
}

static void comparisons(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"1 == 1", "true"},
        {"1 == 2", "false"},
        {"1 != 2", "true"},
        {"1 == 1.0", "true"},
        {"1 == 1u", "true"},
        {"1u == 1.0", "true"},
        {"1 == 1.5", "false"},
        {"-1 == 18446744073709551615u", "false"},
        {"big == 9223372036854775807u", "true"},
        {"9007199254740993 == 9007199254740992.0", "false"},
        {"9007199254740993 > 9007199254740992.0", "true"},
        {"1 == '1'", "false"},
        {"1 != '1'", "true"},
        {"null == null", "true"},
        {"null == 0", "false"},
        {"nil == null", "true"},
        {"true == true", "true"},
        {"'a' == 'a'", "true"},
        {"'a' == b'a'", "false"},
        {"0.0 == -0.0", "true"},
        {"0.0/0.0 == 0.0/0.0", "false"},
        {"0.0/0.0 != 0.0/0.0", "true"},
        {"0.0/0.0 < 1.0", "false"},
        {"0.0/0.0 >= 1", "false"},
        {"[1, 2] == [1.0, 2u]", "true"},
        {"[1, 2] == [1]", "false"},
        {"[[1], {'a': [2]}] == [[1], {'a': [2]}]", "true"},
        {"a.list == [1, 2.5, 'x', null, {'k': true}]", "true"},
        {"{'a': 1, 'b': 2} == {'b': 2.0, 'a': 1u}", "true"},
        {"{'a': 1} == {'a': 2}", "false"},
        {"{'a': 1} == {'b': 1}", "false"},
        {"m == {'y': 2, 'x': 1}", "true"},
        {"{'y': 2, 'x': 1} == m", "true"},
        {"m == m", "true"},
        {"{1: 'a'} == {1u: 'a'}", "true"},
        {"{} == []", "false"},
        {"type(1) == int", "true"},
        {"type(1) == type(2.0)", "false"},
        {"1 < 2", "true"},
        {"2 <= 2.0", "true"},
        {"3u > 2", "true"},
        {"-1 < 0u", "true"},
        {"1.5 >= 2u", "false"},
        {"1u < 1.5", "true"},
        {"1 < 1e30", "true"},
        {"-1e30 < 1", "true"},
        {"1e30 > 18446744073709551615u", "true"},
        {"-1.0 < 0u", "true"},
        {"'a' < 'b'", "true"},
        {"'a' < 'aa'", "true"},
        {"'Z' < 'a'", "true"},
        {"'\\uffff' < '\\U00010000'", "true"},
        {"b'\\x01' < b'\\xff'", "true"},
        {"false < true", "true"},
        {"true >= true", "true"},
        {"1 < '2'", "!'<' does not take int and string"},
        {"null < null", "!'<' does not take null_type and null_type"},
        {"[1] < [2]", "!'<' does not take list and list"},
        {"1 < 2 == true", "true"},
        {"1 in [1, 2]", "true"},
        {"1.0 in [1, 2]", "true"},
        {"3 in [1, 2]", "false"},
        {"'x' in a.list", "true"},
        {"null in a.list", "true"},
        {"1 in []", "false"},
        {"'x' in m", "true"},
        {"'q' in m", "false"},
        {"1 in m", "false"},
        {"1 in {1: 2}", "true"},
        {"'a' in 'abc'", "!'in' does not take string and string"},
        {"!(1 in [2])", "true"},
    };
    CHECK(rows);
}

static void logic(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"true && true", "true"},
        {"true && false", "false"},
        {"false || true", "true"},
        {"false || false", "false"},
        {"!true", "false"},
        {"!!true", "true"},
        {"!1", "!'!' takes bool, not int"},
        {"false && 1/0 == 1", "false"},
        {"1/0 == 1 && false", "false"},
        {"true || 1/0 == 1", "true"},
        {"1/0 == 1 || true", "true"},
        {"true && 1/0 == 1", "!division by zero"},
        {"1/0 == 1 && true", "!division by zero"},
        {"false || 1/0 == 1", "!division by zero"},
        {"1/0 == 1 || 1%0 == 1", "!division by zero"},
        {"false && 'x'", "false"},
        {"'x' && false", "false"},
        {"true && 'x'", "!'&&' takes bool, not string"},
        {"1 || false", "!'||' takes bool, not int"},
        {"nope || true", "true"},
        {"a.x == 1 || n == 5", "true"},
        {"true || false && false", "true"},
        {"false && false || true", "true"},
        {"true ? 1 : 2", "1"},
        {"false ? 1 : 2", "2"},
        {"true ? 1 : 1/0", "1"},
        {"false ? 1/0 : 2", "2"},
        {"1 ? 2 : 3", "!'?' takes bool, not int"},
        {"false ? 1 : false ? 2 : 3", "3"},
        {"n > 3 ? 'big' : 'small'", "\"big\""},
        {"(true ? false : true) ? 1 : 2", "2"},
    };
    CHECK(rows);
}

static void macros(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"[1, 2, 3].all(x, x > 0)", "true"},
        {"[1, 2, 3].all(x, x > 1)", "false"},
        {"[].all(x, false)", "true"},
        {"[1, 0].all(x, 1/x == 5)", "false"},
        {"[1, 0].all(x, 1/x == 1)", "!division by zero"},
        {"[0, 1].all(x, 1/x == 5)", "false"},
        {"[1, 2].exists(x, x == 2)", "true"},
        {"[].exists(x, true)", "false"},
        {"[0, 1].exists(x, 1/x == 1)", "true"},
        {"[0, 2].exists(x, 1/x == 1)", "!division by zero"},
        {"[1, 2].exists(x, x)", "!the test of the macro gives int, not bool"},
        {"[1, 2, 1].exists_one(x, x == 2)", "true"},
        {"[1, 2, 1].exists_one(x, x == 1)", "false"},
        {"[].exists_one(x, true)", "false"},
        {"[1, 0].exists_one(x, 1/x == 1)", "!division by zero"},
        {"[1, 2, 3].map(x, x * 2)", "[2,4,6]"},
        {"[1, 2, 3].map(x, x > 1, x * 2)", "[4,6]"},
        {"[].map(x, 1/0)", "[]"},
        {"[0].map(x, 1/x)", "!division by zero"},
        {"[1, 2, 3].filter(x, x % 2 == 1)", "[1,3]"},
        {"[1].filter(x, 1)", "!not bool"},
        {"m.map(k, m[k] + 1)", "[2,3]"},
        {"m.filter(k, m[k] > 1)", "[\"y\"]"},
        {"{1: 2, 3: 4}.map(k, k)", "[1,3]"},
        {"m.all(k, k in ['x', 'y'])", "true"},
        {"{'a': 1}.exists(k, k == 'a')", "true"},
        {"1.all(x, true)", "!1:"},
        {"'abc'.all(x, true)", "!the macro goes over a list or a map, not string"},
        {"[[1, 2], [3]].map(l, l.map(x, x + 1))", "[[2,3],[4]]"},
        {"[1, 2].map(n, n)", "[1,2]"},
        {"[1, 2].map(n, [10].map(m, m + n))", "[[11],[12]]"},
        {"[1].map(x, [2].map(x, x)) + [n]", "[[2],5]"},
        {"[1].map(x, x) == [1] && n == 5", "true"},
        {"[1].map(int, int)", "[1]"},
        {"a.list.filter(x, type(x) == string)", "[\"x\"]"},
        {"a.list.exists(x, default(x.k, false))", "true"},
        {"[1].map(x, y)", "!there is no variable y"},
        {"[1].map(x, x) + x", "!there is no variable x"},
    };
    CHECK(rows);
}

static void conversions(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"int('42')", "42"},
        {"int('-7')", "-7"},
        {"int('+7')", "!int(): the text is not one"},
        {"int(' 7')", "!the text is not one"},
        {"int('7 ')", "!the text is not one"},
        {"int('')", "!the text is not one"},
        {"int('-')", "!the text is not one"},
        {"int('0x10')", "!the text is not one"},
        {"int('9223372036854775808')", "!the text is not one"},
        {"int(3.9)", "3"},
        {"int(-3.9)", "-3"},
        {"int(1e19)", "!int(): out of range"},
        {"int(0.0/0.0)", "!int(): out of range"},
        {"int(5u)", "5"},
        {"int(18446744073709551615u)", "!int(): out of range"},
        {"int(true)", "!int() does not take bool"},
        {"int(timestamp('1970-01-01T00:01:00Z'))", "60"},
        {"int(timestamp('1969-12-31T23:59:59.5Z'))", "-1"},
        {"uint(7)", "7"},
        {"uint(-1)", "!uint(): out of range"},
        {"uint(3.9)", "3"},
        {"uint(-1.0)", "!uint(): out of range"},
        {"uint(1e20)", "!uint(): out of range"},
        {"uint('18446744073709551615') == 18446744073709551615u", "true"},
        {"uint('-1')", "!the text is not one"},
        {"double(2)", "2.0"},
        {"double(2u)", "2.0"},
        {"double('1.5e3')", "1500.0"},
        {"double('-.5')", "-0.5"},
        {"double('NaN')", "\"NaN\""},
        {"double('0x10')", "!the text is not one"},
        {"double(' 1')", "!the text is not one"},
        {"double('1x')", "!the text is not one"},
        {"double('')", "!the text is not one"},
        {"bool('true')", "true"},
        {"bool('0')", "false"},
        {"bool('yes')", "!bool(): the text is not one"},
        {"bool(true)", "true"},
        {"bool(1)", "!bool() does not take int"},
        {"string(1)", "\"1\""},
        {"string(-1)", "\"-1\""},
        {"string(1u)", "\"1\""},
        {"string(1.5)", "\"1.5\""},
        {"string(2.0)", "\"2\""},
        {"string(0.1 + 0.2)", "\"0.30000000000000004\""},
        {"string(1e300)", "\"1e+300\""},
        {"string(1.0/0.0)", "\"Infinity\""},
        {"string(-1.0/0.0)", "\"-Infinity\""},
        {"string(true)", "\"true\""},
        {"string(s)", "\"caf\xc3\xa9\""},
        {"string(b'abc')", "\"abc\""},
        {"string(b'\\xff')", "!string(): the bytes are not UTF-8"},
        {"string(b'\\xed\\xa0\\x80')", "!string(): the bytes are not UTF-8"},
        {"string(b'\\xc0\\x80')", "!string(): the bytes are not UTF-8"},
        {"string([1])", "!string() does not take list"},
        {"string(null)", "!string() does not take null_type"},
        {"bytes('\\u00e9')", "\"w6k=\""},
        {"bytes(b'x') == b'x'", "true"},
        {"bytes(1)", "!bytes() does not take int"},
        {"dyn(1) + 1", "2"},
        {"type(1)", "\"int\""},
        {"type(1u)", "\"uint\""},
        {"type(1.0)", "\"double\""},
        {"type('')", "\"string\""},
        {"type(b'')", "\"bytes\""},
        {"type([])", "\"list\""},
        {"type({})", "\"map\""},
        {"type(true)", "\"bool\""},
        {"type(null) == null_type", "true"},
        {"type(type(1)) == type", "true"},
        {"type(timestamp(0)) == google.protobuf.Timestamp", "true"},
        {"type(duration('1s')) == google.protobuf.Duration", "true"},
        {"google.protobuf.Any", "!there is no variable google"},
        {"type(n) == int && type(d) == double && type(a) == map && type(nil) == null_type", "true"},
    };
    CHECK(rows);
}

static void strings(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"size('')", "0"},
        {"size(s)", "4"},
        {"s.size()", "4"},
        {"size('\\U0001F600')", "1"},
        {"size(b'\\xff\\xfe')", "2"},
        {"size([1, 2])", "2"},
        {"size(m)", "2"},
        {"a.list.size()", "5"},
        {"size(1)", "!size() does not take int"},
        {"'abc'.contains('b')", "true"},
        {"'abc'.contains('')", "true"},
        {"''.contains('')", "true"},
        {"''.contains('a')", "false"},
        {"'abc'.contains('d')", "false"},
        {"'abc'.contains(1)", "!contains() does not take string, int"},
        {"'abc'.startsWith('ab')", "true"},
        {"'abc'.startsWith('bc')", "false"},
        {"'abc'.startsWith('abcd')", "false"},
        {"'abc'.endsWith('bc')", "true"},
        {"'abc'.endsWith('')", "true"},
        {"'abc'.endsWith('xabc')", "false"},
        {"'gb.csv'.endsWith('.csv')", "true"},
        {"'abc'.matches('b')", "true"},
        {"matches('abc', '^b')", "false"},
        {"'v1.2.3'.matches(r'^v\\d+\\.\\d+\\.\\d+$')", "true"},
        {"'x'.matches('(')", "!1:13: a ( without its )"},
        {"'x'.matches('' + '(')", "!1:5: matches(): a ( without its )"},
        {"'ab'.matches('a' + 'b')", "true"},
        {"'AbC\\u00c9'.lowerAscii()", "\"abc\xc3\x89\""},
        {"'aBc\\u00e9'.upperAscii()", "\"ABC\xc3\xa9\""},
        {"' \\t a b\\n'.trim()", "\"a b\""},
        {"'\\u00a0\\u3000x\\u2003'.trim()", "\"x\""},
        {"'   '.trim()", "\"\""},
        {"''.trim()", "\"\""},
        {"'a,b,c'.split(',')", "[\"a\",\"b\",\"c\"]"},
        {"'a,b,c'.split(',', 2)", "[\"a\",\"b,c\"]"},
        {"'a,b,c'.split(',', 1)", "[\"a,b,c\"]"},
        {"'a,b,c'.split(',', 0)", "[]"},
        {"'a,b,c'.split(',', -1)", "[\"a\",\"b\",\"c\"]"},
        {"'a,b,c'.split(',', 9)", "[\"a\",\"b\",\"c\"]"},
        {"''.split(',')", "[\"\"]"},
        {"','.split(',')", "[\"\",\"\"]"},
        {"'caf\\u00e9'.split('')", "[\"c\",\"a\",\"f\",\"\xc3\xa9\"]"},
        {"''.split('')", "[]"},
        {"'abc'.split('', 2)", "[\"a\",\"bc\"]"},
        {"'refs/heads/main'.split('/')[2]", "\"main\""},
        {"['a', 'b'].join()", "\"ab\""},
        {"['a', 'b'].join('-')", "\"a-b\""},
        {"[].join('-')", "\"\""},
        {"['a', 1].join()", "!join(): element 1 is not a string"},
        {"'a'.join('b')", "!join() does not take string, string"},
        {"'aXbXc'.replace('X', '--')", "\"a--b--c\""},
        {"'aXbXc'.replace('X', '')", "\"abc\""},
        {"'aXbXc'.replace('X', '-', 1)", "\"a-bXc\""},
        {"'aXbXc'.replace('X', '-', 0)", "\"aXbXc\""},
        {"'aXbXc'.replace('X', '-', -1)", "\"a-b-c\""},
        {"'aaa'.replace('aa', 'b')", "\"ba\""},
        {"'abc'.replace('x', 'y')", "\"abc\""},
        {"'abc'.replace('', 'y')", "!replace(): the text to look for is empty"},
        {"'abc'.replace('a', 'b', 9223372036854775807)", "\"bbc\""},
        {"'caf\\u00e9!'.substring(3)", "\"\xc3\xa9!\""},
        {"'caf\\u00e9!'.substring(3, 4)", "\"\xc3\xa9\""},
        {"'abc'.substring(0)", "\"abc\""},
        {"'abc'.substring(3)", "\"\""},
        {"'abc'.substring(4)", "!substring(): the position is out of range"},
        {"'abc'.substring(-1)", "!out of range"},
        {"'abc'.substring(2, 1)", "!out of range"},
        {"'abc'.substring(0, 4)", "!out of range"},
        {"'abc'.substring('a')", "!substring() does not take string, string"},
        {"'0123456789abcdef'.substring(0, 7)", "\"0123456\""},
        {"'caf\\u00e9'.charAt(3)", "\"\xc3\xa9\""},
        {"'abc'.charAt(3)", "\"\""},
        {"'abc'.charAt(4)", "!charAt(): the position is out of range"},
        {"'abcabc'.indexOf('c')", "2"},
        {"'abcabc'.indexOf('c', 3)", "5"},
        {"'abcabc'.indexOf('x')", "-1"},
        {"'abc'.indexOf('')", "0"},
        {"'\\u00e9a'.indexOf('a')", "1"},
        {"'abc'.indexOf('a', 4)", "!indexOf(): the position is out of range"},
        {"'abcabc'.lastIndexOf('c')", "5"},
        {"'abcabc'.lastIndexOf('c', 4)", "2"},
        {"'abc'.lastIndexOf('')", "3"},
        {"'a'.lastIndexOf('abc')", "-1"},
        {"''.lastIndexOf('')", "0"},
    };
    CHECK(rows);
}

static void times(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"timestamp('2026-11-23T08:56:59Z')", "\"2026-11-23T08:56:59Z\""},
        {"timestamp('2026-11-23T08:56:59.120Z')", "\"2026-11-23T08:56:59.12Z\""},
        {"timestamp('2026-11-23T10:56:59+02:00')", "\"2026-11-23T08:56:59Z\""},
        {"timestamp('2026-11-23t08:56:59.123456789z')", "\"2026-11-23T08:56:59.123456789Z\""},
        {"timestamp(0)", "\"1970-01-01T00:00:00Z\""},
        {"timestamp(-1)", "\"1969-12-31T23:59:59Z\""},
        {"timestamp('0001-01-01T00:00:00Z')", "\"0001-01-01T00:00:00Z\""},
        {"timestamp('9999-12-31T23:59:59.999999999Z')", "\"9999-12-31T23:59:59.999999999Z\""},
        {"timestamp('0001-01-01T00:00:00+01:00')", "!timestamp() takes RFC 3339"},
        {"timestamp(253402300800)", "!timestamp(): out of range"},
        {"timestamp('2026-02-29T00:00:00Z')", "!timestamp() takes RFC 3339"},
        {"timestamp('2024-02-29T00:00:00Z')", "\"2024-02-29T00:00:00Z\""},
        {"timestamp('2026-13-01T00:00:00Z')", "!timestamp() takes RFC 3339"},
        {"timestamp('2026-11-23')", "!timestamp() takes RFC 3339"},
        {"timestamp('2026-11-23T24:00:00Z')", "!timestamp() takes RFC 3339"},
        {"timestamp('2026-11-23T08:56:59')", "!timestamp() takes RFC 3339"},
        {"timestamp('2026-11-23T08:56:59.Z')", "!timestamp() takes RFC 3339"},
        {"timestamp('')", "!timestamp() takes RFC 3339"},
        {"timestamp(1.5)", "!timestamp() does not take double"},
        {"duration('1.5s')", "\"1.5s\""},
        {"duration('1h30m')", "\"5400s\""},
        {"duration('-1.5h')", "\"-5400s\""},
        {"duration('1h2m3s4ms5us6ns')", "\"3723.004005006s\""},
        {"duration('0')", "\"0s\""},
        {"duration('+1s')", "\"1s\""},
        {"duration('.5s')", "\"0.5s\""},
        {"duration('-1ns')", "\"-0.000000001s\""},
        {"duration('9223372036.854775807s')", "\"9223372036.854775807s\""},
        {"duration('-9223372036.854775808s')", "\"-9223372036.854775808s\""},
        {"duration('9223372036.854775808s')", "!duration() takes"},
        {"duration('99999999999999999999h')", "!duration() takes"},
        {"duration('1')", "!duration() takes"},
        {"duration('1d')", "!duration() takes"},
        {"duration('')", "!duration() takes"},
        {"duration('s')", "!duration() takes"},
        {"duration('1s ')", "!duration() takes"},
        {"duration(1)", "!duration() does not take int"},
        {"timestamp(0) + duration('1m')", "\"1970-01-01T00:01:00Z\""},
        {"duration('1m') + timestamp(0)", "\"1970-01-01T00:01:00Z\""},
        {"timestamp(0) - duration('0.5s')", "\"1969-12-31T23:59:59.5Z\""},
        {"timestamp(60) - timestamp(0)", "\"60s\""},
        {"duration('1m') + duration('1s')", "\"61s\""},
        {"duration('1m') - duration('2m')", "\"-60s\""},
        {"duration('9223372036s') + duration('9223372036s')", "!the time is out of range"},
        {"timestamp('9999-12-31T23:59:59Z') + duration('1s')", "!the time is out of range"},
        {"timestamp(0) + timestamp(0)", "!'+' does not take"},
        {"duration('1s') - timestamp(0)", "!'-' does not take"},
        {"duration('1s') * 2", "!'*' does not take"},
        {"timestamp(0) < timestamp(1)", "true"},
        {"timestamp('1970-01-01T00:00:00.5Z') > timestamp(0)", "true"},
        {"timestamp(0) == timestamp('1970-01-01T01:00:00+01:00')", "true"},
        {"duration('60s') == duration('1m')", "true"},
        {"duration('1s') < duration('1m')", "true"},
        {"timestamp(0) < duration('1s')", "!'<' does not take"},
        {"timestamp('2026-11-23T08:56:59.123Z').getFullYear()", "2026"},
        {"timestamp('2026-11-23T08:56:59.123Z').getMonth()", "10"},
        {"timestamp('2026-11-23T08:56:59.123Z').getDate()", "23"},
        {"timestamp('2026-11-23T08:56:59.123Z').getDayOfMonth()", "22"},
        {"timestamp('2026-11-23T08:56:59.123Z').getDayOfWeek()", "1"},
        {"timestamp('2026-11-23T08:56:59.123Z').getDayOfYear()", "326"},
        {"timestamp('2026-11-23T08:56:59.123Z').getHours()", "8"},
        {"timestamp('2026-11-23T08:56:59.123Z').getMinutes()", "56"},
        {"timestamp('2026-11-23T08:56:59.123Z').getSeconds()", "59"},
        {"timestamp('2026-11-23T08:56:59.123Z').getMilliseconds()", "123"},
        {"timestamp('2026-11-23T08:56:59Z').getHours('Europe/Rome')", "9"},
        {"timestamp('2026-07-23T08:56:59Z').getHours('Europe/Rome')", "10"},
        {"timestamp('2026-11-23T23:56:59Z').getDate('+02:00')", "24"},
        {"timestamp('2026-11-23T00:56:59Z').getDate('-02:30')", "22"},
        {"timestamp('2026-11-23T00:56:59Z').getMinutes('-02:30')", "26"},
        {"timestamp(0).getFullYear('America/New_York')", "1969"},
        {"timestamp(0).getHours('UTC')", "0"},
        {"timestamp(0).getHours('Mars/Olympus')", "!there is no time zone \"Mars/Olympus\""},
        {"timestamp(0).getHours('../../etc/passwd')", "!a time zone is named like"},
        {"timestamp(0).getHours('')", "!a time zone is named like"},
        {"timestamp(0).getHours(1)", "!getHours() does not take"},
        {"'x'.getHours()", "!getHours() does not take string"},
        {"duration('1h30m').getHours()", "1"},
        {"duration('1h30m').getMinutes()", "90"},
        {"duration('1h30m').getSeconds()", "5400"},
        {"duration('1.234s').getMilliseconds()", "234"},
        {"duration('-90s').getMinutes()", "-1"},
        {"duration('1s').getFullYear()", "!getFullYear() does not take"},
        {"duration('1s').getHours('UTC')", "!getHours() does not take"},
        {"string(timestamp(0) + duration('1.5s'))", "\"1970-01-01T00:00:01.5Z\""},
        {"string(duration('90m'))", "\"5400s\""},
        {"[0, 1].map(h, timestamp(h).getHours('Asia/Kolkata'))", "[5,5]"},
    };
    CHECK(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(literals),
        cmocka_unit_test(syntax),
        cmocka_unit_test(names_and_members),
        cmocka_unit_test(arithmetic),
        cmocka_unit_test(comparisons),
        cmocka_unit_test(logic),
        cmocka_unit_test(macros),
        cmocka_unit_test(conversions),
        cmocka_unit_test(strings),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
