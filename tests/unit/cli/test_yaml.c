/* JSON as YAML: our own reader gets the same value back; what YAML 1.1 would misread is quoted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/yaml.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

static char *write_text(const char *json)
{
    struct text out = {0};
    cleanup_json json_t *v = json_read(json, strlen(json), NULL, NULL);
    assert_non_null(v);
    yaml_write(v, &out);
    return text_take(&out);
}

#define writes(json, yaml)                                                                         \
    do {                                                                                           \
        cleanup_free char *got_ = write_text(json);                                                \
        assert_string_equal(got_, yaml);                                                           \
    } while (0)

static void test_shapes(void **state)
{
    (void)state;
    writes("[]", "[]\n");
    writes("{}", "{}\n");
    writes("null", "null\n");
    writes("\"text\"", "text\n");
    writes("1.5", "1.5\n");
    writes("{\"a\":{\"b\":[1,{\"c\":[]}]},\"d\":true}",
           "a:\n  b:\n    - 1\n    -\n      c: []\nd: true\n");
    writes("[[1],[[2]]]", "-\n  - 1\n-\n  -\n    - 2\n");
}

static void test_words_with_a_meaning(void **state)
{
    (void)state;
    static const char *const words[] = {"true", "Yes", "no",  "ON",  "off",  "null", "Null", "y",
                                        "N",    "~",   "",    "1e3", "0x1f", "1",    "-1",   "1.5",
                                        ".inf", "nan", "a b", "a:",  "#x",   "- x",  "a\nb", "é"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        cleanup_json json_t *v = json_string(words[i]);
        struct text quoted = {0}, out = {0};
        text_quote(&quoted, words[i]);
        text_puts(&quoted, "\n");
        yaml_write(v, &out);
        assert_string_equal(out.data, quoted.data);
        text_free(&out);
        text_free(&quoted);
    }
    writes("{\"on\":\"no\"}", "\"on\": \"no\"\n");
    writes("\"sha-1.x/y_z\"", "sha-1.x/y_z\n");
}

static void test_comes_back(void **state)
{
    (void)state;
    static const char json[] = "{\"text\":\"a: b\\n  - c \\\\ \\\" \\u00e9 \\t #\",\"list\":[[],{},"
                               "\"yes\",1,-2.5,null,true,{\"k k\":[{\"x\":\"\"}]}]}";
    cleanup_free char *yaml = write_text(json);
    cleanup_json json_t *before = json_read(json, sizeof json - 1, NULL, NULL);
    cleanup_yaml struct yaml_docs docs = {0};
    struct err err = {0};
    if (yaml_read("x", yaml, strlen(yaml), &docs, &err) < 0)
        fail_msg("%s\n%s", err.text, yaml);
    assert_true(json_equal(before, docs.items[0].value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes),
                                       cmocka_unit_test(test_words_with_a_meaning),
                                       cmocka_unit_test(test_comes_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
