#include "tests/support/one_worker.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/bus/embedded.h"
#include "tests/support/waiting.h"

#define NAME       "w1"
#define PATIENCE_S 180

static void die(const char *what)
{
    fprintf(stderr, "one_worker: %s\n", what);
    abort();
}

/* Attempts of two workers have nothing in common: engines outlive them. */
static uint8_t salt[4];

struct uuid one_worker_id(int attempt)
{
    struct uuid id = {{0xaa}};
    memcpy(&id.b[8], salt, sizeof salt);
    id.b[14] = (uint8_t)(attempt >> 8);
    id.b[15] = (uint8_t)attempt;
    return id;
}

static struct seen_attempt *seen_of(struct one_worker *o, const struct uuid *id)
{
    return &o->seen[id->b[14] << 8 | id->b[15]];
}

/* ---- the leader
 * ---------------------------------------------------------------------------------- */

static void sent(void *arg, const struct err *err, int32_t partition, int64_t offset)
{
    (void)arg;
    (void)partition;
    (void)offset;
    if (err && err->code != LEAT_EUNREACHABLE && err->code != LEAT_EUNKNOWN) /* being closed */
        die(err->text);
}

void one_worker_send(struct one_worker *o, struct order *order)
{
    size_t len = 0;
    order->v = 1;
    if (order->epoch == 0)
        order->epoch = o->epoch;
    cleanup_free char *text = order_encode(order, &len);
    bus_publish(o->bus, TOPIC_ORDERS_PREFIX NAME, NULL, 0, text, len, PATIENCE_S * US_PER_S, sent,
                o);
}

static void grant(void *arg)
{
    struct one_worker *o = arg;
    struct order order = {
        .kind = ORDER_KIND_GRANT, .heartbeat = o->heartbeat, .committed = o->report_n};
    o->grant_due = 0;
    o->heartbeat = 0;
    if (!o->mute)
        one_worker_send(o, &order);
}

static bool holds(const struct report_hello *hello, int attempt)
{
    const struct uuid id = one_worker_id(attempt);
    for (size_t i = 0; i < hello->held_count; i++)
        if (uuid_compare(&hello->held[i].attempt, &id) == 0 && hello->held[i].nonce == attempt)
            return true;
    return false;
}

static void take_hello(struct one_worker *o, const struct report *report)
{
    if (uuid_compare(&o->incarnation, &report->incarnation) == 0)
        return;
    o->incarnation = report->incarnation;
    snprintf(o->workspace, sizeof o->workspace, "%s", report->hello->workspace);
    for (int i = 0; i < ONE_WORKER_ATTEMPTS; i++)
        if (o->seen[i].placed && !o->seen[i].finished && !holds(report->hello, i))
            o->seen[i].lost = true;
    o->hellos++;
}

static void take_finished(struct one_worker *o, const struct report *report)
{
    struct seen_attempt *s = seen_of(o, &report->attempt);
    const struct report_result *result = report->result;
    if (s->finished++ > 0 || s->lost)
        return; /* stale: taken in, changes nothing */
    o->finished++;
    s->outcome = result->outcome;
    s->exit_code = (int)result->exit_code;
    s->reason = mem_string(result->reason ? result->reason : "");
    s->outputs = json_incref(result->outputs);
    s->metrics = json_incref(result->metrics);
    s->log = json_incref(result->log);
}

static void take_report(struct one_worker *o, const struct report *report)
{
    if (report->kind == REPORT_KIND_HEARTBEAT && report->n > o->report_n)
        o->heartbeat = report->heartbeat;
    o->grant_due = 1;
    if (report->kind == REPORT_KIND_FINISHED && report->n == o->report_n + 1 && o->swallow > 0) {
        o->swallow--;
        return;
    }
    const bool jumps = report->kind == REPORT_KIND_HELLO && report->n > o->report_n;
    if (report->n != o->report_n + 1 && !jumps) {
        o->ignored++;
        return;
    }
    o->report_n = report->n;
    if (report->kind == REPORT_KIND_HELLO)
        take_hello(o, report);
    else if (report->kind == REPORT_KIND_STARTED)
        seen_of(o, &report->attempt)->started++;
    else if (report->kind == REPORT_KIND_ASK)
        seen_of(o, &report->attempt)->asked++;
    else if (report->kind == REPORT_KIND_FINISHED)
        take_finished(o, report);
}

