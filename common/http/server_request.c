/* What a handler reads of a request. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/server_internal.h"
#include "common/http/url.h"

/* "http://host/path", which a proxy sends, counts as "/path". */
static const char *path_of(const char *uri)
{
    const char *scheme_end = strstr(uri, "://");
    if (uri[0] == '/' || !scheme_end)
        return uri;
    const char *slash = strchr(scheme_end + 3, '/');
    return slash ? slash : "/";
}

struct http_request *request_new(struct http_server *server, struct http_connection *connection,
                                 const char *uri)
{
    struct http_request *req = mem_alloc(sizeof *req);
    req->server = server;
    req->connection = connection;
    req->received_us = req->progress_us = clock_monotonic_us();
    req->uri = mem_string(path_of(uri));
    char *question = strchr(req->uri, '?');
    if (question)
        *question++ = '\0';
    req->query_text = question;
    return req;
}

static void free_pairs(struct http_pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pairs[i].key);
        free(pairs[i].value);
    }
}

void request_free(struct http_request *req)
{
    if (!req)
        return;
    loop_fd_stop(&req->hangup);
    if (req->response)
        MHD_destroy_response(req->response);
    free_pairs(req->params, req->param_count);
    free_pairs(req->query, req->query_count);
    for (size_t i = 0; i < req->kept_count; i++)
        free(req->kept[i]);
    free(req->kept);
    free(req->query);
    free(req->uri);
    free(req->method);
    text_free(&req->body);
    text_free(&req->allowed);
    text_free(&req->out);
    free(req);
}

static int no_route(struct http_request *req, int *status, struct err *err)
{
    *status = req->allowed.len ? 405 : 404;
    if (req->allowed.len)
        return err_set(err, LEAT_EINPUT, "%s is not allowed here, only %s", req->method,
                       req->allowed.data);
    return err_set(err, LEAT_ENOTFOUND, "there is nothing at this path");
}

int request_route(struct http_request *req, int *status, struct err *err)
{
    struct route_match params[HTTP_PARAMS_MAX];
    int count = 0;
    req->route =
        route_find(req->server->routes, req->method, req->uri, params, &count, &req->allowed);
    if (!req->route)
        return no_route(req, status, err);
    text_free(&req->allowed);
    for (int i = 0; i < count; i++) {
        struct http_pair *pair = &req->params[req->param_count++];
        pair->key = mem_bytes(params[i].name, params[i].name_len);
        pair->value = url_unescape(params[i].raw, params[i].raw_len, false);
        if (!pair->value) {
            *status = 400;
            return err_set(err, LEAT_EINPUT, "the path holds a broken %%-escape or a NUL");
        }
    }
    return 0;
}

const char *http_method(const struct http_request *req)
{
    return req->method;
}

const char *http_path(const struct http_request *req)
{
    return req->uri;
}

const char *http_route_pattern(const struct http_request *req)
{
    return req->route->pattern;
}

const char *http_param(const struct http_request *req, const char *name)
{
    for (size_t i = 0; i < req->param_count; i++)
        if (strcmp(req->params[i].key, name) == 0)
            return req->params[i].value;
    return NULL;
}

/* One "key=value" of the query. What cannot be decoded is left out. */
static void add_query(struct http_request *req, const char *raw, size_t len)
{
    const char *equals = memchr(raw, '=', len);
    const size_t key_len = equals ? (size_t)(equals - raw) : len;
    cleanup_free char *key = url_unescape(raw, key_len, true);
    cleanup_free char *value =
        equals ? url_unescape(equals + 1, len - key_len - 1, true) : mem_string("");
    if (!key || !value || !*key)
        return;
    MEM_ROOM(req->query, req->query_count, req->query_cap);
    req->query[req->query_count++] = (struct http_pair){TAKE(key), TAKE(value)};
}

/* The query is read when it is first asked for; that changes nothing a caller can see. */
static void read_query(const struct http_request *asked)
{
    struct http_request *req = (struct http_request *)(uintptr_t)asked;
    if (req->query_read)
        return;
    req->query_read = true;
    const char *p = req->query_text;
    while (p && *p) {
        const size_t len = strcspn(p, "&");
        add_query(req, p, len);
        p += len + (p[len] == '&');
    }
}

const char *http_query(const struct http_request *req, const char *key)
{
    read_query(req);
    for (size_t i = 0; i < req->query_count; i++)
        if (strcmp(req->query[i].key, key) == 0)
            return req->query[i].value;
    return NULL;
}

bool http_query_at(const struct http_request *req, size_t n, const char **key, const char **value)
{
    read_query(req);
    if (n >= req->query_count)
        return false;
    *key = req->query[n].key;
    *value = req->query[n].value;
    return true;
}

/* Copied, because libmicrohttpd's own text dies with the connection. */
const char *http_header(const struct http_request *asked, const char *name)
{
    struct http_request *req = (struct http_request *)(uintptr_t)asked;
    if (!req->connection)
        return NULL;
    const char *value = MHD_lookup_connection_value(req->connection->mhd, MHD_HEADER_KIND, name);
    if (!value)
        return NULL;
    MEM_ROOM(req->kept, req->kept_count, req->kept_cap);
    return req->kept[req->kept_count++] = mem_string(value);
}

const char *http_body(const struct http_request *req, size_t *len)
{
    *len = req->body.len;
    return req->body.data ? req->body.data : "";
}

int64_t http_body_announced(const struct http_request *req)
{
    return req->announced;
}

static void format_peer(struct http_request *req, const struct sockaddr *sa)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (sa->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)sa;
        inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host);
        snprintf(req->peer, sizeof req->peer, "%s:%u", host, ntohs(v4->sin_port));
    } else if (sa->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)sa;
        inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host);
        snprintf(req->peer, sizeof req->peer, "[%s]:%u", host, ntohs(v6->sin6_port));
    }
}

const char *http_peer(const struct http_request *asked)
{
    struct http_request *req = (struct http_request *)(uintptr_t)asked;
    if (!req->peer[0] && req->connection) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(req->connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
        if (info)
            format_peer(req, info->client_addr);
    }
    return req->peer;
}

void http_set_caller(struct http_request *req, const char *name)
{
    snprintf(req->caller, sizeof req->caller, "%s", name);
}

const char *http_caller(const struct http_request *req)
{
    return req->caller;
}

void http_set_context(struct http_request *req, void *context)
{
    req->context = context;
}

void *http_context(const struct http_request *req)
{
    return req->context;
}

bool http_is_gone(const struct http_request *req)
{
    return req->gone;
}
