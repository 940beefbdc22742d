/* cli/verbs.h: every verb once, in the order of --help. */
#pragma once

#define VERB_LIST(V)                                                                               \
    V(UP)                                                                                          \
    V(DOWN)                                                                                        \
    V(STATUS)                                                                                      \
    V(VALIDATE)                                                                                    \
    V(APPLY)                                                                                       \
    V(PIPELINES)                                                                                   \
    V(PIPELINE)                                                                                    \
    V(PAUSE)                                                                                       \
    V(RESUME)                                                                                      \
    V(DELETE)                                                                                      \
    V(RUN)                                                                                         \
    V(RUNS)                                                                                        \
    V(SHOW)                                                                                        \
    V(LOGS)                                                                                        \
    V(CANCEL)                                                                                      \
    V(RETRY)                                                                                       \
    V(RERUN)                                                                                       \
    V(COMPARE)                                                                                     \
    V(EXPERIMENTS)                                                                                 \
    V(TRIGGER_TEST)                                                                                \
    V(TRIGGERS)                                                                                    \
    V(EVENTS)                                                                                      \
    V(EVENT)                                                                                       \
    V(ARTIFACTS)                                                                                   \
    V(ARTIFACT_GET)                                                                                \
    V(WORKERS)                                                                                     \
    V(SOURCES)                                                                                     \
    V(SECRET_SET)                                                                                  \
    V(SECRET_LIST)                                                                                 \
    V(SECRET_REMOVE)                                                                               \
    V(DOCTOR)                                                                                      \
    V(CONTEXT_ADD)                                                                                 \
    V(CONTEXT_USE)                                                                                 \
    V(CONTEXT_LIST)                                                                                \
    V(CONTEXT_REMOVE)                                                                              \
    V(COMPLETION)                                                                                  \
    V(COMPLETE)                                                                                    \
    V(CEL)                                                                                         \
    V(CRON)                                                                                        \
    V(DUMP_MACHINES)                                                                               \
    V(DUMP_CLI)
