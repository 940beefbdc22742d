/* Addresses: what is one, what is loopback, what can be listened on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/base/notify.h"

static void test_parse(void **state)
{
    (void)state;
    struct address a;
    assert_int_equal(address_parse("127.0.0.1:8080", &a, NULL), 0);
    assert_string_equal(a.host, "127.0.0.1");
    assert_int_equal(a.port, 8080);
    assert_int_equal(address_parse("[::1]:0", &a, NULL), 0);
    assert_string_equal(a.host, "::1");
    assert_int_equal(address_parse(":65535", &a, NULL), 0);
    assert_string_equal(a.host, "");
    static const char *const bad[] = {"",        "host",       "host:", "host:x", "host:65536",
                                      "host:-1", "[::1]",      "[::1",  "::1:80", "a b:1",
                                      "a:1 ",    "http://x:1", "a\n:1"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        if (address_parse(bad[i], &a, &err) != LEAT_EINPUT)
            fail_msg("'%s' was taken", bad[i]);
    }
}

static void test_loopback(void **state)
{
    (void)state;
    static const char *const yes[] = {"127.0.0.1",   "127.0.0.1:80", "127.9.9.9:1",
                                      "::1",         "[::1]:80",     "localhost",
                                      "localhost:1", "/run/x.sock",  "unix:/run/x"};
    static const char *const no[] = {"",
                                     "0.0.0.0",
                                     "0.0.0.0:80",
                                     ":80",
                                     "::",
                                     "[::]:80",
                                     "128.0.0.1:1",
                                     "10.0.0.1",
                                     "localhost.evil.org",
                                     "127.0.0.1.evil.org:1",
                                     "127.1",
                                     "localhost:x",
                                     "unix:",
                                     "[127.0.0.1",
                                     "2130706433"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++)
        if (!address_is_loopback(yes[i]))
            fail_msg("'%s' is loopback", yes[i]);
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (address_is_loopback(no[i]))
            fail_msg("'%s' is not loopback", no[i]);
}

static void test_listen(void **state)
{
    (void)state;
    int fd = -1, other = -1;
    uint16_t port = 0;
    struct err err = {0};
    assert_int_equal(address_listen("127.0.0.1:0", 5, &fd, &port, NULL), 0);
    assert_true(fd >= 0 && port > 0);
    cleanup_free char *taken = mem_printf("127.0.0.1:%u", port);
    assert_int_equal(address_listen(taken, 5, &other, &port, &err), LEAT_EIO);
    assert_non_null(strstr(err.text, taken));
    assert_int_equal(address_listen("no.such.host.invalid:1", 5, &other, &port, &err), LEAT_EINPUT);
    close(fd);
}

static void test_notify(void **state)
{
    (void)state;
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    char got[64] = "";
    snprintf(at.sun_path, sizeof at.sun_path, "/tmp/leat-test-notify-%d", (int)getpid());
    unsetenv("NOTIFY_SOCKET");
    notify_supervisor("READY=1"); /* nobody to tell */
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    setenv("NOTIFY_SOCKET", at.sun_path, 1);
    notify_supervisor("READY=1\nSTATUS=up");
    assert_int_equal(read(fd, got, sizeof got - 1), 17);
    assert_string_equal(got, "READY=1\nSTATUS=up");
    setenv("NOTIFY_SOCKET", "relative", 1);
    notify_supervisor("READY=1");
    unsetenv("NOTIFY_SOCKET");
    close(fd);
    unlink(at.sun_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_loopback),
        cmocka_unit_test(test_listen),
        cmocka_unit_test(test_notify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
