#include "tests/support/s3_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/s3/internal.h"

static const struct {
    const char *name, *cache, *key;
} KNOWN[] = {{"minio", "minio-20260212201848", "MINIO"},
             {"versitygw", "versitygw-1.8.0", "VERSITYGW"}};

static void write_credentials(struct s3_server *s)
{
    snprintf(s->credentials, sizeof s->credentials, "%s/credentials", s->folder);
    FILE *file = fopen(s->credentials, "we");
    assert_non_null(file);
    fputs("leat:leat-secret\n", file);
    fclose(file);
    chmod(s->credentials, 0600);
}

bool s3_server_start(struct s3_server *s, const char *name)
{
    size_t which = 0;
    while (strcmp(KNOWN[which].name, name) != 0)
        which++;
    *s = (struct s3_server){.name = name};
    if (!service_cached(KNOWN[which].cache)) {
        fprintf(stderr, "SKIPPED: %s is not in the cache; `dev/services fetch %s` builds it\n",
                name, name);
        return false;
    }
    snprintf(s->folder, sizeof s->folder, "/tmp/leat-%s-XXXXXX", name);
    assert_non_null(mkdtemp(s->folder));
    s3_server_up(s);
    service_value(name, s->folder, KNOWN[which].key, s->url);
    s->port = (int)strtol(strrchr(s->url, ':') + 1, NULL, 10);
    write_credentials(s);
    return true;
}

void s3_server_up(const struct s3_server *s)
{
    assert_true(service_run("up", s->name, s->folder, NULL));
}

void s3_server_kill(const struct s3_server *s)
{
    assert_true(service_run("kill", s->name, s->folder, NULL));
}

void s3_server_remove(const struct s3_server *s)
{
    assert_true(service_run("remove", s->name, s->folder, NULL));
    const char *const left[] = {"up", "kill", "remove"};
    for (size_t i = 0; i < ARRAY_LEN(left); i++) {
        cleanup_free char *path = mem_printf("%s/%s.%s", s->folder, s->name, left[i]);
        unlink(path);
    }
    unlink(s->credentials);
    rmdir(s->folder);
}

struct s3 *s3_server_open(const struct s3_server *s, const char *bucket, const char *endpoint)
{
    struct s3 *s3 = NULL;
    struct err err = {0};
    const struct s3_settings settings = {.bucket = bucket,
                                         .endpoint = endpoint ? endpoint : s->url,
                                         .credentials_file = s->credentials};
    if (s3_open(&settings, &s3, &err) != 0)
        fail_msg("%s", err.text);
    return s3;
}

static void call(struct s3 *s3, const char *method, const char *query, const char *body)
{
    cleanup_s3_answer struct s3_answer a = {0};
    struct err err = {0};
    const struct s3_body sent = {.data = body, .len = (int64_t)strlen(body)};
    const struct s3_call put = {.method = method, .query = query, .body = &sent};
    if (s3_request(s3, &put, &a, &err) != 0)
        fail_msg("%s\n%s", err.text, a.body.data ? a.body.data : "");
}

struct s3 *s3_server_bucket(const struct s3_server *s, const char *bucket, bool versions)
{
    struct s3 *s3 = s3_server_open(s, bucket, NULL);
    call(s3, "PUT", NULL, "");
    if (versions)
        call(s3, "PUT", "versioning=",
             "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
             "<Status>Enabled</Status></VersioningConfiguration>");
    return s3;
}
