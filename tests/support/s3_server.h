/* tests/support/s3_server.h: MinIO or versitygw for a test, with a bucket. */
#pragma once
#include <stdbool.h>
#include "common/s3/s3.h"
#include "tests/support/services.h"

struct s3_server {
    const char *name; /* "minio", "versitygw" */
    char folder[64];
    char url[SERVICE_VALUE];
    int port;
    char credentials[96]; /* file */
};

/* Starts it below a new folder; false = it is not in the cache (said on standard error). */
bool s3_server_start(struct s3_server *server, const char *name);
void s3_server_kill(const struct s3_server *server); /* SIGKILL */
void s3_server_up(const struct s3_server *server);   /* again, on the same port */
void s3_server_remove(const struct s3_server *server);
/* A new bucket, with versions where `versions`. `endpoint` NULL = the server's. */
struct s3 *s3_server_bucket(const struct s3_server *server, const char *bucket, bool versions);
struct s3 *s3_server_open(const struct s3_server *server, const char *bucket, const char *endpoint);
