/* The documents of an apply: what is compiled out of files, and how all problems are told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/documents.h"
#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/text/json.h"

#define PIPELINE "name: a\nsteps:\n  one: {command: [\"true\"]}\n"
#define SOURCE   "kind: source\nname: texts\nprovider: directory\n"

static void read_files(struct documents *all, const char *const *texts, size_t n)
{
    cleanup_json json_t *files = json_array();
    *all = (struct documents){0};
    for (size_t i = 0; i < n; i++)
        json_array_append_new(
            files, json_pack("{s:s, s:s}", "name", i ? "b.yaml" : "a.yaml", "text", texts[i]));
    documents_read(all, files);
}

static void every_document_of_every_file(void **state)
{
    (void)state;
    struct documents all;
    read_files(&all, (const char *[]){PIPELINE "---\n" SOURCE, SOURCE}, 2);
    assert_int_equal(all.problems.len, 0);
    assert_int_equal(all.count, 3);
    assert_true(all.items[0].is_pipeline);
    assert_string_equal(all.items[0].name, "a");
    assert_int_equal(strlen(all.items[0].hash), 64);
    assert_false(all.items[1].is_pipeline);
    assert_string_equal(all.items[1].provider, "directory");
    assert_null(all.items[2].secret);
    documents_free(&all);
}

static void a_comment_is_no_new_version(void **state)
{
    (void)state;
    struct documents plain, commented;
    read_files(&plain, (const char *[]){PIPELINE}, 1);
    read_files(&commented, (const char *[]){"# why\n" PIPELINE}, 1);
    assert_string_equal(plain.items[0].hash, commented.items[0].hash);
    assert_string_not_equal(plain.items[0].file, commented.items[0].file);
    documents_free(&plain);
    documents_free(&commented);
}

static void all_problems_are_told_with_their_place(void **state)
{
    (void)state;
    struct documents all;
    read_files(&all, (const char *[]){"name: a\nsteps:\n  one: {comand: [x]}\n", "{"}, 2);
    assert_int_equal(all.count, 0);
    assert_non_null(strstr(all.problems.data, "a.yaml:3"));
    assert_non_null(strstr(all.problems.data, "b.yaml:"));
    assert_int_equal(all.problems.data[all.problems.len - 1], '\n');
    documents_free(&all);
}

static void a_good_document_does_not_hide_a_bad_one(void **state)
{
    (void)state;
    struct documents all;
    read_files(&all, (const char *[]){PIPELINE "---\nkind: source\nname: x\nprovider: none\n"}, 1);
    assert_int_equal(all.count, 1);
    assert_true(all.problems.len > 0);
    documents_free(&all);
}

static char *of_size(size_t size)
{
    char *text = mem_alloc(size + 1);
    memset(text, ' ', size);
    memcpy(text, PIPELINE "#", sizeof PIPELINE);
    return text;
}

static void a_file_may_have_a_mebibyte_and_no_more(void **state)
{
    (void)state;
    struct documents all;
    cleanup_free char *most = of_size(IR_FILE_MAX), *over = of_size(IR_FILE_MAX + 1);
    read_files(&all, (const char *[]){most}, 1);
    assert_int_equal(all.problems.len, 0);
    assert_int_equal(all.count, 1);
    documents_free(&all);
    read_files(&all, (const char *[]){over}, 1);
    assert_int_equal(all.count, 0);
    assert_non_null(strstr(all.problems.data, "1 MiB"));
    documents_free(&all);
}

static void what_is_no_file_is_no_document(void **state)
{
    (void)state;
    struct documents all = {0};
    documents_read(&all, NULL);
    cleanup_json json_t *odd = json_pack("[n, i, {}]", 1);
    documents_read(&all, odd);
    assert_int_equal(all.count, 0);
    documents_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_document_of_every_file),
        cmocka_unit_test(a_comment_is_no_new_version),
        cmocka_unit_test(all_problems_are_told_with_their_place),
        cmocka_unit_test(a_good_document_does_not_hide_a_bad_one),
        cmocka_unit_test(a_file_may_have_a_mebibyte_and_no_more),
        cmocka_unit_test(what_is_no_file_is_no_document),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
