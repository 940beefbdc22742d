/* Log files: bounded in size and number, and no line lost: at the edge, by threads, by kill -9,
 * when another process turned the file over, when it cannot be turned over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/log_file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static char folder[] = "/tmp/leat-test-log-file-XXXXXX";
static char path[128];

static int setup(void **state)
{
    (void)state;
    memcpy(folder + strlen(folder) - 6, "XXXXXX", 6);
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/x.log", folder);
    return 0;
}

static int teardown(void **state)
{
    glob_t found = {0};
    cleanup_free char *pattern = mem_printf("%s/*", folder);
    (void)state;
    glob(pattern, 0, NULL, &found);
    for (size_t i = 0; i < found.gl_pathc; i++)
        if (remove(found.gl_pathv[i]) != 0) { /* a folder that is not empty */
            cleanup_free char *inside = mem_printf("%s/inside", found.gl_pathv[i]);
            remove(inside);
            remove(found.gl_pathv[i]);
        }
    globfree(&found);
    return rmdir(folder);
}

/* Runs `work` in a process whose log lines go to the file; its status. */
static int in_process(int64_t size, int64_t keep, void (*work)(int), int n)
{
    int status;
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        if (log_to_file(path, size, keep, NULL) < 0)
            _exit(9);
        work(n);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    return status;
}

static void write_lines(int n)
{
    for (int i = 0; i < n; i++)
        log_info("line", LOG_I("n", i));
}

static int64_t size_of(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 ? st.st_size : -1;
}

/* File number n: 0 is the one that is written. */
static char *numbered(int n)
{
    return n ? mem_printf("%s.%d", path, n) : mem_string(path);
}

/* All lines of all files, oldest first; how many files. */
static int read_all(struct text *out, int64_t *largest)
{
    int files = 0;
    *largest = 0;
    for (int n = 2000; n >= 0; n--) {
        cleanup_free char *name = numbered(n);
        char piece[4096];
        size_t got;
        FILE *file = fopen(name, "r");
        if (!file)
            continue;
        while ((got = fread(piece, 1, sizeof piece, file)) > 0)
            text_append(out, piece, got);
        fclose(file);
        files++;
        if (size_of(name) > *largest)
            *largest = size_of(name);
    }
    return files;
}

/* Are the lines "… KEY=n" from `first` on without a gap? Returns the number after the last. */
static int follow(const struct text *all, const char *key, int first)
{
    cleanup_free char *mark = mem_printf(" %s=", key);
    for (const char *at = all->data; at && (at = strstr(at, mark)) != NULL; first++) {
        at += strlen(mark);
        assert_int_equal((int)strtol(at, NULL, 10), first);
    }
    return first;
}

static void test_nothing_is_lost_while_there_is_room(void **state)
{
    (void)state;
    struct text all = {0};
    int64_t largest;
    assert_int_equal(in_process(4096, 1000, write_lines, 2000), 0);
    const int files = read_all(&all, &largest);
    assert_true(files > 20 && largest <= 4096);
    assert_int_equal(follow(&all, "n", 0), 2000);
    text_free(&all);
}

static void test_bounds(void **state)
{
    (void)state;
    struct text all = {0};
    int64_t largest;
    assert_int_equal(in_process(4096, 3, write_lines, 2000), 0);
    assert_int_equal(read_all(&all, &largest), 4);
    assert_true(largest <= 4096);
    const char *first = strstr(all.data, " n=");
    assert_int_equal(follow(&all, "n", (int)strtol(first + 3, NULL, 10)),
                     2000); /* the newest, whole */
    text_free(&all);
    assert_int_equal(in_process(4096, 0, write_lines, 200), 0); /* none is kept */
    assert_true(size_of(path) <= 4096);
}

/* A line that fits to the byte stays; one byte more begins a new file. */
static void one_line(int n)
{
    cleanup_free char *filler = mem_alloc((size_t)n + 1);
    memset(filler, 'x', (size_t)n);
    log_info("line", LOG_S("filler", filler));
}

static void test_edge(void **state)
{
    (void)state;
    assert_int_equal(in_process(4096, 1, one_line, 100), 0);
    const int64_t line = size_of(path);
    assert_int_equal(in_process(2 * line, 1, one_line, 100), 0);
    cleanup_free char *old = numbered(1);
    assert_int_equal(size_of(path), 2 * line);
    assert_int_equal(size_of(old), -1);
    assert_int_equal(in_process(3 * line - 1, 1, one_line, 100), 0);
    assert_int_equal(size_of(old), 2 * line);
    assert_int_equal(size_of(path), line);
    assert_int_equal(in_process(10, 1, one_line, 100), 0); /* larger than the file may be: alone */
    assert_int_equal(size_of(path), line);
}

