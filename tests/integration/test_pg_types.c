/* Every type of parameter, alone and in arrays, as the server itself reads it; and every reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/pg/params.h"
#include "common/pg/rows.h"
#include "tests/support/postgres.h"

static PGconn *server;

/* Sends the parameters as pg_io.c does, to a statement of the test's own. */
static PGresult *ask(const char *sql, const struct pg_params *p, int binary)
{
    Oid types[8];
    const char *values[8];
    int lengths[8], formats[8];
    for (size_t i = 0; i < p->count; i++) {
        types[i] = p->list[i].oid;
        values[i] = p->list[i].len < 0 ? NULL : p->data.data + p->list[i].at;
        lengths[i] = p->list[i].len;
        formats[i] = 1;
    }
    PGresult *r = PQexecParams(server, sql, (int)p->count, types, values, lengths, formats, binary);
    if (PQresultStatus(r) != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(server));
    return r;
}

static void expect_text(const struct pg_params *p, const char *sql, const char *expected)
{
    PGresult *r = ask(sql, p, 0);
    assert_string_equal(PQgetvalue(r, 0, 0), expected);
    PQclear(r);
}

static const struct uuid id = {{0x01, 0x9a, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 0xff}};

static void arrays(void **state)
{
    (void)state;
    cleanup_pg_params struct pg_params p = {0};
    pg_array_begin(&p, PG_INT4);
    pg_add_int4(&p, INT32_MIN);
    pg_add_int4(&p, INT32_MAX);
    pg_array_end(&p);
    pg_array_begin(&p, PG_INT8);
    pg_add_int8(&p, INT64_MIN);
    pg_add_null(&p, PG_INT8);
    pg_array_end(&p);
    pg_array_begin(&p, PG_TEXT);
    pg_add_text(&p, "a,\"{b}'");
    pg_add_text(&p, NULL);
    pg_add_text(&p, "");
    pg_array_end(&p);
    pg_array_begin(&p, PG_BYTEA);
    pg_add_bytea(&p, "\0\xff", 2);
    pg_add_bytea(&p, "", 0);
    pg_add_bytea(&p, NULL, 0);
    pg_array_end(&p);
    pg_array_begin(&p, PG_UUID);
    pg_add_uuid(&p, &id);
    pg_add_uuid_or_null(&p, &(struct uuid){{0}});
    pg_array_end(&p);
    pg_array_begin(&p, PG_BOOL);
    pg_add_bool(&p, true);
    pg_add_bool(&p, false);
    pg_array_end(&p);
    pg_array_begin(&p, PG_FLOAT8);
    pg_add_float8(&p, -1.5);
    pg_array_end(&p);
    pg_array_begin(&p, PG_TIMESTAMPTZ);
    pg_add_time(&p, 0);
    pg_add_time(&p, 1795424336123456);
    pg_add_time_or_null(&p, 0);
    pg_array_end(&p);
    expect_text(&p,
                "SELECT concat_ws(' | ', $1::int[], $2::bigint[], $3::text[], $4::bytea[], "
                "$5::uuid[], $6::bool[], $7::float8[], $8::timestamptz[])",
                "{-2147483648,2147483647} | {-9223372036854775808,NULL} | "
                "{\"a,\\\"{b}'\",NULL,\"\"} | {\"\\\\x00ff\",\"\\\\x\",NULL} | "
                "{019a0000-0000-7000-8000-0000000000ff,NULL} | {t,f} | {-1.5} | "
                "{\"1970-01-01 00:00:00+00\",\"2026-11-23 08:58:56.123456+00\",NULL}");
}

static void empty_arrays(void **state)
{
    (void)state;
    cleanup_pg_params struct pg_params p = {0};
    pg_array_begin(&p, PG_UUID);
    pg_array_end(&p);
    expect_text(&p, "SELECT count(*) FROM unnest($1::uuid[])", "0");
}

static void readers(void **state)
{
    (void)state;
    cleanup_pg_params struct pg_params p = {0};
    pg_add_uuid(&p, &id);
    pg_add_time(&p, -1);
    pg_add_float8(&p, 0.1);
    pg_add_text(&p, "é\n");
    pg_add_bytea(&p, "\0x", 2);
    PGresult *r = ask("SELECT $1::uuid, $2::timestamptz, $3::float8, $4::text, $5::bytea, "
                      "'{\"a\": [1]}'::jsonb, 7::int2, -7::int4, 7::int8, true, NULL::text, "
                      "NULL::uuid, '{}'::json, 'n'::name",
                      &p, 1);
    const struct pg_rows *rows = (const struct pg_rows *)r;
    size_t len = 0;
    assert_int_equal(pg_row_count(rows), 1);
    const struct uuid back = pg_uuid(rows, 0, 0);
    assert_memory_equal(&back, &id, sizeof id);
    assert_int_equal(pg_time(rows, 0, 1), -1);
    assert_true(pg_float8(rows, 0, 2) == 0.1);
    assert_string_equal(pg_text(rows, 0, 3), "é\n");
    assert_memory_equal(pg_bytea(rows, 0, 4, &len), "\0x", 2);
    assert_int_equal(len, 2);
    assert_string_equal(pg_text(rows, 0, 5), "{\"a\": [1]}");
    assert_int_equal(pg_int(rows, 0, 6), 7);
    assert_int_equal(pg_int(rows, 0, 7), -7);
    assert_int_equal(pg_int(rows, 0, 8), 7);
    assert_true(pg_bool(rows, 0, 9));
    assert_true(pg_is_null(rows, 0, 10));
    assert_string_equal(pg_text(rows, 0, 10), "");
    assert_null(pg_text_or_null(rows, 0, 10));
    const struct uuid none = pg_uuid(rows, 0, 11);
    assert_true(uuid_is_nil(&none));
    assert_string_equal(pg_text(rows, 0, 12), "{}");
    assert_string_equal(pg_text(rows, 0, 13), "n");
    assert_int_equal(pg_row_count(NULL), 0);
    PQclear(r);
}

static int connect_server(void **state)
{
    (void)state;
    const char *conninfo = getenv("LEAT_TEST_PG");
    server = test_connect(conninfo ? conninfo : "");
    PQclear(PQexec(server, "SET timezone = 'UTC'"));
    return 0;
}

static int disconnect_server(void **state)
{
    (void)state;
    PQfinish(server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays),
        cmocka_unit_test(empty_arrays),
        cmocka_unit_test(readers),
    };
    return cmocka_run_group_tests(tests, connect_server, disconnect_server);
}
