#include "common/base/log.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log_file.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static struct {
    const char *daemon;
    enum log_level least;
    enum log_format format;
} setup = {"leat", LOG_INFO, LOG_LOGFMT};

const char *const LOG_LEVEL_NAMES[] = {"debug", "info", "warn", "error", NULL};
const char *const LOG_FORMAT_NAMES[] = {"logfmt", "json", NULL};

void log_setup(const char *daemon, enum log_level least, enum log_format format)
{
    setup.daemon = daemon;
    setup.least = least;
    setup.format = format;
}

/* Letters, digits and harmless marks need no quotes in logfmt. */
static bool is_plain(const char *value)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-_.:/@+,";
    return *value && value[strspn(value, plain)] == '\0';
}

static void put_key(struct text *line, const char *key)
{
    if (setup.format == LOG_JSON) {
        text_puts(line, line->len == 1 ? "" : ",");
        text_quote(line, key);
        text_puts(line, ":");
    } else {
        text_puts(line, line->len == 0 ? "" : " ");
        text_puts(line, key);
        text_puts(line, "=");
    }
}

static void put_text(struct text *line, const char *key, const char *value)
{
    put_key(line, key);
    if (!value)
        text_puts(line, "null");
    else if (setup.format == LOG_LOGFMT && is_plain(value))
        text_puts(line, value);
    else
        text_quote(line, value);
}

static void put_pairs(struct text *line, const struct log_pair *pair)
{
    for (; pair->kind != LOG_PAIR_END; pair++) {
        if (pair->kind == LOG_PAIR_TEXT) {
            put_text(line, pair->key, pair->text);
            continue;
        }
        put_key(line, pair->key);
        text_printf(line, "%lld", (long long)pair->number);
    }
}

/* One write, so that lines of several processes on one pipe do not mix (up to PIPE_BUF). */
static void emit(const struct text *line)
{
    static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER;
    size_t done = 0;
    pthread_mutex_lock(&one);
    log_file_room(line->len);
    while (done < line->len) {
        const ssize_t n = write(STDERR_FILENO, line->data + done, line->len - done);
        if (n <= 0)
            break; /* nowhere to say so */
        done += (size_t)n;
    }
    pthread_mutex_unlock(&one);
}

void log_write(enum log_level level, const struct log_context *of, const char *msg,
               const struct log_pair *pairs)
{
    if (level < setup.least)
        return;
    char now[CLOCK_TEXT];
    clock_format(clock_wall_us(), now);
    cleanup_text struct text line = {0};
    if (setup.format == LOG_JSON)
        text_puts(&line, "{");
    put_text(&line, "time", now);
    put_text(&line, "level", LOG_LEVEL_NAMES[level]);
    put_text(&line, "daemon", setup.daemon);
    put_text(&line, "msg", msg);
    if (of)
        put_pairs(&line, of->pairs);
    put_pairs(&line, pairs);
    text_puts(&line, setup.format == LOG_JSON ? "}\n" : "\n");
    emit(&line);
}
