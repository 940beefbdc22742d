/* Configuration files of any bytes: read, or refused with a place. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/config.h"

struct settings {
    char *name, *address;
    int64_t slots, wait;
    bool on;
};

static const struct config_key keys[] = {
    {CONFIG_KEY(struct settings, name, "name", CONFIG_STRING), .help = ""},
    {CONFIG_KEY(struct settings, address, "listen", CONFIG_ADDRESS), .help = ""},
    {CONFIG_KEY(struct settings, slots, "slots", CONFIG_INT), .least = -5, .most = 5, .help = ""},
    {CONFIG_KEY(struct settings, wait, "wait", CONFIG_DURATION), .help = ""},
    {CONFIG_KEY(struct settings, on, "on", CONFIG_BOOL), .help = ""},
    {.name = NULL},
};
static const struct config_program program = {"fuzz", "fuzz", keys};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct settings s = {0};
    struct err err = {0};
    char path[64], name[] = "fuzz", flag[] = "--config";
    const int fd = memfd_create("config", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, len) != (ssize_t)len)
        abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    char *const argv[] = {name, flag, path, NULL};
    const int rc = config_load(&program, 3, argv, &s, &err);
    if (rc < 0 && !strstr(err.text, path))
        abort();
    if (rc == 0 && (s.slots < -5 || s.slots > 5 || s.wait < 0))
        abort();
    if (rc == 0)
        config_free(&program, &s);
    close(fd);
    return 0;
}
