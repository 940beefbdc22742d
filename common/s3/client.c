#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "common/http/url.h"
#include "common/s3/internal.h"

const char *const S3_STYLES[] = {"auto", "path", "host", NULL};

/* AWS's rule, and that of the others: 3 to 63 of a-z 0-9 . -, which makes it safe in a host name.
 */
static bool bucket_ok(const char *name)
{
    const size_t len = strlen(name);
    return len >= 3 && len <= 63 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789.-") == len &&
           name[0] != '.' && name[0] != '-' && !strstr(name, "..");
}

static bool region_ok(const char *region)
{
    const size_t len = strlen(region);
    return len > 0 && len <= 64 &&
           strspn(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") == len;
}

/* "http[s]://HOST[:PORT][/]": no user, path or query. */
static bool endpoint_ok(const char *url)
{
    const char *host = text_starts_with(url, "http://")    ? url + 7
                       : text_starts_with(url, "https://") ? url + 8
                                                           : "";
    const size_t len = strcspn(host, "/");
    for (size_t i = 0; i < len; i++)
        if (!isalnum((unsigned char)host[i]) && !strchr(".-:[]_", host[i]))
            return false;
    return len > 0 && len <= 255 && (host[len] == '\0' || host[len + 1] == '\0');
}

static const char *region_of(const struct s3_settings *settings)
{
    const char *names[] = {"AWS_REGION", "AWS_DEFAULT_REGION"};
    if (settings->region && *settings->region)
        return settings->region;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const char *region = getenv(names[i]);
        if (region && *region)
            return region;
    }
    return "us-east-1";
}

static int check(const struct s3_settings *settings, const char *region, struct err *err)
{
    if (!bucket_ok(settings->bucket))
        return err_set(err, LEAT_EINPUT,
                       "'%.80s' cannot be an S3 bucket: 3 to 63 of a-z 0-9 . and -",
                       settings->bucket);
    if (!region_ok(region))
        return err_set(err, LEAT_EINPUT, "'%.80s' cannot be an S3 region", region);
    if (settings->endpoint && !endpoint_ok(settings->endpoint))
        return err_set(err, LEAT_EINPUT,
                       "S3 endpoint '%.200s': it is written http[s]://HOST[:PORT]",
                       settings->endpoint);
    return 0;
}

static char *base_url(const struct s3_settings *settings, const char *region)
{
    cleanup_free char *aws = mem_printf("https://s3.%s.amazonaws.com", region);
    const char *endpoint = settings->endpoint ? settings->endpoint : aws;
    const char *host = strstr(endpoint, "://") + 3;
    const int scheme = (int)(host - endpoint), len = (int)strcspn(host, "/");
    /* A dot in the bucket's name fits no wildcard certificate. */
    const bool by_host =
        settings->style == S3_HOST ||
        (settings->style == S3_AUTO && !settings->endpoint && !strchr(settings->bucket, '.'));
    return by_host ? mem_printf("%.*s%s.%.*s", scheme, endpoint, settings->bucket, len, host)
                   : mem_printf("%.*s%.*s/%s", scheme, endpoint, len, host, settings->bucket);
}

static void start_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

int s3_open(const struct s3_settings *settings, struct s3 **out, struct err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    const char *region = region_of(settings);
    struct s3_credentials credentials = {0};
    int rc = check(settings, region, err);
    if (rc == 0)
        rc = s3_credentials_read(settings->credentials_text, settings->credentials_file,
                                 &credentials, err);
    if (rc < 0)
        return rc;
    pthread_once(&once, start_curl);
    struct s3 *s3 = mem_alloc(sizeof *s3);
    s3->bucket = mem_string(settings->bucket);
    s3->region = mem_string(region);
    s3->base = base_url(settings, region);
    s3->where = mem_printf("s3://%s at %s", settings->bucket,
                           settings->endpoint ? settings->endpoint : "AWS");
    s3->credentials_text = mem_string(settings->credentials_text);
    s3->credentials_file = mem_string(settings->credentials_file);
    s3->credentials = credentials;
    pthread_mutex_init(&s3->lock, NULL);
    *out = s3;
    return 0;
}

void s3_close(struct s3 *s3)
{
    if (!s3)
        return;
    for (size_t i = 0; i < s3->idle_count; i++)
        curl_easy_cleanup(s3->idle[i]);
    s3_credentials_wipe(&s3->credentials);
    if (s3->credentials_text)
        mem_wipe(s3->credentials_text, strlen(s3->credentials_text));
    pthread_mutex_destroy(&s3->lock);
    char *const texts[] = {s3->bucket, s3->region,           s3->base,
                           s3->where,  s3->credentials_text, s3->credentials_file};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        free(texts[i]);
    free(s3);
}

const char *s3_where(const struct s3 *s3)
{
    return s3->where;
}

const char *s3_bucket(const struct s3 *s3)
{
    return s3->bucket;
}

void s3_answer_free(struct s3_answer *answer)
{
    text_free(&answer->body);
}

void s3_query_add(struct text *query, const char *name, const char *value)
{
    if (query->len)
        text_puts(query, "&");
    url_escape(query, name, strlen(name), NULL);
    text_puts(query, "=");
    url_escape(query, value, strlen(value), NULL);
}
