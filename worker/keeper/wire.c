#include "worker/keeper/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/mem.h"

/* ---- writing -------------------------------------------------------------------------------- */

static size_t begin(struct text *out, enum keeper_kind kind)
{
    const size_t at = out->len;
    const uint32_t later = 0;
    const uint8_t byte = (uint8_t)kind;
    text_append(out, &later, sizeof later);
    text_append(out, &byte, 1);
    return at;
}

static void end(struct text *out, size_t at)
{
    const uint32_t len = (uint32_t)(out->len - at - sizeof len);
    memcpy(out->data + at, &len, sizeof len);
}

static void put_i64(struct text *out, int64_t v)
{
    text_append(out, &v, sizeof v);
}

static void put_i32(struct text *out, int32_t v)
{
    text_append(out, &v, sizeof v);
}

static void put_string(struct text *out, const char *s)
{
    const size_t len = strlen(s);
    put_i32(out, (int32_t)len);
    text_append(out, s, len + 1);
}

static size_t strings_bytes(const char **list, int32_t *count)
{
    size_t bytes = 0;
    for (*count = 0; list[*count]; ++*count)
        bytes += strlen(list[*count]) + 1;
    return bytes;
}

static void put_strings(struct text *out, const char **list, int32_t count)
{
    put_i32(out, count);
    for (int32_t i = 0; i < count; i++)
        put_string(out, list[i]);
}

int keeper_put_start(struct text *out, const struct keeper_start *start, struct err *err)
{
    int32_t argc = 0, envc = 0;
    const size_t bytes = strings_bytes(start->argv, &argc) + strings_bytes(start->env, &envc);
    if (bytes > KEEPER_ARGS_MAX)
        return err_set(err, LEAT_ELIMIT, "arguments and environment have %zu bytes, %d are allowed",
                       bytes, KEEPER_ARGS_MAX);
    const size_t at = begin(out, KEEPER_START);
    text_append(out, start->attempt.b, sizeof start->attempt.b);
    put_i64(out, start->log_limit);
    put_i64(out, start->timeout_us);
    put_i64(out, start->grace_us);
    put_i64(out, start->fuse_slack_us);
    put_i64(out, start->lease_end_us);
    put_string(out, start->workdir);
    put_string(out, start->log_path);
    put_strings(out, start->argv, argc);
    put_strings(out, start->env, envc);
    end(out, at);
    return 0;
}

void keeper_put(struct text *out, enum keeper_kind kind, const struct uuid *attempt, int64_t number,
                int32_t pid)
{
    static const struct uuid none;
    const size_t at = begin(out, kind);
    text_append(out, attempt ? attempt->b : none.b, sizeof none.b);
    put_i64(out, number);
    put_i32(out, pid);
    end(out, at);
}

void keeper_put_exit(struct text *out, const struct uuid *attempt, const struct keeper_exit *exit)
{
    const size_t at = begin(out, KEEPER_EXITED);
    text_append(out, attempt->b, sizeof attempt->b);
    put_i32(out, exit->exit_code);
    put_i32(out, (int32_t)exit->flags);
    put_i64(out, exit->started_us);
    put_i64(out, exit->finished_us);
    put_i64(out, exit->log_bytes);
    put_string(out, exit->reason);
    end(out, at);
}

/* ---- reading: a cursor that turns bad and stays so ------------------------------------------ */

struct cursor {
    const char *at, *end;
    bool bad;
};

static const void *take(struct cursor *c, size_t n)
{
    static const char zero[16];
    if (c->bad || (size_t)(c->end - c->at) < n) {
        c->bad = true;
        return zero;
    }
    const void *p = c->at;
    c->at += n;
    return p;
}

static int64_t take_i64(struct cursor *c)
{
    int64_t v;
    memcpy(&v, take(c, sizeof v), sizeof v);
    return v;
}

static int32_t take_i32(struct cursor *c)
{
    int32_t v;
    memcpy(&v, take(c, sizeof v), sizeof v);
    return v;
}

static void take_uuid(struct cursor *c, struct uuid *out)
{
    memcpy(out->b, take(c, sizeof out->b), sizeof out->b);
}

static const char *take_string(struct cursor *c)
{
    const int32_t len = take_i32(c);
    if (c->bad || len < 0 || c->end - c->at <= len ||
        memchr(c->at, '\0', (size_t)len + 1) != c->at + len) {
        c->bad = true;
        return "";
    }
    return take(c, (size_t)len + 1);
}

static const char **take_strings(struct cursor *c)
{
    int32_t count = take_i32(c);
    if (count < 0 || count > (c->end - c->at) / 5) { /* the shortest has five bytes */
        c->bad = true;
        count = 0;
    }
    const char **list = mem_array((size_t)count + 1, sizeof *list);
    for (int32_t i = 0; i < count; i++)
        list[i] = take_string(c);
    return list;
}

