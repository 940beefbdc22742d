/* Notifications and listings of S3 services: any bytes. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/s3/internal.h"
#include "common/text/json.h"
#include "triggers/s3/notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, const char *name, const char *text)
{
    char etag[S3_ETAG_MAX];
    s3_etag_copy(etag, text);
    *(int64_t *)arg += s3_time_parse(text) + (name[0] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int64_t sum = 0;
    struct s3_credentials credentials;
    cleanup_free char *text = mem_bytes(data, size);
    (void)s3_xml_read(text, size, count, &sum, NULL);
    if (s3_credentials_read(text, NULL, &credentials, NULL) == 0)
        s3_credentials_wipe(&credentials);
    cleanup_json json_t *body = json_read(text, size, NULL, NULL), *records = NULL;
    const int n = body ? s3_records(body, &records, NULL) : 0;
    for (int i = 0; i < n; i++) {
        cleanup_s3_notice struct s3_notice notice = {0};
        cleanup_text struct text delivery = {0};
        if (s3_notice_read(json_array_get(records, (size_t)i), &notice, NULL) == 0)
            s3_notice_delivery(&notice, &delivery);
    }
    return 0;
}
