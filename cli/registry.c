#include "cli/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "cli/files.h"
#include "common/base/address.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/client.h"
#include "common/http/url.h"
#include "common/ir/container.h"
#include "common/text/json.h"

#define CALL_US    (20 * US_PER_S)
#define ANSWER_MAX (1024 * 1024)
#define CONFIG_MAX (1024 * 1024)
#define MANIFESTS                                                                                  \
    "application/vnd.oci.image.index.v1+json, "                                                    \
    "application/vnd.docker.distribution.manifest.list.v2+json, "                                  \
    "application/vnd.oci.image.manifest.v1+json, "                                                 \
    "application/vnd.docker.distribution.manifest.v2+json"

/* ---- names ---------------------------------------------------------------------------------- */

static bool is_host(const char *text, size_t len)
{
    return memchr(text, '.', len) || memchr(text, ':', len) ||
           (len == 9 && memcmp(text, "localhost", 9) == 0);
}

int registry_place(const char *image, struct registry_place *out, struct err *err)
{
    struct container_image parts;
    if (container_image_read(image, &parts, err) < 0)
        return err->code;
    const char *slash = memchr(image, '/', parts.name);
    const size_t host = slash && is_host(image, (size_t)(slash - image)) ? slash - image : 0;
    const char *path = host ? slash + 1 : image;
    const int path_len = (int)(parts.name - (size_t)(path - image));
    const bool hub = host == 0 || (host == 9 && memcmp(image, "docker.io", 9) == 0);
    *out = (struct registry_place){0};
    snprintf(out->host, sizeof out->host, "%.*s", hub ? 20 : (int)host,
             hub ? "registry-1.docker.io" : image);
    snprintf(out->key, sizeof out->key, "%s", hub ? "https://index.docker.io/v1/" : out->host);
    snprintf(out->path, sizeof out->path, "%s%.*s",
             hub && !memchr(path, '/', (size_t)path_len) ? "library/" : "", path_len, path);
    if (parts.digest)
        snprintf(out->tag, sizeof out->tag, "%s", image + parts.digest_at);
    else
        snprintf(out->tag, sizeof out->tag, "%.*s", parts.tag ? (int)parts.tag : 6,
                 parts.tag ? image + parts.tag_at : "latest");
    return 0;
}

/* ---- who is asking -------------------------------------------------------------------------- */

/* One NAME=VALUE or NAME="VALUE" (RFC 7235); where to go on, NULL = the end or broken. */
static const char *next_part(const char *p, char name[32], char value[REGISTRY_PART_MAX])
{
    size_t n = 0, v = 0;
    p += strspn(p, " \t,");
    for (; *p && *p != '=' && n < 31; p++)
        name[n++] = *p;
    name[n] = '\0';
    if (*p++ != '=')
        return NULL;
    const bool quoted = *p == '"';
    for (p += quoted; *p && (quoted ? *p != '"' : *p != ',') && v < REGISTRY_PART_MAX - 1; p++) {
        p += quoted && *p == '\\' && p[1];
        value[v++] = *p;
    }
    value[v] = '\0';
    if (v == REGISTRY_PART_MAX - 1 || (quoted && *p != '"'))
        return NULL;
    return p + quoted;
}

bool registry_challenge(const char *header, struct registry_challenge *out)
{
    char name[32], value[REGISTRY_PART_MAX];
    *out = (struct registry_challenge){.bearer = strncasecmp(header, "Bearer ", 7) == 0};
    if (!out->bearer)
        return strncasecmp(header, "Basic ", 6) == 0;
    for (const char *p = header + 7; (p = next_part(p, name, value)) != NULL;) {
        char *to = strcasecmp(name, "realm") == 0     ? out->realm
                   : strcasecmp(name, "service") == 0 ? out->service
                   : strcasecmp(name, "scope") == 0   ? out->scope
                                                      : NULL;
        if (to)
            memcpy(to, value, sizeof value);
        if (!p[strspn(p, " \t,")])
            return out->realm[0] != '\0';
    }
    return false;
}

