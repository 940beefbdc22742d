/* Webhooks of S3 services: MinIO's with 'Authorization: Bearer SECRET' (its auth_token), AWS's by
 * EventBridge (an API destination with that header) or SNS, versitygw's. The last two can only put
 * the secret into the URL: https://leat:SECRET@host/hooks/NAME arrives as 'Authorization: Basic'.
 */
#include <string.h>

#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/text/json.h"
#include "triggers/hooks/provider.h"
#include "triggers/s3/announce.h"
#include "triggers/s3/notice.h"

static int check(const struct delivery *d, struct err *err)
{
    if (hook_bearer_matches(d) || hook_basic_matches(d))
        return 0;
    return err_set(err, LEAT_EAUTH,
                   "needs 'Authorization: Bearer SECRET', or the secret as the URL's password");
}

/* SNS asks to be confirmed by a visit to a URL of its own: a person's to decide. */
static void tell_handshake(const struct delivery *d, const json_t *body)
{
    const char *url = json_get_string(body, "SubscribeURL", NULL);
    if (url)
        log_warn("SNS waits for its subscription to be confirmed: open the URL",
                 LOG_S("source", d->source->name), LOG_S("url", url));
}

static int count_records(const struct delivery *d, const json_t *body, json_t **records,
                         struct err *err)
{
    const int n = body ? s3_records(body, records, err)
                       : err_set(err, LEAT_EINPUT, "a notification has a body");
    if (n == 0)
        tell_handshake(d, body);
    return n;
}

static int normalise(const struct delivery *d, json_t *record, struct draft *draft, json_t **keep,
                     struct err *err)
{
    cleanup_s3_notice struct s3_notice notice = {0};
    const int rc = s3_notice_read(record, &notice, err);
    if (rc != 0)
        return rc;
    if (!s3_notice_wanted(d->source, &notice))
        return 1;
    s3_notice_draft(d->source, &notice, NULL, draft, keep);
    return 0;
}

static void publish(struct triggers *t, const struct source *source, const json_t *record,
                    published_fn *done, void *arg)
{
    cleanup_s3_notice struct s3_notice notice = {0};
    (void)s3_notice_read(record, &notice, NULL); /* normalise has taken it */
    s3_announce(t, source, &notice, false, NULL, done, arg);
}

static const char *const types[] = {"application/json", "text/plain", NULL};

const struct hook_provider HOOK_S3 = {SOURCE_S3, check, types, normalise, count_records, publish};
const struct hook_provider HOOK_MINIO = {SOURCE_MINIO, check,         types,
                                         normalise,    count_records, publish};
