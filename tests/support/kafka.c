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

/* Runs dev/services to its end; what it prints goes to `out`. */
static void run(char *const *argv, char *out, size_t size)
{
    int ends[2], status = -1;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    assert_int_equal(posix_spawn(&pid, argv[0], &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while (len < size - 1 && (n = read(ends[0], out + len, size - 1 - len)) > 0)
        len += (size_t)n;
    out[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void services(const struct test_kafka *kafka, const char *verb, const char *set,
                     char *address, size_t size)
{
    char printed[1024];
    const char *argv[] = {"dev/services",       verb, "kafka", "--dir", kafka->folder,
                          set ? "--set" : NULL, set,  NULL};
    run((char *const *)(uintptr_t)argv, printed, sizeof printed);
    const char *found = strstr(printed, "KAFKA=");
    if (address && found)
        snprintf(address, size, "%.*s", (int)strcspn(found + 6, "\n"), found + 6);
}

void test_kafka_start(struct test_kafka *kafka, const char *setting)
{
    const char *there = getenv("LEAT_TEST_KAFKA");
    *kafka = (struct test_kafka){.folder = "/tmp/leat-kafka.XXXXXX", .borrowed = there != NULL};
    if (there) {
        snprintf(kafka->address, sizeof kafka->address, "%s", there);
        return;
    }
    assert_non_null(mkdtemp(kafka->folder));
    services(kafka, "up", setting, kafka->address, sizeof kafka->address);
    assert_true(*kafka->address);
}

void test_kafka_verb(const struct test_kafka *kafka, const char *verb)
{
    assert_false(kafka->borrowed);
    services(kafka, verb, NULL, NULL, 0);
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
    if (kafka->borrowed)
        return;
    services(kafka, "remove", NULL, NULL, 0);
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
    for (int i = 0; i < 2000 && !bus->ops->id(bus); i++)
        wait_ms(loop, 10);
    assert_non_null(bus->ops->id(bus));
    return bus;
}
