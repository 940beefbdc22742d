/* The table of routes, and who may call. */
#include "api/routes.h"

#include <string.h>

#include "api/api.h"
#include "common/http/token.h"

/* Off loopback every call but the health check needs the token. */
static bool may_call(const struct api *api, const struct http_request *req)
{
    return strcmp(http_path(req), "/healthz") == 0 || token_fits(req, api->token);
}

/* One function a route: the check of the token stands before each handler. */
#define R(method, pattern, handler, body, summary)                                                 \
    static void guarded_##handler(struct http_request *req, void *arg)                             \
    {                                                                                              \
        if (may_call(arg, req))                                                                    \
            handler(req, arg);                                                                     \
        else                                                                                       \
            api_refuse(req, LEAT_EAUTH, "needs 'Authorization: Bearer TOKEN'");                    \
    }
API_ROUTE_LIST(R)
#undef R

const struct http_route API_ROUTES[] = {
#define R(method, pattern, handler, body, summary) {method, pattern, guarded_##handler, NULL, body},
    API_ROUTE_LIST(R)
#undef R
        {0},
};
