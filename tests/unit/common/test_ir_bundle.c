/* Files that are compiled together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/bundle.h"
#include "common/text/json.h"

static const char PART[] = "kind: component\nname: c\nsteps: {a: {uses: ./other.yml}}\n";
static const char OTHER[] = "kind: component\nname: o\nexecutor: noop\n";

/* The whole bundle: what could not be compiled is said in `problems`. */
static size_t compile_all(struct bundle *b, struct text *problems)
{
    size_t good = 0;
    for (size_t i = 0; i < bundle_count(b); i++) {
        cleanup_json json_t *out = bundle_compile(b, i, problems);
        good += out != NULL;
    }
    return good;
}

static void a_pipeline_is_a_part_of_another_in_any_order(void **state)
{
    (void)state;
    cleanup_text struct text problems = {0};
    struct bundle *b = bundle_new(NULL, NULL);
    bundle_add(b, "a.yaml",
               "name: a\nsteps: {x: {pipeline: b}}\n---\nkind: limit\nname: l\nlimit: 1\n---\n"
               "kind: source\nname: s\nprovider: directory\n",
               &problems);
    bundle_add(b, "b.yaml", "name: b\nsteps: {y: {pipeline: c}}\n", &problems);
    bundle_add(b, "c.yaml", "name: c\nsteps: {z: {executor: noop}}\n", &problems);
    assert_int_equal(bundle_count(b), 5);
    assert_string_equal(bundle_kind(b, 1), "limit");
    assert_string_equal(bundle_file(b, 3), "b.yaml");
    assert_true(text_starts_with(bundle_text(b, 3), "name: b"));
    if (compile_all(b, &problems) != 5)
        fail_msg("%s", problems.data);
    cleanup_json json_t *a = bundle_compile(b, 0, &problems);
    assert_string_equal(json_get_string(json_pointer(a, "/steps/2"), "name", ""), "x/y/z");
    bundle_free(b);
    bundle_free(NULL);
}

/* What is wrong with one is said once, and with the other that it cannot be had. */
static const struct {
    const char *a, *b, *said;
} WRONG[] = {
    {"name: a\nsteps: {x: {pipeline: b}}\n", "name: b\nsteps: {x: {pipeline: a}}\n",
     "b.yaml:2:23: pipeline a: it is made of this one: two pipelines cannot be parts of one "
     "another\na.yaml:2:23: pipeline b: it has problems of its own, in b.yaml\n"},
    {"name: a\nsteps: {x: {pipeline: b}}\n", "name: b\nsteps: {x: {}}\n",
     "b.yaml:2:9: step x: needs a command, an image, or executor: noop\n"
     "a.yaml:2:23: pipeline b: it has problems of its own, in b.yaml\n"},
    {"name: a\nsteps: {x: {pipeline: d}}\n", "name: b\nsteps: {x: {executor: noop}}\n",
     "a.yaml:2:23: pipeline d: it is not among these files\n"},
    {"name: a\nsteps: {x: {uses: ./p.yaml}}\n", "name: b\nsteps: [\n",
     "b.yaml:3:1: while parsing a flow node, begun at 3:1: did not find expected node content; "
     "write a value, or close the brackets above\n"
     "a.yaml:2:19: uses ./p.yaml: p.yaml was not sent along\n"},
};

static void problems_are_told_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(WRONG); i++) {
        cleanup_text struct text problems = {0};
        struct bundle *b = bundle_new(NULL, NULL);
        bundle_add(b, "a.yaml", WRONG[i].a, &problems);
        bundle_add(b, "b.yaml", WRONG[i].b, &problems);
        compile_all(b, &problems);
        if (strcmp(problems.data ? problems.data : "", WRONG[i].said) != 0)
            fail_msg("%s\nnot %s", problems.data, WRONG[i].said);
        bundle_free(b);
    }
}

static void pipelines_may_start_one_another(void **state)
{
    (void)state;
    cleanup_text struct text problems = {0};
    struct bundle *b = bundle_new(NULL, NULL);
    bundle_add(b, "a.yaml", "name: a\nsteps: {x: {start: {pipeline: b}}}\n", &problems);
    bundle_add(b, "b.yaml",
               "name: b\nsteps: {x: {start: {pipeline: a}}, y: {start: {pipeline: b}}}\n",
               &problems);
    if (compile_all(b, &problems) != 2)
        fail_msg("%s", problems.data);
    bundle_free(b);
}

static void note_missing(void *arg, enum ir_reference kind, const char *name)
{
    text_printf(arg, "%d %s\n", kind, name);
}

