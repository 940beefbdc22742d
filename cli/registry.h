/* cli/registry.h: what an image's tag means now, asked of its registry (the OCI distribution
 * specification, "Pulling manifests", and Docker's token authentication). The name's rules are the
 * engine's: no host is Docker Hub, one without a dot, a port or "localhost" is none. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"

#define REGISTRY_DIGEST   72 /* "sha256:", 64 digits and the end */
#define REGISTRY_PART_MAX 512

/* Where an image lies, as a registry is asked for it. */
struct registry_place {
    char host[REGISTRY_PART_MAX]; /* "registry-1.docker.io", "127.0.0.1:5000" */
    char path[REGISTRY_PART_MAX]; /* "library/alpine" */
    char tag[REGISTRY_PART_MAX];  /* or its digest; "latest" when none is named */
    char key[REGISTRY_PART_MAX];  /* under `auths` of docker's config.json */
};

/* LEAT_EINPUT: it is no image's name. Pure. */
int registry_place(const char *image, struct registry_place *out, struct err *err);

/* What a 401 asks for: WWW-Authenticate's first challenge. */
struct registry_challenge {
    bool bearer; /* else Basic */
    char realm[REGISTRY_PART_MAX], service[REGISTRY_PART_MAX], scope[REGISTRY_PART_MAX];
};

/* False: it is neither, or a part of it is too long. Pure. */
bool registry_challenge(const char *header, struct registry_challenge *out);

/* The digest of the image that the tag names now: of its index where it has several platforms.
 * Speaks https, and http to loopback alone. Logs in with what `docker login` has left in
 * $DOCKER_CONFIG/config.json or ~/.docker/config.json, where a registry asks for it; trusts the
 * system's certificates, SSL_CERT_FILE, and /etc/docker/certs.d/HOST/ca.crt. Blocking, up to a
 * minute. LEAT_ENOTFOUND, LEAT_EAUTH, LEAT_EUNREACHABLE, LEAT_EIO say what is wrong; LEAT_EINPUT
 * too, of a name that has a digest already. */
int registry_digest(const char *image, char digest[REGISTRY_DIGEST], struct err *err);

/* Is NAME@sha256:… there still? Asked for in the same way, for `most_us` at most: 0 it is,
 * LEAT_ENOTFOUND the registry answers that it has none such; with any other error nobody knows. */
int registry_has(const char *image, int64_t most_us, struct err *err);
