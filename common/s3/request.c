/* One request with its tries: libcurl's easy interface on the caller's thread, signed by libcurl
 * (CURLOPT_AWS_SIGV4). The hash of the body is given to it as a header, because it would say
 * "unsigned"; the query has to come in canonical form, because 7.88 signs it as it stands. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/uuid.h"
#include "common/http/url.h"
#include "common/s3/internal.h"

#define TRIES        5
#define FIRST_MS     100
#define CAP_MS       2000
#define WAIT_HERE_US (5 * US_PER_S) /* longer pauses are the caller's to wait for */
#define CONNECT_MS   5000L
#define SILENT_S     30L /* without a byte: given up */
#define ANSWER_MAX   (16UL << 20)
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct transfer {
    struct s3 *s3;
    const struct s3_call *call;
    struct s3_answer *answer;
    CURL *easy;
    struct curl_slist *headers;
    int64_t sent;           /* of the body */
    int64_t retry_after_us; /* 0 = not told */
    bool stopped;           /* the sink wants no more */
    bool over;              /* the answer is too long */
    char why[CURL_ERROR_SIZE];
};

/* ---- the answer ----------------------------------------------------------------------------- */

static const char *value_of(const char *line, const char *name)
{
    const size_t len = strlen(name);
    if (strncasecmp(line, name, len) != 0 || line[len] != ':')
        return NULL;
    return line + len + 1 + strspn(line + len + 1, " \t");
}

static void take_text(char *out, size_t size, const char *value)
{
    const size_t len = strlen(value) < size ? strlen(value) : size - 1;
    memcpy(out, value, len);
    out[len] = '\0';
}

static void take_header(struct transfer *t, const char *line)
{
    struct s3_answer *a = t->answer;
    const char *v;
    if ((v = value_of(line, "etag")))
        s3_etag_copy(a->etag, v);
    else if ((v = value_of(line, "x-amz-version-id")))
        take_text(a->version, sizeof a->version, v);
    else if ((v = value_of(line, "x-amz-meta-leat-sha256")))
        take_text(a->sha256, sizeof a->sha256, v);
    else if ((v = value_of(line, "content-length")))
        a->length = strtoll(v, NULL, 10);
    else if ((v = value_of(line, "content-range")) && strchr(v, '/'))
        a->total = strtoll(strchr(v, '/') + 1, NULL, 10);
    else if ((v = value_of(line, "last-modified")))
        a->modified_us = (int64_t)curl_getdate(v, NULL) * US_PER_S;
    else if ((v = value_of(line, "retry-after")))
        t->retry_after_us = strtoll(v, NULL, 10) * US_PER_S;
}

static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    size_t len = size * count;
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    cleanup_free char *line = mem_bytes(data, len);
    take_header(arg, line);
    return size * count;
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const size_t len = size * count;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->call->sink && status / 100 == 2) {
        t->stopped = !t->call->sink(t->call->arg, data, len);
        t->answer->got += (int64_t)len;
        return t->stopped ? 0 : len;
    }
    t->over = t->answer->body.len + len > ANSWER_MAX;
    if (t->over)
        return 0;
    text_append(&t->answer->body, data, len);
    return len;
}

/* ---- the body ------------------------------------------------------------------------------- */

static size_t read_body(char *out, size_t size, size_t count, void *arg)
{
    struct transfer *t = arg;
    const struct s3_body *b = t->call->body;
    const int64_t left = b->len - t->sent;
    const size_t wanted = (int64_t)(size * count) < left ? size * count : (size_t)left;
    if (wanted == 0)
        return 0;
    if (b->data) {
        memcpy(out, (const char *)b->data + t->sent, wanted);
        t->sent += (int64_t)wanted;
        return wanted;
    }
    const ssize_t n = pread(b->fd, out, wanted, b->offset + t->sent);
    if (n <= 0)
        return CURL_READFUNC_ABORT; /* it became shorter, or cannot be read */
    t->sent += n;
    return (size_t)n;
}

/* A kept connection was dead: libcurl begins anew on another. */
static int seek_body(void *arg, curl_off_t offset, int origin)
{
    struct transfer *t = arg;
    if (origin != SEEK_SET)
        return CURL_SEEKFUNC_CANTSEEK;
    t->sent = offset;
    return CURL_SEEKFUNC_OK;
}

/* ---- setting up ------------------------------------------------------------------------------ */

static void add_header(struct transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        abort(); /* out of memory */
    t->headers = longer;
}

