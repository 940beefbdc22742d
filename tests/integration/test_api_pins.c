/* How many of a run's pinned objects are looked for, and what is said of the others: on a real
 * Postgres and a store of real files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/pins.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "tests/support/folder.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

#define GONE "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

static struct test_database db;
static struct api api;
static char folder[FOLDER_PATH];
static char there[SHA256_HEX]; /* an object that is in the store */

static void put_done(void *arg, const struct store_object *object, const struct err *err)
{
    char *hash = arg;
    if (err)
        fail_msg("%s", err->text);
    memcpy(hash, object->hash, SHA256_HEX);
}

static void put(const char *data, size_t len, char hash[SHA256_HEX])
{
    hash[0] = '\0';
    store_put_bytes(api.store, data, len, put_done, hash);
    assert_true(wait_until(api.loop, *hash));
}

static int setup(void **state)
{
    (void)state;
    static const struct pg_events events = {0};
    struct err err = {0};
    test_database_make(&db);
    test_database_migrate(&db);
    api = (struct api){.loop = loop_new()};
    api.pg = pg_open(api.loop, &(struct pg_options){.conninfo = db.conninfo, .name = "test-api"},
                     &events, &api);
    assert_true(wait_until(api.loop, pg_is_up(api.pg)));
    folder_make(folder);
    if (store_open(api.loop, folder, NULL, &api.store, &err) < 0)
        fail_msg("%s", err.text);
    put("x", 1, there);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store_close(api.store);
    pg_close(api.pg);
    loop_free(api.loop);
    test_database_drop(&db);
    folder_remove(folder);
    return 0;
}

/* A manifest of that many objects that are there, with keys so long, and one more when `last` has a
 * hash; its own. */
static void put_manifest(size_t count, int key, const char *last, char hash[SHA256_HEX])
{
    cleanup_text struct text t = {0};
    text_puts(&t, "{\"objects\":[");
    for (size_t i = 0; i < count; i++)
        text_printf(&t, "%s{\"key\":\"%0*zu\",\"sha256\":\"%s\"}", i ? "," : "", key, i, there);
    if (last)
        text_printf(&t, "%s{\"key\":\"last\",\"sha256\":\"%s\"}", count ? "," : "", last);
    text_puts(&t, "]}");
    put(t.data, t.len, hash);
}

/* A finished run of so many sets, all with that manifest. */
static struct uuid run_of(int sets, const char *manifest)
{
    static int next;
    struct uuid run = uuid_v7_now(1 + next++);
    char id[UUID_TEXT];
    uuid_format(&run, id);
    cleanup_free char *sql = mem_printf(
        "INSERT INTO pipeline_version (pipeline, hash, number, file, ir) VALUES ('p', 'h', 1, '', "
        "'{\"steps\":[{\"name\":\"objects:a.raw\",\"kind\":\"objects\"}]}') ON CONFLICT DO NOTHING;"
        "INSERT INTO run_done (id, pipeline, version, name, number, experiment, state, params, "
        "created, finished) VALUES ('%s', 'p', 'h', 'p-1', 1, 'p', 'succeeded', '{}', now(), "
        "now());"
        "INSERT INTO step_result (run, step, iteration, state, attempt, outputs, finished) SELECT "
        "'%s', 0, n, 'succeeded', 1, "
        "'{\"manifest\":{\"artifact\":\"%s\"}}', now() FROM generate_series(1, %d) AS n",
        id, id, manifest, sets);
    test_sql(db.conninfo, sql);
    return run;
}

struct seen {
    bool done;
    char gone[400], unlooked[400];
};

static void seen(void *arg, const char *gone, const char *unlooked, const struct err *err)
{
    struct seen *s = arg;
    if (err)
        fail_msg("%s", err->text);
    snprintf(s->gone, sizeof s->gone, "%s", gone ? gone : "");
    snprintf(s->unlooked, sizeof s->unlooked, "%s", unlooked ? unlooked : "");
    s->done = true;
}

static void looks(struct uuid run, const char *gone, const char *unlooked)
{
    struct seen s = {0};
    pins_look(&api, &run, seen, &s);
    for (int i = 0; i < 30000 && !s.done; i++)
        wait_ms(api.loop, 10);
    assert_true(s.done);
    assert_string_equal(s.gone, gone);
    assert_string_equal(s.unlooked, unlooked);
}

#define MORE(n)                                                                                    \
    "of what that run pinned only the first 10000 objects were looked for, and not " n " more"
#define LAST "last of objects:a.raw (ffffffffffff…)"

static void all_are_looked_for_up_to_the_limit(void **state)
{
    (void)state;
    char manifest[SHA256_HEX];
    put_manifest(0, 1, NULL, manifest);
    looks(run_of(1, manifest), "", "");
    put_manifest(PINS_LOOKS_MAX - 2, 5, GONE, manifest); /* itself, these and the last */
    looks(run_of(1, manifest), LAST, "");
}

static void what_is_beyond_is_said(void **state)
{
    (void)state;
    char manifest[SHA256_HEX];
    put_manifest(PINS_LOOKS_MAX - 1, 5, GONE, manifest);
    looks(run_of(1, manifest), "", MORE("1"));
    put_manifest(PINS_LOOKS_MAX, 5, GONE, manifest);
    looks(run_of(1, manifest), "", MORE("2"));
}

/* Each of its sets takes a look for its manifest, before any object. */
static void sets_share_the_limit(void **state)
{
    (void)state;
    char manifest[SHA256_HEX];
    put_manifest((PINS_LOOKS_MAX - 2) / 2 - 1, 5, GONE, manifest);
    looks(run_of(2, manifest), LAST ", " LAST, "");
    put_manifest((PINS_LOOKS_MAX - 2) / 2, 5, GONE, manifest);
    looks(run_of(2, manifest), LAST, MORE("2"));
    put_manifest(0, 1, NULL, manifest);
    looks(run_of(PINS_LOOKS_MAX, manifest), "", "");
    looks(run_of(PINS_LOOKS_MAX + 1, manifest), "", MORE("1"));
    looks(run_of(PINS_LOOKS_MAX + 2, manifest), "", MORE("1")); /* no further row is read */
}

static void a_list_that_is_too_long_is_said(void **state)
{
    (void)state;
    char manifest[SHA256_HEX];
    const int entry = PINS_TEXT / 8000;
    put_manifest(7000, entry, GONE, manifest);
    looks(run_of(1, manifest), LAST, "");
    put_manifest(8000, entry, GONE, manifest);
    looks(run_of(1, manifest), "",
          "the objects of 1 of its sets were not looked for: a list of them has over 8 MiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_looked_for_up_to_the_limit),
        cmocka_unit_test(what_is_beyond_is_said),
        cmocka_unit_test(sets_share_the_limit),
        cmocka_unit_test(a_list_that_is_too_long_is_said),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
