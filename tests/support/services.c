#include "tests/support/services.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/mem.h"

static void become(const char *out, const char *const *argv)
{
    const int fd = open(out, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0)
        dup2(fd, 1);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

bool service_run(const char *verb, const char *name, const char *folder, const char *const *more)
{
    const char *argv[16] = {"dev/services", verb, name, "--dir", folder};
    cleanup_free char *out = mem_printf("%s/%s.%s", folder, name, verb);
    for (size_t n = 5; more && *more && n + 1 < ARRAY_LEN(argv); n++)
        argv[n] = *more++;
    const pid_t pid = fork();
    if (pid == 0)
        become(out, argv);
    int status = 1;
    return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

void service_value(const char *name, const char *folder, const char *key, char out[SERVICE_VALUE])
{
    cleanup_free char *path = mem_printf("%s/%s.up", folder, name);
    char line[SERVICE_VALUE];
    const size_t len = strlen(key);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    out[0] = '\0';
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, key, len) == 0 && line[len] == '=')
            snprintf(out, SERVICE_VALUE, "%s", line + len + 1);
    }
    fclose(file);
    assert_string_not_equal(out, "");
}

bool service_cached(const char *name_version)
{
    const char *base = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"),
               *fetch = getenv("LEAT_TEST_FETCH");
    cleanup_free char *usual = mem_printf("%s/.cache", home ? home : "");
    cleanup_free char *path =
        mem_printf("%s/leat/services/%s", base && *base ? base : usual, name_version);
    return (fetch && strcmp(fetch, "1") == 0) || access(path, F_OK) == 0;
}
