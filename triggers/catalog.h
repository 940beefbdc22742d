/* triggers/catalog.h: the declared sources as Postgres has them, with their secrets opened.
 * Read when the connection comes up, when an apply says so (NOTIFY leat_catalog), and before a
 * source is called unknown. Secrets live in memory only. */
#pragma once
#include <jansson.h>
#include "common/ir/source.h"
#include "triggers/triggers.h"

struct source {
    char *name;
    enum source_provider provider;
    json_t *config;
    char *secret_name; /* NULL = none declared */
    char *secret;      /* NULL = none, or not set yet */
    size_t secret_len;
    char *credentials; /* of the service (config "credentials"); NULL = none, or not set yet */
};

/* `changed` is called after every reading. LEAT_EIO or LEAT_EINPUT for the key file. */
int catalog_open(struct triggers *t, loop_fn *changed, void *arg, struct catalog **out,
                 struct err *err);
void catalog_close(struct catalog *catalog); /* wipes the secrets; takes NULL */

bool catalog_is_loaded(const struct catalog *catalog);
/* Valid until the loop runs again. NULL = not declared (yet). */
const struct source *catalog_find(const struct catalog *catalog, const char *name);
size_t catalog_count(const struct catalog *catalog);
const struct source *catalog_at(const struct catalog *catalog, size_t n);

/* Reads again; done(arg) afterwards, err set when Postgres did not answer. Calls made while one
 * is under way share the next. */
typedef void catalog_read_fn(void *arg, const struct err *err);
void catalog_read(struct catalog *catalog, catalog_read_fn *done, void *arg);
