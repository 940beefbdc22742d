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
    documents_open(all, files, NULL, NULL);
    documents_compile(all);
}

static void every_document_of_every_file(void **state)
{
    (void)state;
    struct documents all;
    read_files(&all, (const char *[]){PIPELINE "---\n" SOURCE, SOURCE}, 2);
    assert_int_equal(all.problems.len, 0);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.items[0].kind, DOCUMENT_PIPELINE);
    assert_string_equal(all.items[0].name, "a");
    assert_int_equal(strlen(all.items[0].hash), 64);
    assert_int_equal(all.items[1].kind, DOCUMENT_SOURCE);
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
    struct documents none = {0}, all = {0};
    documents_open(&none, NULL, NULL, NULL);
    documents_compile(&none);
    assert_int_equal(none.count, 0);
    cleanup_json json_t *odd = json_pack("[n, i, {}]", 1);
    documents_open(&all, odd, odd, NULL);
    documents_compile(&all);
    assert_int_equal(all.count, 0);
    documents_free(&none);
    documents_free(&all);
}

#define TAKES_IN                                                                                   \
    "name: a\nsteps: {x: {pipeline: b@2}, y: {uses: ./c.yaml}, z: {start: {pipeline: d}}}\n"
#define PART "kind: component\nname: c\nexecutor: noop\n"

/* What is taken in comes from the catalog and from the parts that were sent along. */
static void what_documents_name_is_asked_for_and_given(void **state)
{
    (void)state;
    struct documents all = {0}, other = {0};
    cleanup_json json_t *files = json_pack("[{s:s, s:s}]", "name", "dir/a.yaml", "text", TAKES_IN);
    cleanup_json json_t *parts = json_pack("[{s:s, s:s}]", "name", "dir/c.yaml", "text", PART);
    read_files(&other, (const char *[]){"name: b\nsteps: {one: {executor: noop}}\n"}, 1);
    documents_open(&all, files, parts, NULL);
    assert_int_equal(json_array_size(all.missing), 2);
    assert_string_equal(json_string_value(json_array_get(all.missing, 0)), "b@2");
    assert_string_equal(json_string_value(json_array_get(all.missing, 1)), "d");
    documents_give(&all, "b@2", other.items[0].text, NULL);
    documents_give(&all, "d", other.items[0].text, NULL);
    documents_compile(&all);
    assert_int_equal(all.problems.len, 0);
    assert_int_equal(all.count, 1);
    documents_free(&all);
    documents_free(&other);
}

static void what_is_not_given_is_a_problem_with_its_place(void **state)
{
    (void)state;
    struct documents all = {0};
    cleanup_json json_t *files = json_pack("[{s:s, s:s}]", "name", "dir/a.yaml", "text", TAKES_IN);
    documents_open(&all, files, NULL, NULL);
    documents_give(&all, "b@2", NULL, "it has no such version");
    documents_compile(&all);
    assert_string_equal(all.problems.data,
                        "dir/a.yaml:2:23: pipeline b@2: it has no such version\n"
                        "dir/a.yaml:2:39: uses ./c.yaml: dir/c.yaml was not sent along\n"
                        "dir/a.yaml:2:72: start d: there is no pipeline of that name\n");
    documents_free(&all);
}

#define IMAGES                                                                                     \
    "name: a\nsteps: {x: {image: \"reg.example:5000/a/b:1\", cache: {}},\n"                        \
    "  y: {image: alpine}, z: {image: \"${{ params.i }}\"}}\nparams: {i: alpine}\n"

static void read_images(struct documents *all, json_t *images)
{
    cleanup_json json_t *files = json_pack("[{s:s, s:s}]", "name", "a.yaml", "text", IMAGES);
    json_t *own = images;
    *all = (struct documents){0};
    documents_open(all, files, NULL, own);
    documents_compile(all);
    json_decref(own);
}

