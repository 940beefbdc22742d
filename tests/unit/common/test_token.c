/* Who needs a token, and what a token file must hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/http/token.h"

static char *file_of(const char *text)
{
    char *path = mem_string("/tmp/leat-token-XXXXXX");
    const int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return path;
}

static int read_from(const char *address, bool insecure, const char *text, char **token)
{
    char *path = text ? file_of(text) : NULL;
    struct err err = {0};
    const int rc = token_read("listen", address, insecure, path, token, &err);
    if (rc < 0)
        assert_true(strlen(err.text) > 0);
    if (path)
        unlink(path);
    free(path);
    return rc;
}

static void loopback_needs_none(void **state)
{
    (void)state;
    char *token = NULL;
    assert_int_equal(read_from("127.0.0.1:8080", false, NULL, &token), 0);
    assert_null(token);
}

static void elsewhere_it_must_be_said_and_given(void **state)
{
    (void)state;
    char *token = NULL;
    assert_int_equal(read_from("0.0.0.0:8080", false, "0123456789abcdef\n", &token), LEAT_EREFUSED);
    assert_int_equal(read_from("0.0.0.0:8080", true, NULL, &token), LEAT_EREFUSED);
    assert_int_equal(read_from("0.0.0.0:8080", true, "", &token), LEAT_EREFUSED);
    assert_int_equal(read_from("0.0.0.0:8080", true, "0123456789abcde\n", &token), LEAT_EREFUSED);
    assert_int_equal(read_from("0.0.0.0:8080", true, "0123456789abcdef\r\nmore", &token), 0);
    assert_string_equal(token, "0123456789abcdef");
    free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_needs_none),
        cmocka_unit_test(elsewhere_it_must_be_said_and_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
