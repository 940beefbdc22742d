/* common/base/plant.h: planted bugs. A harness that finds nothing must be able to find something:
 * each row is a mistake that was avoided, written down where it would have been made. Compiled in
 * only with -DLEAT_PLANTS (`make V=plants`), and then one at a time, chosen by name; in every other
 * build plant_on is the constant false. */
#pragma once
#include <stdbool.h>

/*     identifier                   name                                                           \
 */
#define PLANTS(P)                                                                                  \
    P(NEW_ATTEMPT_ID_ON_REPUBLISH, "new-attempt-id-on-republish")                                  \
    P(TERMINAL_NOT_ABSORBING, "terminal-not-absorbing")                                            \
    P(UNKNOWN_COMMIT_RETRIED_BLINDLY, "unknown-commit-retried-blindly")                            \
    P(TAKEOVER_DEADLINE_BY_WALL, "takeover-deadline-by-wall")                                      \
    P(WALL_CLOCK_IN_A_LEASE, "wall-clock-in-a-lease")                                              \
    P(LOST_AFTER_FROM_LAST_WORD, "lost-after-from-last-word")                                      \
    P(LOST_BEFORE_DRAIN, "lost-before-drain")                                                      \
    P(NO_LEASE_UNTIL_FIRST_HEARTBEAT, "no-lease-until-first-heartbeat")                            \
    P(SLOT_COUNTER_APART, "slot-counter-apart")                                                    \
    P(OFFSET_OUTSIDE_TRANSACTION, "offset-outside-transaction")                                    \
    P(INBOX_IN_ITS_OWN_TRANSACTION, "inbox-in-its-own-transaction")                                \
    P(TIMER_WITHOUT_FENCE, "timer-without-fence")                                                  \
    P(OFFSETS_FROM_A_SEQUENCE, "offsets-from-a-sequence")                                          \
    P(ITEM_COUNTED_TWICE, "item-counted-twice")                                                    \
    P(FINALLY_AGAIN_AFTER_TAKEOVER, "finally-again-after-takeover")                                \
    P(LIMIT_GIVEN_BACK_AT_THE_CANCEL, "limit-given-back-at-the-cancel")                            \
    P(LIMITS_FORGOTTEN_AT_TAKEOVER, "limits-forgotten-at-takeover")                                \
    P(GROUP_LEFT_AT_THE_CANCEL, "group-left-at-the-cancel")                                        \
    P(CONCURRENCY_KEY_FORGOTTEN_AT_TAKEOVER, "concurrency-key-forgotten-at-takeover")              \
    P(LEAVE_NOT_COMMITTED, "leave-not-committed")                                                  \
    P(STARTED_BEFORE_LEAVE, "started-before-leave")                                                \
    P(TRIED_AGAIN_AFTER_LEAVE, "tried-again-after-leave")                                          \
    P(ADOPTED_THOUGH_CHANGED, "adopted-though-changed")                                            \
    P(ITEMS_AGAIN_AFTER_TAKEOVER, "items-again-after-takeover")                                    \
    P(LEFT_OUT_INSIDE_RUNS, "left-out-inside-runs")                                                \
    P(PART_OF_THE_FIRST_ITEM, "part-of-the-first-item")                                            \
    P(PART_FORGOTTEN_AT_TAKEOVER, "part-forgotten-at-takeover")                                    \
    P(RERUN_PINS_ANEW, "rerun-pins-anew")                                                          \
    P(PINNED_THOUGH_CHANGED, "pinned-though-changed")                                              \
    P(FINALLY_NOT_ON_CANCEL, "finally-not-on-cancel")                                              \
    P(CANCEL_INTO_FINALLY_GROUPS, "cancel-into-finally-groups")                                    \
    P(OUTCOME_OF_FINALLY_STEPS, "outcome-of-finally-steps")                                        \
    P(LOOP_A_ROUND_TOO_MANY, "loop-a-round-too-many")                                              \
    P(RETRY_KEEPS_FORMER_TRY, "retry-keeps-former-try")                                            \
    P(RULE_BEFORE_LAST_NEED, "rule-before-last-need")                                              \
    P(SWITCH_RUNS_TWO_BRANCHES, "switch-runs-two-branches")                                        \
    P(CACHE_WITHOUT_ARGUMENTS, "cache-without-arguments")                                          \
    P(CACHE_OF_ANY_AGE, "cache-of-any-age")                                                        \
    P(WAIT_WITHOUT_FILTER, "wait-without-filter")                                                  \
    P(WAIT_FORGOTTEN_AT_TAKEOVER, "wait-forgotten-at-takeover")                                    \
    P(EVENT_ENDS_ONE_WAIT, "event-ends-one-wait")                                                  \
    P(ANSWERED_TWICE, "answered-twice")                                                            \
    P(ANSWER_TO_WHAT_IS_OVER, "answer-to-what-is-over")                                            \
    P(ANSWERED_BY_ANYBODY, "answered-by-anybody")                                                  \
    P(APPROVAL_FOR_EVER_AFTER_TAKEOVER, "approval-for-ever-after-takeover")                        \
    P(STARTED_AGAIN_AT_TAKEOVER, "started-again-at-takeover")                                      \
    P(PARENT_NOT_TOLD, "parent-not-told")                                                          \
    P(CHILD_NOT_CANCELLED, "child-not-cancelled")                                                  \
    P(STARTED_OUTPUT_FORGOTTEN, "started-output-forgotten")                                        \
    P(CANCEL_RUNNING_THE_NEWEST, "cancel-running-the-newest")                                      \
    P(CANCEL_RUNNING_AS_QUEUE, "cancel-running-as-queue")                                          \
    P(LATEST_ONLY_AS_QUEUE, "latest-only-as-queue")                                                \
    P(SKIP_AS_QUEUE, "skip-as-queue")                                                              \
    P(QUEUED_FOR_EVER_AFTER_TAKEOVER, "queued-for-ever-after-takeover")                            \
    P(QUEUE_TIMEOUT_OVER_ALL_TRIES, "queue-timeout-over-all-tries")                                \
    P(QUEUE_TIMEOUT_FORGOTTEN_AT_TAKEOVER, "queue-timeout-forgotten-at-takeover")                  \
    P(GROUP_FOR_EVER_AFTER_TAKEOVER, "group-for-ever-after-takeover")                              \
    P(GROUP_TRIED_ONCE_MORE, "group-tried-once-more")                                              \
    P(RUN_FOR_EVER_AFTER_TAKEOVER, "run-for-ever-after-takeover")                                  \
    P(CACHE_WITHOUT_INPUTS, "cache-without-inputs")                                                \
    P(PARAMS_LATE_AFTER_TAKEOVER, "params-late-after-takeover")                                    \
    P(AT_MOST_ONCE_TRIED_AGAIN, "at-most-once-tried-again")                                        \
    P(LEAVE_TAKEN_TWICE, "leave-taken-twice")                                                      \
    P(HEARTBEAT_NOT_ORDERED, "heartbeat-not-ordered")                                              \
    P(TIMED_OUT_NOT_TRIED_AGAIN, "timed-out-not-tried-again")                                      \
    P(EXIT_CODES_IGNORED, "exit-codes-ignored")                                                    \
    P(LOST_WITHOUT_BOUND, "lost-without-bound")                                                    \
    P(LOST_FORGOTTEN_AT_TAKEOVER, "lost-forgotten-at-takeover")                                    \
    P(GROUP_TRIED_FOR_ANY_END, "group-tried-for-any-end")                                          \
    P(FINALLY_FOR_EVER, "finally-for-ever")                                                        \
    P(FINALLY_LATE_IS_NO_FAILURE, "finally-late-is-no-failure")                                    \
    P(FINALLY_DEADLINE_FORGOTTEN_AT_TAKEOVER, "finally-deadline-forgotten-at-takeover")            \
    P(WAIT_OF_ANY_SOURCE, "wait-of-any-source")                                                    \
    P(QUESTION_WITHOUT_MESSAGE, "question-without-message")                                        \
    P(PRIORITY_IGNORED, "priority-ignored")                                                        \
    P(PRIORITY_WITHOUT_AGE, "priority-without-age")                                                \
    P(OPTIONAL_NOT_ORDERED, "optional-not-ordered")                                                \
    P(OPTIONAL_INPUT_FAILS, "optional-input-fails")                                                \
    P(DELETED_STILL_FIRES, "deleted-still-fires")                                                  \
    P(PAUSED_TRIGGER_FIRES, "paused-trigger-fires")                                                \
    P(TOMBSTONE_IGNORED, "tombstone-ignored")                                                      \
    P(HELD_EVENT_COMMITTED, "held-event-committed")                                                \
    P(EVENTS_WITHOUT_BOUND, "events-without-bound")                                                \
    P(UNTIL_WITHOUT_PREVIOUS, "until-without-previous")                                            \
    P(PARAMS_OF_THE_FIRST_ITEM, "params-of-the-first-item")                                        \
    P(SKIPPED_ITEM_LEFT_OUT, "skipped-item-left-out")                                              \
    P(DRAINED_IS_GIVEN_WORK, "drained-is-given-work")                                              \
    P(DRAIN_FORGOTTEN_AT_TAKEOVER, "drain-forgotten-at-takeover")                                  \
    P(REMOVED_WITH_ATTEMPTS, "removed-with-attempts")                                              \
    P(REMOVED_IS_HEARD, "removed-is-heard")                                                        \
    P(RESUMED_STAYS_DRAINED, "resumed-stays-drained")                                              \
    P(PART_WITHOUT_ITS_RULES, "part-without-its-rules")                                            \
    P(PART_WITHOUT_ITS_TIMEOUT, "part-without-its-timeout")                                        \
    P(PART_SEES_PARAMS_OUTSIDE, "part-sees-params-outside")                                        \
    P(NO_CACHE_OF_RUN_ALONE, "no-cache-of-run-alone")                                              \
    P(NO_CACHE_FORGOTTEN_AT_TAKEOVER, "no-cache-forgotten-at-takeover")                            \
    P(NO_CACHE_KEEPS_NOTHING, "no-cache-keeps-nothing")                                            \
    P(KEPT_BY_LATER_OUTCOME, "kept-by-later-outcome")                                              \
    P(WORKERS_WITHOUT_BOUND, "workers-without-bound")                                              \
    P(WORKER_FORGOTTEN_EARLY, "worker-forgotten-early")                                            \
    P(OPEN_PIPELINE_FORGOTTEN, "open-pipeline-forgotten")                                          \
    P(NUMBERS_BEGIN_ANEW, "numbers-begin-anew")                                                    \
    P(EVENT_FORGOTTEN_AT_TAKEOVER, "event-forgotten-at-takeover")                                  \
    P(AGAIN_WITHOUT_THE_EVENT, "again-without-the-event")                                          \
    P(PINNED_OF_A_ROUND, "pinned-of-a-round")                                                      \
    P(VARS_FORGOTTEN_AT_TAKEOVER, "vars-forgotten-at-takeover")                                    \
    P(TRIGGER_OF_ANY_SOURCE, "trigger-of-any-source")                                              \
    P(RUN_ID_WITHOUT_TRIGGER, "run-id-without-trigger")                                            \
    P(GIVEN_WITHOUT_ITS_TYPE, "given-without-its-type")                                            \
    P(UNFIT_PART_SEES_OUTSIDE, "unfit-part-sees-outside")                                          \
    P(UNFIT_ITEM_STOPS_ALL, "unfit-item-stops-all")                                                \
    P(TIED_TO_THE_FIRST, "tied-to-the-first")                                                      \
    P(FILTER_SEES_THE_FIRST, "filter-sees-the-first")                                              \
    P(CATALOG_BY_BEATS_ALONE, "catalog-by-beats-alone")

enum plant {
#define P(id, name) PLANT_##id,
    PLANTS(P)
#undef P
        PLANT_COUNT
};

#ifdef LEAT_PLANTS
bool plant_on(enum plant plant);
bool plant_choose(const char *name); /* false: there is none of that name */
#else
#define plant_on(plant) false /* a constant of the language: nothing of it is compiled */
#endif
