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
#include "common/ir/ir.h"
#include "common/ir/source.h"
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

static void compile_document(const char *path, const struct yaml_doc *doc)
{
    struct err err = {0};
    cleanup_text struct text all = {0};
    const char *kind = json_get_string(doc->value, "kind", "pipeline");
    cleanup_json json_t *out = strcmp(kind, "source") == 0 ? source_compile(doc, path, &all, &err)
                                                           : ir_compile(doc, path, &all, &err);
    if (!out)
        fail_msg("%s", all.data);
    if (strcmp(kind, "pipeline") != 0)
        return;
    struct ir *ir = ir_load(out, &err);
    if (!ir)
        fail_msg("%s: %s", path, err.text);
    ir_unref(ir);
}

static void compile_file(const char *path)
{
    struct err err = {0};
    struct yaml_docs docs = {0};
    cleanup_free char *text = read_file(path);
    if (yaml_read(path, text, strlen(text), &docs, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(docs.count > 0);
    for (size_t i = 0; i < docs.count; i++)
        compile_document(path, &docs.items[i]);
    yaml_docs_free(&docs);
}

/* Every *.yaml that lies in a folder of examples/. */
static size_t compile_folder(const char *folder)
{
    size_t count = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *e; dir && (e = readdir(dir));) {
        if (!text_ends_with(e->d_name, ".yaml"))
            continue;
        cleanup_free char *path = mem_printf("%s/%s", folder, e->d_name);
        compile_file(path);
        count++;
    }
    if (dir)
        closedir(dir);
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
    assert_true(count >= 2); /* forecast and hello at least */
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
    static const char *const SCHEMAS[] = {"schema/files/pipeline.json", "schema/files/source.json"};
    cleanup_free char *doc = read_file("docs/pipelines.md");
    for (size_t i = 0; i < ARRAY_LEN(SCHEMAS); i++) {
        struct err err = {0};
        cleanup_free char *text = read_file(SCHEMAS[i]);
        cleanup_json json_t *schema = json_read(text, strlen(text), NULL, &err);
        if (!schema)
            fail_msg("%s: %s", SCHEMAS[i], err.text);
        assert_true(check_keys(doc, SCHEMAS[i], schema) > 5);
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
            if (!text_starts_with(block.data, "kind: source"))
                continue;
        struct err err = {0};
        struct yaml_docs docs = {0};
        if (yaml_read("docs", block.data, block.len, &docs, &err) < 0)
            fail_msg("%s\n%s", block.data, err.text);
        compile_document("docs", &docs.items[0]);
        yaml_docs_free(&docs);
        shown++;
    }
    assert_int_equal(shown, 2);
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