/* "USER:PASSWORD" in base64, as docker login left it; NULL = none. malloc'd. */
static char *login_of(const char *key)
{
    const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
    const struct json_limits limits = {.depth = 16, .bytes = CONFIG_MAX};
    struct err err = {0};
    size_t len = 0;
    cleanup_free char *path = folder && *folder
                                  ? mem_printf("%s/config.json", folder)
                                  : mem_printf("%s/.docker/config.json", home ? home : "");
    cleanup_free char *text = file_read(path, CONFIG_MAX, &len, &err);
    cleanup_json json_t *config = text ? json_read(text, len, &limits, &err) : NULL;
    const json_t *auth = json_object_get(json_object_get(config, "auths"), key);
    const char *login = json_get_string(auth, "auth", "");
    return *login && login[strspn(login, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                         "0123456789+/=")] == '\0'
               ? mem_string(login)
               : NULL;
}

/* ---- calls ---------------------------------------------------------------------------------- */

struct asking {
    struct registry_place place;
    const char *scheme;
    char *login;         /* NULL = none */
    char *authorization; /* of the next call; NULL = none */
    char *ca_file;       /* NULL = the system's */
    int64_t until_us;    /* monotonic; 0 = each call has its own time */
};

static void find_certificates(struct asking *a)
{
    const char *env = getenv("SSL_CERT_FILE");
    a->ca_file = mem_printf("/etc/docker/certs.d/%s/ca.crt", a->place.host);
    if (access(a->ca_file, R_OK) == 0)
        return;
    free(a->ca_file);
    a->ca_file = env && *env ? mem_string(env) : NULL;
}

static int call(const struct asking *a, const char *method, const char *url,
                const char *authorization, struct http_incoming *answer, struct err *err)
{
    const struct http_header headers[] = {
        {"Accept", strcmp(method, "HEAD") == 0 ? MANIFESTS : "application/json"},
        {authorization ? "Authorization" : NULL, authorization},
        {0}};
    const int64_t left_us = a->until_us ? a->until_us - clock_monotonic_us() : CALL_US;
    if (left_us < US_PER_MS)
        return err_set(err, LEAT_EUNREACHABLE, "it does not answer in time");
    const struct http_outgoing out = {.method = method,
                                      .url = url,
                                      .headers = headers,
                                      .timeout_us = left_us < CALL_US ? left_us : CALL_US,
                                      .max_answer = ANSWER_MAX,
                                      .ca_file = a->ca_file};
    return http_call(&out, NULL, NULL, answer, err);
}

static int head(const struct asking *a, struct http_incoming *answer, struct err *err)
{
    cleanup_free char *url = mem_printf("%s://%s/v2/%s/manifests/%s", a->scheme, a->place.host,
                                        a->place.path, a->place.tag);
    return call(a, "HEAD", url, a->authorization, answer, err);
}

/* A login goes over https, or stays on this machine. */
static bool may_send_login(const char *url)
{
    if (strncmp(url, "https://", 8) == 0)
        return true;
    if (strncmp(url, "http://", 7) != 0)
        return false;
    cleanup_free char *host = mem_bytes(url + 7, strcspn(url + 7, "/?"));
    return address_is_loopback(host);
}

static int take_token(struct asking *a, const struct http_incoming *answer, struct err *err)
{
    const struct json_limits limits = {.depth = 8, .bytes = ANSWER_MAX};
    cleanup_json json_t *body = json_read(answer->body, answer->len, &limits, err);
    const char *token = json_get_string(body, "token", json_get_string(body, "access_token", NULL));
    if (answer->status == 401 || answer->status == 403)
        return err_set(err, LEAT_EAUTH, "it does not take the login");
    if (answer->status != 200 || !token || token[strcspn(token, "\r\n")])
        return err_set(err, LEAT_EIO, "it answers %d, and no token", answer->status);
    a->authorization = mem_printf("Bearer %s", token);
    return 0;
}

static int fetch_token(struct asking *a, const struct registry_challenge *c, struct err *err)
{
    struct http_incoming answer = {0};
    cleanup_text struct text url = {0};
    cleanup_free char *basic = a->login ? mem_printf("Basic %s", a->login) : NULL;
    if (!may_send_login(c->realm))
        return err_set(err, LEAT_EAUTH, "it wants a login to be sent in clear, to %.200s",
                       c->realm);
    text_printf(&url, "%s%sservice=", c->realm, strchr(c->realm, '?') ? "&" : "?");
    url_escape(&url, c->service, strlen(c->service), NULL);
    text_puts(&url, "&scope=");
    url_escape(&url, c->scope, strlen(c->scope), NULL);
    int rc = call(a, "GET", url.data, basic, &answer, err);
    if (rc == 0)
        rc = take_token(a, &answer, err);
    http_incoming_free(&answer);
    return rc;
}