static void get_start(struct cursor *c, struct keeper_start *out)
{
    take_uuid(c, &out->attempt);
    out->log_limit = take_i64(c);
    out->timeout_us = take_i64(c);
    out->grace_us = take_i64(c);
    out->fuse_slack_us = take_i64(c);
    out->lease_end_us = take_i64(c);
    out->workdir = take_string(c);
    out->log_path = take_string(c);
    out->argv = take_strings(c);
    out->env = take_strings(c);
    if (!out->argv[0])
        c->bad = true;
}

static void get_exit(struct cursor *c, struct keeper_frame *out)
{
    take_uuid(c, &out->attempt);
    out->exit.exit_code = take_i32(c);
    out->exit.flags = (uint32_t)take_i32(c);
    out->exit.started_us = take_i64(c);
    out->exit.finished_us = take_i64(c);
    out->exit.log_bytes = take_i64(c);
    snprintf(out->exit.reason, sizeof out->exit.reason, "%s", take_string(c));
}

static void get_plain(struct cursor *c, struct keeper_frame *out)
{
    take_uuid(c, &out->attempt);
    out->number = take_i64(c);
    out->pid = take_i32(c);
}

static void get_fields(struct cursor *c, struct keeper_frame *out)
{
    switch (out->kind) {
    case KEEPER_START:
        get_start(c, &out->start);
        break;
    case KEEPER_EXITED:
        get_exit(c, out);
        break;
    default:
        get_plain(c, out);
        break;
    }
}

int64_t keeper_get(const void *data, size_t len, struct keeper_frame *out, struct err *err)
{
    uint32_t body;
    if (len < sizeof body + 1)
        return 0;
    memcpy(&body, data, sizeof body);
    if (body < 1 || body > KEEPER_FRAME_MAX)
        return err_set(err, LEAT_EINPUT, "a frame of %u bytes", body);
    if (len - sizeof body < body)
        return 0;
    const char *bytes = (const char *)data + sizeof body;
    struct cursor c = {.at = bytes + 1, .end = bytes + body};
    *out = (struct keeper_frame){.kind = (enum keeper_kind)(uint8_t)bytes[0]};
    if (out->kind < KEEPER_START || out->kind > KEEPER_LISTED)
        return err_set(err, LEAT_EINPUT, "a frame of kind %d", out->kind);
    get_fields(&c, out);
    if (c.bad || c.at != c.end) {
        keeper_start_clear(&out->start);
        return err_set(err, LEAT_EINPUT, "a broken frame of kind %d", out->kind);
    }
    return (int64_t)(sizeof body + body);
}

void keeper_start_clear(struct keeper_start *start)
{
    free(start->argv);
    free(start->env);
    start->argv = start->env = NULL;
}

/* ---- the socket ------------------------------------------------------------------------------ */

/* The folder is opened and named through /proc, because a socket's name is at most 107 bytes. */
static int open_at(const char *dir, struct sockaddr_un *name, int *dir_fd, struct err *err)
{
    *dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*dir_fd < 0)
        return err_errno(err, errno, "%s", dir);
    *name = (struct sockaddr_un){.sun_family = AF_UNIX};
    snprintf(name->sun_path, sizeof name->sun_path, "/proc/self/fd/%d/%s", *dir_fd, KEEPER_SOCKET);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fd >= 0 ? fd : err_errno(err, errno, "socket");
}

int keeper_connect(const char *dir, struct err *err)
{
    struct sockaddr_un name;
    cleanup_close int dir_fd = -1;
    const int fd = open_at(dir, &name, &dir_fd, err);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, sizeof name) == 0)
        return fd;
    const int why = errno;
    close(fd);
    if (why == ECONNREFUSED || why == ENOENT || why == EAGAIN)
        return err_set(err, LEAT_EUNREACHABLE, "no keeper answers at %s/%s: %s", dir, KEEPER_SOCKET,
                       strerror(why));
    return err_errno(err, why, "%s/%s", dir, KEEPER_SOCKET);
}

int keeper_listen(const char *dir, struct err *err)
{
    struct sockaddr_un name;
    cleanup_close int dir_fd = -1;
    const int fd = open_at(dir, &name, &dir_fd, err);
    if (fd < 0)
        return fd;
    unlinkat(dir_fd, KEEPER_SOCKET, 0); /* the lock says that its owner is dead */
    if (bind(fd, (struct sockaddr *)&name, sizeof name) == 0 && listen(fd, 8) == 0)
        return fd;
    const int why = errno;
    close(fd);
    return err_errno(err, why, "%s/%s", dir, KEEPER_SOCKET);
}
