/* One call: libcurl's options, the answer as it comes, the outcome. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/client_internal.h"

#define TIMEOUT_US (30 * US_PER_S)
#define CONNECT_US (5 * US_PER_S)
#define MAX_ANSWER (32UL << 20)

/* ---- the answer ----------------------------------------------------------------------------- */

static int status_of(const struct http_transfer *t)
{
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

/* Anything but `len` ends the transfer. */
static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    const size_t len = size * count;
    if (t->cancelled)
        return 0;
    if (t->piece) {
        t->ended = !t->piece(t->arg, status_of(t), data, len);
        return t->ended || t->cancelled ? 0 : len;
    }
    t->over = t->body.len + len > t->max_answer;
    if (t->over)
        return 0;
    text_append(&t->body, data, len);
    return len;
}

/* A line of the header, with its line end. An interim answer (100) comes before the real one. */
static size_t on_header(char *data, size_t size, size_t count, void *arg)
{
    struct http_transfer *t = arg;
    struct text *lines = &t->answer_headers.lines;
    size_t len = size * count;
    if (len >= 5 && memcmp(data, "HTTP/", 5) == 0)
        lines->len = 0;
    while (len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
        len--;
    if (lines->len + len > MAX_ANSWER)
        return 0;
    text_append(lines, data, len);
    text_append(lines, "", 1);
    return size * count;
}

const char *http_incoming_header(const struct http_incoming *answer, const char *name)
{
    const struct text *lines = answer->headers ? &answer->headers->lines : NULL;
    const size_t len = strlen(name);
    for (size_t i = 0; lines && i < lines->len; i += strlen(lines->data + i) + 1) {
        const char *line = lines->data + i;
        if (strncasecmp(line, name, len) == 0 && line[len] == ':')
            return line + len + 1 + strspn(line + len + 1, " \t");
    }
    return NULL;
}

/* ---- the call ------------------------------------------------------------------------------- */

static void start_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        abort();
}

static void add_header(struct http_transfer *t, const char *line)
{
    struct curl_slist *longer = curl_slist_append(t->headers, line);
    if (!longer)
        abort(); /* out of memory */
    t->headers = longer;
}

static void set_headers(struct http_transfer *t, const struct http_header *headers)
{
    bool has_type = false;
    for (; headers && headers->name; headers++) {
        /* curl takes "Name;" for an empty value and "Name:" for "do not send it" */
        cleanup_free char *line = *headers->value
                                      ? mem_printf("%s: %s", headers->name, headers->value)
                                      : mem_printf("%s;", headers->name);
        add_header(t, line);
        has_type |= strcasecmp(headers->name, "Content-Type") == 0;
    }
    if (!has_type)
        add_header(t, "Content-Type:");
    add_header(t, "Expect:"); /* no wait for "100 Continue" */
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
}

static void set_method(struct http_transfer *t, const struct http_outgoing *call, bool copy)
{
    const char *method = call->method ? call->method : "GET";
    t->idempotent = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    t->body_len = call->body ? call->body_len : 0;
    const bool with_body = call->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0;
    if (with_body) {
        t->own_body = copy && call->body ? mem_bytes(call->body, call->body_len) : NULL;
        const void *body = t->own_body ? t->own_body : call->body ? call->body : "";
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body_len);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body);
    }
    if (strcmp(method, "HEAD") == 0)
        curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
    else
        curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, method);
}

/* A proxy of the environment is for what is outside this machine. */
static bool stays_here(const struct http_outgoing *call)
{
    char host[ADDRESS_HOST] = "";
    const char *p = strstr(call->url, "://");
    if (call->unix_socket)
        return true;
    if (!p)
        return false;
    p += 3;
    const size_t len = strcspn(p, "/?#@");
    if (len >= sizeof host || p[len] == '@')
        return false;
    memcpy(host, p, len);
    return address_is_loopback(host);
}

static long milliseconds(int64_t us, int64_t fallback)
{
    if (us < 0)
        return 0; /* none */
    us = us ? us : fallback;
    return (long)((us + US_PER_MS - 1) / US_PER_MS);
}

static void set_options(struct http_transfer *t, const struct http_outgoing *call)
{
    CURL *easy = t->easy;
    curl_easy_setopt(easy, CURLOPT_URL, call->url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(call->timeout_us, TIMEOUT_US));
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(call->connect_us, CONNECT_US));
    if (call->silence_us > 0) {
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME, (long)(call->silence_us / US_PER_S));
    }
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "leat/" LEAT_VERSION);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, t->why);
    curl_easy_setopt(easy, CURLOPT_PRIVATE, t);
    if (call->unix_socket)
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, call->unix_socket);
    if (call->ca_file)
        curl_easy_setopt(easy, CURLOPT_CAINFO, call->ca_file);
    if (call->cert_file)
        curl_easy_setopt(easy, CURLOPT_SSLCERT, call->cert_file);
    if (call->key_file)
        curl_easy_setopt(easy, CURLOPT_SSLKEY, call->key_file);
    if (call->timeout_us < 0) { /* a stream: a peer that vanished must be noticed */
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 15L);
        curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 5L);
    }
    if (stays_here(call))
        curl_easy_setopt(easy, CURLOPT_PROXY, "");
}

struct http_transfer *transfer_new(const struct http_outgoing *call, bool copy,
                                   http_piece_fn *piece, void *arg)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    struct http_transfer *t = mem_alloc(sizeof *t);
    t->easy = curl_easy_init();
    if (!t->easy)
        abort();
    t->max_answer = call->max_answer ? call->max_answer : MAX_ANSWER;
    t->piece = piece;
    t->arg = arg;
    set_options(t, call);
    set_method(t, call, copy);
    set_headers(t, call->headers);
    return t;
}

void transfer_free(struct http_transfer *t)
{
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->headers);
    text_free(&t->body);
    text_free(&t->answer_headers.lines);
    free(t->own_body);
    free(t);
}

/* ---- the outcome ---------------------------------------------------------------------------- */

/* All of the request was written, and it is one that changes something. */
static bool may_have_taken_effect(const struct http_transfer *t)
{
    long header = 0;
    curl_off_t body = 0;
    curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &header);
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_UPLOAD_T, &body);
    return !t->idempotent && header > 0 && (size_t)body >= t->body_len;
}

static int failed(const struct http_transfer *t, CURLcode code, struct err *err)
{
    char *url = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
    const char *why = t->why[0] ? t->why : curl_easy_strerror(code);
    if (t->over)
        return err_set(err, LEAT_ELIMIT, "%s: the answer is over %zu bytes", url, t->max_answer);
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        return err_set(err, LEAT_EINPUT, "%s: %s", url, why);
    if (may_have_taken_effect(t))
        return err_set(err, LEAT_EUNKNOWN, "%s: sent, but not answered: %s", url, why);
    return err_set(err, LEAT_EUNREACHABLE, "%s: %s", url, why);
}

int transfer_result(struct http_transfer *t, CURLcode code, struct http_incoming *answer,
                    struct err *err)
{
    if (code != CURLE_OK && !t->ended)
        return failed(t, code, err);
    *answer = (struct http_incoming){.status = status_of(t),
                                     .body = t->body.data ? t->body.data : "",
                                     .len = t->body.len,
                                     .headers = &t->answer_headers};
    return 0;
}
