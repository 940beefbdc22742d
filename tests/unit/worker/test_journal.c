/* The journal: what is written is read, torn ends are cut, failures leave it whole. */
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
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "worker/attempt/journal.h"

static char dir[64], path[80];
static struct text heard; /* "kind:number:offset:text;" of each record */

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/leat-journal.XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/%s", dir, JOURNAL_FILE);
    heard = (struct text){0};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    text_free(&heard);
    unlink(path);
    rmdir(dir);
    return 0;
}

static void hear(void *arg, const struct journal_record *r)
{
    (void)arg;
    text_printf(&heard, "%d:%lld:%lld:%.*s;", r->kind, (long long)r->number, (long long)r->offset,
                (int)r->len, r->text);
}

static struct journal *open_journal(size_t *torn)
{
    struct journal *j = NULL;
    struct err err = {0};
    size_t own = 0;
    heard.len = 0;
    text_puts(&heard, "");
    assert_int_equal(journal_open(dir, hear, NULL, torn ? torn : &own, &j, &err), 0);
    return j;
}

static void put(struct journal *j, enum journal_kind kind, int64_t number, const char *text)
{
    journal_put(j, &(struct journal_record){
                       .kind = kind, .number = number, .text = text, .len = strlen(text)});
}

static void write_or_fail(struct journal *j)
{
    struct err err = {0};
    assert_int_equal(journal_write(j, &err), 0);
    assert_int_equal(journal_sync(j, &err), 0);
    assert_int_equal(journal_pending(j), 0);
}

static off_t file_size(void)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_size;
}

static void test_records_come_back_in_order(void **state)
{
    (void)state;
    struct journal *j = open_journal(NULL);
    put(j, JOURNAL_WORKER, 0, "w1");
    put(j, JOURNAL_OFFSET, 7, "");
    write_or_fail(j);
    put(j, JOURNAL_ORDER, -1, "line\nbreak;");
    write_or_fail(j);
    put(j, JOURNAL_EPOCH, 9, ""); /* never written */
    journal_close(j);
    j = open_journal(NULL);
    assert_string_equal(heard.data, "1:0:0:w1;3:7:0:;6:-1:0:line\nbreak;;");
    journal_close(j);
    journal_close(NULL);
}

/* Cut at every byte: whatever is whole before it is read, and the file goes on from there. */
static void test_torn_end_at_every_byte(void **state)
{
    (void)state;
    struct journal *j = open_journal(NULL);
    put(j, JOURNAL_WORKER, 0, "w1");
    write_or_fail(j);
    const off_t whole = file_size();
    put(j, JOURNAL_OFFSET, 5, "tail");
    write_or_fail(j);
    journal_close(j);
    cleanup_free char *bytes = mem_alloc(4096);
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    const ssize_t all = read(fd, bytes, 4096);
    for (off_t cut = whole; cut < all; cut++) {
        assert_int_equal(ftruncate(fd, 0), 0);
        assert_int_equal(pwrite(fd, bytes, (size_t)cut, 0), cut);
        size_t torn = 0;
        j = open_journal(&torn);
        assert_int_equal(torn, cut - whole);
        assert_string_equal(heard.data, "1:0:0:w1;");
        put(j, JOURNAL_EPOCH, 2, "");
        write_or_fail(j);
        journal_close(j);
        j = open_journal(&torn);
        assert_int_equal(torn, 0);
        assert_string_equal(heard.data, "1:0:0:w1;4:2:0:;");
        journal_close(j);
    }
}

static void test_damaged_record_ends_it(void **state)
{
    (void)state;
    struct journal *j = open_journal(NULL);
    put(j, JOURNAL_WORKER, 0, "w1");
    write_or_fail(j);
    const off_t whole = file_size();
    put(j, JOURNAL_OFFSET, 5, "tail");
    write_or_fail(j);
    journal_close(j);
    cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "X", 1, whole + 12), 1);
    size_t torn = 0;
    j = open_journal(&torn);
    assert_true(torn > 0);
    assert_string_equal(heard.data, "1:0:0:w1;");
    journal_close(j);
}

static void test_another_file_is_refused(void **state)
{
    (void)state;
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, "something else\n", 15), 15);
    struct journal *j = NULL;
    struct err err = {0};
    size_t torn = 0;
    assert_int_equal(journal_open(dir, hear, NULL, &torn, &j, &err), LEAT_EINPUT);
    assert_int_equal(file_size(), 15);
}

static void test_take_back(void **state)
{
    (void)state;
    struct journal *j = open_journal(NULL);
    put(j, JOURNAL_WORKER, 0, "w1");
    const size_t mark = journal_pending(j);
    put(j, JOURNAL_OFFSET, 1, "");
    journal_take_back(j, mark);
    write_or_fail(j);
    journal_close(j);
    j = open_journal(NULL);
    assert_string_equal(heard.data, "1:0:0:w1;");
    journal_close(j);
}

/* A full disk: part of the write is in the file and is taken out again; all stays pending. */
static void test_failed_write_leaves_whole_records(void **state)
{
    (void)state;
    struct journal *j = open_journal(NULL);
    put(j, JOURNAL_WORKER, 0, "w1");
    write_or_fail(j);
    const off_t whole = file_size();
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit before, small;
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = (rlim_t)whole + 10;
    setrlimit(RLIMIT_FSIZE, &small);
    struct err err = {0};
    put(j, JOURNAL_OFFSET, 5, "more than ten bytes");
    assert_true(journal_write(j, &err) < 0);
    assert_int_equal(file_size(), whole);
    assert_true(journal_pending(j) > 0);
    setrlimit(RLIMIT_FSIZE, &before);
    write_or_fail(j);
    journal_close(j);
    j = open_journal(NULL);
    assert_string_equal(heard.data, "1:0:0:w1;3:5:0:more than ten bytes;");
    journal_close(j);
}

static void put_little(void *arg, struct journal *j)
{
    put(j, JOURNAL_WORKER, 0, arg);
}

static void test_rewrite(void **state)
{
    (void)state;
    struct journal *j = open_journal(NULL);
    assert_false(journal_wants_rewrite(j));
    cleanup_free char *big = mem_alloc(1024 * 1024 + 1);
    memset(big, 'x', 1024 * 1024);
    for (int i = 0; i < 17; i++)
        put(j, JOURNAL_ORDER, i, big);
    write_or_fail(j);
    assert_true(journal_wants_rewrite(j));
    struct err err = {0};
    char name[] = "w1";
    assert_int_equal(journal_rewrite(j, put_little, name, &err), 0);
    assert_true(file_size() < 100);
    assert_false(journal_wants_rewrite(j));
    put(j, JOURNAL_EPOCH, 3, "");
    write_or_fail(j);
    journal_close(j);
    j = open_journal(NULL);
    assert_string_equal(heard.data, "1:0:0:w1;4:3:0:;");
    journal_close(j);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_records_come_back_in_order),
        T(test_torn_end_at_every_byte),
        T(test_damaged_record_ends_it),
        T(test_another_file_is_refused),
        T(test_take_back),
        T(test_failed_write_leaves_whole_records),
        T(test_rewrite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
