/* What comes out of a container lands in its folder and nowhere else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "worker/attempt/files.h"
#include "worker/executor/docker/unpack.h"

struct row {
    const char *path;
    mode_t type, perm;
    const char *data, *symlink, *hardlink;
};

static char dir[64];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/leat-unpack.XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    tree_remove_now(dir);
    return 0;
}

static int make(const struct row *rows, size_t count)
{
    char path[96];
    snprintf(path, sizeof path, "%s/tar", dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    struct archive *a = archive_write_new();
    archive_write_set_format_pax_restricted(a);
    archive_write_set_options(a, "hdrcharset=BINARY");
    archive_write_open_fd(a, fd);
    for (size_t i = 0; i < count; i++) {
        struct archive_entry *e = archive_entry_new();
        archive_entry_set_pathname(e, rows[i].path);
        archive_entry_set_filetype(e, rows[i].type);
        archive_entry_set_perm(e, rows[i].perm);
        archive_entry_set_uid(e, 4711);
        if (rows[i].symlink)
            archive_entry_set_symlink(e, rows[i].symlink);
        if (rows[i].hardlink)
            archive_entry_set_hardlink(e, rows[i].hardlink);
        if (rows[i].data)
            archive_entry_set_size(e, (int64_t)strlen(rows[i].data));
        assert_int_equal(archive_write_header(a, e), ARCHIVE_OK);
        if (rows[i].data)
            archive_write_data(a, rows[i].data, strlen(rows[i].data));
        archive_entry_free(e);
    }
    archive_write_close(a);
    archive_write_free(a);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int take(const struct row *rows, size_t count, struct err *err)
{
    char folder[96];
    snprintf(folder, sizeof folder, "%s/out", dir);
    cleanup_close int fd = make(rows, count);
    return unpack(fd, &(struct unpack_place){.top = "out", .folder = folder}, err);
}

static int exists(const char *name, struct stat *st)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return lstat(path, st) == 0;
}

#define RTL "\xe2\x80\xaegnp.exe \"'$(id)`\n\xff"

static void test_files_and_folders(void **state)
{
    (void)state;
    const struct row rows[] = {
        {"out/", AE_IFDIR, 0777, NULL, NULL, NULL},
        {"out/a", AE_IFREG, 0, "data", NULL, NULL},
        {"out/shut/", AE_IFDIR, 0, NULL, NULL, NULL},
        {"out/shut/run", AE_IFREG, 04700, "x", NULL, NULL},
        {"out/" RTL, AE_IFREG, 0600, "odd", NULL, NULL},
        {"out/deep/without/its/folders", AE_IFREG, 0600, "y", NULL, NULL},
        {"out/hard", AE_IFREG, 0600, NULL, NULL, "out/a"},
        {"out/soft", AE_IFLNK, 0777, NULL, "/etc/passwd", NULL},
        {"out/pipe", AE_IFIFO, 0600, NULL, NULL, NULL},
        {"out/null", AE_IFCHR, 0666, NULL, NULL, NULL},
    };
    struct err err = {0};
    struct stat st;
    for (int twice = 0; twice < 2; twice++)
        assert_int_equal(take(rows, ARRAY_LEN(rows), &err), 0);
    assert_true(exists("out/a", &st) && st.st_size == 4 && (st.st_mode & 07777) == 0644);
    assert_true(st.st_nlink == 2 && st.st_uid == geteuid());
    assert_true(exists("out/shut", &st) && (st.st_mode & 0700) == 0700);
    assert_true(exists("out/shut/run", &st) && (st.st_mode & 07777) == 0755);
    assert_true(exists("out/" RTL, &st) && st.st_size == 3);
    assert_true(exists("out/deep/without/its/folders", &st));
    assert_true(exists("out/soft", &st) && S_ISLNK(st.st_mode));
    assert_false(exists("out/pipe", &st));
    assert_false(exists("out/null", &st));
}

static int take_as(const char *top, const char *name, int64_t most, const struct row *rows,
                   size_t count, struct err *err)
{
    char folder[96];
    snprintf(folder, sizeof folder, "%s/taken", dir);
    cleanup_close int fd = make(rows, count);
    return unpack(
        fd, &(struct unpack_place){.top = top, .folder = folder, .name = name, .most = most}, err);
}

/* What the top is called in the container is not what it is called here, and the others stay. */
static void test_under_another_name(void **state)
{
    (void)state;
    const struct row file[] = {{"m.bin", AE_IFREG, 0600, "data", NULL, NULL}},
                     other[] = {{"m.bin", AE_IFREG, 0600, "longer", NULL, NULL}},
                     tree[] = {{"site/", AE_IFDIR, 0, NULL, NULL, NULL},
                               {"site/a", AE_IFREG, 0, "x", NULL, NULL},
                               {"site/b", AE_IFREG, 0600, NULL, NULL, "site/a"}},
                     self[] = {{"m.bin", AE_IFREG, 0600, "x", NULL, NULL},
                               {"m.bin/evil", AE_IFREG, 0600, "x", NULL, NULL}},
                     link[] = {{"m.bin", AE_IFLNK, 0777, NULL, "/etc/passwd", NULL},
                               {"m.bin", AE_IFREG, 0600, "x", NULL, NULL}};
    struct err err = {0};
    struct stat st;
    assert_int_equal(take_as("m.bin", "model", 0, file, 1, &err), 0);
    assert_int_equal(take_as("site", "page", 0, tree, ARRAY_LEN(tree), &err), 0);
    assert_true(exists("taken/model", &st) && st.st_size == 4);
    assert_true(exists("taken/page/b", &st) && st.st_nlink == 2);
    assert_int_equal(take_as("m.bin", "model", 0, other, 1, &err), 0);
    assert_true(exists("taken/model", &st) && st.st_size == 6);
    assert_true(exists("taken/page/a", &st));
    assert_false(exists("taken/m.bin", &st));
    assert_int_not_equal(take_as("m.bin", "model", 0, self, ARRAY_LEN(self), &err), 0);
    assert_int_not_equal(take_as("m.bin", "model", 0, link, ARRAY_LEN(link), &err), 0);
    assert_false(exists("evil", &st));
}