static void made(void *arg, const struct err *err)
{
    (void)arg;
    if (err && err->code != LEAT_EUNREACHABLE && err->code != LEAT_EUNKNOWN) /* being closed */
        die(err->text);
}

static void on_records(void *arg, const struct bus_record *records, size_t n)
{
    struct one_worker *o = arg;
    for (size_t i = 0; i < n; i++) {
        struct report report;
        struct err err = {0};
        if (report_decode(records[i].value, records[i].len, &report, &err) != 0)
            die(err.text);
        if (report.kind == REPORT_KIND_HELLO) {
            const struct bus_topic topic = {TOPIC_ORDERS_PREFIX NAME, 1};
            o->bus->ops->topics_make(o->bus, &topic, 1, made, o);
        }
        take_report(o, &report);
        report_clear(&report);
    }
    loop_defer(o->loop, grant, o);
}

static void on_reset(void *arg)
{
    (void)arg;
    die("the bus was reset");
}

static void on_failed(void *arg, const struct err *err)
{
    (void)arg;
    die(err->text);
}

/* ---- opening
 * ------------------------------------------------------------------------------------- */

static void open_leader(struct one_worker *o)
{
    static const struct bus_reader_events events = {on_records, on_reset, on_failed};
    char bells[128];
    snprintf(bells, sizeof bells, "%s/bells", o->dir);
    const struct embedded_options options = {
        .conninfo = o->db.conninfo, .name = "leader", .producer = "leader", .doorbells = bells};
    o->bus = embedded_open(o->loop, &options);
    if (!wait_until(o->loop, o->bus->ops->id(o->bus) != NULL))
        die("no bus");
    const struct bus_topic topic = {TOPIC_REPORTS, 1};
    o->bus->ops->topics_make(o->bus, &topic, 1, made, o);
    o->reader = o->bus->ops->reader_open(o->bus, &events, o);
    const char *topics[] = {TOPIC_REPORTS};
    o->bus->ops->assign(o->reader, topics, 1, NULL, 0, BUS_EARLIEST);
}

struct one_worker *one_worker_open(void)
{
    struct one_worker *o = mem_alloc(sizeof *o);
    struct err err = {0};
    char store[128];
    snprintf(o->dir, sizeof o->dir, "/tmp/leat-worker.XXXXXX");
    if (!mkdtemp(o->dir))
        die("mkdtemp");
    random_bytes(salt, sizeof salt);
    o->loop = loop_new();
    o->epoch = 1;
    o->seen = mem_array(ONE_WORKER_ATTEMPTS, sizeof *o->seen);
    test_database_make(&o->db);
    test_database_migrate(&o->db);
    snprintf(store, sizeof store, "%s/store", o->dir);
    if (store_open(o->loop, store, NULL, &o->store, &err) != 0)
        die(err.text);
    open_leader(o);
    return o;
}

void one_worker_close(struct one_worker *o)
{
    if (o->pid)
        one_worker_kill(o, SIGKILL);
    const pid_t keeper = one_worker_keeper(o);
    if (keeper)
        kill(keeper, SIGKILL);
    o->bus->ops->reader_close(o->reader);
    o->bus->ops->close(o->bus);
    wait_ms(o->loop, 20);
    loop_free(o->loop);
    store_close(o->store);
    test_database_drop(&o->db);
    for (int i = 0; i < ONE_WORKER_ATTEMPTS; i++) {
        free(o->seen[i].reason);
        json_decref(o->seen[i].outputs);
        json_decref(o->seen[i].metrics);
        json_decref(o->seen[i].log);
    }
    free(o->seen);
    cleanup_free char *dir = mem_string(o->dir);
    char rm[] = "rm", flags[] = "-rf";
    char *argv[] = {rm, flags, dir, NULL};
    pid_t pid;
    if (posix_spawnp(&pid, "rm", NULL, NULL, argv, environ) == 0)
        waitpid(pid, NULL, 0);
    free(o);
}

