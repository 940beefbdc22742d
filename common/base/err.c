#include "common/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct error_row {
    int code;
    const char *name;
    int exit_status;
    int http_status;
};

static const struct error_row rows[] = {
#define E(code, value, name, exit, http, text) {code, name, exit, http},
    LEAT_ERRORS(E)
#undef E
};

static const struct error_row *row_of(int code)
{
    const size_t n = sizeof rows / sizeof rows[0];
    for (size_t i = 0; i < n; i++)
        if (rows[i].code == code)
            return &rows[i];
    return &rows[n - 1];
}

int err_vset(struct err *err, int code, const char *fmt, va_list ap)
{
    if (!err)
        return code;
    char text[sizeof err->text]; /* fmt's arguments may point into err->text */
    vsnprintf(text, sizeof text, fmt, ap);
    memcpy(err->text, text, sizeof text);
    err->code = code;
    return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    err_vset(err, code, fmt, ap);
    va_end(ap);
    return code;
}

bool err_is_full(int saved_errno)
{
    return saved_errno == ENOSPC || saved_errno == EDQUOT;
}

int err_errno(struct err *err, int saved_errno, const char *fmt, ...)
{
    char context[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    return err_set(err, err_is_full(saved_errno) ? LEAT_EFULL : LEAT_EIO, "%s: %s", context,
                   strerror(saved_errno));
}

int err_wrap(struct err *err, const char *fmt, ...)
{
    if (!err)
        return LEAT_EINTERNAL;
    char context[320];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(context, sizeof context, fmt, ap);
    va_end(ap);
    const int code = err->code ? err->code : LEAT_EINTERNAL;
    return err_set(err, code, "%s: %s", context, err->text);
}

const char *err_name(int code)
{
    return row_of(code)->name;
}

int err_exit_status(int code)
{
    return code == 0 ? 0 : row_of(code)->exit_status;
}

int err_http_status(int code)
{
    return code == 0 ? 200 : row_of(code)->http_status;
}