static void test_bytes_are_bounded(void **state)
{
    (void)state;
    const struct row rows[] = {{"out", AE_IFDIR, 0700, NULL, NULL, NULL},
                               {"out/a", AE_IFREG, 0600, "1234", NULL, NULL},
                               {"out/b", AE_IFREG, 0600, "5678", NULL, NULL}};
    struct err err = {0};
    assert_int_equal(take_as("out", "o", 8, rows, ARRAY_LEN(rows), &err), 0);
    assert_int_equal(take_as("out", "o", 7, rows, ARRAY_LEN(rows), &err), LEAT_ELIMIT);
    assert_non_null(strstr(err.text, "more than 7 bytes"));
}

static void test_what_leads_elsewhere(void **state)
{
    (void)state;
    static const struct {
        struct row rows[2];
        int code;
    } bad[] = {
        {{{"out/../evil", AE_IFREG, 0600, "x", NULL, NULL}}, LEAT_EINPUT},
        {{{"out/..", AE_IFREG, 0600, "x", NULL, NULL}}, LEAT_EINPUT},
        {{{"out/a/../../evil", AE_IFREG, 0600, "x", NULL, NULL}}, LEAT_EINPUT},
        {{{"evil", AE_IFREG, 0600, "x", NULL, NULL}}, LEAT_EINPUT},
        {{{"/tmp/evil", AE_IFREG, 0600, "x", NULL, NULL}}, LEAT_EINPUT},
        {{{"outer/evil", AE_IFREG, 0600, "x", NULL, NULL}}, LEAT_EINPUT},
        {{{"out/l", AE_IFLNK, 0777, NULL, "..", NULL},
          {"out/l/evil", AE_IFREG, 0600, "x", NULL, NULL}},
         LEAT_EIO},
        {{{"out/l", AE_IFLNK, 0777, NULL, "../evil", NULL},
          {"out/l", AE_IFREG, 0600, "x", NULL, NULL}},
         LEAT_EIO},
        {{{"out/h", AE_IFREG, 0600, NULL, NULL, "out/../tar"}}, LEAT_EINPUT},
        {{{"out/h", AE_IFREG, 0600, NULL, NULL, "/etc/passwd"}}, LEAT_EINPUT},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct err err = {0};
        struct stat st;
        assert_int_equal(take(bad[i].rows, bad[i].rows[1].path ? 2 : 1, &err), bad[i].code);
        print_message("%s\n", err.text);
        assert_false(exists("evil", &st));
        assert_true(access("/tmp/evil", F_OK) != 0);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (int over = 0; over < 2; over++) {
        struct err err = {0};
        cleanup_text struct text path = {0};
        text_puts(&path, "out/");
        for (int i = 0; i < UNPACK_DEPTH + over; i++)
            text_puts(&path, "d/");
        text_puts(&path, "f");
        const struct row row = {path.data, AE_IFREG, 0600, "x", NULL, NULL};
        assert_int_equal(take(&row, 1, &err), over ? LEAT_ELIMIT : 0);
    }
}

static void test_no_archive(void **state)
{
    (void)state;
    struct err err = {0};
    char folder[96], path[96];
    snprintf(folder, sizeof folder, "%s/out", dir);
    snprintf(path, sizeof path, "%s/tar", dir);
    cleanup_close int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_int_equal(unpack(fd, &(struct unpack_place){.top = "out", .folder = folder}, &err),
                     0); /* empty: nothing was there */
    for (int i = 0; i < 2000; i++)
        assert_int_equal(write(fd, "no tar ", 7), 7);
    lseek(fd, 0, SEEK_SET);
    assert_int_equal(unpack(fd, &(struct unpack_place){.top = "out", .folder = folder}, &err),
                     LEAT_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files_and_folders, setup, teardown),
        cmocka_unit_test_setup_teardown(test_under_another_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_leads_elsewhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_depth, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_archive, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
