#include "triggers/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"

struct waiter {
    catalog_read_fn *done;
    void *arg;
};

struct catalog {
    struct triggers *triggers;
    uint8_t key[32];
    loop_fn *changed;
    void *arg;
    struct source *sources;
    size_t count;
    bool loaded;
    bool reading;
    struct waiter *now, *next; /* answered by the reading under way, by the one after it */
    size_t now_count, now_cap, next_count, next_cap;
};

static void free_sources(struct source *sources, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (sources[i].secret)
            mem_wipe(sources[i].secret, sources[i].secret_len);
        free(sources[i].secret);
        if (sources[i].credentials)
            mem_wipe(sources[i].credentials, strlen(sources[i].credentials));
        free(sources[i].credentials);
        free(sources[i].secret_name);
        free(sources[i].name);
        json_decref(sources[i].config);
    }
    free(sources);
}

int catalog_open(struct triggers *t, loop_fn *changed, void *arg, struct catalog **out,
                 struct err *err)
{
    struct catalog *c = mem_alloc(sizeof *c);
    *c = (struct catalog){.triggers = t, .changed = changed, .arg = arg};
    const int rc = secret_key_load(t->config.key_file, true, c->key, err);
    if (rc < 0)
        catalog_close(c);
    else
        *out = c;
    return rc;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    free_sources(c->sources, c->count);
    mem_wipe(c->key, sizeof c->key);
    free(c->now);
    free(c->next);
    free(c);
}

bool catalog_is_loaded(const struct catalog *c)
{
    return c->loaded;
}

size_t catalog_count(const struct catalog *c)
{
    return c->count;
}

const struct source *catalog_at(const struct catalog *c, size_t n)
{
    return &c->sources[n];
}

static int compare_name(const void *key, const void *source)
{
    return strcmp(key, ((const struct source *)source)->name);
}

const struct source *catalog_find(const struct catalog *c, const char *name)
{
    return c->count ? bsearch(name, c->sources, c->count, sizeof *c->sources, compare_name) : NULL;
}

/* The secret `name` of a source, sealed in `column`; NULL when there is none or it is not set. */
static char *read_secret(const struct catalog *c, const struct source *s, const char *name,
                         const struct pg_rows *rows, size_t row, size_t column, size_t *value_len)
{
    size_t len = 0;
    struct err err = {0};
    const uint8_t *sealed =
        pg_is_null(rows, row, column) ? NULL : pg_bytea(rows, row, column, &len);
    if (!sealed || !name)
        return NULL;
    char *value = secret_open(c->key, name, sealed, len, value_len, &err);
    if (!value)
        log_error("a secret cannot be opened", LOG_S("source", s->name), LOG_ERR(&err));
    return value;
}

static int compare_sources(const void *a, const void *b)
{
    return strcmp(((const struct source *)a)->name, ((const struct source *)b)->name);
}

static void take_rows(struct catalog *c, const struct pg_rows *rows)
{
    const size_t n = pg_row_count(rows);
    struct source *sources = mem_array(n, sizeof *sources);
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        const int provider = source_provider_parse(pg_text(rows, i, 1));
        if (provider < 0)
            continue; /* a newer version's: nothing here can listen to it */
        const char *config = pg_text(rows, i, 2);
        struct source *s = &sources[count++];
        s->name = mem_string(pg_text(rows, i, 0));
        s->provider = (enum source_provider)provider;
        s->config = json_read(config, strlen(config), NULL, NULL);
        s->secret_name = mem_string(pg_text_or_null(rows, i, 3));
        size_t unused;
        s->secret = read_secret(c, s, s->secret_name, rows, i, 4, &s->secret_len);
        s->credentials =
            read_secret(c, s, json_get_string(s->config, "credentials", NULL), rows, i, 5, &unused);
    }
    qsort(sources, count, sizeof *sources, compare_sources); /* by bytes, as bsearch looks */
    free_sources(c->sources, c->count);
    c->sources = sources;
    c->count = count;
    c->loaded = true;
}

static void start_reading(struct catalog *c);

static void rows_read(void *arg, const struct pg_answer *answer)
{
    struct catalog *c = arg;
    c->reading = false;
    if (!answer->err)
        take_rows(c, answer->rows);
    struct waiter *waiters = c->now;
    const size_t n = c->now_count;
    c->now = NULL;
    c->now_count = c->now_cap = 0;
    for (size_t i = 0; i < n; i++)
        waiters[i].done(waiters[i].arg, answer->err);
    free(waiters);
    if (!answer->err)
        c->changed(c->arg);
    if (c->next_count)
        start_reading(c);
}

static void start_reading(struct catalog *c)
{
    c->reading = true;
    c->now = c->next;
    c->now_count = c->next_count;
    c->now_cap = c->next_cap;
    c->next = NULL;
    c->next_count = c->next_cap = 0;
    pg_call(c->triggers->pg, QUERY_TRIGGERS_SOURCES, NULL, rows_read, c);
}

static void ignore(void *arg, const struct err *err)
{
    (void)arg, (void)err;
}

void catalog_read(struct catalog *c, catalog_read_fn *done, void *arg)
{
    MEM_ROOM(c->next, c->next_count, c->next_cap);
    c->next[c->next_count++] = (struct waiter){done ? done : ignore, arg};
    if (!c->reading)
        start_reading(c);
}
