/* Every statement of schema/queries is understood by a server that holds this build's schema, and
 * has as many parameters as the generator counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "schema/gen/queries.h"
#include "tests/support/postgres.h"

static void every_statement_prepares(void **state)
{
    (void)state;
    struct test_database db;
    test_database_make(&db);
    test_database_migrate(&db);
    PGconn *conn = test_connect(db.conninfo);
    for (int i = 0; i < QUERY_COUNT; i++) {
        const struct query *q = &QUERIES[i];
        PGresult *r = PQprepare(conn, q->name, q->text, 0, NULL);
        if (PQresultStatus(r) != PGRES_COMMAND_OK)
            fail_msg("%s: %s", q->name, PQerrorMessage(conn));
        PQclear(r);
        r = PQdescribePrepared(conn, q->name);
        if (PQnparams(r) != q->nparams)
            fail_msg("%s has %d parameters, not %d", q->name, PQnparams(r), q->nparams);
        PQclear(r);
    }
    PQfinish(conn);
    test_database_drop(&db);
}

static void wrong_statement_would_be_noticed(void **state)
{
    (void)state;
    struct test_database db;
    test_database_make(&db); /* without the schema */
    PGconn *conn = test_connect(db.conninfo);
    PGresult *r = PQprepare(conn, "", QUERIES[QUERY_BUS_APPEND].text, 0, NULL);
    assert_int_equal(PQresultStatus(r), PGRES_FATAL_ERROR);
    PQclear(r);
    PQfinish(conn);
    test_database_drop(&db);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_prepares),
        cmocka_unit_test(wrong_statement_would_be_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
