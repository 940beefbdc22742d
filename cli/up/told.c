/* What the `leat up` that runs was told: its command line and environment, as the kernel keeps
 * them. They are always current, and no connection string with a password is ever written to a file
 * for them; its environment can be read by who runs it, and root. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/up/database.h"
#include "cli/up/settings.h"
#include "cli/up/supervise.h"
#include "common/base/mem.h"
#include "common/base/text.h"

extern const struct verb VERB_UP;

struct up_told {
    struct text line, environment; /* words, each with its NUL */
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
    text_free(&told->environment);
    free(told);
}

static void read_words(pid_t pid, const char *name, struct text *out)
{
    char piece[4096];
    ssize_t n;
    cleanup_free char *path = mem_printf("/proc/%d/%s", pid, name);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (n = read(fd, piece, sizeof piece)) > 0)
        text_append(out, piece, (size_t)n);
}

/* LEAT [--…] up OPTIONS: NULL when it is no such line. */
static struct up_told *ask(pid_t pid)
{
    struct up_told *told = mem_alloc(sizeof *told);
    read_words(pid, "cmdline", &told->line);
    read_words(pid, "environ", &told->environment);
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

static const char *told_database(const struct up_told *told)
{
    const struct text *e = &told->environment;
    for (size_t at = 0; at < e->len; at += strlen(e->data + at) + 1)
        if (text_starts_with(e->data + at, UP_DATABASE_ENV "="))
            return e->data + at + strlen(UP_DATABASE_ENV "=");
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
    const int rc = up_settings_fill(given, *told ? (*told)->given : NULL,
                                    *told ? told_database(*told) : NULL, out, err);
    if (rc < 0)
        up_told_free(*told);
    return rc;
}
