/* What S3 says went wrong, and what to do about it. Codes: Amazon S3 API Reference, "Error
 * responses"; MinIO's and versitygw's additions as they were seen. */
#include <string.h>

#include "common/base/mem.h"
#include "common/s3/internal.h"

static const struct {
    const char *name;
    int code;
    const char *advice;
} ERRORS[] = {
    {"NoSuchKey", LEAT_ENOTFOUND, ""},
    {"NoSuchVersion", LEAT_ENOTFOUND, ""},
    {"NoSuchUpload", LEAT_ENOTFOUND, ""},
    {"MethodNotAllowed", LEAT_ENOTFOUND, ""}, /* of a delete marker */
    {"NoSuchBucket", LEAT_EREFUSED, "; make the bucket, or name another one"},
    {"PreconditionFailed", LEAT_EEXISTS, ""},
    {"ConditionalRequestConflict", LEAT_EEXISTS, ""},
    {"AccessDenied", LEAT_EAUTH,
     "; allow these credentials s3:GetObject, s3:PutObject, s3:DeleteObject and s3:ListBucket on "
     "this bucket"},
    {"InvalidAccessKeyId", LEAT_EAUTH, "; the key id is not one of this service's: check it"},
    {"XAdminUserNotFound", LEAT_EAUTH,
     "; the key id is not one of this service's: check it"}, /* versitygw */
    {"SignatureDoesNotMatch", LEAT_EAUTH,
     "; the secret key is wrong, or a proxy changes the request"},
    {"ExpiredToken", LEAT_EAUTH, "; get new temporary credentials"},
    {"InvalidToken", LEAT_EAUTH, "; the session token does not fit the key id"},
    {"RequestTimeTooSkewed", LEAT_EAUTH, "; set this machine's clock (NTP)"},
    {"AuthorizationHeaderMalformed", LEAT_EINPUT, "; the region is probably wrong"},
    {"PermanentRedirect", LEAT_EINPUT, "; the bucket is in another region: name it"},
    {"IllegalLocationConstraintException", LEAT_EINPUT, "; name the bucket's region"},
    {"InvalidBucketName", LEAT_EINPUT, ""},
    {"KeyTooLongError", LEAT_ELIMIT, ""},
    {"EntityTooLarge", LEAT_ELIMIT, ""},
    {"XAmzContentSHA256Mismatch", LEAT_EIO, "; the bytes changed while they were sent"},
    {"BadDigest", LEAT_EIO, "; the bytes changed while they were sent"},
    {"IncompleteBody", LEAT_EUNREACHABLE, ""},
    {"XMinioStorageFull", LEAT_EFULL, "; make room on the server"},
    {"XMinioAdminBucketQuotaExceeded", LEAT_EFULL, "; raise the bucket's quota or make room"},
    {"QuotaExceeded", LEAT_EFULL, "; raise the quota or make room"},
    {"NotImplemented", LEAT_EREFUSED, "; this service cannot do that"},
    {"InvalidObjectState", LEAT_EREFUSED, "; it is archived: restore it first"},
};

/* Of a status that came without a name of S3's (HEAD has no body). */
static const struct {
    int status, code;
    const char *advice;
} STATUSES[] = {
    {400, LEAT_EINPUT, ""},
    {301, LEAT_EINPUT, "; the bucket is in another region: name it"},
    {401, LEAT_EAUTH, ""},
    {403, LEAT_EAUTH, "; the credentials are wrong or may not do that"},
    {404, LEAT_ENOTFOUND, ""},
    {405, LEAT_ENOTFOUND, ""},
    {409, LEAT_EREFUSED, ""},
    {412, LEAT_EEXISTS, ""},
    {501, LEAT_EREFUSED, "; this service cannot do that"},
    {507, LEAT_EFULL, "; make room on the server"},
};

bool s3_is_passing(const struct s3_answer *a)
{
    static const char *const passing[] = {
        "SlowDown",         "SlowDownRead",   "SlowDownWrite",
        "RequestTimeout",   "InternalError",  "ServiceUnavailable",
        "OperationAborted", "IncompleteBody", "ServerBusy"};
    for (size_t i = 0; i < ARRAY_LEN(passing); i++)
        if (strcmp(a->code, passing[i]) == 0)
            return true;
    /* 507 XMinioStorageFull and 501 are for good. */
    return a->status == 0 || a->status == 429 || a->status == 500 || a->status == 502 ||
           a->status == 503 || a->status == 504;
}

static int tell(const struct s3 *s3, const struct s3_call *call, const struct s3_answer *a,
                int code, const char *advice, struct err *err)
{
    return err_set(err, code, "%s: %s %.200s%sanswered %d%s%s%s", s3->where, call->method,
                   call->key ? call->key : "", call->key ? " " : "", a->status, *a->code ? " " : "",
                   a->code, advice);
}

int s3_error(const struct s3 *s3, const struct s3_call *call, const struct s3_answer *a,
             struct err *err)
{
    if (s3_is_passing(a))
        return tell(s3, call, a, LEAT_EUNREACHABLE, "; it is tried again", err);
    for (size_t i = 0; i < ARRAY_LEN(ERRORS); i++)
        if (strcmp(a->code, ERRORS[i].name) == 0)
            return tell(s3, call, a, ERRORS[i].code, ERRORS[i].advice, err);
    for (size_t i = 0; i < ARRAY_LEN(STATUSES); i++)
        if (a->status == STATUSES[i].status)
            return tell(s3, call, a, STATUSES[i].code, STATUSES[i].advice, err);
    return tell(s3, call, a, LEAT_EIO, "", err);
}
