#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/ir/plain.h"
#include "common/text/json.h"

/* What a file gives: JSON, or the beginning and a part of what is said of it. */
static const struct {
    const char *yaml, *json, *place, *text;
} FILES[] = {
    {"kind: limit\nname: gpu\nlimit: 4\n", "{\"limit\":4,\"name\":\"gpu\"}", NULL, NULL},
    {"kind: limit\nname: m\nlimit: 1\ndescription: d\n",
     "{\"description\":\"d\",\"limit\":1,\"name\":\"m\"}", NULL, NULL},
    {"kind: limit\nname: m\nlimit: 0\n", "{\"limit\":0,\"name\":\"m\"}", NULL, NULL},
    {"kind: limit\nname: m\nlimit: 1000000\n", "{\"limit\":1000000,\"name\":\"m\"}", NULL, NULL},
    {"kind: limit\nname: m\nlimit: 1000001\n", NULL, "l.yaml:3:8: ", "at most 1000000"},
    {"kind: limit\nname: m\nlimit: -1\n", NULL, "l.yaml:3:8: ", "at least 0"},
    {"kind: limit\nname: m\nlimit: 1.5\n", NULL, "l.yaml:3:8: ", "a whole number"},
    {"kind: limit\nname: m\n", NULL, "l.yaml:1:1: ", "'limit' is missing"},
    {"kind: limit\nname: M\nlimit: 1\n", NULL, "l.yaml:2:7: ", "a-z"},
    {"kind: limit\nname: m\nlimt: 1\nlimit: 1\n", NULL, "l.yaml:3:1: ", "did you mean 'limit'?"},
    {"kind: pool\nname: gpu\n", "{\"name\":\"gpu\"}", NULL, NULL},
    {"kind: pool\nname: gpu\nslots: 0\npath: /opt/a/bin:/bin\ndescription: d\n",
     "{\"description\":\"d\",\"name\":\"gpu\",\"path\":\"/opt/a/bin:/bin\",\"slots\":0}", NULL,
     NULL},
    {"kind: pool\nname: gpu\nslots: 1000000\n", "{\"name\":\"gpu\",\"slots\":1000000}", NULL, NULL},
    {"kind: pool\nname: gpu\nslots: 1000001\n", NULL, "l.yaml:3:8: ", "at most 1000000"},
    {"kind: pool\nname: gpu\nslots: -1\n", NULL, "l.yaml:3:8: ", "at least 0"},
    {"kind: pool\nname: G\n", NULL, "l.yaml:2:7: ", "a-z"},
    {"kind: pool\nslots: 1\n", NULL, "l.yaml:1:1: ", "'name' is missing"},
    {"kind: pool\nname: gpu\npath: bin\n", NULL, "l.yaml:3:7: ", "absolute folders"},
    {"kind: pool\nname: gpu\npath: '/bin::/usr/bin'\n", NULL, "l.yaml:3:7: ", "absolute folders"},
    {"kind: pool\nname: gpu\npath: '/bin:'\n", NULL, "l.yaml:3:7: ", "absolute folders"},
    {"kind: pool\nname: gpu\nslot: 1\n", NULL, "l.yaml:3:1: ", "did you mean 'slots'?"},
};

/* Folders and folders, as long as they may be. */
static void a_path_has_a_length(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct err err = {0};
        cleanup_text struct text yaml = {0};
        cleanup_yaml struct yaml_docs docs = {0};
        text_puts(&yaml, "kind: pool\nname: m\npath: ");
        for (int i = 0; i < 4096 + over; i++)
            text_puts(&yaml, i % 2 ? "a" : "/");
        text_puts(&yaml, "\n");
        assert_int_equal(yaml_read("l.yaml", yaml.data, yaml.len, &docs, &err), 0);
        cleanup_json json_t *out = plain_compile(&docs.items[0], "pool", NULL, NULL, &err);
        assert_int_equal(out == NULL, over);
        if (over)
            assert_non_null(strstr(err.text, "pool:3:7: path: "));
    }
}

static void files_are_held_against_their_schema(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(FILES); i++) {
        struct err err = {0};
        cleanup_yaml struct yaml_docs docs = {0};
        assert_int_equal(yaml_read("l.yaml", FILES[i].yaml, strlen(FILES[i].yaml), &docs, &err), 0);
        const char *kind = json_get_string(docs.items[0].value, "kind", "");
        assert_true(plain_is(kind));
        cleanup_json json_t *out = plain_compile(&docs.items[0], kind, "l.yaml", NULL, &err);
        cleanup_free char *json = out ? json_write(out) : mem_string("");
        if (FILES[i].json) {
            assert_string_equal(json, FILES[i].json);
        } else {
            assert_null(out);
            assert_true(text_starts_with(err.text, FILES[i].place));
            assert_non_null(strstr(err.text, FILES[i].text));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_held_against_their_schema),
        cmocka_unit_test(a_path_has_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
