/* api/api.h: what the parts of leat-api share. A route's handler asks Postgres and answers from the
 * callback; most answers are one text of JSON that the statement made. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <jansson.h>
#include "common/base/config_daemon.h"
#include "common/base/loop.h"
#include "common/bus/open.h"
#include "common/http/server.h"
#include "common/pg/pg.h"
#include "common/store/config.h"
#include "common/store/store.h"

struct api_config {
    DAEMON_FIELDS;
    BUS_FIELDS;
    STORE_FIELDS;
    char *listen, *key_file, *token_file, *producer;
    bool insecure;
};

struct changes;
struct commands;
struct live;

struct api {
    struct api_config config;
    struct loop *loop;
    struct pg *pg;
    struct pg
        *whole; /* for what reads all of a run, which takes its time: nobody waits behind it */
    struct bus *bus;
    struct store *store;
    struct changes *changes;
    struct commands *commands;
    struct live *live;
    char *token; /* needed off loopback; NULL on it */
    uint8_t key[32];
};

#define API_APPLY_MAX  (16LL * 1024 * 1024)
#define API_BODY_MAX   (1024 * 1024)
#define API_SECRET_MAX (64 * 1024)
#define API_LIST_USUAL 50
#define API_LIST_MAX   1000

extern const struct http_route API_ROUTES[];

/* ---- answers (answer.c) ---- */
void api_refuse(struct http_request *req, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* A pg_done: the first column of the first row as it is, 404 without a row. arg: the request. */
pg_done api_answer_row;
/* The same for lists: {"items": ROW, "next": null}. */
pg_done api_answer_list;
/* 200 with that, which is taken. */
void api_answer_json(struct http_request *req, json_t *body);
/* The statement's answer through `done`; takes the parameters. */
void api_ask(struct api *api, enum query_id query, struct pg_params *params, pg_done *done,
             struct http_request *req);
/* The same for what reads all of a run. */
void api_ask_whole(struct api *api, enum query_id query, struct pg_params *params, pg_done *done,
                   struct http_request *req);
/* ?limit=, within its bounds; answers 400 and returns false when it is no number in them. */
bool api_limit(struct http_request *req, int64_t *limit);
/* ?since= as RFC 3339; 0 when absent; as above. */
bool api_since(struct http_request *req, int64_t *since_us);
/* The body as a JSON object (an empty body is {}); answers 400 and returns NULL when it is none. */
json_t *api_body(struct http_request *req);

/* ---- RUN: an id, a unique prefix of it, latest, latest:PIPELINE (find.c) ---- */
typedef void api_found(struct api *api, struct http_request *req, const struct uuid *run);
/* The least and the greatest id that begin with `prefix`; false when it begins none, or has less
 * than four characters. Pure. */
bool run_prefix_bounds(const char *prefix, struct uuid *low, struct uuid *high);
void api_find_run(struct api *api, struct http_request *req, api_found *found);

/* openapi.json from the table of routes; a new reference. Pure. */
json_t *openapi_document(void);

/* ---- handlers, by subject ---- */
http_handler api_health, api_metrics, api_status, api_openapi;
http_handler api_apply, api_pipelines, api_pipeline;
http_handler api_pipeline_pause, api_pipeline_resume, api_pipeline_remove;
http_handler api_trigger_pause, api_trigger_resume;
http_handler api_triggers, api_experiments;
http_handler api_runs, api_run, api_run_events, api_artifacts, api_artifact, api_object, api_log;
http_handler api_run_start, api_run_cancel, api_run_retry, api_run_approve;
http_handler api_run_rerun, api_run_only;
http_handler api_events, api_event, api_event_envelope, api_workers, api_sources, api_limits,
    api_limit_show, api_limit_remove, api_pools, api_pool_show, api_pool_remove;
http_handler api_token_create, api_tokens, api_token_revoke, api_worker_join;
http_handler api_worker_drain, api_worker_resume, api_worker_remove;
http_handler api_attempt_bucket;
http_handler api_attempt_list;
http_handler api_secrets, api_secret_put, api_secret_remove, api_attempt_secrets;

/* POST /runs of an attempt of `by_run`, which becomes the new run's cause. */
void api_run_start_by(struct api *api, struct http_request *req, const struct uuid *attempt,
                      const struct uuid *by_run);

/* ---- commands (commands.c): published, then their verdict is awaited ---- */
struct commands *commands_open(struct api *api);

/* ---- live streams (live/): state changes and log lines of a run as they come ---- */
struct live *live_open(struct api *api);
