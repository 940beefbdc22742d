#include "tests/support/kafka.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/bus/kafka.h"
#include "tests/support/waiting.h"

static pid_t spawn(const struct test_kafka *kafka, const char *verb, const char *setting, int out)
{
    pid_t pid;
    posix_spawn_file_actions_t actions;
    const char *argv[] = {"dev/services",           verb,    "kafka", "--dir", kafka->folder,
                          setting ? "--set" : NULL, setting, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    assert_int_equal(
        posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    return pid;
}

pid_t test_kafka_verb_begin(const struct test_kafka *kafka, const char *verb)
{
    return spawn(kafka, verb, NULL, STDERR_FILENO);
}

void test_kafka_verb_end(pid_t pid)
{
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

void test_kafka_verb(const struct test_kafka *kafka, const char *verb)
{
    test_kafka_verb_end(test_kafka_verb_begin(kafka, verb));
}

static void take(const char *printed, const char *name, char *out, size_t size)
{
    const char *found = strstr(printed, name);
    if (found)
        snprintf(out, size, "%.*s", (int)strcspn(found + strlen(name), "\n"), found + strlen(name));
}

void test_kafka_start(struct test_kafka *kafka, const char *setting)
{
    int ends[2];
    char printed[1024] = "\n";
    size_t len = 1;
    ssize_t n;
    *kafka = (struct test_kafka){.folder = "/tmp/leat-kafka.XXXXXX"};
    assert_non_null(mkdtemp(kafka->folder));
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = spawn(kafka, "up", setting, ends[1]);
    close(ends[1]);
    while (len < sizeof printed - 1 &&
           (n = read(ends[0], printed + len, sizeof printed - 1 - len)) > 0)
        len += (size_t)n;
    close(ends[0]);
    test_kafka_verb_end(pid);
    take(printed, "\nKAFKA=", kafka->address, sizeof kafka->address);
    take(printed, "\nKAFKA_SECURE=", kafka->secure, sizeof kafka->secure);
    take(printed, "\nKAFKA_CA=", kafka->ca, sizeof kafka->ca);
    assert_true(*kafka->address);
}

void test_kafka_signal(const struct test_kafka *kafka, int signo)
{
    cleanup_free char *path = mem_printf("%s/kafka/processes.json", kafka->folder);
    int pid = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "[{\"pid\": %d", &pid), 1);
    fclose(file);
    assert_int_equal(kill(pid, signo), 0);
}

void test_kafka_remove(const struct test_kafka *kafka)
{
    test_kafka_verb(kafka, "remove");
    rmdir(kafka->folder);
}

struct bus *test_kafka_bus(struct loop *loop, const struct test_kafka *kafka)
{
    struct err err = {0};
    const struct kafka_options options = {
        .brokers = kafka->address, .name = "test-bus", .make = true};
    struct bus *bus = kafka_open(loop, &options, &err);
    if (!bus)
        fail_msg("%s", err.text);
    assert_true(wait_until(loop, bus->ops->id(bus) != NULL));
    return bus;
}
