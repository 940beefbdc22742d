#include "tests/support/triggers_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "tests/support/http_talk.h"
#include "tests/support/waiting.h"
#include "triggers/answer.h"
#include "triggers/buckets/bucket.h"
#include "triggers/buckets/put.h"
#include "triggers/catalog.h"
#include "triggers/cron/clock.h"
#include "triggers/hooks/hooks.h"

static const struct http_route routes[] = {
    {"POST", "/hooks/:source", hooks_receive, NULL, HOOK_BODY_MAX},
    {"PUT", "/buckets/:bucket/*key", NULL, &BUCKET_PUT, BUCKET_OBJECT_MAX},
    {"GET", "/healthz", answer_health, NULL, 0},
    {"GET", "/metrics", answer_metrics, NULL, 0},
    {0},
};

static void changed(void *arg)
{
    struct triggers_world *w = arg;
    w->changes++;
    buckets_follow(w->t.buckets);
    clock_follow(w->t.cron);
}

static void start(struct triggers_world *w)
{
    struct triggers *t = &w->t;
    t->config.buckets = mem_printf("%s/buckets", w->dir);
    t->config.store = mem_printf("%s/store", w->dir);
    t->config.key_file = mem_printf("%s/secret.key", w->dir);
    t->bus = memory_bus_open(w->queue, &(struct memory_bus_options){.producer = "triggers"});
    assert_int_equal(store_open(t->loop, t->config.store, NULL, &t->store, NULL), 0);
    assert_int_equal(catalog_open(t, changed, w, &t->catalog, NULL), 0);
    assert_int_equal(buckets_open(t, &t->buckets, NULL), 0);
    t->cron = clock_open(t);
    t->pg = pg_open(t->loop, &(struct pg_options){.conninfo = w->db.conninfo}, NULL, NULL);
    const int port = http_server_start(t->loop, "127.0.0.1:0", routes, t, NULL, &w->server, NULL);
    assert_true(port > 0);
    talk_to(t->loop, port);
    assert_true(wait_until(t->loop, pg_is_up(t->pg)));
    world_read(w);
}

/* Everything answered first: what is closed must not be called back. */
static void end(struct triggers_world *w)
{
    struct triggers *t = &w->t;
    http_server_stop(w->server);
    wait_ms(t->loop, 20);
    assert_true(wait_until(t->loop, pg_open_calls(t->pg) == 0));
    clock_close(t->cron);
    buckets_close(t->buckets);
    wait_ms(t->loop, 20);
    pg_close(t->pg);
    catalog_close(t->catalog);
    t->bus->ops->close(t->bus);
    store_close(t->store);
    free(t->config.buckets);
    free(t->config.store);
    free(t->config.key_file);
    struct loop *loop = t->loop;
    *t = (struct triggers){.loop = loop};
}

void world_open(struct triggers_world *w)
{
    static bool registered;
    if (!registered)
        metrics_register(TRIGGER_METRIC, TRIGGER_METRIC_COUNT);
    registered = true;
    *w = (struct triggers_world){.t.loop = loop_new()};
    folder_make(w->dir);
    test_database_make(&w->db);
    test_database_migrate(&w->db);
    w->queue = memory_log_new(memory_clock_of_loop(w->t.loop), NULL);
    memory_log_make_topic(w->queue, TOPIC_EVENTS, 1);
    start(w);
}

void world_close(struct triggers_world *w)
{
    end(w);
    memory_log_free(w->queue);
    loop_free(w->t.loop);
    test_database_drop(&w->db);
    folder_remove(w->dir);
}

void world_restart(struct triggers_world *w)
{
    end(w);
    start(w);
}

void world_sql(struct triggers_world *w, const char *sql)
{
    test_sql(w->db.conninfo, sql);
}

void world_source(struct triggers_world *w, const char *name, const char *provider,
                  const char *config, const char *secret)
{
    uint8_t key[32];
    size_t len = 0;
    PGconn *conn = test_connect(w->db.conninfo);
    if (secret) {
        assert_int_equal(secret_key_load(w->t.config.key_file, false, key, NULL), 0);
        cleanup_free uint8_t *sealed =
            secret_seal(key, secret, WORLD_SECRET, strlen(WORLD_SECRET), &len);
        const char *const row[] = {secret, (const char *)sealed};
        const int lengths[] = {0, (int)len}, formats[] = {0, 1};
        PGresult *r = PQexecParams(conn,
                                   "INSERT INTO secret (name, sealed) VALUES ($1, $2) "
                                   "ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
                                   2, NULL, row, lengths, formats, 0);
        assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
        PQclear(r);
    }
    const char *const row[] = {name, provider, secret, config};
    PGresult *r = PQexecParams(conn,
                               "INSERT INTO source (name, provider, secret, config, gen) "
                               "VALUES ($1, $2, $3, $4::jsonb, 1)",
                               4, NULL, row, NULL, NULL, 0);
    assert_int_equal(PQresultStatus(r), PGRES_COMMAND_OK);
    PQclear(r);
    PQfinish(conn);
}

static void read_once(void *arg, const struct err *err)
{
    assert_null(err);
    ++*(int *)arg;
}

void world_read(struct triggers_world *w)
{
    int done = 0;
    catalog_read(w->t.catalog, read_once, &done);
    assert_true(wait_for_count(w->t.loop, &done, 1, 60000));
    wait_ms(w->t.loop, 5);
}

int world_events(const struct triggers_world *w)
{
    return (int)memory_log_end(w->queue, TOPIC_EVENTS, 0);
}

void world_until_sql(struct triggers_world *w, const char *sql, int64_t value)
{
    if (!wait_until(w->t.loop, test_sql(w->db.conninfo, sql) == value))
        fail_msg("never %lld: %s", (long long)value, sql);
}

bool world_until_events(struct triggers_world *w, int least)
{
    return wait_until(w->t.loop, world_events(w) >= least);
}

struct event world_event(const struct triggers_world *w, int n)
{
    size_t len = 0;
    struct event event = {0};
    const void *value = memory_log_value(w->queue, TOPIC_EVENTS, 0, n, &len);
    assert_non_null(value);
    assert_int_equal(event_decode(value, len, &event, NULL), 0);
    return event;
}

void world_path(const struct triggers_world *w, const char *bucket, const char *name, char out[256])
{
    snprintf(out, 256, "%s/buckets/%s/%s", w->dir, bucket, name);
}
