/* The database that `leat up` is given: who does not answer is named, and no password is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "cli/up/database.h"
#include "common/base/address.h"
#include "common/base/mem.h"

static void who_does_not_answer_is_named(void **state)
{
    (void)state;
    struct err err = {0};
    uint16_t port;
    int fd;
    assert_int_equal(address_listen("127.0.0.1:0", 1, &fd, &port, &err), 0);
    close(fd); /* nobody listens there now */
    cleanup_free char *conninfo =
        mem_printf("host=127.0.0.1 port=%u dbname=x user=u password=unsaid", port);
    assert_null(up_database_connect(conninfo, &err));
    assert_int_equal(err.code, LEAT_EUNREACHABLE);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_null(strstr(err.text, "unsaid"));
    assert_null(strpbrk(err.text, "\n\t"));
}

static void what_is_no_connection_string_is_not_repeated(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(up_database_connect("postgres//u:unsaid@h", &err));
    assert_int_equal(err.code, LEAT_EINPUT);
    assert_null(strstr(err.text, "unsaid"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_does_not_answer_is_named),
        cmocka_unit_test(what_is_no_connection_string_is_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
