#include "cli/files.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/base/text.h"

char *file_read(const char *path, size_t most, size_t *len, struct err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    struct text out = {0};
    char buffer[64 * 1024];
    size_t n;
    if (!file) {
        err_set(err, LEAT_EINPUT, "%s: %s", path, strerror(errno));
        return NULL;
    }
    while (out.len <= most && (n = fread(buffer, 1, sizeof buffer, file)) > 0)
        text_append(&out, buffer, n);
    const bool failed = ferror(file) != 0;
    if (file != stdin)
        fclose(file);
    if (failed || out.len > most) {
        text_free(&out);
        if (failed)
            err_set(err, LEAT_EINPUT, "%s: cannot be read", path);
        else
            err_set(err, LEAT_ELIMIT, "%s: is larger than %zu bytes", path, most);
        return NULL;
    }
    *len = out.len;
    return text_take(&out);
}

int file_make_parents(const char *path, unsigned mode, struct err *err)
{
    cleanup_free char *copy = mem_string(path);
    for (char *p = strchr(copy + 1, '/'); p; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, mode) != 0 && errno != EEXIST)
            return err_errno(err, errno, "%s", copy);
        *p = '/';
    }
    return 0;
}

int file_write(const char *path, const void *data, size_t len, struct err *err)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
    if (!file)
        return err_errno(err, errno, "%s", path);
    bool ok = fwrite(data, 1, len, file) == len && fflush(file) == 0;
    if (file != stdout)
        ok = fclose(file) == 0 && ok;
    return ok ? 0 : err_errno(err, errno, "%s", path);
}
