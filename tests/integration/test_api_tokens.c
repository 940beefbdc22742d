/* Tokens and joining on a real Postgres, through the routes: what is given out, once; what is kept;
 * what each token opens. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/server.h"
#include "common/text/json.h"
#include "tests/support/http_talk.h"
#include "tests/support/postgres.h"
#include "tests/support/waiting.h"

static struct test_database db;
static struct api api;
static struct http_server *server;
static char own[] = "the-api's-own-token";
static char kafka[] = "kafka://broker:9092", embedded[] = "embedded", store[] = "s3://bucket";

static int setup(void **state)
{
    (void)state;
    static const struct pg_events events = {0};
    test_database_make(&db);
    test_database_migrate(&db);
    api = (struct api){.loop = loop_new(), .token = own, .key = {7}};
    api.config.bus = kafka;
    api.config.store = store;
    api.pg = pg_open(api.loop, &(struct pg_options){.conninfo = db.conninfo, .name = "test-api"},
                     &events, &api);
    assert_true(wait_until(api.loop, pg_is_up(api.pg)));
    talk_to(api.loop,
            http_server_start(api.loop, "127.0.0.1:0", API_ROUTES, &api, NULL, &server, NULL));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    http_server_stop(server);
    pg_close(api.pg);
    loop_free(api.loop);
    test_database_drop(&db);
    return 0;
}

/* The answer's status; its JSON in *body when asked for. */
static int call(const char *method, const char *path, const char *token, const char *data,
                json_t **body)
{
    cleanup_free char *request =
        mem_printf("%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer %s\r\n"
                   "Content-Length: %zu\r\n\r\n%s",
                   method, path, token, strlen(data), data);
    cleanup_free char *got = exchange(request);
    long long status = 0;
    got[12] = '\0';
    assert_true(text_to_int(got + 9, 100, 599, &status));
    const char *json = strstr(got + 13, "\r\n\r\n");
    if (body)
        *body = json ? json_read(json + 4, strlen(json + 4), NULL, NULL) : NULL;
    return (int)status;
}

static char *new_token(const char *what, json_t **made)
{
    assert_int_equal(call("POST", "/api/v1/tokens", own, what, made), 201);
    return mem_string(json_get_string(*made, "token", ""));
}

static bool at_rest(const char *text)
{
    cleanup_free char *sql =
        mem_printf("SELECT count(*) FROM token t WHERE t::text LIKE '%%%s%%'", text);
    return test_sql(db.conninfo, sql) > 0;
}

static const char JOIN[] = "/api/v1/workers/join";

static void a_join_token_is_good_once(void **state)
{
    (void)state;
    cleanup_json json_t *made = NULL, *joined = NULL, *problem = NULL;
    cleanup_free char *token = new_token("{\"kind\":\"join\",\"pool\":\"gpu\"}", &made);
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m1\"}", &joined), 201);
    assert_string_equal(json_get_string(joined, "worker", ""), "m1");
    const json_t *config = json_get_object(joined, "config");
    assert_string_equal(json_get_string(config, "bus", ""), "kafka://broker:9092");
    assert_string_equal(json_get_string(config, "store", ""), "s3://bucket");
    assert_string_equal(json_get_string(config, "pool", ""), "gpu");
    cleanup_free char *all = json_write(joined);
    assert_null(strstr(all, "dbname")); /* no way into the database */
    assert_null(strstr(all, "database"));
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m2\"}", &problem), 401);
    assert_non_null(strstr(json_get_string(problem, "detail", ""), "used by worker m1"));
    /* Neither text is kept. */
    assert_false(at_rest(strrchr(token, '_') + 1));
    assert_false(at_rest(strrchr(json_get_string(joined, "token", ""), '_') + 1));
    assert_true(at_rest("m1"));
}

