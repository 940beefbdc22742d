/* Lists and objects in each format, on a terminal and off it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/output.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "common/text/yaml.h"
#include "tests/unit/cli/capture.h"

static const struct option options[] = {OPTION_OUTPUT, OPTION_END};
static const struct verb verb = {.name = "t", .arguments = "", .options = options};
static const struct column columns[] = {{"ID", "/id", ALWAYS},
                                        {"STATE", "/state", ALWAYS},
                                        {"CREATED", "/created", ALWAYS},
                                        {"MORE", "/more/deep", WIDE},
                                        COLUMN_END};
static json_t *items;

static int setup(void **state)
{
    static const char text[] =
        "[{\"id\":\"a\",\"state\":\"succeeded\",\"created\":\"2026-01-31T23:30:00.5Z\","
        "\"more\":{\"deep\":[1,2]}},"
        "{\"id\":\"größer\",\"state\":\"failed\",\"created\":null}]";
    (void)state;
    items = json_read(text, sizeof text - 1, NULL, NULL);
    setenv("TZ", "Europe/Rome", 1);
    tzset();
    unsetenv("NO_COLOR");
    setenv("TERM", "xterm", 1);
    return items ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    json_decref(items);
    return 0;
}

static char *list(const char *format, bool terminal)
{
    struct given *given = given_of(&verb, 2, WORDS("-o", format));
    capture_begin(terminal);
    output_list(given, items, columns);
    given_free(given);
    return capture_take();
}

static char *object(const char *format)
{
    struct given *given = given_of(&verb, 2, WORDS("-o", format));
    capture_begin(false);
    output_object(given, json_array_get(items, 0), columns);
    given_free(given);
    return capture_take();
}

#define prints(call, expected)                                                                     \
    do {                                                                                           \
        cleanup_free char *got_ = (call);                                                          \
        assert_string_equal(got_, expected);                                                       \
    } while (0)

static void test_table(void **state)
{
    (void)state;
    prints(list("table", false), "ID      STATE      CREATED\n"
                                 "a       succeeded  2026-01-31T23:30:00.500000Z\n"
                                 "größer  failed     \n");
    prints(list("wide", false), "ID      STATE      CREATED                      MORE\n"
                                "a       succeeded  2026-01-31T23:30:00.500000Z  [1,2]\n"
                                "größer  failed                                  \n");
    prints(list("name", false), "a\ngrößer\n");
    prints(object("name"), "a\n");
    prints(object("table"), "ID           a\nSTATE        succeeded\n"
                            "CREATED      2026-01-31T23:30:00.500000Z\n");
    prints(object("wide"), "ID           a\nSTATE        succeeded\n"
                           "CREATED      2026-01-31T23:30:00.500000Z\nMORE         [1,2]\n");
}

static void test_whole(void **state)
{
    (void)state;
    cleanup_free char *json = list("json", false), *yaml = list("yaml", false);
    cleanup_json json_t *again = json_read(json, strlen(json), NULL, NULL);
    assert_true(json_equal(again, items));
    cleanup_yaml struct yaml_docs docs = {0};
    assert_int_equal(yaml_read("x", yaml, strlen(yaml), &docs, NULL), 0);
    assert_int_equal(docs.count, 1);
    assert_true(json_equal(docs.items[0].value, items));
}

static void test_terminal(void **state)
{
    (void)state;
    static const char coloured[] = "ID      STATE      CREATED\n"
                                   "a       \033[32msucceeded\033[0m  2026-02-01 00:30:00\n"
                                   "größer  \033[31mfailed\033[0m     \n";
    static const char plain[] = "ID      STATE      CREATED\n"
                                "a       succeeded  2026-02-01 00:30:00\n"
                                "größer  failed     \n";
    prints(list("table", true), coloured);
    setenv("NO_COLOR", "", 1); /* present and empty does not count */
    prints(list("table", true), coloured);
    setenv("NO_COLOR", "1", 1);
    prints(list("table", true), plain);
    unsetenv("NO_COLOR");
    setenv("TERM", "dumb", 1);
    prints(list("table", true), plain);
}

static char *values(const char *format, const char *text)
{
    static const struct column of[] = {
        {"ID", "/id", ALWAYS}, {"RARE", "/rare", RARE}, {"VALUE", "/value", ALWAYS}, COLUMN_END};
    struct given *given = given_of(&verb, 2, WORDS("-o", format));
    cleanup_json json_t *list = json_read(text, strlen(text), NULL, NULL);
    capture_begin(false);
    output_list(given, list, of);
    given_free(given);
    return capture_take();
}

