/* common/base/err.h: the one shape of an error.
 * A function that can fail takes `struct err *` as its last argument, returns a negative
 * code and leaves the struct untouched on success. Callers on the way up add what they
 * know with err_wrap; the edge (main, an HTTP answer, a report) logs or shows it once.
 * NULL is allowed everywhere and means that the caller does not want the text. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>

/*       code            value  name             exit HTTP  what it means */
#define LEAT_ERRORS(E)                                                                             \
    E(LEAT_EINPUT, -1, "bad_input", 1, 400, "what was given is wrong; the text says where")        \
    E(LEAT_EUSAGE, -2, "usage", 2, 400, "the command line is wrong")                               \
    E(LEAT_ENOTFOUND, -3, "not_found", 3, 404, "there is no such thing")                           \
    E(LEAT_EREFUSED, -4, "refused", 4, 409, "the present state does not allow it")                 \
    E(LEAT_EUNREACHABLE, -5, "unreachable", 5, 503, "a service that is needed does not answer")    \
    E(LEAT_EAUTH, -6, "unauthorized", 4, 401, "no or wrong credentials")                           \
    E(LEAT_ELIMIT, -7, "over_limit", 4, 413, "a stated limit is exceeded")                         \
    E(LEAT_EFULL, -8, "full", 1, 503, "no space or the queue is full; try later")                  \
    E(LEAT_EEXISTS, -9, "exists", 4, 409, "it is there already")                                   \
    E(LEAT_EFENCED, -10, "fenced", 1, 503, "another leader has taken over")                        \
    E(LEAT_EUNKNOWN, -11, "unknown_outcome", 1, 503,                                               \
      "sent, but nobody can say whether it took effect")                                           \
    E(LEAT_EIO, -12, "io", 1, 500, "the operating system refused")                                 \
    E(LEAT_EBUSY, -14, "busy", 4, 429, "there is too much of it already; try again later")         \
    E(LEAT_EINTERNAL, -13, "internal", 1, 500, "a defect of Leat")

enum leat_error {
#define E(code, value, name, exit, http, text) code = value,
    LEAT_ERRORS(E)
#undef E
};

struct err {
    int code;       /* one of enum leat_error; 0 while nothing failed */
    char text[640]; /* one line for a person; never a secret */
};

/* Sets code and text (printf style, truncated to fit) and returns code, so that
 * `return err_set(err, LEAT_EINPUT, "…")` is the usual line. */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_vset(struct err *err, int code, const char *fmt, va_list ap);

/* Does that errno say that there is no space, on the disk or in a quota? */
bool err_is_full(int saved_errno);
/* As err_set with ": strerror(errno)" appended, and LEAT_EFULL or LEAT_EIO as err_is_full says. */
int err_errno(struct err *err, int saved_errno, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text that is there; returns the code that is there
 * (LEAT_EINTERNAL when none was set). */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *err_name(int code); /* "bad_input"; "internal" for a number not in the table */
int err_exit_status(int code);  /* exit status of a command that ends with it; 0 for 0 */
int err_http_status(int code);  /* 200 for 0 */
