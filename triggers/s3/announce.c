#include "triggers/s3/announce.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/failpoint.h"
#include "common/base/mem.h"
#include "common/text/json.h"

struct announcement {
    struct triggers *triggers;
    char *source, *key;
    char *token; /* of the delivery, without bucket and key */
    struct draft draft;
    json_t *keep;
    struct text prefix; /* bucket NUL key NUL */
    published_fn *done;
    void *arg;
};

bool s3_looks(const struct source *source)
{
    return json_object_get(source->config, "credentials") &&
           json_object_get(source->config, "bucket");
}

int64_t s3_apart_us(enum s3_vendor vendor)
{
    return vendor == S3_MINIO ? 0 : 2 * US_PER_S;
}

static void free_announcement(struct announcement *a)
{
    json_decref(a->keep);
    text_free(&a->prefix);
    free(a->source);
    free(a->key);
    free(a->token);
    free(a);
}

static void published(void *arg, const struct uuid *id, const struct err *err)
{
    struct announcement *a = arg;
    if (!err) {
        struct pg_params params = {0};
        pg_add_text(&params, a->source);
        pg_add_text(&params, a->key);
        pg_add_text(&params, a->token);
        /* Not kept = published again by a look, under the same id. */
        pg_call(a->triggers->pg, QUERY_TRIGGERS_S3_ANNOUNCED, &params, NULL, NULL);
        pg_params_free(&params);
    }
    a->done(a->arg, id, err);
    free_announcement(a);
}

static void begun(void *arg, const struct pg_answer *answer)
{
    struct announcement *a = arg;
    if (answer->err) {
        const struct uuid none = {{0}};
        a->done(a->arg, &none, answer->err);
        free_announcement(a);
        return;
    }
    free(a->token);
    a->token = mem_string(pg_text(answer->rows, 0, 0));
    text_puts(&a->prefix, a->token);
    a->draft.source = a->source;
    a->draft.delivery = a->prefix.data;
    a->draft.delivery_len = a->prefix.len;
    publish_event(a->triggers, &a->draft, published, a);
}

/* The part of a delivery after bucket and key. */
static size_t prefix_len(const struct s3_notice *n)
{
    return strlen(n->bucket) + 1 + strlen(n->key) + 1;
}

static void begin(struct announcement *a, const struct s3_notice *n, bool listed)
{
    struct pg_params params = {0};
    pg_add_text(&params, a->source);
    pg_add_text(&params, n->key);
    pg_add_text(&params, a->token);
    pg_add_text(&params, n->etag);
    pg_add_int8(&params, n->size);
    /* Last-Modified where the vendor tells it: a listing has nothing else. */
    const bool stamped = n->modified_us && !n->deleted;
    const int64_t at = stamped ? n->modified_us : n->time_us;
    pg_add_time(&params, at ? at : clock_wall_us());
    pg_add_bool(&params, n->deleted);
    pg_add_bool(&params, listed);
    pg_add_int8(&params, s3_apart_us(n->vendor));
    pg_call(a->triggers->pg, QUERY_TRIGGERS_S3_BEGIN, &params, begun, a);
    pg_params_free(&params);
}

void s3_announce(struct triggers *t, const struct source *source, const struct s3_notice *n,
                 bool listed, const char *delivery, published_fn *done, void *arg)
{
    struct text whole = {0};
    struct draft draft;
    json_t *keep = NULL;
    s3_notice_delivery(n, &whole);
    s3_notice_draft(source, n, &whole, &draft, &keep);
    if (!s3_looks(source)) {
        publish_event(t, &draft, done, arg);
        json_decref(keep);
        text_free(&whole);
        return;
    }
    struct announcement *a = mem_alloc(sizeof *a);
    *a = (struct announcement){.triggers = t,
                               .source = mem_string(source->name),
                               .key = mem_string(n->key),
                               .draft = draft,
                               .keep = keep,
                               .done = done,
                               .arg = arg};
    a->token = mem_string(delivery ? delivery : whole.data + prefix_len(n));
    text_append(&a->prefix, whole.data, prefix_len(n));
    text_free(&whole);
    begin(a, n, listed);
}