/* Pinned: all that the file names, by what was sent along; an expression is nobody's to pin. */
static void images_become_the_digests_that_were_sent_along(void **state)
{
    (void)state;
    struct documents all;
    char good[] = "sha256:"
                  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    read_images(&all, json_pack("{s:s, s:s}", "reg.example:5000/a/b:1", good, "alpine", good));
    assert_int_equal(all.problems.len, 0);
    assert_non_null(strstr(all.items[0].text, "\"image\":\"reg.example:5000/a/b@sha256:0123"));
    assert_non_null(strstr(all.items[0].text, "\"image\":\"alpine@sha256:0123"));
    assert_non_null(strstr(all.items[0].text, "\"image\":\"${{ params.i }}\""));
    documents_free(&all);
    read_images(&all, json_pack("{s:s}", "reg.example:5000/a/b:1", good));
    assert_string_equal(all.problems.data,
                        "a.yaml:3:14: image alpine: its digest was not sent along\n");
    documents_free(&all);
    good[sizeof good - 2] = 'X';
    read_images(&all, json_pack("{s:s, s:s}", "reg.example:5000/a/b:1", "latest", "alpine", good));
    assert_non_null(strstr(all.problems.data, "a.yaml:2:20: image reg.example:5000/a/b:1: "));
    assert_non_null(strstr(all.problems.data, "a.yaml:3:14: image alpine: "));
    documents_free(&all);
    read_images(&all, NULL);
    assert_string_equal(all.problems.data,
                        "a.yaml:2:53: cache: image reg.example:5000/a/b:1 is named by a tag, which "
                        "may be another image tomorrow: name it by its digest, NAME@sha256:…, or "
                        "apply it with --pin-images\n");
    documents_free(&all);
}

static void a_limit_must_be_there_or_come_along(void **state)
{
    (void)state;
    static const char NEEDS[] = "name: a\nsteps: {x: {executor: noop, limits: [gpu, db]}}\n";
    struct documents all;
    read_files(&all, (const char *[]){NEEDS, "kind: limit\nname: gpu\nlimit: 1\n"}, 2);
    assert_string_equal(all.problems.data,
                        "a.yaml:2:37: limits db: there is no limit of that name: apply one of "
                        "kind: limit\n");
    documents_free(&all);
    cleanup_json json_t *files = json_pack("[{s:s, s:s}]", "name", "a.yaml", "text", NEEDS);
    struct documents known = {0};
    documents_open(&known, files, NULL, NULL);
    assert_int_equal(json_object_size(known.limits), 2);
    documents_give_limit(&known, "db");
    documents_give_limit(&known, "gpu");
    documents_compile(&known);
    assert_int_equal(known.problems.len, 0);
    documents_free(&known);
}

static void limits_and_components(void **state)
{
    (void)state;
    struct documents all;
    read_files(&all, (const char *[]){"kind: limit\nname: gpu\nlimit: 4\ndescription: d\n", PART},
               2);
    assert_int_equal(all.problems.len, 0);
    assert_int_equal(all.count, 1);
    assert_int_equal(all.items[0].kind, DOCUMENT_LIMIT);
    assert_string_equal(document_kind_name(all.items[0].kind), "limit");
    assert_int_equal(all.items[0].limit, 4);
    assert_string_equal(all.items[0].description, "d");
    documents_free(&all);
}

/* Any may be named: which of them nobody has heard of is asked of the catalog. */
static void pools_and_who_names_them(void **state)
{
    (void)state;
    struct documents all;
    read_files(
        &all,
        (const char *[]){"name: a\nsteps:\n  x: {executor: noop, pool: gpu}\n"
                         "  y: {executor: noop, pool: far}\n  z: {executor: noop, pool: far}\n"
                         "  d: {executor: noop, pool: default}\n",
                         "kind: pool\nname: gpu\nslots: 0\npath: /bin\n"
                         "---\nkind: pool\nname: any\ndescription: d\n"},
        2);
    assert_int_equal(all.problems.len, 0);
    assert_int_equal(all.count, 3);
    assert_int_equal(all.items[1].kind, DOCUMENT_POOL);
    assert_string_equal(document_kind_name(DOCUMENT_POOL), "pool");
    assert_int_equal(all.items[1].limit, 0);
    assert_string_equal(all.items[1].text, "/bin");
    assert_null(all.items[1].description);
    assert_int_equal(all.items[2].limit, -1);
    assert_null(all.items[2].text);
    assert_string_equal(all.items[2].description, "d");
    assert_int_equal(json_object_size(all.pools), 1);
    assert_string_equal(json_string_value(json_object_get(all.pools, "far")), "a: step y");
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
        cmocka_unit_test(what_documents_name_is_asked_for_and_given),
        cmocka_unit_test(what_is_not_given_is_a_problem_with_its_place),
        cmocka_unit_test(images_become_the_digests_that_were_sent_along),
        cmocka_unit_test(a_limit_must_be_there_or_come_along),
        cmocka_unit_test(limits_and_components),
        cmocka_unit_test(pools_and_who_names_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
