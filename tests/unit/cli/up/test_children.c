/* Which processes run and what they are told; the keeper's end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/up/children.h"
#include "common/base/mem.h"
#include "tests/unit/cli/capture.h"

extern const struct verb VERB_UP;
static char folder[] = "/tmp/lt-children-XXXXXX";
static struct up_settings s;
static struct up_child *children;
static size_t count;
static struct err err;

static int setup(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

/* With a database of one's own there is no Postgres to make. */
static void make(char *const *more)
{
    const char *argv[16] = {"--data", folder, "--database", "postgres://h/d"};
    int argc = 4;
    for (; *more; more++)
        argv[argc++] = *more;
    struct given *given = given_of(&VERB_UP, argc, (char *const *)argv);
    assert_int_equal(up_settings_read(given, &s, &err), 0);
    given_free(given);
    assert_int_equal(up_children_make(&s, &children, &count, &err), 0);
}
#define MAKE(...) make(WORDS(__VA_ARGS__))

static int unmake(void **state)
{
    (void)state;
    up_children_free(children, count);
    up_settings_free(&s);
    children = NULL;
    count = 0;
    return 0;
}

static const struct up_child *child(const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(children[i].name, name) == 0)
            return &children[i];
    fail_msg("there is no %s", name);
    return NULL;
}

/* As the daemons read it: a flag has its value behind '=' or none, never in the next word. */
static const char *argument(const char *name, const char *key)
{
    const size_t len = strlen(key);
    for (char **a = child(name)->argv; *a; a++) {
        assert_string_not_equal(*a, "true");
        if (strncmp(*a, "--", 2) != 0 || strncmp(*a + 2, key, len) != 0)
            continue;
        if ((*a)[2 + len] == '=')
            return *a + 2 + len + 1;
        if (!(*a)[2 + len])
            return a[1];
    }
    return NULL;
}

static void test_who_runs(void **state)
{
    (void)state;
    MAKE();
    const char *const names[] = {"scheduler", "triggers", "api", "worker"};
    assert_int_equal(count, ARRAY_LEN(names));
    for (size_t i = 0; i < count; i++) {
        cleanup_free char *program = mem_printf("%s/bin/leat-%s", folder, names[i]);
        cleanup_free char *log = mem_printf("%s/log/%s.log", folder, names[i]);
        assert_string_equal(children[i].name, names[i]);
        assert_string_equal(children[i].argv[0], program);
        assert_string_equal(children[i].log, log);
        /* `down` ends what the worker runs; the death of leat up does not. */
        assert_int_equal(children[i].stop_signal, i == 3 ? SIGQUIT : SIGTERM);
        assert_int_equal(children[i].orphan_signal, SIGTERM);
        assert_null(argument(names[i], "database")); /* everybody can read command lines */
        assert_string_equal(children[i].database, "postgres://h/d");
        assert_string_equal(argument(names[i], "bus"), "embedded");
    }
}

/* On Kafka the worker holds no login of Postgres; topics are the scheduler's matter. */
static void test_on_kafka(void **state)
{
    (void)state;
    MAKE("--bus", "kafka://broker:1", "--bus-tls", "--bus-ca-file", "/ca", "--bus-replicas", "2");
    const char *const names[] = {"scheduler", "triggers", "api", "worker"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_string_equal(argument(names[i], "bus"), "kafka://broker:1");
        assert_string_equal(argument(names[i], "bus-tls"), "true");
        assert_string_equal(argument(names[i], "bus-ca-file"), "/ca");
        assert_null(argument(names[i], "doorbells"));
        assert_null(argument(names[i], "bus-user"));
    }
    assert_string_equal(argument("scheduler", "bus-replicas"), "2");
    assert_null(argument("worker", "bus-replicas"));
    assert_string_equal(child("api")->database, "postgres://h/d");
    assert_null(child("worker")->database);
}

static void test_what_they_are_told(void **state)
{
    (void)state;
    MAKE("--listen", "127.0.0.1:1", "--hooks", "127.0.0.1:2", "--slots", "3");
    assert_string_equal(argument("api", "listen"), "127.0.0.1:1");
    assert_string_equal(argument("worker", "api"), "http://127.0.0.1:1");
    assert_string_equal(argument("triggers", "hooks"), "127.0.0.1:2");
    assert_string_equal(argument("worker", "slots"), "3");
    assert_null(argument("worker", "path")); /* not given: the worker's own default */
    assert_null(argument("api", "insecure"));
    cleanup_free char *store = mem_printf("%s/store", folder);
    const char *const users[] = {"triggers", "api", "worker"};
    for (size_t i = 0; i < ARRAY_LEN(users); i++)
        assert_string_equal(argument(users[i], "store"), store);
    assert_null(argument("scheduler", "store"));
}

static void test_networks_are_the_workers_matter(void **state)
{
    (void)state;
    MAKE("--docker-network", "none", "--docker-networks", "none,default,host");
    assert_string_equal(argument("worker", "docker-network"), "none");
    assert_string_equal(argument("worker", "docker-networks"), "none,default,host");
    assert_null(argument("api", "docker-networks"));
    unmake(state);
    MAKE();
    assert_null(argument("worker", "docker-network")); /* then its own defaults count */
    assert_null(argument("worker", "docker-networks"));
}

static void test_store_and_insecure(void **state)
{
    (void)state;
    MAKE("--store", "/elsewhere", "--insecure");
    assert_string_equal(argument("worker", "store"), "/elsewhere");
    assert_string_equal(argument("api", "insecure"), "true");
    assert_string_equal(argument("triggers", "insecure"), "true");
    assert_null(argument("worker", "insecure")); /* it has no such key */
}

static void write_pid(const char *text)
{
    cleanup_free char *path = mem_printf("%s/keeper.pid", s.worker);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
}

static pid_t sleeper(const char *name)
{
    int ends[2];
    char ready;
    assert_int_equal(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_NAME, name);
        (void)!write(ends[1], "+", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    close(ends[1]);
    return pid;
}

/* A pid file may be old and its number another's by now: only a keeper is ended. */
static void test_the_keeper_alone_is_ended(void **state)
{
    (void)state;
    char text[32];
    int status;
    MAKE();
    up_keeper_stop(&s); /* no folder, no file */
    mkdir(s.worker, 0700);
    write_pid("nonsense\n");
    up_keeper_stop(&s);
    const pid_t other = sleeper("postgres");
    snprintf(text, sizeof text, "%d\n", other);
    write_pid(text);
    up_keeper_stop(&s);
    assert_int_equal(waitpid(other, &status, WNOHANG), 0);
    kill(other, SIGKILL);
    waitpid(other, &status, 0);
    signal(SIGCHLD, SIG_IGN); /* it is gone once it ends, as init's child is */
    const pid_t keeper = sleeper("leat-keeper");
    snprintf(text, sizeof text, "%d\n", keeper);
    write_pid(text);
    up_keeper_stop(&s);
    assert_int_not_equal(kill(keeper, 0), 0);
    signal(SIGCHLD, SIG_DFL);
    cleanup_free char *path = mem_printf("%s/keeper.pid", s.worker);
    unlink(path);
    rmdir(s.worker);
}

static int teardown(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
#define T(name) cmocka_unit_test_teardown(name, unmake)
    const struct CMUnitTest tests[] = {
        T(test_who_runs),           T(test_on_kafka),
        T(test_what_they_are_told), T(test_networks_are_the_workers_matter),
        T(test_store_and_insecure), T(test_the_keeper_alone_is_ended)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
