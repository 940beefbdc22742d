/* Doorbells: who hears what, long names, and what a dead reader leaves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/base/mem.h"
#include "common/bus/doorbell.h"

struct fixture {
    char folder[256];
    struct doorbells *bells;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct err err = {0};
    /* Longer than the address of a socket may be. */
    f = (struct fixture){.folder = "/tmp/leat-doorbells-in-a-folder-whose-path-is-longer-than-the-"
                                   "address-of-a-unix-socket-may-be-on-this-system.XXXXXX"};
    assert_non_null(mkdtemp(f.folder));
    f.bells = doorbells_open(f.folder, &err);
    assert_non_null(f.bells);
    *state = &f;
    return 0;
}

static size_t files(const struct fixture *f, bool remove)
{
    size_t n = 0;
    DIR *dir = opendir(f->folder);
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        n++;
        if (remove)
            unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
    return n;
}

/* As if all of them had been made so many seconds ago. */
static void set_age(const struct fixture *f, int seconds)
{
    const time_t at = time(NULL) - seconds;
    const struct timespec then[2] = {{.tv_sec = at}, {.tv_sec = at}};
    DIR *dir = opendir(f->folder);
    const struct dirent *entry;
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.')
            assert_int_equal(utimensat(dirfd(dir), entry->d_name, then, AT_SYMLINK_NOFOLLOW), 0);
    closedir(dir);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    doorbells_close(f->bells);
    files(f, true);
    rmdir(f->folder);
    return 0;
}

static int listen_at(struct fixture *f, const char *topic)
{
    struct err err = {0};
    const int fd = doorbells_listen(f->bells, topic, &err);
    if (fd < 0)
        fail_msg("%s", err.text);
    return fd;
}

static void every_reader_of_the_topic_hears(void **state)
{
    struct fixture *f = *state;
    const int one = listen_at(f, "leat.events"), two = listen_at(f, "leat.events");
    const int other = listen_at(f, "leat.events.more");
    doorbells_ring(f->bells, "leat.events", DOORBELL_RECORDS);
    assert_int_equal(doorbells_take(one), DOORBELL_HAS_RECORDS);
    assert_int_equal(doorbells_take(one), 0); /* taken */
    assert_int_equal(doorbells_take(two), DOORBELL_HAS_RECORDS);
    assert_int_equal(doorbells_take(other), 0);
    doorbells_ring(f->bells, "leat.events", DOORBELL_PARTITION);
    doorbells_ring(f->bells, "leat.events", DOORBELL_RECORDS);
    assert_int_equal(doorbells_take(two), DOORBELL_HAS_RECORDS | DOORBELL_HAS_PARTITION);
    doorbells_hang_up(one);
    doorbells_hang_up(two);
    doorbells_hang_up(other);
    assert_int_equal(files(f, false), 0);
}

/* Made right after a ring has listed the folder, within the grain of its time. */
static void reader_that_comes_at_once_is_heard(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        doorbells_ring(f->bells, "t", DOORBELL_RECORDS);
        const int fd = listen_at(f, "t");
        doorbells_ring(f->bells, "t", DOORBELL_RECORDS);
        assert_int_equal(doorbells_take(fd), DOORBELL_HAS_RECORDS);
        doorbells_hang_up(fd);
    }
}

static void long_and_odd_topics_have_a_bell(void **state)
{
    struct fixture *f = *state;
    char topic[128], other[128];
    memset(topic, 'a', sizeof topic - 1);
    topic[127] = '\0';
    memcpy(other, topic, sizeof other);
    other[126] = 'b';
    const int fd = listen_at(f, topic), odd = listen_at(f, "../x/y,z");
    doorbells_ring(f->bells, other, DOORBELL_RECORDS);
    assert_int_equal(doorbells_take(fd), 0);
    doorbells_ring(f->bells, topic, DOORBELL_RECORDS);
    assert_int_equal(doorbells_take(fd), DOORBELL_HAS_RECORDS);
    doorbells_ring(f->bells, "../x/y,z", DOORBELL_RECORDS);
    assert_int_equal(doorbells_take(odd), DOORBELL_HAS_RECORDS);
    doorbells_hang_up(fd);
    doorbells_hang_up(odd);
}

static void dead_reader_is_cleared_away(void **state)
{
    struct fixture *f = *state;
    close(listen_at(f, "t")); /* as a crash would */
    assert_int_equal(files(f, false), 1);
    set_age(f, 3600);
    doorbells_ring(f->bells, "t", DOORBELL_RECORDS);
    assert_int_equal(files(f, false), 0);
}

/* Whatever the order of the folder is: what a dead one answers is not taken for a live one's. */
static void live_readers_among_dead_ones_go_on_hearing(void **state)
{
    struct fixture *f = *state;
    int live[8];
    for (size_t i = 0; i < ARRAY_LEN(live); i++) {
        close(listen_at(f, "t"));
        live[i] = listen_at(f, "t");
    }
    set_age(f, 3600);
    for (int ring = 0; ring < 3; ring++) {
        doorbells_ring(f->bells, "t", DOORBELL_RECORDS);
        for (size_t i = 0; i < ARRAY_LEN(live); i++)
            assert_int_equal(doorbells_take(live[i]), DOORBELL_HAS_RECORDS);
    }
    assert_int_equal(files(f, false), ARRAY_LEN(live));
    for (size_t i = 0; i < ARRAY_LEN(live); i++)
        doorbells_hang_up(live[i]);
}

/* Its file is there a moment before it hears. */
static void reader_that_is_about_to_listen_is_left_alone(void **state)
{
    struct fixture *f = *state;
    close(listen_at(f, "t"));
    set_age(f, -3600); /* it stays new, however busy the machine is */
    doorbells_ring(f->bells, "t", DOORBELL_RECORDS);
    assert_int_equal(files(f, false), 1);
}

static void full_queue_is_no_fault(void **state)
{
    struct fixture *f = *state;
    const int fd = listen_at(f, "t");
    for (int i = 0; i < 5000; i++)
        doorbells_ring(f->bells, "t", DOORBELL_RECORDS);
    assert_int_equal(doorbells_take(fd), DOORBELL_HAS_RECORDS);
    assert_int_equal(files(f, false), 1);
    doorbells_hang_up(fd);
}

static void folder_that_cannot_be_is_an_error(void **state)
{
    (void)state;
    struct err err = {0};
    assert_null(doorbells_open("/nonexistent/bells", &err));
    assert_int_equal(err.code, LEAT_EIO);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(every_reader_of_the_topic_hears),
        TEST(reader_that_comes_at_once_is_heard),
        TEST(long_and_odd_topics_have_a_bell),
        TEST(dead_reader_is_cleared_away),
        TEST(live_readers_among_dead_ones_go_on_hearing),
        TEST(reader_that_is_about_to_listen_is_left_alone),
        TEST(full_queue_is_no_fault),
        TEST(folder_that_cannot_be_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
