/* What the `leat up` that runs was told: its command line, as the kernel keeps it. It is always
 * current, and no connection string with a password is ever written to a file for it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up/settings.h"
#include "cli/up/supervise.h"
#include "common/base/mem.h"
#include "common/base/text.h"

extern const struct verb VERB_UP;

struct up_told {
    struct text line; /* words, each with its NUL */
    char **words;
    size_t count, cap;
    struct given *given;
};

void up_told_free(struct up_told *told)
{
    if (!told)
        return;
    given_free(told->given);
    free(told->words);
    text_free(&told->line);
    free(told);
}

static void read_line(pid_t pid, struct text *out)
{
    char piece[4096];
    ssize_t n;
    cleanup_free char *path = mem_printf("/proc/%d/cmdline", pid);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
        text_append(out, piece, (size_t)n);
}

/* LEAT [--…] up OPTIONS: NULL when it is no such line. */
static struct up_told *ask(pid_t pid)
{
    struct up_told *told = mem_alloc(sizeof *told);
    read_line(pid, &told->line);
    for (size_t at = 0; at < told->line.len; at += strlen(told->line.data + at) + 1) {
        MEM_ROOM(told->words, told->count, told->cap);
        told->words[told->count++] = told->line.data + at;
    }
    if (told->count >= 2 && strcmp(told->words[1], VERB_UP.name) == 0 &&
        given_parse(&VERB_UP, (int)told->count - 2, told->words + 2, &told->given, NULL) == 0)
        return told;
    up_told_free(told);
    return NULL;
}

int up_settings_find(const struct given *given, struct up_told **told, struct up_settings *out,
                     struct err *err)
{
    cleanup_free char *data = up_data_folder(given, err);
    if (!data)
        return err ? err->code : LEAT_EINPUT;
    const pid_t pid = up_running(data);
    *told = pid ? ask(pid) : NULL;
    const int rc = up_settings_fill(given, *told ? (*told)->given : NULL, out, err);
    if (rc < 0)
        up_told_free(*told);
    return rc;
}
