/* The table of routes, and who may call. */
#include "api/routes.h"

#include "api/access.h"
#include "api/api.h"

/* One function a route: the check of the token stands before each handler. */
#define R(method, pattern, handler, access, body, summary)                                         \
    static void guarded_##handler(struct http_request *req, void *arg)                             \
    {                                                                                              \
        access_check(arg, req, ACCESS_##access, handler);                                          \
    }
API_ROUTE_LIST(R)
#undef R

const struct http_route API_ROUTES[] = {
#define R(method, pattern, handler, access, body, summary)                                         \
    {method, pattern, guarded_##handler, NULL, body},
    API_ROUTE_LIST(R)
#undef R
        {0},
};