static void *write_as(void *arg)
{
    const char *const keys[] = {"a", "b", "c", "d"};
    for (int i = 0; i < 500; i++)
        log_info("line", LOG_I(keys[*(int *)arg], i));
    return NULL;
}

static void write_by_threads(int n)
{
    pthread_t threads[4];
    int which[4] = {0, 1, 2, 3};
    for (int i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, write_as, &which[i]);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
}

static void test_threads(void **state)
{
    (void)state;
    struct text all = {0};
    int64_t largest;
    const char *const keys[] = {"a", "b", "c", "d"};
    assert_int_equal(in_process(4096, 1000, write_by_threads, 4), 0);
    read_all(&all, &largest);
    assert_true(largest <= 4096);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_int_equal(follow(&all, keys[i], 0), 500);
    text_free(&all);
}

/* Each life writes its numbers from 0 until it is killed: whatever it wrote is there without a gap.
 */
static void test_kill_at_any_time(void **state)
{
    (void)state;
    for (int life = 0; life < 20; life++) {
        struct text all = {0};
        int64_t largest;
        fflush(stdout);
        const pid_t pid = fork();
        if (pid == 0) {
            log_to_file(path, 2048, 2000, NULL);
            for (int i = 0;; i++)
                log_info("line", LOG_I("n", i));
        }
        usleep(2000 + (unsigned)life * 700);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        read_all(&all, &largest);
        assert_true(largest <= 2048);
        if (all.data)
            follow(&all, "n", 0);
        text_free(&all);
        teardown(NULL);
        setup(NULL);
    }
}

/* A death between two renames left no FILE.1: the next turn closes the row. */
static void test_a_missing_number(void **state)
{
    (void)state;
    assert_int_equal(in_process(4096, 3, write_lines, 2000), 0);
    cleanup_free char *first = numbered(1), *third = numbered(3), *fourth = numbered(4);
    remove(first);
    assert_int_equal(in_process(4096, 3, write_lines, 2000), 0);
    assert_true(size_of(first) > 0 && size_of(third) > 0);
    assert_int_equal(size_of(fourth), -1);
}

static void turn_elsewhere(int n)
{
    write_lines(n);
    assert_int_equal(log_file_turn(path, 1, 5, NULL), 1); /* as another process would */
    write_lines(100);
}

static void test_turned_over_by_another(void **state)
{
    (void)state;
    struct text all = {0};
    int64_t largest;
    assert_int_equal(in_process(4096, 1000, turn_elsewhere, 10), 0);
    read_all(&all, &largest);
    int lines = 0;
    for (const char *at = all.data; at && (at = strstr(at, " n=")) != NULL; at++)
        lines++;
    assert_int_equal(lines, 110);
    text_free(&all);
}

/* What cannot be turned over grows, and says all it has to say. */
static void test_a_turn_that_fails(void **state)
{
    (void)state;
    struct text all = {0};
    int64_t largest;
    cleanup_free char *in_the_way = numbered(1);
    cleanup_free char *inside = mem_printf("%s/inside", in_the_way);
    mkdir(in_the_way, 0700);
    fclose(fopen(inside, "w"));
    assert_int_equal(in_process(4096, 1, write_lines, 300), 0);
    read_all(&all, &largest);
    assert_true(largest > 4096);
    assert_int_equal(follow(&all, "n", 0), 300);
    text_free(&all);
}

static void write_to_both(int n)
{
    (void)n;
    fprintf(stderr, "from a library\n");
    printf("from stdout\n");
    fflush(stdout);
}

static void test_what_others_write_is_there(void **state)
{
    (void)state;
    struct text all = {0};
    struct err err = {0};
    int64_t largest;
    assert_int_equal(in_process(4096, 1, write_to_both, 0), 0);
    read_all(&all, &largest);
    assert_non_null(strstr(all.data, "from a library\n"));
    assert_non_null(strstr(all.data, "from stdout\n"));
    text_free(&all);
    assert_int_equal(log_to_file(NULL, 1, 1, &err), 0);
    assert_int_equal(log_to_file("/dev/null/x", 1, 1, &err), LEAT_EIO);
    assert_int_equal(log_file_turn("/dev/null/x", 1, 1, &err),
                     0); /* nothing there, nothing to do */
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_nothing_is_lost_while_there_is_room),
        T(test_bounds),
        T(test_edge),
        T(test_threads),
        T(test_kill_at_any_time),
        T(test_a_missing_number),
        T(test_turned_over_by_another),
        T(test_a_turn_that_fails),
        T(test_what_others_write_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
