/* leat-keeper: the parent of the processes that a worker's steps run in. It outlives the worker,
 * so that a restarted worker finds them where they were. `leat-keeper DIR` goes into the
 * background and returns once it listens; nobody but a worker starts it. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/log_file.h"
#include "common/base/mem.h"
#include "worker/keeper/keeper.h"

#define EXIT_HELD 3           /* another keeper lives here */
#define LOG_SIZE  (1LL << 20) /* it says little: a start, an end, what goes wrong */
#define LOG_KEEP  1

static void exit_io(const char *path)
{
    fprintf(stderr, "leat-keeper: %s: %s\n", path, strerror(errno));
    exit(EXIT_FAILURE);
}

/* Held until the keeper dies. A start that races with the death of the last one waits a little. */
static int lock(const char *dir)
{
    cleanup_free char *path = mem_printf("%s/%s", dir, KEEPER_LOCK);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        exit_io(path);
    for (int i = 0; i < 50; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        usleep(10000);
    }
    exit(EXIT_HELD);
}

/* Its own output goes to a file: what the worker's supervisor reads must end with the worker. */
static void redirect(const char *dir)
{
    cleanup_free char *path = mem_printf("%s/%s", dir, KEEPER_LOG);
    cleanup_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    struct err err = {0};
    if (null < 0 || dup2(null, 0) < 0)
        exit_io("/dev/null");
    if (log_to_file(path, LOG_SIZE, LOG_KEEP, &err) < 0) {
        fprintf(stderr, "leat-keeper: %s\n", err.text);
        exit(EXIT_FAILURE);
    }
}

/* For whoever takes Leat down: TERM to this process ends what it runs, then itself. */
static void write_pid(const char *dir)
{
    cleanup_free char *path = mem_printf("%s/%s", dir, KEEPER_PID);
    cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || dprintf(fd, "%d\n", (int)getpid()) < 0)
        exit_io(path);
}

/* The first process waits for the word that the second one listens, and passes the status on. */
static int detach(void)
{
    int ready[2];
    if (pipe2(ready, O_CLOEXEC) != 0)
        exit(EXIT_FAILURE);
    const pid_t pid = fork();
    if (pid < 0)
        exit(EXIT_FAILURE);
    if (pid == 0) {
        close(ready[0]);
        setsid();
        return ready[1];
    }
    close(ready[1]);
    char status = EXIT_FAILURE;
    (void)!read(ready[0], &status, 1);
    _exit(status);
}

int main(int argc, char **argv)
{
    if (argc != 2 || argv[1][0] != '/') {
        fprintf(stderr, "usage: leat-keeper DIR (absolute; started by leat-worker)\n");
        return 2;
    }
    close_range(3, ~0U, 0);
    umask(022);
    lock(argv[1]);
    const int ready = detach();
    redirect(argv[1]);
    write_pid(argv[1]);
    if (chdir(argv[1]) != 0)
        return EXIT_FAILURE;
    log_setup("keeper", LOG_INFO, LOG_LOGFMT);
    static struct keeper keeper;
    struct err err = {0};
    if (keeper_open(&keeper, argv[1], &err) != 0) {
        log_error("cannot start", LOG_ERR(&err));
        return EXIT_FAILURE;
    }
    const char listens = 0;
    (void)!write(ready, &listens, 1);
    close(ready);
    log_info("the keeper listens", LOG_I("pid", getpid()));
    keeper_run(&keeper);
    log_info("the keeper ends: nothing is left to keep");
    keeper_close(&keeper);
    return 0;
}
