/* The file schemas: each rule refuses, at its place, with a text that says what to do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

static void collect(void *arg, const char *pointer, const char *text)
{
    text_printf(arg, "%s: %s\n", pointer, text);
}

static const struct schema_node short_word = {
    .types = SCHEMA_STRING, .min_length = 1, .max_length = 3};
static const struct schema_node small_number = {.types = SCHEMA_NUMBER,
                                                .has_least = true,
                                                .least_excluded = true,
                                                .least = 0,
                                                .has_most = true,
                                                .most = 10};
static const char *const colour_words[] = {"red", "green", NULL};
static const struct schema_node colour = {.types = SCHEMA_STRING, .words = colour_words};
static const struct schema_node words = {
    .types = SCHEMA_ARRAY, .items = &short_word, .min_items = 1, .max_items = 2};
static const struct schema_node *const word_or_words_list[] = {&short_word, &words, NULL};
static const struct schema_node word_or_words = {.alternatives = word_or_words_list};
static const struct schema_node named = {.types = SCHEMA_OBJECT,
                                         .additional = &small_number,
                                         .names = "^[a-z]+$",
                                         .names_hint = "be a to z"};
static const struct schema_property properties[] = {
    {"word", &word_or_words, true},
    {"number", &small_number, false},
    {"colour", &colour, false},
    {"named", &named, false},
};
static const struct schema_node root = {
    .types = SCHEMA_OBJECT, .properties = properties, .property_count = 4, .closed = true};

static void every_rule_refuses_at_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *found;
    } rows[] = {
        {"{\"word\":\"abc\",\"number\":10,\"colour\":\"red\",\"named\":{\"a\":1}}", ""},
        {"{\"word\":[\"a\",\"b\"]}", ""},
        {"5", ": must be a mapping\n"},
        {"{}", ": 'word' is missing\n"},
        {"{\"word\":\"abcd\"}", "/word: is longer than 3 characters\n"},
        {"{\"word\":\"\"}", "/word: must not be empty\n"},
        {"{\"word\":5}", "/word: must be a list or text\n"},
        {"{\"word\":[]}", "/word: must have at least 1 entries, has 0\n"},
        {"{\"word\":[\"a\",\"b\",\"c\"]}", "/word: must have at most 2 entries, has 3\n"},
        {"{\"word\":[\"a\",7]}", "/word/1: must be text\n"},
        {"{\"word\":\"a\",\"number\":0}", "/number: must be more than 0\n"},
        {"{\"word\":\"a\",\"number\":10.5}", "/number: must be at most 10\n"},
        {"{\"word\":\"a\",\"colour\":\"gren\"}",
         "/colour: must be one of red, green; did you mean 'green'?\n"},
        {"{\"word\":\"a\",\"colr\":1}", "/colr: unknown key; did you mean 'colour'?\n"},
        {"{\"word\":\"a\",\"zzz\":1}",
         "/zzz: unknown key; known here: word, number, colour, named\n"},
        {"{\"word\":\"a\",\"named\":{\"B\":1}}", "/named/B: a name here must be a to z\n"},
        {"{\"word\":\"a\",\"named\":{\"b\":\"x\"}}", "/named/b: must be a number\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        cleanup_json json_t *v = json_read(rows[i].json, strlen(rows[i].json), NULL, NULL);
        cleanup_text struct text found = {0};
        const int n = schema_check(&root, v, collect, &found);
        assert_int_equal(n == 0, rows[i].found[0] == '\0');
        assert_string_equal(found.data ? found.data : "", rows[i].found);
    }
}

static void problems_are_counted_past_the_hundredth(void **state)
{
    (void)state;
    cleanup_json json_t *v = json_object();
    json_object_set_new(v, "word", json_string("a"));
    for (int i = 0; i < 150; i++) {
        cleanup_free char *key = mem_printf("unknown%d", i);
        json_object_set_new(v, key, json_null());
    }
    cleanup_text struct text found = {0};
    assert_int_equal(schema_check(&root, v, collect, &found), 150);
    int lines = 0;
    for (const char *p = found.data; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rule_refuses_at_its_place),
        cmocka_unit_test(problems_are_counted_past_the_hundredth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
