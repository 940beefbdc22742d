/* compare: from what the API tells of runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

#define COMPARE_MAX 12

static int get_run(const char *run, json_t **out, struct err *err)
{
    cleanup_free char *path = client_path("/api/v1/runs/%s", run);
    return client_call("GET", path, NULL, out, err);
}

static const struct option compare_options[] = {OPTION_OUTPUT, OPTION_END};

struct comparison {
    json_t *rows;
    size_t count; /* runs */
};

/* The row of (kind, name), made when absent; its values are null until they are known. */
static json_t *row_of(struct comparison *c, const char *kind, const char *name)
{
    json_t *row;
    size_t i;
    json_array_foreach (c->rows, i, row)
        if (strcmp(json_get_string(row, "kind", ""), kind) == 0 &&
            strcmp(json_get_string(row, "name", ""), name) == 0)
            return json_object_get(row, "values");
    json_t *values = json_array();
    for (size_t n = 0; n < c->count; n++)
        json_array_append_new(values, json_null());
    row = json_pack("{s:s, s:s, s:o}", "kind", kind, "name", name, "values", values);
    json_array_append_new(c->rows, row);
    return values;
}

static void put(struct comparison *c, const char *kind, const char *name, size_t run, json_t *value)
{
    json_array_set(row_of(c, kind, name), run, value);
}

static void put_all(struct comparison *c, const char *kind, const char *step, json_t *values,
                    size_t run)
{
    const char *key;
    json_t *value;
    json_object_foreach (values, key, value) {
        cleanup_free char *name = step ? mem_printf("%s.%s", step, key) : mem_string(key);
        json_t *hash = json_object_get(value, "sha256"); /* an artifact: the same or not? */
        put(c, kind, name, run, hash ? hash : value);
    }
}

static void add_run(struct comparison *c, size_t n, const json_t *run)
{
    const char *const facts[] = {"id", "pipeline", "version", "state", "created", "finished"};
    json_t *step;
    size_t i;
    for (i = 0; i < ARRAY_LEN(facts); i++)
        put(c, "run", facts[i], n, json_object_get(run, facts[i]));
    put_all(c, "param", NULL, json_object_get(run, "params"), n);
    json_array_foreach (json_object_get(run, "steps"), i, step) {
        const char *name = json_get_string(step, "name", "");
        put_all(c, "metric", name, json_object_get(step, "metrics"), n);
        put_all(c, "output", name, json_object_get(step, "outputs"), n);
    }
}

static void show(const struct given *given, const struct comparison *c, json_t *const *runs)
{
    static const char *const pointers[COMPARE_MAX] = {
        "/values/0", "/values/1", "/values/2", "/values/3", "/values/4",  "/values/5",
        "/values/6", "/values/7", "/values/8", "/values/9", "/values/10", "/values/11"};
    struct column columns[COMPARE_MAX + 3] = {{"NAME", "/name", ALWAYS}, {"KIND", "/kind", ALWAYS}};
    for (size_t i = 0; i < c->count; i++)
        columns[i + 2] = (struct column){json_get_string(runs[i], "name", "?"), pointers[i], false};
    output_list(given, c->rows, columns);
}

static int run_compare(const struct given *given, struct err *err)
{
    json_t *runs[COMPARE_MAX] = {0};
    struct comparison c = {.rows = json_array()};
    int rc = output_check(given, err);
    while (rc >= 0 && given_argument(given, c.count)) {
        rc = get_run(given_argument(given, c.count), &runs[c.count], err);
        c.count++;
    }
    for (size_t i = 0; rc >= 0 && i < c.count; i++)
        add_run(&c, i, runs[i]);
    if (rc >= 0)
        show(given, &c, runs);
    for (size_t i = 0; i < c.count; i++)
        json_decref(runs[i]);
    json_decref(c.rows);
    return rc < 0 ? rc : 0;
}
const struct verb VERB_COMPARE = {.name = "compare",
                                  .arguments = "RUN...",
                                  .summary = "Shows parameters, metrics and outputs side by side",
                                  .least = 2,
                                  .most = COMPARE_MAX,
                                  .options = compare_options,
                                  .run = run_compare};
