/* api/access.h: who may call what. A caller shows a bearer token: the API's own (its token-file; on
 * loopback none is needed), one that was given out (api/token.h), or an attempt's
 * (api/run_token.h). A token that says what it is for is held to that on loopback too. */
#pragma once
#include "api/api.h"

enum access {
    ACCESS_ANYONE, /* also without a token */
    ACCESS_USER,   /* the API's own token, tokens of users */
    ACCESS_WORKER, /* and the credential of the worker in :worker */
    ACCESS_RUN,    /* and attempts of the run in :run */
    ACCESS_START,  /* and attempts: the run has one as its cause */
    ACCESS_EVENT,  /* and workers, and attempts of a run of the event in :event */
};

/* Calls the handler, now or later, or answers 401 (who are you?) or 403 (not you). */
void access_check(struct api *api, struct http_request *req, enum access access,
                  http_handler *handler);
/* The bearer token of a request; NULL = none. */
const char *access_bearer(const struct http_request *req);
