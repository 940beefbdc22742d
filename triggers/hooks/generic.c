/* Any sender of JSON: a bearer secret or an HMAC of the body; a header that names the delivery. */
#include <string.h>

#include "common/text/json.h"
#include "triggers/hooks/provider.h"

static int check(const struct delivery *d, struct err *err)
{
    const char *header =
        json_get_string(d->source->config, "signature_header", SOURCE_SIGNATURE_USUAL);
    const char *signature = http_header(d->request, header);
    if (signature ? hook_hmac_matches(d, signature) : hook_bearer_matches(d))
        return 0;
    return err_set(err, LEAT_EAUTH, "needs 'Authorization: Bearer SECRET' or '%s: sha256=HMAC'",
                   header);
}

/* Without the header nothing tells a repeat from a second event: each request is a new one. */
static int normalise(const struct delivery *d, json_t *body, struct draft *draft, json_t **keep,
                     struct err *err)
{
    (void)keep;
    const char *header =
        json_get_string(d->source->config, "delivery_header", SOURCE_DELIVERY_USUAL);
    const char *delivery = http_header(d->request, header);
    if (delivery && (!*delivery || strlen(delivery) > 256))
        return err_set(err, LEAT_EINPUT, "the header %s may have 1 to 256 characters", header);
    draft->origin = http_path(d->request);
    draft->type = json_get_string(d->source->config, "type", SOURCE_TYPE_USUAL);
    draft->delivery = delivery;
    draft->delivery_len = delivery ? strlen(delivery) : 0;
    draft->data = body;
    return 0;
}

static const char *const types[] = {"application/json", NULL};

const struct hook_provider HOOK_GENERIC = {SOURCE_GENERIC, check, types, normalise, NULL, NULL};
