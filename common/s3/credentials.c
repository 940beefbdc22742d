/* Credentials: AWS's environment variables and the INI form of its file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/s3/internal.h"

#define FILE_MAX 65536
#define WHITE    " \t\r\n"

static void wipe(char **text)
{
    if (*text)
        mem_wipe(*text, strlen(*text));
    free(*text);
    *text = NULL;
}

void s3_credentials_wipe(struct s3_credentials *c)
{
    wipe(&c->key);
    wipe(&c->secret);
    wipe(&c->token);
}

static bool whole(const struct s3_credentials *c)
{
    return c->key && *c->key && c->secret && *c->secret;
}

/* ---- text ----------------------------------------------------------------------------------- */

static void set(char **field, const char *from, size_t len)
{
    wipe(field);
    *field = mem_bytes(from, len);
}

/* Line of a profile's section: "aws_access_key_id = …". */
static void take_line(struct s3_credentials *out, const char *line, size_t len)
{
    const char *equals = memchr(line, '=', len);
    const size_t name_len = equals ? strcspn(line, WHITE "=") : 0;
    if (!equals)
        return;
    const char *value = equals + 1, *end = line + len;
    while (value < end && strchr(WHITE, *value))
        value++;
    while (end > value && strchr(WHITE, end[-1]))
        end--;
    const struct {
        const char *name;
        char **field;
    } names[] = {{"aws_access_key_id", &out->key},
                 {"aws_secret_access_key", &out->secret},
                 {"aws_session_token", &out->token}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (strlen(names[i].name) == name_len && memcmp(line, names[i].name, name_len) == 0)
            set(names[i].field, value, (size_t)(end - value));
}

static void take_profile(const char *text, const char *profile, struct s3_credentials *out)
{
    const size_t wanted = strlen(profile);
    bool inside = false;
    for (const char *line = text; *line;) {
        const size_t len = strcspn(line, "\n");
        const char *at = line + strspn(line, " \t");
        const size_t left = len - (size_t)(at - line < (long)len ? at - line : (long)len);
        if (*at == '[')
            inside =
                left >= wanted + 2 && memcmp(at + 1, profile, wanted) == 0 && at[wanted + 1] == ']';
        else if (inside)
            take_line(out, at, left);
        line += len + (line[len] != '\0');
    }
}

/* KEY:SECRET[:TOKEN]: neither a key nor a secret of S3 has a colon. */
static void take_pair(const char *text, struct s3_credentials *out)
{
    const size_t len = strcspn(text, "\r\n");
    const char *end = text + len, *secret = memchr(text, ':', len);
    if (!secret)
        return;
    const char *token = memchr(secret + 1, ':', (size_t)(end - secret - 1));
    set(&out->key, text, (size_t)(secret - text));
    set(&out->secret, secret + 1, (size_t)((token ? token : end) - secret - 1));
    if (token)
        set(&out->token, token + 1, (size_t)(end - token - 1));
}

static void take_text(const char *text, struct s3_credentials *out)
{
    const char *profile = getenv("AWS_PROFILE");
    if (strchr(text, '['))
        take_profile(text, profile && *profile ? profile : "default", out);
    else
        take_pair(text, out);
}

/* ---- places --------------------------------------------------------------------------------- */

static int take_file(const char *path, struct s3_credentials *out, struct err *err)
{
    cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "credentials %s", path);
    char *text = mem_alloc(FILE_MAX + 1);
    const ssize_t n = read(fd, text, FILE_MAX);
    if (n > 0)
        take_text(text, out);
    mem_wipe(text, FILE_MAX);
    free(text);
    return n < 0 ? err_errno(err, errno, "credentials %s", path) : 0;
}

static void take_environment(struct s3_credentials *out)
{
    const char *key = getenv("AWS_ACCESS_KEY_ID"), *secret = getenv("AWS_SECRET_ACCESS_KEY"),
               *token = getenv("AWS_SESSION_TOKEN");
    if (!key || !secret || !*key || !*secret)
        return;
    set(&out->key, key, strlen(key));
    set(&out->secret, secret, strlen(secret));
    if (token && *token)
        set(&out->token, token, strlen(token));
}

static void take_shared_file(struct s3_credentials *out)
{
    const char *path = getenv("AWS_SHARED_CREDENTIALS_FILE"), *home = getenv("HOME");
    cleanup_free char *usual = home ? mem_printf("%s/.aws/credentials", home) : NULL;
    if (path || usual)
        (void)take_file(path ? path : usual, out, NULL); /* absent: as if it were empty */
}

static int none(struct s3_credentials *out, struct err *err, const char *where)
{
    s3_credentials_wipe(out);
    return err_set(err, LEAT_EAUTH,
                   "no S3 credentials in %s: it wants KEY:SECRET, or aws_access_key_id and "
                   "aws_secret_access_key under [default]",
                   where);
}

int s3_credentials_read(const char *text, const char *file, struct s3_credentials *out,
                        struct err *err)
{
    *out = (struct s3_credentials){0};
    if (text) {
        take_text(text, out);
        return whole(out) ? 0 : none(out, err, "the secret");
    }
    if (file) {
        const int rc = take_file(file, out, err);
        return rc < 0 ? rc : whole(out) ? 0 : none(out, err, file);
    }
    take_environment(out);
    if (!whole(out))
        take_shared_file(out);
    if (whole(out))
        return 0;
    s3_credentials_wipe(out);
    return err_set(err, LEAT_EAUTH,
                   "no S3 credentials: name a file (setting store-credentials), set "
                   "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or write ~/.aws/credentials");
}
