/* common/base/log.h: log lines as logfmt or JSON, on standard error, one write each.
 *   log_info("order sent", LOG_S("worker", id), LOG_I("offset", n));
 * gives   time=… level=info daemon=scheduler msg="order sent" worker=w1 offset=7
 * An object that logs often keeps a `struct log_context` with its own pairs (run, step, …) and
 * uses the _of forms. Values are escaped: no value can end a line or forge a pair.
 * Not thread-safe for log_setup; lines may be written from any thread. */
#pragma once
#include <stdint.h>
#include "common/base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* daemon: name in every line, a string that lives as long as the process. */
void log_setup(const char *daemon, enum log_level least, enum log_format format);
extern const char *const LOG_LEVEL_NAMES[], *const LOG_FORMAT_NAMES[]; /* each ends with NULL */

struct log_pair {
    const char *key;
    enum { LOG_PAIR_TEXT, LOG_PAIR_INT, LOG_PAIR_END } kind;
    const char *text;
    int64_t number;
};
#define LOG_S(k, v)                                                                                \
    (struct log_pair)                                                                              \
    {                                                                                              \
        (k), LOG_PAIR_TEXT, (v), 0                                                                 \
    }
#define LOG_I(k, v)                                                                                \
    (struct log_pair)                                                                              \
    {                                                                                              \
        (k), LOG_PAIR_INT, 0, (int64_t)(v)                                                         \
    }
#define LOG_END_                                                                                   \
    (struct log_pair)                                                                              \
    {                                                                                              \
        0, LOG_PAIR_END, 0, 0                                                                      \
    }

/* Pairs that every line of one object carries; ends with LOG_PAIR_END. */
struct log_context {
    struct log_pair pairs[6];
};

void log_write(enum log_level level, const struct log_context *of, const char *msg,
               const struct log_pair *pairs);

#define log_debug(msg, ...)                                                                        \
    log_write(LOG_DEBUG, 0, msg, (struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END_})
#define log_info(msg, ...)                                                                         \
    log_write(LOG_INFO, 0, msg, (struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END_})
#define log_warn(msg, ...)                                                                         \
    log_write(LOG_WARN, 0, msg, (struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END_})
#define log_error(msg, ...)                                                                        \
    log_write(LOG_ERROR, 0, msg, (struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END_})
#define log_info_of(of, msg, ...)                                                                  \
    log_write(LOG_INFO, of, msg, (struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END_})
#define log_warn_of(of, msg, ...)                                                                  \
    log_write(LOG_WARN, of, msg, (struct log_pair[]){__VA_ARGS__ __VA_OPT__(, ) LOG_END_})

/* LOG_S("error", err->text) for the edge. */
#define LOG_ERR(e) LOG_S("error", (e)->text)