/* A list of one text of so many letters, which takes four columns more. */
static void check_cut(int letters, const char *letter, const char *end)
{
    cleanup_text struct text in = {0}, out = {0};
    text_puts(&in, "[{\"id\":\"a\",\"value\":[\"");
    text_puts(&out, "ID  VALUE\na   [\"");
    for (int i = 0; i < letters; i++)
        text_puts(&in, letter);
    for (int i = 0; i < (letters > 57 ? 57 : letters); i++)
        text_puts(&out, letter);
    text_puts(&in, "\"]}]");
    text_printf(&out, "%s\n", end);
    prints(values("table", in.data), out.data);
    cleanup_free char *wide = values("wide", in.data);
    assert_null(strstr(wide, "…"));
}

static void test_long_values_are_cut_in_a_table(void **state)
{
    (void)state;
    check_cut(55, "x", "\"]");
    check_cut(57, "x", "\"]"); /* two more are no longer than what would say that they are cut */
    check_cut(58, "x", "…");
    check_cut(58, "ö", "…");
    check_cut(900, "€", "…");
    cleanup_text struct text name = {0};
    for (int i = 0; i < 100; i++)
        text_puts(&name, "n");
    cleanup_free char *in = mem_printf("[{\"id\":\"%s\",\"value\":1}]", name.data);
    cleanup_free char *got = values("table", in);
    assert_non_null(strstr(got, name.data)); /* names are to be copied */
}

static void test_a_rare_column_is_there_when_a_row_has_one(void **state)
{
    (void)state;
    prints(values("table", "[{\"id\":1,\"value\":2},{\"id\":3,\"rare\":null,\"value\":4}]"),
           "ID  VALUE\n1   2\n3   4\n");
    prints(values("table", "[{\"id\":1,\"value\":2},{\"id\":3,\"rare\":\"r\",\"value\":4}]"),
           "ID  RARE  VALUE\n1         2\n3   r     4\n");
}

static void test_how_long_it_took(void **state)
{
    static const struct column of[] = {
        {"ID", "/id", ALWAYS}, {"TOOK", OUTPUT_TOOK, ALWAYS}, COLUMN_END};
    (void)state;
    static const char text[] = "[{\"id\":1,\"started\":null},{\"id\":2,\"started\":"
                               "\"2026-01-31T12:00:00Z\",\"finished\":\"2026-01-31T12:02:05Z\"}]";
    struct given *given = given_of(&verb, 2, WORDS("-o", "table"));
    cleanup_json json_t *rows = json_read(text, sizeof text - 1, NULL, NULL);
    capture_begin(false);
    output_list(given, rows, of);
    output_object(given, json_array_get(rows, 1), of);
    given_free(given);
    prints(capture_take(),
           "ID  TOOK\n1   \n2   2 min 5 s\nID           2\nTOOK         2 min 5 s\n");
}

static void test_empty(void **state)
{
    (void)state;
    json_array_clear(items);
    prints(list("table", false), "ID  STATE  CREATED\n");
    prints(list("name", false), "");
    prints(list("json", false), "[]\n");
    prints(list("yaml", false), "[]\n");
}

/* What an event or a step wrote can neither break a line nor steer the terminal. */
static void test_hostile(void **state)
{
    (void)state;
    json_t *first = json_array_get(items, 0);
    json_array_remove(items, 1);
    json_object_set_new(first, "id",
                        json_string("a\nb\033[2J\x7f"
                                    "c\xc2\x9b"
                                    "d\xc3\xa9"));
    json_object_set_new(first, "created", json_string("2026-13-99T99:99:99Z"));
    prints(list("name", false), "a b [2J c  d\xc3\xa9\n");
    prints(list("table", false), "ID             STATE      CREATED\n"
                                 "a b [2J c  d\xc3\xa9  succeeded  2026-13-99T99:99:99Z\n");
}

static void test_format_is_checked(void **state)
{
    (void)state;
    struct err err = {0};
    struct given *given = given_of(&verb, 2, WORDS("-o", "xml"));
    assert_int_equal(output_check(given, &err), LEAT_EUSAGE);
    given_free(given);
    given = given_of(&verb, 0, NULL);
    assert_int_equal(output_check(given, &err), 0);
    assert_true(output_is(given, "table"));
    given_free(given);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_table),
        T(test_whole),
        T(test_terminal),
        T(test_long_values_are_cut_in_a_table),
        T(test_a_rare_column_is_there_when_a_row_has_one),
        T(test_how_long_it_took),
        T(test_empty),
        T(test_hostile),
        T(test_format_is_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
