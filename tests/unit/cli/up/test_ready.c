/* Is everything up? Against servers of our own that answer as told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/up/ready.h"
#include "common/base/clock.h"
#include "common/http/server.h"

static char api_address[32], hooks_address[32];
static char log_folder[] = "/LOG";
static struct up_settings s = {.listen = api_address, .hooks = hooks_address, .log = log_folder};
static struct err err;

static void health(struct http_request *req, void *arg)
{
    (void)arg;
    http_answer(req, 200, NULL, "ok", 2);
}

static void status_of(struct http_request *req, void *arg)
{
    http_answer(req, arg ? 200 : 503, NULL, arg ? arg : "{}", arg ? strlen(arg) : 2);
}

/* A process that serves until it is killed; its address is written to `out`. */
static pid_t serve(const char *status, char *out)
{
    int ends[2], port = 0;
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        static const struct http_route routes[] = {
            {.method = "GET", .pattern = "/healthz", .handle = health},
            {.method = "GET", .pattern = "/api/v1/status", .handle = status_of},
            {0},
        };
        struct http_server *server = NULL;
        struct loop *loop = loop_new();
        port = http_server_start(loop, "127.0.0.1:0", routes, (void *)status, NULL, &server, &err);
        (void)!write(ends[1], &port, sizeof port);
        loop_run(loop);
        _exit(0);
    }
    assert_int_equal(read(ends[0], &port, sizeof port), sizeof port);
    assert_true(port > 0);
    close(ends[0]);
    close(ends[1]);
    snprintf(out, 32, "127.0.0.1:%d", port);
    return pid;
}

static void end(pid_t pid)
{
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void says(const char *status, int code, const char *text)
{
    const pid_t api = serve(status, api_address);
    const pid_t hooks = serve(NULL, hooks_address);
    const int64_t until = clock_monotonic_us() + 60 * US_PER_S;
    int rc;
    do { /* asked again, as by `leat up`: on a busy machine somebody may not answer in time */
        memset(&err, 0, sizeof err);
        rc = up_ready(&s, &err);
    } while ((rc != code || (text && !strstr(err.text, text))) && clock_monotonic_us() < until);
    end(api);
    end(hooks);
    assert_int_equal(rc, code);
    if (text && !strstr(err.text, text))
        fail_msg("no '%s' in: %s", text, err.text);
}

static void test_answers(void **state)
{
    (void)state;
    says("{\"leader\":{\"beating\":true},\"workers\":{\"active\":1}}", 0, NULL);
    says("{\"leader\":{\"beating\":false},\"workers\":{\"active\":1}}", LEAT_EUNREACHABLE,
         "no scheduler leads yet (see /LOG/scheduler.log)");
    says("{\"leader\":{\"beating\":true},\"workers\":{\"active\":0}}", LEAT_EUNREACHABLE,
         "no worker is active yet (see /LOG/worker.log)");
    says("{\"leader\":null}", LEAT_EUNREACHABLE, "no scheduler leads");
    says("no JSON", LEAT_EUNREACHABLE, "see /LOG/api.log");
    says(NULL, LEAT_EUNREACHABLE, "see /LOG/api.log");
}

static void test_nobody_there(void **state)
{
    (void)state;
    const pid_t hooks = serve(NULL, hooks_address);
    end(hooks);
    assert_int_equal(up_ready(&s, &err), LEAT_EUNREACHABLE);
    assert_non_null(strstr(err.text, "see /LOG/triggers.log"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers),
                                       cmocka_unit_test(test_nobody_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