static void set_headers(struct transfer *t, const char *token)
{
    const struct s3_body *b = t->call->body;
    char hash[SHA256_HEX] = EMPTY_SHA256;
    if (b && b->sha256)
        memcpy(hash, b->sha256, SHA256_HEX);
    else if (b)
        sha256_hex(b->data, (size_t)b->len, hash);
    cleanup_free char *sha256 = mem_printf("x-amz-content-sha256: %s", hash);
    add_header(t, sha256);
    if (token) {
        char *line = mem_printf("x-amz-security-token: %s", token);
        add_header(t, line);
        mem_wipe(line, strlen(line));
        free(line);
    }
    for (const char *const *h = t->call->headers; h && *h; h++)
        add_header(t, *h);
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_url(struct transfer *t)
{
    cleanup_text struct text url = {0};
    text_puts(&url, t->s3->base);
    text_puts(&url, "/");
    if (t->call->key)
        url_escape(&url, t->call->key, strlen(t->call->key), "/");
    if (t->call->query)
        text_printf(&url, "?%s", t->call->query);
    curl_easy_setopt(t->easy, CURLOPT_URL, url.data);
    curl_easy_setopt(t->easy, CURLOPT_PATH_AS_IS, 1L);
}

static void set_body(struct transfer *t)
{
    CURL *easy = t->easy;
    const char *method = t->call->method;
    if (strcmp(method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    } else if (t->call->body) {
        curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
        curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)t->call->body->len);
        curl_easy_setopt(easy, CURLOPT_READFUNCTION, read_body);
        curl_easy_setopt(easy, CURLOPT_READDATA, t);
        curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, seek_body);
        curl_easy_setopt(easy, CURLOPT_SEEKDATA, t);
        curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
    }
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static void set_options(struct transfer *t)
{
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, SILENT_S);
    curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(easy, CURLOPT_EXPECT_100_TIMEOUT_MS, 1000L);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->why);
}

/* ---- connections ----------------------------------------------------------------------------- */

static CURL *take_handle(struct s3 *s3)
{
    CURL *easy = NULL;
    pthread_mutex_lock(&s3->lock);
    if (s3->idle_count > 0)
        easy = s3->idle[--s3->idle_count];
    pthread_mutex_unlock(&s3->lock);
    if (!easy && !(easy = curl_easy_init()))
        abort(); /* out of memory */
    return easy;
}

static void give_handle(struct s3 *s3, CURL *easy)
{
    curl_easy_reset(easy); /* the connection stays */
    pthread_mutex_lock(&s3->lock);
    if (s3->idle_count < S3_IDLE)
        s3->idle[s3->idle_count++] = TAKE(easy);
    pthread_mutex_unlock(&s3->lock);
    if (easy)
        curl_easy_cleanup(easy);
}

/* What is said by whoever may change it meanwhile. */
static void sign(struct transfer *t)
{
    struct s3 *s3 = t->s3;
    cleanup_free char *provider = mem_printf("aws:amz:%s:s3", s3->region);
    pthread_mutex_lock(&s3->lock);
    curl_easy_setopt(t->easy, CURLOPT_AWS_SIGV4, provider);
    curl_easy_setopt(t->easy, CURLOPT_USERNAME, s3->credentials.key);
    curl_easy_setopt(t->easy, CURLOPT_PASSWORD, s3->credentials.secret);
    char *token = mem_string(s3->credentials.token);
    pthread_mutex_unlock(&s3->lock);
    set_headers(t, token);
    if (token)
        mem_wipe(token, strlen(token));
    free(token);
}

static void read_code(void *arg, const char *name, const char *text)
{
    struct s3_answer *a = arg;
    if (strcmp(name, "Code") == 0)
        take_text(a->code, sizeof a->code, text);
}

static void reset(struct s3_answer *a)
{
    a->body.len = 0;
    a->status = 0;
    a->length = a->total = -1;
    a->code[0] = a->etag[0] = a->version[0] = a->sha256[0] = '\0';
    a->modified_us = 0;
}