static void what_is_missing_is_known_before_anything_is_compiled(void **state)
{
    (void)state;
    cleanup_text struct text problems = {0}, missing = {0}, then = {0};
    struct bundle *b = bundle_new(NULL, NULL);
    bundle_add(
        b, "dir/a.yaml",
        "name: a\nsteps:\n  x: {pipeline: b@3}\n  y: {steps: {z: {uses: ./p.yaml}, w: {uses: "
        "../q.yaml@sha256:00, with: {k: v}}}}\n  v: {uses: \"https://h/x@sha256:00\"}\n  u: "
        "{start: {pipeline: d}}\n  t: {pipeline: b@3}\n  s: {pipeline: a}\n  r: {env: {uses: "
        "nothing}, executor: noop, limits: [l, d]}\n",
        &problems);
    bundle_missing(b, note_missing, &missing);
    assert_string_equal(missing.data,
                        "0 b@3\n2 dir/p.yaml\n2 q.yaml\n2 https://h/x\n0 d\n3 l\n3 d\n");
    bundle_add_part(b, "dir/p.yaml", PART);
    bundle_add_part(b, "dir/p.yaml", "another");
    bundle_missing(b, note_missing, &then);
    assert_string_equal(then.data,
                        "0 b@3\n2 q.yaml\n2 https://h/x\n0 d\n3 l\n3 d\n2 dir/other.yml\n");
    bundle_free(b);
}

static int find_elsewhere(void *arg, enum ir_reference kind, const char *reference,
                          const char *from, struct ir_found *out, struct err *err)
{
    (void)arg;
    if (kind != IR_REFERENCE_COMPONENT || strcmp(reference, "dir/other.yml") != 0)
        return err_set(err, LEAT_ENOTFOUND, "nowhere, for %s", from);
    *out = (struct ir_found){mem_string(OTHER), strlen(OTHER), mem_string(reference)};
    return 0;
}

static void what_is_not_in_it_is_asked_for(void **state)
{
    (void)state;
    cleanup_text struct text problems = {0};
    struct bundle *b = bundle_new(find_elsewhere, NULL);
    bundle_add(b, "dir/a.yaml", "name: a\nsteps: {x: {uses: ./p.yaml}}\n", &problems);
    bundle_add(b, "dir/b.yaml", "name: b\nsteps: {x: {pipeline: c}}\n", &problems);
    bundle_add_part(b, "dir/p.yaml", PART);
    assert_int_equal(compile_all(b, &problems), 1);
    assert_string_equal(problems.data, "dir/b.yaml:2:23: pipeline c: nowhere, for dir/b.yaml\n");
    bundle_free(b);
}

static const struct {
    const char *text, *said;
} COMPONENTS[] = {
    {OTHER, ""},
    {"kind: component\nname: c\nparams: {n: {type: integer}, m: {type: json}}\ninputs: {t: {}}\n"
     "command: [x, \"${{ params.n }}\", \"${{ inputs.t.path }}\"]\n",
     ""},
    {"kind: component\nname: c\ncommand: [x, \"${{ params.n }}\"]\n",
     "dir/c.yaml:3:14: params.n: there is no parameter of that name\n"},
    {"kind: component\nname: c\n",
     "dir/c.yaml:1:1: step component/component: needs a command, an image, or executor: noop\n"},
};

static void a_component_is_checked_by_itself(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(COMPONENTS); i++) {
        cleanup_text struct text problems = {0};
        struct bundle *b = bundle_new(NULL, NULL);
        bundle_add(b, "dir/c.yaml", COMPONENTS[i].text, &problems);
        assert_int_equal(compile_all(b, &problems), !*COMPONENTS[i].said);
        assert_string_equal(problems.data ? problems.data : "", COMPONENTS[i].said);
        assert_true(bundle_has_part(b, "dir/c.yaml"));
        bundle_free(b);
    }
}

/* The folder that files lie in is no part of the version. */
static void a_version_does_not_depend_on_where_its_files_lie(void **state)
{
    (void)state;
    static const char *const FOLDERS[] = {"", "dir/", "/tmp/some/where/"};
    char first[SHA256_HEX] = "";
    for (size_t i = 0; i < ARRAY_LEN(FOLDERS); i++) {
        char hash[SHA256_HEX];
        cleanup_text struct text problems = {0};
        cleanup_free char *file = mem_printf("%sa.yaml", FOLDERS[i]);
        cleanup_free char *part = mem_printf("%sp.yaml", FOLDERS[i]);
        cleanup_free char *other = mem_printf("%sother.yml", FOLDERS[i]);
        struct bundle *b = bundle_new(NULL, NULL);
        bundle_add(b, file, "name: a\nsteps: {x: {uses: ./p.yaml}}\n", &problems);
        bundle_add_part(b, part, PART);
        bundle_add_part(b, other, OTHER);
        cleanup_json json_t *ir = bundle_compile(b, 0, &problems);
        if (!ir)
            fail_msg("%s", problems.data);
        ir_hash(ir, hash);
        if (*first)
            assert_string_equal(hash, first);
        memcpy(first, hash, sizeof hash);
        bundle_free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipeline_is_a_part_of_another_in_any_order),
        cmocka_unit_test(problems_are_told_once),
        cmocka_unit_test(pipelines_may_start_one_another),
        cmocka_unit_test(what_is_missing_is_known_before_anything_is_compiled),
        cmocka_unit_test(what_is_not_in_it_is_asked_for),
        cmocka_unit_test(a_component_is_checked_by_itself),
        cmocka_unit_test(a_version_does_not_depend_on_where_its_files_lie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
