/* Files of the repository: the examples compile, and docs/pipelines.md names every key. Run from
 * the root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/bundle.h"
#include "common/ir/ir.h"
#include "common/text/json.h"

static char *read_file(const char *path)
{
    struct text t = {0};
    char chunk[4096];
    FILE *f = fopen(path, "re");
    if (!f)
        fail_msg("%s cannot be opened", path);
    for (size_t n; (n = fread(chunk, 1, sizeof chunk, f)) > 0;)
        text_append(&t, chunk, n);
    fclose(f);
    return text_take(&t);
}

static int read_part(void *arg, enum ir_reference kind, const char *reference, const char *from,
                     struct ir_found *out, struct err *err)
{
    (void)arg;
    (void)from;
    if (kind != IR_REFERENCE_COMPONENT)
        return err_set(err, LEAT_ENOTFOUND, "it is in no file of the folder");
    char *text = read_file(reference);
    *out = (struct ir_found){text, strlen(text), mem_string(reference)};
    return 0;
}

static void compile_all(struct bundle *b, struct text *problems)
{
    for (size_t i = 0; i < bundle_count(b); i++) {
        struct err err = {0};
        cleanup_json json_t *out = bundle_compile(b, i, problems);
        if (!out || strcmp(bundle_kind(b, i), "pipeline") != 0)
            continue;
        struct ir *ir = ir_load(out, &err);
        if (!ir)
            fail_msg("%s: %s", bundle_file(b, i), err.text);
        ir_free(ir);
    }
    if (problems->len)
        fail_msg("%s", problems->data);
}

/* Every *.yaml that lies in a folder of examples/, together. */
static size_t compile_folder(const char *folder)
{
    cleanup_text struct text problems = {0};
    struct bundle *b = bundle_new(read_part, NULL);
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        cleanup_free char *path = mem_printf("%s/%s", folder, e->d_name);
        cleanup_free char *text = text_ends_with(path, ".yaml") ? read_file(path) : NULL;
        if (text)
            bundle_add(b, path, text, &problems);
    }
    if (dir)
        closedir(dir);
    compile_all(b, &problems);
    const size_t count = bundle_count(b);
    bundle_free(b);
    return count;
}

static void every_example_compiles(void **state)
{
    (void)state;
    size_t count = 0;
    DIR *dir = opendir("examples");
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));) {
        if (e->d_name[0] == '.')
            continue;
        cleanup_free char *folder = mem_printf("examples/%s", e->d_name);
        count += compile_folder(folder);
    }
    closedir(dir);
    assert_true(count >= 12); /* forecast, hello, and one for each shape at least */
}

static void document_names(const char *doc, const char *schema, const char *key)
{
    cleanup_free char *quoted = mem_printf("`%s`", key);
    if (!strstr(doc, quoted))
        fail_msg("docs/pipelines.md does not say what `%s` of %s means", key, schema);
}

/* Each property of the schema and each word of its enums, wherever it is. */
static size_t check_keys(const char *doc, const char *schema, const json_t *node)
{
    size_t count = 0, i;
    const char *key;
    json_t *value;
    json_object_foreach (json_object_get(node, "properties"), key, value) {
        document_names(doc, schema, key);
        count++;
    }
    json_array_foreach (json_object_get(node, "enum"), i, value)
        document_names(doc, schema, json_string_value(value));
    if (json_is_object(node)) {
        json_object_foreach ((json_t *)node, key, value)
            count += check_keys(doc, schema, value);
    }
    json_array_foreach (node, i, value)
        count += check_keys(doc, schema, value);
    return count;
}

static void every_key_of_the_schemas_is_documented(void **state)
{
    (void)state;
    static const char *const SCHEMAS[] = {"schema/files/pipeline.json", "schema/files/source.json",
                                          "schema/files/component.json", "schema/files/limit.json",
                                          "schema/files/pool.json"};
    cleanup_free char *doc = read_file("docs/pipelines.md");
    for (size_t i = 0; i < ARRAY_LEN(SCHEMAS); i++) {
        struct err err = {0};
        cleanup_free char *text = read_file(SCHEMAS[i]);
        cleanup_json json_t *schema = json_read(text, strlen(text), NULL, &err);
        if (!schema)
            fail_msg("%s: %s", SCHEMAS[i], err.text);
        assert_true(check_keys(doc, SCHEMAS[i], schema) > 3);
    }
}

/* The indented blocks of the page that are whole documents. */
static void the_files_shown_in_the_docs_compile(void **state)
{
    (void)state;
    cleanup_free char *doc = read_file("docs/pipelines.md");
    size_t shown = 0;
    for (char *at = doc; (at = strstr(at, "\n\n    ")); at++) {
        cleanup_text struct text block = {0};
        for (const char *line = at + 2; text_starts_with(line, "    ");) {
            const char *end = strchr(line, '\n');
            text_append(&block, line + 4, (size_t)(end + 1 - (line + 4)));
            line = end + 1;
        }
        if (!strstr(block.data, "name: ") ||
            strstr(block.data, "name: ") > strchr(block.data, '\n'))
            if (!text_starts_with(block.data, "kind: source") &&
                !text_starts_with(block.data, "kind: limit") &&
                !text_starts_with(block.data, "kind: pool"))
                continue;
        cleanup_text struct text problems = {0};
        struct bundle *b = bundle_new(NULL, NULL);
        bundle_add(b, "docs", block.data, &problems);
        compile_all(b, &problems);
        bundle_free(b);
        shown++;
    }
    assert_int_equal(shown, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_example_compiles),
        cmocka_unit_test(every_key_of_the_schemas_is_documented),
        cmocka_unit_test(the_files_shown_in_the_docs_compile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
