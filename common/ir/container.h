/* common/ir/container.h: what a step may say of its container, checked when a file is applied
 * (where the text holds no expression) and by the worker (when all is final). Pure. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

#define CONTAINER_IMAGE_MAX   512
#define CONTAINER_WORKDIR_MAX 4096
#define CONTAINER_NETWORK_MAX 64
#define CONTAINER_PIDS_USUAL  4096
#define CONTAINER_SHM_USUAL   (64LL << 20)
#define CONTAINER_SHM_MIN     4096
#define CONTAINER_MEMORY_MIN  (6LL << 20) /* the engine's own: less is refused there */

/* Parts of an image's name; lengths into the text that was read. */
struct container_image {
    size_t name; /* [host[:port]/]path */
    size_t tag_at, tag;
    size_t digest_at, digest; /* "sha256:…"; 0 = none */
};

/* [HOST[:PORT]/]PATH[:TAG][@DIGEST] after the grammar of github.com/distribution/reference.
 * LEAT_EINPUT says what is wrong with it. */
int container_image_read(const char *text, struct container_image *out, struct err *err);
/* Absolute, no "." or ".." in it, no control character, not below what the kernel or Leat puts
 * there (/proc, /sys, /dev, /leat/in, /leat/secrets). */
int container_workdir_check(const char *text, struct err *err);
/* Of an output: the same, not the root itself, and not below /leat either, whose parts are Leat's.
 */
int container_output_path_check(const char *text, struct err *err);
/* `none`, `default` (the engine's own), `host`, or a network's name. */
int container_network_check(const char *text, struct err *err);
