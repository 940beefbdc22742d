/* common/s3/internal.h: what the files of this folder share. */
#pragma once
#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>
#include "common/s3/s3.h"

struct s3_credentials {
    char *key, *secret, *token; /* token NULL = none */
};

/* By the order that s3_settings tells. LEAT_EAUTH says where was looked. */
int s3_credentials_read(const char *text, const char *file, struct s3_credentials *out,
                        struct err *err);
void s3_credentials_wipe(struct s3_credentials *credentials);

#define S3_IDLE 8 /* connections that are kept */

struct s3 {
    char *bucket, *region, *where, *base; /* base: URL of the bucket, without a slash at its end */
    char *credentials_text, *credentials_file;
    pthread_mutex_t lock; /* of the rest */
    struct s3_credentials credentials;
    CURL *idle[S3_IDLE];
    size_t idle_count;
    int64_t pause_us; /* monotonic: the server asked for peace until then */
};

struct s3_call {
    const char *method;
    const char *key;            /* NULL = the bucket */
    const char *query;          /* canonical: sorted, escaped, each with a '='; NULL = none */
    const char *const *headers; /* "name: value"; ends with NULL; NULL = none */
    const struct s3_body *body; /* NULL = none */
    s3_sink_fn *sink;           /* of a 2xx; NULL = collected into the answer */
    void *arg;
    size_t tries; /* 0 = the usual */
};

/* One request and its tries. 0 for 2xx; else < 0 by the table of errors, answer->status tells. */
int s3_request(struct s3 *s3, const struct s3_call *call, struct s3_answer *answer,
               struct err *err);

/* S3's error to ours. `tries_left`: whether another try may help. */
int s3_error(const struct s3 *s3, const struct s3_call *call, const struct s3_answer *answer,
             struct err *err);
bool s3_is_passing(const struct s3_answer *answer);

/* "&name=value" or "name=value" into a query; values escaped, "" allowed. Call in the order of the
 * names' bytes. */
void s3_query_add(struct text *query, const char *name, const char *value);

/* ---- XML: called at the end of each element, in the document's order; `text` is what stood
 * directly in it. LEAT_EIO when it is not well-formed (or declares entities). */
typedef void s3_element_fn(void *arg, const char *name, const char *text);
int s3_xml_read(const char *xml, size_t len, s3_element_fn *each, void *arg, struct err *err);

int64_t s3_time_parse(const char *text);                    /* of XML; 0 = none */
void s3_etag_copy(char out[S3_ETAG_MAX], const char *text); /* without quotes */
