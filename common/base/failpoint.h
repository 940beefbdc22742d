/* common/base/failpoint.h: named places where a test makes a process die, stop, fail or wait.
 * LEAT_FAILPOINT=name:n[:kill|stop|error|delay][,…] acts at the n-th pass through the point
 * (1 = first), delay sleeps 300 ms. Compiled in only with -DLEAT_FAILPOINTS (the test builds);
 * in a release build failpoint_hit is the constant 0.
 * LEAT_FAILPOINT=@FILE takes them from a file, read again whenever it changes: a test arms a point
 * at the moment that it wants struck.
 * LEAT_FAILPOINT_LOG=FILE appends the name of each point that acted, and a point named there does
 * not act again: a daemon that is started again with the same environment goes on. A test that
 * armed a point that was never reached fails by that file. */
#pragma once
#include <stdbool.h>

/*     identifier              name                     process that passes it */
#define FAILPOINTS(F)                                                                              \
    F(HOOK_PUBLISH_BEFORE, "hook-publish-before", "triggers")                                      \
    F(HOOK_PUBLISH_AFTER, "hook-publish-after", "triggers")                                        \
    F(DELIVERY_REPORT_BEFORE, "delivery-report-before", "triggers")                                \
    F(DELIVERY_REPORT_AFTER, "delivery-report-after", "triggers")                                  \
    F(UPLOAD_RENAME_BEFORE, "upload-rename-before", "triggers")                                    \
    F(UPLOAD_RENAME_AFTER, "upload-rename-after", "triggers")                                      \
    F(BATCH_BEGIN_BEFORE, "batch-begin-before", "scheduler")                                       \
    F(BATCH_BEGIN_AFTER, "batch-begin-after", "scheduler")                                         \
    F(COMMIT_SENT_BEFORE, "commit-sent-before", "scheduler")                                       \
    F(COMMIT_SENT_AFTER, "commit-sent-after", "scheduler")                                         \
    F(COMMIT_ANSWERED_BEFORE, "commit-answered-before", "scheduler")                               \
    F(COMMIT_ANSWERED_AFTER, "commit-answered-after", "scheduler")                                 \
    F(ORDER_PUBLISH_BEFORE, "order-publish-before", "scheduler")                                   \
    F(ORDER_PUBLISH_AFTER, "order-publish-after", "scheduler")                                     \
    F(OFFSET_READ_BEFORE, "offset-read-before", "scheduler")                                       \
    F(OFFSET_READ_AFTER, "offset-read-after", "scheduler")                                         \
    F(LEASE_RENEWED_BEFORE, "lease-renewed-before", "scheduler")                                   \
    F(LEASE_RENEWED_AFTER, "lease-renewed-after", "scheduler")                                     \
    F(REBUILD_BEFORE, "rebuild-before", "scheduler")                                               \
    F(REBUILD_AFTER, "rebuild-after", "scheduler")                                                 \
    F(MIGRATION_BEFORE, "migration-before", "scheduler")                                           \
    F(MIGRATION_AFTER, "migration-after", "scheduler")                                             \
    F(ORDER_JOURNALLED_BEFORE, "order-journalled-before", "worker")                                \
    F(ORDER_JOURNALLED_AFTER, "order-journalled-after", "worker")                                  \
    F(SPAWN_BEFORE, "spawn-before", "worker")                                                      \
    F(SPAWN_AFTER, "spawn-after", "worker")                                                        \
    F(EXIT_SEEN_BEFORE, "exit-seen-before", "worker")                                              \
    F(EXIT_SEEN_AFTER, "exit-seen-after", "worker")                                                \
    F(CONTAINER_CREATE_BEFORE, "container-create-before", "worker")                                \
    F(CONTAINER_CREATE_AFTER, "container-create-after", "worker")                                  \
    F(CONTAINER_START_BEFORE, "container-start-before", "worker")                                  \
    F(CONTAINER_START_AFTER, "container-start-after", "worker")                                    \
    F(CONTAINER_COPIED_BEFORE, "container-copied-before", "worker")                                \
    F(CONTAINER_COPIED_AFTER, "container-copied-after", "worker")                                  \
    F(CONTAINER_REMOVED_BEFORE, "container-removed-before", "worker")                              \
    F(CONTAINER_REMOVED_AFTER, "container-removed-after", "worker")                                \
    F(OUTPUT_STORED_BEFORE, "output-stored-before", "worker")                                      \
    F(OUTPUT_STORED_AFTER, "output-stored-after", "worker")                                        \
    F(LOG_CLOSED_BEFORE, "log-closed-before", "worker")                                            \
    F(LOG_CLOSED_AFTER, "log-closed-after", "worker")                                              \
    F(REPORT_PUBLISH_BEFORE, "report-publish-before", "worker")                                    \
    F(REPORT_PUBLISH_AFTER, "report-publish-after", "worker")                                      \
    F(KEEPER_FORK_BEFORE, "keeper-fork-before", "keeper")                                          \
    F(KEEPER_FORK_AFTER, "keeper-fork-after", "keeper")                                            \
    F(KEEPER_EXIT_BEFORE, "keeper-exit-before", "keeper")                                          \
    F(KEEPER_EXIT_AFTER, "keeper-exit-after", "keeper")                                            \
    F(COMMAND_PUBLISH_BEFORE, "command-publish-before", "api")                                     \
    F(COMMAND_PUBLISH_AFTER, "command-publish-after", "api")

enum failpoint {
#define F(id, name, process) FAILPOINT_##id,
    FAILPOINTS(F)
#undef F
        FAILPOINT_COUNT
};

#ifdef LEAT_FAILPOINTS
/* True when the caller should fail with an error now; does not return on kill. */
bool failpoint_hit(enum failpoint point);
#else
static inline bool failpoint_hit(enum failpoint point)
{
    (void)point;
    return false;
}
#endif

const char *failpoint_name(enum failpoint point);
const char *failpoint_process(enum failpoint point);