/* One try. 0 when an answer came, whatever it says. */
static int perform(struct transfer *t, struct err *err)
{
    long status = 0;
    struct s3_answer *a = t->answer;
    reset(a);
    t->sent = t->retry_after_us = 0;
    t->why[0] = '\0';
    t->headers = NULL;
    t->easy = take_handle(t->s3);
    set_options(t);
    set_url(t);
    set_body(t);
    sign(t);
    const CURLcode code = curl_easy_perform(t->easy);
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    give_handle(t->s3, t->easy);
    curl_slist_free_all(t->headers);
    a->status = (int)status;
    if (a->total < 0 && a->status / 100 == 2)
        a->total = a->length;
    if (a->status / 100 != 2 && a->body.len)
        (void)s3_xml_read(a->body.data, a->body.len, read_code, a, NULL);
    if (t->stopped || t->over)
        return err_set(err, LEAT_EIO, "%s: the answer to %s was not wanted whole", t->s3->where,
                       t->call->method);
    if (code == CURLE_ABORTED_BY_CALLBACK || code == CURLE_READ_ERROR)
        return err_set(err, LEAT_EIO, "%s: the file changed while it was sent", t->s3->where);
    /* An answer that refuses ends the upload early, which libcurl may call a broken one. */
    if (code == CURLE_OK || (a->status >= 400 && (code == CURLE_SEND_ERROR || *a->code)))
        return 0;
    a->status = 0;
    return err_set(err, LEAT_EUNREACHABLE, "%s: %s", t->s3->where,
                   *t->why ? t->why : curl_easy_strerror(code));
}

/* ---- tries ----------------------------------------------------------------------------------- */

static void sleep_us(int64_t us)
{
    const struct timespec ts = {us / US_PER_S, us % US_PER_S * 1000};
    nanosleep(&ts, NULL);
}

static int64_t backoff_us(size_t tried)
{
    uint16_t random = 0;
    random_bytes(&random, sizeof random);
    const int64_t most = FIRST_MS << (tried < 6 ? tried : 6);
    const int64_t us = (most < CAP_MS ? most : CAP_MS) * US_PER_MS;
    return us / 2 + us / 2 * random / 65535;
}

/* Temporary ones are written anew by whoever hands them out. */
static bool read_credentials_again(struct s3 *s3)
{
    struct s3_credentials fresh;
    if (s3->credentials_text || s3_credentials_read(NULL, s3->credentials_file, &fresh, NULL) < 0)
        return false;
    pthread_mutex_lock(&s3->lock);
    struct s3_credentials old = s3->credentials;
    s3->credentials = fresh;
    pthread_mutex_unlock(&s3->lock);
    const bool changed =
        !secret_equal(old.key, strlen(old.key), fresh.key, strlen(fresh.key)) ||
        !secret_equal(old.secret, strlen(old.secret), fresh.secret, strlen(fresh.secret));
    s3_credentials_wipe(&old);
    return changed;
}

static bool is(const struct s3_answer *a, const char *code)
{
    return strcmp(a->code, code) == 0;
}

/* Something that this side can mend at once. */
static bool mend(struct transfer *t)
{
    const struct s3_answer *a = t->answer;
    if (is(a, "ExpiredToken") || is(a, "InvalidToken") || is(a, "InvalidAccessKeyId"))
        return read_credentials_again(t->s3);
    return false;
}

/* Waits out the server's wish for peace; false when it is longer than a thread should wait. */
static bool wait_for_peace(struct s3 *s3)
{
    pthread_mutex_lock(&s3->lock);
    const int64_t left = s3->pause_us - clock_monotonic_us();
    pthread_mutex_unlock(&s3->lock);
    if (left > WAIT_HERE_US)
        return false;
    if (left > 0)
        sleep_us(left);
    return true;
}

static void note_pause(struct transfer *t)
{
    const int64_t most = 300 * US_PER_S;
    const int64_t us = t->retry_after_us < most ? t->retry_after_us : most;
    if (us <= 0)
        return;
    pthread_mutex_lock(&t->s3->lock);
    t->s3->pause_us = clock_monotonic_us() + us;
    pthread_mutex_unlock(&t->s3->lock);
}

int s3_request(struct s3 *s3, const struct s3_call *call, struct s3_answer *answer, struct err *err)
{
    struct transfer t = {.s3 = s3, .call = call, .answer = answer};
    const size_t tries = call->tries ? call->tries : TRIES;
    bool mended = false;
    answer->got = 0;
    for (size_t tried = 0;; tried++) {
        if (!wait_for_peace(s3))
            return err_set(err, LEAT_EUNREACHABLE, "%s asked not to be spoken to for a while",
                           s3->where);
        const int rc = perform(&t, err);
        if (rc == 0 && answer->status / 100 == 2)
            return 0;
        if (rc < 0 && rc != LEAT_EUNREACHABLE)
            return rc;
        const bool again = !mended && rc == 0 && mend(&t);
        mended |= again;
        note_pause(&t);
        const bool passing = rc < 0 || s3_is_passing(answer);
        if (!again && (!passing || tried + 1 >= tries || answer->got > 0))
            return rc < 0 ? rc : s3_error(s3, call, answer, err);
        answer->repeated |= !again;
        if (!again && t.retry_after_us == 0)
            sleep_us(backoff_us(tried));
    }
}
