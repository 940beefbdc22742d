/* api/routes.h: every call once; the server's table and openapi.json are made from it. */
#pragma once

/*  method    pattern                                             handler              body summary
 */
#define API_ROUTE_LIST(R)                                                                          \
    R("GET", "/healthz", api_health, 0, "Is Postgres there?")                                      \
    R("GET", "/metrics", api_metrics, 0, "Prometheus text")                                        \
    R("GET", "/api/v1/openapi.json", api_openapi, 0, "This description")                           \
    R("GET", "/api/v1/status", api_status, 0, "Leader, bus, workers, runs")                        \
    R("POST", "/api/v1/apply", api_apply, API_APPLY_MAX,                                           \
      "Apply pipelines and sources, all or none")                                                  \
    R("GET", "/api/v1/pipelines", api_pipelines, 0, "Pipelines")                                   \
    R("GET", "/api/v1/pipelines/:pipeline", api_pipeline, 0, "One pipeline, with its versions")    \
    R("POST", "/api/v1/pipelines/:pipeline/pause", api_pipeline_pause, API_BODY_MAX,               \
      "Events and ticks start no runs of it")                                                      \
    R("POST", "/api/v1/pipelines/:pipeline/resume", api_pipeline_resume, API_BODY_MAX,             \
      "They start runs again")                                                                     \
    R("DELETE", "/api/v1/pipelines/:pipeline", api_pipeline_remove, 0,                             \
      "Remove a pipeline; runs and versions stay")                                                 \
    R("GET", "/api/v1/triggers", api_triggers, 0, "Triggers, their last verdict and next tick")    \
    R("GET", "/api/v1/experiments", api_experiments, 0, "Experiments, newest run first")           \
    R("POST", "/api/v1/runs", api_run_start, API_BODY_MAX, "Start a run")                          \
    R("GET", "/api/v1/runs", api_runs, 0, "Runs, newest first")                                    \
    R("GET", "/api/v1/runs/:run", api_run, 0, "One run with its steps")                            \
    R("GET", "/api/v1/runs/:run/events", api_run_events, 0,                                        \
      "Server-sent events: state changes and log lines, from Last-Event-ID on")                    \
    R("POST", "/api/v1/runs/:run/cancel", api_run_cancel, API_BODY_MAX, "Cancel a run")            \
    R("POST", "/api/v1/runs/:run/retry", api_run_retry, API_BODY_MAX,                              \
      "A new run that adopts what succeeded")                                                      \
    R("GET", "/api/v1/runs/:run/logs/:step", api_log, 0, "A step's log so far")                    \
    R("GET", "/api/v1/runs/:run/artifacts", api_artifacts, 0, "A run's artifacts")                 \
    R("GET", "/api/v1/runs/:run/artifacts/:output", api_artifact, 0, "One artifact, STEP.OUTPUT")  \
    R("GET", "/api/v1/objects/:sha256", api_object, 0, "A stored object")                          \
    R("GET", "/api/v1/events", api_events, 0, "Events, newest first")                              \
    R("GET", "/api/v1/events/:event", api_event, 0, "One event with its verdicts")                 \
    R("GET", "/api/v1/events/:event/envelope", api_event_envelope, 0,                              \
      "The CloudEvent as published")                                                               \
    R("GET", "/api/v1/workers", api_workers, 0, "Workers")                                         \
    R("GET", "/api/v1/sources", api_sources, 0, "Sources")                                         \
    R("GET", "/api/v1/secrets", api_secrets, 0, "Names of secrets")                                \
    R("PUT", "/api/v1/secrets/:secret", api_secret_put, API_SECRET_MAX,                            \
      "Set a secret to the request's body")                                                        \
    R("DELETE", "/api/v1/secrets/:secret", api_secret_remove, 0, "Remove a secret")                \
    R("POST", "/api/v1/workers/:worker/attempts/:attempt/secrets", api_attempt_secrets,            \
      API_BODY_MAX, "Secrets of a live attempt, for its worker")
