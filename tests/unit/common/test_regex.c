#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/text/regex.h"

static void searches(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *subject;
        bool found;
    } rows[] = {
        {"", "", true},
        {"", "abc", true},
        {"b", "abc", true},
        {"d", "abc", false},
        {"^b", "abc", false},
        {"^abc$", "abc", true},
        {"^abc$", "abc\n", false},
        {"a.c", "abc", true},
        {"a.c", "a\nc", false},
        {"(?s)a.c", "a\nc", true},
        {"a.c",
         "a\xc3\xa9"
         "c",
         true},
        {"^.$", "\xf0\x9f\x98\x80", true},
        {"^b$", "a\nb\nc", false},
        {"(?m)^b$", "a\nb\nc", true},
        {"\\Ab", "a\nb", false},
        {"b\\z", "ab", true},
        {"ab*c", "ac", true},
        {"ab+c", "ac", false},
        {"^ab?c$", "abbc", false},
        {"^a{2}$", "aa", true},
        {"^a{2}$", "aaa", false},
        {"^a{2,}$", "aaaa", true},
        {"^a{2,3}$", "aaaa", false},
        {"^a{0}$", "", true},
        {"a{", "a{", true},
        {"a{,2}", "a{,2}", true},
        {"^(a|bc|)d$", "bcd", true},
        {"^(a|bc|)d$", "d", true},
        {"^(?:ab)+$", "ababab", true},
        {"^(ab)+$", "ababa", false},
        {"^a*?b+?c??$", "aabb", true},
        {"^(a*)*$", "aaaa", true},
        {"^(a*)+b$", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac", false},
        {"(|a)*", "b", true},
        {"[a-c]+", "xbx", true},
        {"^[^a-c]+$", "xyz", true},
        {"^[^a-c]+$", "xbz", false},
        {"^[]a]+$", "]a", true},
        {"^[a-]+$", "a-", true},
        {"^[\\d_-]+$", "1_-", true},
        {"^[\\D]+$", "a1", false},
        {"^[[:alpha:]]+$", "abZ", true},
        {"^[[:^alpha:]]+$", "12", true},
        {"^[\xc3\xa0-\xc3\xaf]$", "\xc3\xa9", true},
        {"\\d+", "a1", true},
        {"^\\D+$", "a1", false},
        {"^\\w+$", "a_1", true},
        {"^\\w+$", "\xc3\xa9", false},
        {"\\s", "a\tb", true},
        {"^\\S+$", "a b", false},
        {"\\bcat\\b", "a cat.", true},
        {"\\bcat\\b", "concat", false},
        {"\\Bcat", "concat", true},
        {"\\.", "a", false},
        {"\\x41\\x{1F600}", "A\xf0\x9f\x98\x80", true},
        {"\\n", "a\nb", true},
        {"(?i)abc", "xABCx", true},
        {"(?i)[a-c]", "B", true},
        {"(?i:a)b", "AB", false},
        {"(?i:a)b", "Ab", true},
        {"(?i)a(?-i)b", "AB", false},
        {"((?i)a)b", "AB", false},
        {"^v(\\d+)\\.(\\d+)$", "v1.22", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new();
        const char *why = NULL;
        const struct regex *re =
            regex_compile(arena, rows[i].pattern, strlen(rows[i].pattern), &why);
        if (!re)
            fail_msg("%s: %s", rows[i].pattern, why);
        if (regex_search(re, rows[i].subject, strlen(rows[i].subject)) != rows[i].found)
            fail_msg("%s in %s", rows[i].pattern, rows[i].subject);
        arena_free(arena);
    }
}

static void refusals(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"(", "a ( without its )"},
        {")", "a ) without its ("},
        {"[", "a [ without its ]"},
        {"[a", "a [ without its ]"},
        {"[]", "a [ without its ]"},
        {"[b-a]", "a range in brackets"},
        {"[[:nope:]]", "a class name"},
        {"*", "a repetition of nothing"},
        {"a|+", "a repetition of nothing"},
        {"a{2,1}", "upside down"},
        {"a{1001}", "over 1000"},
        {"a\\", "a backslash at the end"},
        {"(a)\\1", "an escape that is not known"},
        {"\\pL", "an escape that is not known"},
        {"\\Qa\\E", "an escape that is not known"},
        {"[\\b]", "an escape that is not known"},
        {"\\x{110000}", "an escape that is not known"},
        {"\\x4", "an escape that is not known"},
        {"(?=a)", "a group that is not known"},
        {"(?P<n>a)", "a group that is not known"},
        {"(?<!a)", "a group that is not known"},
        {"(?", "a group that is not known"},
        {"(a{1000}){3}", "becomes too large"},
        {"(){1000}(((){1000}){1000}){1000}", "becomes too large"},
        {"\xff", "not UTF-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct arena *arena = arena_new();
        const char *why = NULL;
        if (regex_compile(arena, rows[i][0], strlen(rows[i][0]), &why))
            fail_msg("taken: %s", rows[i][0]);
        if (!strstr(why, rows[i][1]))
            fail_msg("%s: %s", rows[i][0], why);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(searches),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
