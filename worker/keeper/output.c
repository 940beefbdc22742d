/* Standard output and error of an attempt: from its pipe into its log file, up to the limit; what
 * follows is thrown away, so that a chatty program goes on. */
#include "worker/keeper/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/base/log.h"

#define READ_BYTES (64 * 1024)
#define PIPE_MOST  (1024 * 1024) /* the largest that a pipe can be made to hold */

static void close_log(struct held *h)
{
    if (h->log_fd >= 0)
        close(h->log_fd);
    h->log_fd = -1;
}

static void give_up(struct held *h, const char *why)
{
    close_log(h);
    h->flags |= KEEPER_TRUNCATED;
    if (why)
        log_warn("a log cannot be written", LOG_S("path", h->log_path), LOG_S("error", why));
}

static bool open_log(struct held *h)
{
    if (h->log_fd < 0)
        h->log_fd = open(h->log_path, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (h->log_fd < 0)
        give_up(h, strerror(errno));
    return h->log_fd >= 0;
}

static void append(struct held *h, const char *data, size_t len)
{
    const int64_t left = h->log_limit - h->log_bytes;
    const bool over = (int64_t)len > left;
    if (over)
        len = left > 0 ? (size_t)left : 0;
    while (len > 0 && open_log(h)) {
        const ssize_t n = write(h->log_fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            give_up(h, strerror(errno));
            return;
        }
        h->log_bytes += n;
        data += n;
        len -= (size_t)n;
    }
    if (over)
        give_up(h, NULL);
}

/* Bytes taken; 0 at the end, -1 when there is nothing now. */
static ssize_t take(struct held *h)
{
    static char buf[READ_BYTES];
    const ssize_t n = read(h->output.fd, buf, sizeof buf);
    if (n > 0 && !(h->flags & KEEPER_TRUNCATED))
        append(h, buf, (size_t)n);
    return n < 0 && errno == EINTR ? 1 : n;
}

void output_read(struct keeper *k, struct held *h)
{
    if (take(h) == 0)
        keeper_unwatch(k, &h->output); /* it closed both and may go on for long */
}

void output_close(struct keeper *k, struct held *h)
{
    for (ssize_t got = 0, n; h->output.fd >= 0 && got <= PIPE_MOST; got += n) {
        n = take(h);
        if (n <= 0)
            break;
    }
    keeper_unwatch(k, &h->output);
    close_log(h);
}
