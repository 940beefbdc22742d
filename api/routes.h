/* api/routes.h: every call once; the server's table and openapi.json are made from it. */
#pragma once

/*  method    pattern                                             handler   access   body summary
 */
#define API_ROUTE_LIST(R)                                                                          \
    R("GET", "/healthz", api_health, ANYONE, 0, "Is Postgres there?")                              \
    R("GET", "/metrics", api_metrics, USER, 0, "Prometheus text")                                  \
    R("GET", "/api/v1/openapi.json", api_openapi, USER, 0, "This description")                     \
    R("GET", "/api/v1/status", api_status, USER, 0, "Leader, bus, workers, runs")                  \
    R("POST", "/api/v1/apply", api_apply, USER, API_APPLY_MAX,                                     \
      "Apply pipelines and sources, all or none")                                                  \
    R("GET", "/api/v1/pipelines", api_pipelines, USER, 0, "Pipelines")                             \
    R("GET", "/api/v1/pipelines/:pipeline", api_pipeline, USER, 0,                                 \
      "One pipeline, with its versions")                                                           \
    R("POST", "/api/v1/pipelines/:pipeline/pause", api_pipeline_pause, USER, API_BODY_MAX,         \
      "Events and ticks start no runs of it")                                                      \
    R("POST", "/api/v1/pipelines/:pipeline/resume", api_pipeline_resume, USER, API_BODY_MAX,       \
      "They start runs again")                                                                     \
    R("POST", "/api/v1/pipelines/:pipeline/triggers/:trigger/pause", api_trigger_pause, USER,      \
      API_BODY_MAX, "Events and ticks that it fits start no runs")                                 \
    R("POST", "/api/v1/pipelines/:pipeline/triggers/:trigger/resume", api_trigger_resume, USER,    \
      API_BODY_MAX, "They start runs again")                                                       \
    R("DELETE", "/api/v1/pipelines/:pipeline", api_pipeline_remove, USER, 0,                       \
      "Remove a pipeline; runs and versions stay")                                                 \
    R("GET", "/api/v1/triggers", api_triggers, USER, 0,                                            \
      "Triggers, their last verdict and next tick")                                                \
    R("GET", "/api/v1/experiments", api_experiments, USER, 0, "Experiments, newest run first")     \
    R("POST", "/api/v1/runs", api_run_start, START, API_BODY_MAX, "Start a run")                   \
    R("GET", "/api/v1/runs", api_runs, USER, 0, "Runs, newest first")                              \
    R("GET", "/api/v1/runs/:run", api_run, RUN, 0, "One run with its steps")                       \
    R("GET", "/api/v1/runs/:run/events", api_run_events, RUN, 0,                                   \
      "Server-sent events: state changes and log lines, from Last-Event-ID on")                    \
    R("POST", "/api/v1/runs/:run/cancel", api_run_cancel, USER, API_BODY_MAX, "Cancel a run")      \
    R("POST", "/api/v1/runs/:run/approve", api_run_approve, USER, API_BODY_MAX,                    \
      "Answer a step that waits for a person")                                                     \
    R("POST", "/api/v1/runs/:run/retry", api_run_retry, USER, API_BODY_MAX,                        \
      "A new run that adopts what succeeded")                                                      \
    R("POST", "/api/v1/runs/:run/rerun", api_run_rerun, USER, API_BODY_MAX,                        \
      "A new run of the same version, with the event, objects and images of then")                 \
    R("POST", "/api/v1/runs/:run/only", api_run_only, USER, API_BODY_MAX,                          \
      "A new run of some steps, with what they need of this run")                                  \
    R("GET", "/api/v1/runs/:run/logs/:step", api_log, RUN, 0, "A step's log so far")               \
    R("GET", "/api/v1/runs/:run/artifacts", api_artifacts, RUN, 0, "A run's artifacts")            \
    R("GET", "/api/v1/runs/:run/artifacts/:output", api_artifact, RUN, 0,                          \
      "One artifact, STEP.OUTPUT")                                                                 \
    R("GET", "/api/v1/objects/:sha256", api_object, USER, 0, "A stored object")                    \
    R("GET", "/api/v1/events", api_events, USER, 0, "Events, newest first")                        \
    R("GET", "/api/v1/events/:event", api_event, EVENT, 0, "One event with its verdicts")          \
    R("GET", "/api/v1/events/:event/envelope", api_event_envelope, EVENT, 0,                       \
      "The CloudEvent as published")                                                               \
    R("GET", "/api/v1/workers", api_workers, USER, 0, "Workers")                                   \
    R("GET", "/api/v1/sources", api_sources, USER, 0, "Sources")                                   \
    R("GET", "/api/v1/limits", api_limits, USER, 0, "Named limits")                                \
    R("GET", "/api/v1/limits/:limit", api_limit_show, USER, 0, "One, and who holds it")            \
    R("DELETE", "/api/v1/limits/:limit", api_limit_remove, USER, 0,                                \
      "Removes one that no pipeline names")                                                        \
    R("GET", "/api/v1/pools", api_pools, USER, 0, "Pools, of files and of workers")                \
    R("GET", "/api/v1/pools/:pool", api_pool_show, USER, 0, "One, and who uses its slots")         \
    R("DELETE", "/api/v1/pools/:pool", api_pool_remove, USER, 0,                                   \
      "Removes what a file says of one that no pipeline names")                                    \
    R("GET", "/api/v1/secrets", api_secrets, USER, 0, "Names of secrets")                          \
    R("PUT", "/api/v1/secrets/:secret", api_secret_put, USER, API_SECRET_MAX,                      \
      "Set a secret to the request's body")                                                        \
    R("DELETE", "/api/v1/secrets/:secret", api_secret_remove, USER, 0, "Remove a secret")          \
    R("POST", "/api/v1/workers/:worker/attempts/:attempt/secrets", api_attempt_secrets, WORKER,    \
      API_BODY_MAX, "Secrets of a live attempt, for its worker")                                   \
    R("GET", "/api/v1/workers/:worker/attempts/:attempt/buckets/:bucket", api_attempt_bucket,      \
      WORKER, 0, "Where a bucket of S3 is, for the worker of a live attempt")                      \
    R("GET", "/api/v1/workers/:worker/attempts/:attempt/lists/:step/:iteration/:output",           \
      api_attempt_list, WORKER, 0, "A list of artifacts, for the worker of a live attempt")        \
    R("POST", "/api/v1/workers/join", api_worker_join, ANYONE, API_BODY_MAX,                       \
      "Exchange a join token, once, for a worker's credential and configuration")                  \
    R("POST", "/api/v1/workers/:worker/drain", api_worker_drain, USER, API_BODY_MAX,               \
      "Give a worker nothing new")                                                                 \
    R("POST", "/api/v1/workers/:worker/resume", api_worker_resume, USER, API_BODY_MAX,             \
      "Give it work again")                                                                        \
    R("DELETE", "/api/v1/workers/:worker", api_worker_remove, USER, 0,                             \
      "Forget a worker that holds nothing")                                                        \
    R("POST", "/api/v1/tokens", api_token_create, USER, API_BODY_MAX, "A token, told once")        \
    R("GET", "/api/v1/tokens", api_tokens, USER, 0, "Tokens that were given out")                  \
    R("DELETE", "/api/v1/tokens/:token", api_token_revoke, USER, 0, "Revoke a token by its id")
