/* The file of --config: `key = value` lines. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/config_internal.h"
#include "common/base/mem.h"

#define FILE_MAX (1 << 20)

/* Where the parser stands; the text is NUL-terminated. */
struct reader {
    const struct config_program *program;
    const char *path;
    const char *line; /* start of the present line */
    const char *p;
    int number;
    bool *seen; /* by row */
};

static int fail(const struct reader *r, const char *at, struct err *err)
{
    return err_wrap(err, "%s:%d:%d", r->path, r->number, (int)(at - r->line) + 1);
}

static bool ends_line(char c)
{
    return c == '\n' || c == '\0';
}

static void skip_spaces(struct reader *r)
{
    while (*r->p == ' ' || *r->p == '\t' || *r->p == '\r')
        r->p++;
}

static bool is_key_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* "…": \" and \\ are the only escapes. */
static int read_quoted(struct reader *r, struct text *value, struct err *err)
{
    const char *start = r->p++;
    for (; *r->p != '"'; r->p++) {
        if (ends_line(*r->p)) {
            err_set(err, LEAT_EINPUT, "the quotes are not closed");
            return fail(r, start, err);
        }
        if (*r->p == '\\' && (r->p[1] == '"' || r->p[1] == '\\'))
            r->p++;
        text_append(value, r->p, 1);
    }
    r->p++;
    skip_spaces(r);
    if (ends_line(*r->p) || *r->p == '#')
        return 0;
    err_set(err, LEAT_EINPUT, "nothing may follow the closing quotes");
    return fail(r, r->p, err);
}

/* To the end of the line or a '#' after a space; spaces around do not count. */
static void read_plain(struct reader *r, struct text *value)
{
    const char *start = r->p;
    while (!ends_line(*r->p) && !(*r->p == '#' && (r->p == start || strchr(" \t", r->p[-1]))))
        r->p++;
    const char *end = r->p;
    while (end > start && strchr(" \t\r", end[-1]))
        end--;
    text_append(value, start, (size_t)(end - start));
}

static int assign(struct reader *r, const char *name, size_t len, const char *value_at,
                  const struct text *value, void *out, struct err *err)
{
    const struct config_key *key = config_find(r->program, name, len);
    if (!key) {
        cleanup_free char *copy = mem_bytes(name, len);
        config_unknown(r->program, copy, err);
        return fail(r, name, err);
    }
    bool *seen = &r->seen[key - r->program->keys];
    if (*seen) {
        err_set(err, LEAT_EINPUT, "%s is given twice", key->name);
        return fail(r, name, err);
    }
    *seen = true;
    if (config_set(key, value->data, out, err) != 0)
        return fail(r, value_at, err);
    return 0;
}

static int read_line(struct reader *r, void *out, struct err *err)
{
    skip_spaces(r);
    if (ends_line(*r->p) || *r->p == '#')
        return 0;
    const char *name = r->p;
    while (is_key_char(*r->p))
        r->p++;
    const size_t len = (size_t)(r->p - name);
    skip_spaces(r);
    if (len == 0 || *r->p != '=') {
        err_set(err, LEAT_EINPUT, "expected `key = value`");
        return fail(r, r->p, err);
    }
    r->p++;
    skip_spaces(r);
    const char *value_at = r->p;
    cleanup_text struct text value = {0};
    text_puts(&value, "");
    if (*r->p == '"') {
        const int rc = read_quoted(r, &value, err);
        if (rc != 0)
            return rc;
    } else {
        read_plain(r, &value);
    }
    return assign(r, name, len, value_at, &value, out, err);
}

static int read_lines(struct reader *r, void *out, struct err *err)
{
    for (;;) {
        r->line = r->p;
        r->number++;
        const int rc = read_line(r, out, err);
        if (rc != 0)
            return rc;
        r->p += strcspn(r->p, "\n");
        if (!*r->p)
            return 0;
        r->p++;
    }
}

static char *load(const char *path, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        err_errno(err, errno, "configuration %s", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
        err_set(err, LEAT_EINPUT, "configuration %s: not a file of at most 1 MiB", path);
        return NULL;
    }
    cleanup_free char *text = mem_alloc((size_t)st.st_size + 1);
    const ssize_t n = read(fd, text, (size_t)st.st_size);
    if (n < 0) {
        err_errno(err, errno, "configuration %s", path);
        return NULL;
    }
    if (memchr(text, '\0', (size_t)n)) {
        err_set(err, LEAT_EINPUT, "configuration %s: holds a NUL byte", path);
        return NULL;
    }
    return TAKE(text);
}

int config_read_file(const struct config_program *program, const char *path, void *out,
                     struct err *err)
{
    cleanup_free char *text = load(path, err);
    if (!text)
        return err->code;
    size_t rows = 0;
    while (program->keys[rows].name)
        rows++;
    cleanup_free bool *seen = mem_array(rows, sizeof *seen);
    struct reader r = {.program = program, .path = path, .p = text, .seen = seen};
    return read_lines(&r, out, err);
}