/* What the next call says of who is asking, after a 401. */
static int authorize(struct asking *a, const struct http_incoming *answer, struct err *err)
{
    const char *header = http_incoming_header(answer, "WWW-Authenticate");
    struct registry_challenge c;
    if (!header || !registry_challenge(header, &c))
        return err_set(err, LEAT_EAUTH, "it answers 401, and not what it wants");
    if (c.bearer)
        return fetch_token(a, &c, err);
    if (!a->login)
        return err_set(err, LEAT_EAUTH,
                       "it wants a login: docker login %s (of a credential helper nothing is read)",
                       a->place.host);
    a->authorization = mem_printf("Basic %s", a->login);
    return 0;
}

static int take_status(const struct asking *a, const struct http_incoming *answer, struct err *err)
{
    const char *joint = strncmp(a->place.tag, "sha256:", 7) == 0 ? "@" : ":";
    if (answer->status == 404)
        return err_set(err, LEAT_ENOTFOUND, "it has no %s%s%s", a->place.path, joint, a->place.tag);
    if (answer->status == 401 || answer->status == 403)
        return err_set(err, LEAT_EAUTH, "it does not let %s be read%s", a->place.path,
                       a->login ? " with that login" : " without a login");
    if (answer->status != 200)
        return err_set(err, LEAT_EIO, "it answers %d", answer->status);
    return 0;
}

static int take_digest(const struct http_incoming *answer, char *digest, struct err *err)
{
    const char *header = http_incoming_header(answer, "Docker-Content-Digest");
    if (!header || strncmp(header, "sha256:", 7) != 0 || strlen(header) != REGISTRY_DIGEST - 1)
        return err_set(err, LEAT_EIO, "it says no sha256 digest");
    memcpy(digest, header, REGISTRY_DIGEST);
    return 0;
}

/* `digest` NULL = it is not looked at. */
static int ask(struct asking *a, char *digest, struct err *err)
{
    struct http_incoming answer = {0};
    int rc = head(a, &answer, err);
    if (rc == LEAT_EUNREACHABLE && address_is_loopback(a->place.host)) {
        a->scheme = "http";
        rc = head(a, &answer, err);
    }
    if (rc == 0 && answer.status == 401) {
        rc = authorize(a, &answer, err);
        http_incoming_free(&answer);
        answer = (struct http_incoming){0};
        if (rc == 0)
            rc = head(a, &answer, err);
    }
    if (rc == 0)
        rc = take_status(a, &answer, err);
    if (rc == 0 && digest)
        rc = take_digest(&answer, digest, err);
    http_incoming_free(&answer);
    return rc;
}

static int ask_place(struct asking *a, char *digest, struct err *err)
{
    struct err own = {0};
    a->scheme = "https";
    a->login = login_of(a->place.key);
    find_certificates(a);
    int rc = ask(a, digest, &own);
    if (rc < 0)
        rc = err_set(err, rc, "registry %s: %.400s", a->place.host, own.text);
    if (a->login)
        mem_wipe(a->login, strlen(a->login));
    if (a->authorization)
        mem_wipe(a->authorization, strlen(a->authorization));
    free(a->login);
    free(a->authorization);
    free(a->ca_file);
    return rc;
}

int registry_digest(const char *image, char digest[REGISTRY_DIGEST], struct err *err)
{
    struct asking a = {0};
    if (strchr(image, '@'))
        return err_set(err, LEAT_EINPUT, "%s has a digest", image);
    int rc = registry_place(image, &a.place, err);
    return rc < 0 ? rc : ask_place(&a, digest, err);
}

int registry_has(const char *image, int64_t most_us, struct err *err)
{
    struct asking a = {.until_us = clock_monotonic_us() + most_us};
    int rc = registry_place(image, &a.place, err);
    return rc < 0 ? rc : ask_place(&a, NULL, err);
}
