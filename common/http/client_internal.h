/* common/http/client_internal.h: what client.c and client_transfer.c share. */
#pragma once
#include <curl/curl.h>
#include "common/base/text.h"
#include "common/http/client.h"

struct http_headers {
    struct text lines; /* each "Name: value" and a NUL */
};

struct http_transfer {
    struct http_client *client; /* NULL for http_call */
    struct http_transfer *next, *prev;
    CURL *easy;
    struct curl_slist *headers;
    char *own_body; /* http_send's copy */
    size_t body_len;
    size_t max_answer;
    bool idempotent; /* GET, HEAD: nothing took effect */
    bool over;       /* the answer is too long */
    bool ended;      /* `piece` wants no more */
    bool cancelled;
    bool waits; /* until libcurl can take it */
    struct text body;
    struct http_headers answer_headers;
    http_piece_fn *piece;
    http_done_fn *done;
    void *arg;
    char why[CURL_ERROR_SIZE];
};

/* Sets everything up; `copy`: what the call points to is copied. */
struct http_transfer *transfer_new(const struct http_outgoing *call, bool copy,
                                   http_piece_fn *piece, void *arg);
void transfer_free(struct http_transfer *t);
/* The outcome: 0 with *answer pointing into the transfer, or < 0 with err. */
int transfer_result(struct http_transfer *t, CURLcode code, struct http_incoming *answer,
                    struct err *err);