/* ---- the process
 * --------------------------------------------------------------------------------- */

void one_worker_path(const struct one_worker *o, char *out, size_t most, const char *name)
{
    snprintf(out, most, "%s/%s", o->dir, name);
}

static char *program(void)
{
    char self[4096];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = '\0';
    char *tests = strstr(self, "/tests/");
    if (!tests)
        die("not below build/VARIANT/tests");
    *tests = '\0';
    return mem_printf("%s/bin/leat-worker", self);
}

static char *flag(const struct one_worker *o, const char *name, const char *folder)
{
    return mem_printf("--%s=%s/%s", name, o->dir, folder);
}

void one_worker_spawn(struct one_worker *o, const char *failpoint, const char *const *flags)
{
    char *argv[32] = {program(),
                      mem_string("--name=" NAME),
                      mem_printf("--database=%s", o->db.conninfo),
                      flag(o, "data", "data"),
                      flag(o, "store", "store"),
                      flag(o, "buckets", "buckets"),
                      flag(o, "doorbells", "bells"),
                      flag(o, "secrets", "")};
    int argc = 8;
    for (; flags && *flags; flags++)
        argv[argc++] = mem_string(*flags);
    char *env[4] = {mem_string("PATH=/usr/bin:/bin"),
                    mem_string("CANARY=the worker's own environment"),
                    failpoint ? mem_printf("LEAT_FAILPOINT=%s", failpoint) : NULL};
    if (posix_spawn(&o->pid, argv[0], NULL, NULL, argv, env) != 0)
        die("the worker does not start");
    for (int i = 0; argv[i]; i++)
        free(argv[i]);
    for (int i = 0; env[i]; i++)
        free(env[i]);
}

void one_worker_start(struct one_worker *o, const char *failpoint, const char *const *flags)
{
    const int hellos = o->hellos;
    one_worker_spawn(o, failpoint, flags);
    if (!wait_for_count(o->loop, &o->hellos, hellos + 1, PATIENCE_S * 1000))
        die("no hello came");
}

int one_worker_wait(struct one_worker *o)
{
    for (int i = 0; i < PATIENCE_S * 100; i++) {
        int status = 0;
        if (waitpid(o->pid, &status, WNOHANG) == o->pid) {
            o->pid = 0;
            return status;
        }
        wait_ms(o->loop, 10);
    }
    die("the worker does not end");
    return -1;
}

void one_worker_kill(struct one_worker *o, int signo)
{
    kill(o->pid, signo);
    waitpid(o->pid, NULL, 0);
    o->pid = 0;
}

/* What a keeper's pid file says; 0 = nothing. */
static pid_t written_keeper(const struct one_worker *o)
{
    char path[128];
    int pid = 0;
    snprintf(path, sizeof path, "%s/data/keeper.pid", o->dir);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    const int n = fscanf(file, "%d", &pid);
    fclose(file);
    return n == 1 ? pid : 0;
}

/* Until it executes, a child has its keeper's command line: of several the one that wrote itself
 * down counts. */
pid_t one_worker_keeper(const struct one_worker *o)
{
    char data[128];
    pid_t found = 0;
    const pid_t written = written_keeper(o);
    snprintf(data, sizeof data, "%s/data", o->dir);
    DIR *proc = opendir("/proc");
    for (const struct dirent *e; proc && (e = readdir(proc));) {
        char path[300], line[4400] = "";
        snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || read(fd, line, sizeof line - 1) <= 0)
            continue;
        if (found != written && text_ends_with(line, "leat-keeper") &&
            strcmp(line + strlen(line) + 1, data) == 0)
            found = (pid_t)strtol(e->d_name, NULL, 10);
    }
    if (proc)
        closedir(proc);
    return found;
}