static void a_worker_may_only_what_its_attempts_need(void **state)
{
    (void)state;
    cleanup_json json_t *made = NULL, *joined = NULL;
    cleanup_free char *token = new_token("{\"kind\":\"join\"}", &made);
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m3\"}", &joined), 201);
    const char *own_token = json_get_string(joined, "token", "");
    const char *attempt = "/attempts/01920000-0000-7000-8000-000000000000/secrets";
    cleanup_free char *mine = mem_printf("/api/v1/workers/m3%s", attempt);
    cleanup_free char *other = mem_printf("/api/v1/workers/m1%s", attempt);
    assert_int_equal(call("POST", mine, own_token, "{\"names\":[]}", NULL), 404); /* not live */
    assert_int_equal(call("POST", other, own_token, "{\"names\":[]}", NULL), 403);
    assert_int_equal(call("GET", "/api/v1/secrets", own_token, "", NULL), 403);
    assert_int_equal(call("POST", "/api/v1/tokens", own_token, "{}", NULL), 403);
    assert_int_equal(call("POST", JOIN, own_token, "{\"name\":\"m4\"}", NULL), 401);
    assert_int_equal(call("GET", "/api/v1/secrets", token, "", NULL), 401); /* used up */
}

static void what_is_wrong_with_a_join_is_said(void **state)
{
    (void)state;
    cleanup_json json_t *made = NULL, *ended = NULL, *taken = NULL;
    cleanup_free char *token = new_token("{\"kind\":\"join\"}", &made);
    assert_int_equal(call("POST", JOIN, own, "{\"name\":\"m5\"}", NULL), 401);
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"../m5\"}", NULL), 400);
    assert_int_equal(call("POST", JOIN, token, "{}", NULL), 400);
    token[strlen(token) - 1] ^= 1;
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m5\"}", NULL), 401);
    token[strlen(token) - 1] ^= 1;
    test_sql(db.conninfo, "INSERT INTO worker VALUES ('there', gen_random_uuid(), '', 'active', 0, "
                          "'{}', now())");
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"there\"}", &taken), 409);
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m5\"}", NULL), 201); /* still good */
    test_sql(db.conninfo, "UPDATE token SET used = NULL, used_by = NULL, expires = now() "
                          "WHERE used_by = 'm5'");
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m6\"}", &ended), 401);
    assert_non_null(strstr(json_get_string(ended, "detail", ""), "expired"));
}

static void with_the_embedded_queue_it_is_refused_and_not_spent(void **state)
{
    (void)state;
    cleanup_json json_t *made = NULL, *problem = NULL;
    cleanup_free char *token = new_token("{\"kind\":\"join\"}", &made);
    api.config.bus = embedded;
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m7\"}", &problem), 409);
    api.config.bus = kafka;
    assert_non_null(strstr(json_get_string(problem, "detail", ""), "--bus kafka"));
    assert_int_equal(call("POST", JOIN, token, "{\"name\":\"m7\"}", NULL), 201);
}

static void a_users_token_opens_all_until_it_is_revoked(void **state)
{
    (void)state;
    cleanup_json json_t *made = NULL, *list = NULL;
    cleanup_free char *token = new_token("{}", &made);
    assert_int_equal(call("GET", "/api/v1/tokens", token, "", &list), 200);
    cleanup_free char *all = json_write(list);
    assert_null(strstr(all, strrchr(token, '_') + 1));
    assert_non_null(strstr(all, json_get_string(made, "id", "?")));
    cleanup_free char *path = mem_printf("/api/v1/tokens/%s", json_get_string(made, "id", ""));
    assert_int_equal(call("DELETE", path, own, "", NULL), 204);
    assert_int_equal(call("GET", "/api/v1/tokens", token, "", NULL), 401);
    assert_int_equal(call("DELETE", "/api/v1/tokens/0000", own, "", NULL), 404);
    assert_int_equal(call("GET", "/api/v1/tokens", "something else", "", NULL), 401);
}

static void bounds_of_what_is_asked_for(void **state)
{
    (void)state;
    const char *const bad[] = {"{\"kind\":\"worker\"}", "{\"kind\":\"join\",\"ttl_s\":0}",
                               "{\"ttl_s\":31536001}",  "{\"ttl_s\":-1}",
                               "{\"pool\":\"gpu\"}",    "{\"kind\":\"join\",\"pool\":\"a b\"}"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(call("POST", "/api/v1/tokens", own, bad[i], NULL), 400);
    cleanup_json json_t *made = NULL;
    cleanup_free char *token = new_token("{\"ttl_s\":31536000}", &made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_token_is_good_once),
        cmocka_unit_test(a_worker_may_only_what_its_attempts_need),
        cmocka_unit_test(what_is_wrong_with_a_join_is_said),
        cmocka_unit_test(with_the_embedded_queue_it_is_refused_and_not_spent),
        cmocka_unit_test(a_users_token_opens_all_until_it_is_revoked),
        cmocka_unit_test(bounds_of_what_is_asked_for),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
