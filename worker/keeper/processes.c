#include "worker/keeper/keeper.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"

#define CHILDREN_MOST (1 << 20)
#define NAME          "LEAT_ATTEMPT_ID="

/* At most `most` - 1 bytes of /proc/PID/FILE and a NUL; the length, 0 when it cannot be read. */
static size_t read_proc(pid_t pid, const char *file, char *out, size_t most)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, file);
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    while (fd >= 0 && len < most - 1) {
        const ssize_t n = read(fd, out + len, most - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    return len;
}

/* Which attempt the process says that it belongs to: it was given the id in its environment, and
 * whatever it started inherited that. */
static bool attempt_of(pid_t pid, struct uuid *out)
{
    static char env[KEEPER_ARGS_MAX];
    const size_t len = read_proc(pid, "environ", env, sizeof env);
    for (const char *at = env; at < env + len; at += strlen(at) + 1)
        if (text_starts_with(at, NAME))
            return uuid_parse(at + strlen(NAME), out);
    return false;
}

/* ---- after the death of an earlier keeper ------------------------------------------------------
 */

/* Session and start (µs of CLOCK_BOOTTIME) from /proc/PID/stat; the name in it may hold anything,
 * so what counts begins after the last parenthesis. */
static bool read_stat(pid_t pid, pid_t *session, int64_t *started_us)
{
    char stat[1024];
    read_proc(pid, "stat", stat, sizeof stat);
    const char *rest = strrchr(stat, ')');
    int sid = 0;
    unsigned long long ticks = 0;
    /* state ppid pgrp session, then 15 fields, then starttime */
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                        "%*d %llu",
                        &sid, &ticks) != 2)
        return false;
    *session = sid;
    *started_us = (int64_t)ticks * (US_PER_S / sysconf(_SC_CLK_TCK));
    return true;
}

static const struct keeper_record *begun(const struct table *t, const struct uuid *attempt,
                                         pid_t session)
{
    for (size_t i = 0; i < t->capacity; i++) {
        const struct keeper_record *r = table_at(t, i);
        if (record_state(r) == RECORD_BEGUN &&
            (attempt ? uuid_compare(&r->attempt, attempt) == 0 : r->pid == session))
            return r;
    }
    return NULL;
}

/* The kernel gives no pid away while a session of that number lives, so only a session that began
 * before the attempt, or whose leader began well after it, is another's. */
static bool is_stale(const struct table *t, pid_t pid)
{
    struct uuid attempt;
    pid_t session = 0;
    int64_t started_us = 0;
    if (!read_stat(pid, &session, &started_us))
        return false;
    if (attempt_of(pid, &attempt))
        return begun(t, &attempt, 0) != NULL;
    const struct keeper_record *r = begun(t, NULL, session);
    const int64_t slack = 50 * US_PER_MS; /* start times are told in ticks */
    if (!r || started_us + slack < r->begun_us)
        return false;
    return pid != session || started_us <= r->begun_us + slack;
}

void processes_kill_stale(const struct table *t)
{
    bool any = false;
    for (size_t i = 0; i < t->capacity && !any; i++)
        any = record_state(table_at(t, i)) == RECORD_BEGUN;
    DIR *proc = any ? opendir("/proc") : NULL;
    if (!proc)
        return;
    for (const struct dirent *e; (e = readdir(proc));) {
        long long pid;
        if (!text_to_int(e->d_name, 2, INT32_MAX, &pid) || pid == getpid() ||
            !is_stale(t, (pid_t)pid))
            continue;
        log_warn("killing what a dead keeper left", LOG_I("pid", pid));
        kill((pid_t)pid, SIGKILL);
    }
    closedir(proc);
}

/* ---- after an exit -----------------------------------------------------------------------------
 */

static void judge(struct keeper *k, pid_t pid)
{
    struct uuid attempt;
    if (held_by_pid(k, pid))
        return;
    if (attempt_of(pid, &attempt)) {
        const struct held *h = held_find(k, &attempt);
        if (h && h->pid)
            return; /* its attempt runs */
    } else if (k->by_pid) {
        return; /* nobody can say whose it is while others run */
    }
    kill(pid, SIGKILL);
}

void processes_sweep(struct keeper *k)
{
    char path[64];
    snprintf(path, sizeof path, "task/%d/children", (int)getpid());
    cleanup_free char *list = mem_alloc(CHILDREN_MOST);
    read_proc(getpid(), path, list, CHILDREN_MOST);
    char *save = NULL;
    for (char *word = strtok_r(list, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        long long pid;
        if (text_to_int(word, 2, INT32_MAX, &pid))
            judge(k, (pid_t)pid);
    }
}