void one_worker_signal_keeper(struct one_worker *o, int signo)
{
    pid_t pid = 0;
    if (!wait_until(o->loop, (pid = one_worker_keeper(o)) > 0))
        die("there is no keeper"); /* and 0 would be all of this test */
    kill(pid, signo);
}

/* ---- orders
 * -------------------------------------------------------------------------------------- */

void one_worker_workspace(const struct one_worker *o, int attempt, const char *name, char *out,
                          size_t most)
{
    char text[UUID_TEXT];
    const struct uuid id = one_worker_id(attempt);
    uuid_format(&id, text);
    snprintf(out, most, "%s/%s/%s", o->workspace, text, name);
}

void one_worker_order(struct one_worker *o, int attempt, struct order_start *start)
{
    start->run = (struct uuid){{0x77}};
    start->run_name = "run 1";
    start->pipeline = "pipe";
    start->experiment = "exp";
    start->step = start->step ? start->step : "step";
    start->number = start->number ? start->number : 1;
    struct order order = {.kind = ORDER_KIND_START,
                          .attempt = one_worker_id(attempt),
                          .nonce = attempt,
                          .incarnation = o->incarnation,
                          .grace_us = o->grace_us ? o->grace_us : 300 * US_PER_MS,
                          .start = start};
    o->seen[attempt].placed = true;
    one_worker_send(o, &order);
}

void one_worker_leave(struct one_worker *o, int attempt)
{
    struct order order = {.kind = ORDER_KIND_GRANT,
                          .attempt = one_worker_id(attempt),
                          .nonce = attempt,
                          .committed = o->report_n};
    one_worker_send(o, &order);
}

void one_worker_shell(struct one_worker *o, int attempt, const char *script)
{
    const char *argv[] = {"sh", "-c", script};
    struct order_start start = {
        .executor = ORDER_START_EXECUTOR_PROCESS, .argv = argv, .argv_count = ARRAY_LEN(argv)};
    one_worker_order(o, attempt, &start);
}

static struct seen_attempt *await(struct one_worker *o, int attempt, bool may_be_lost)
{
    struct seen_attempt *s = &o->seen[attempt];
    for (int i = 0; i < PATIENCE_S * 200; i++) {
        if (s->finished || (may_be_lost && s->lost))
            return s;
        wait_for_count(o->loop, &s->finished, 1, 5);
    }
    int status = 0;
    fprintf(stderr, "attempt %d\n", attempt);
    if (o->pid && waitpid(o->pid, &status, WNOHANG) == o->pid)
        fprintf(stderr, "the worker has ended: status %d, signal %d\n", WEXITSTATUS(status),
                WTERMSIG(status));
    die(may_be_lost ? "it is not over" : "it does not finish");
    return s;
}

struct seen_attempt *one_worker_finished(struct one_worker *o, int attempt)
{
    return await(o, attempt, false);
}

struct seen_attempt *one_worker_over(struct one_worker *o, int attempt)
{
    return await(o, attempt, true);
}

void one_worker_until_file(struct one_worker *o, const char *path)
{
    struct stat st;
    for (int i = 0; i < PATIENCE_S * 100; i++) {
        if (stat(path, &st) == 0 && st.st_size > 0)
            return;
        wait_ms(o->loop, 10);
    }
    die(path);
}

void one_worker_pass(struct one_worker *o, int ms)
{
    wait_ms(o->loop, ms);
}

void one_worker_until_it_takes(struct one_worker *o, int *attempt)
{
    struct order_start start = {.executor = ORDER_START_EXECUTOR_NOOP};
    for (int i = 0; i < PATIENCE_S; i++) {
        one_worker_order(o, *attempt, &start);
        if (one_worker_finished(o, (*attempt)++)->outcome != REPORT_RESULT_OUTCOME_REFUSED)
            return;
        wait_ms(o->loop, 500);
    }
    die("it refuses all that it is given");
}
