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
    P(FINALLY_NOT_ON_CANCEL, "finally-not-on-cancel")                                              \
    P(LOOP_A_ROUND_TOO_MANY, "loop-a-round-too-many")                                              \
    P(RETRY_KEEPS_FORMER_TRY, "retry-keeps-former-try")                                            \
    P(RULE_BEFORE_LAST_NEED, "rule-before-last-need")                                              \
    P(SWITCH_RUNS_TWO_BRANCHES, "switch-runs-two-branches")                                        \
    P(CACHE_WITHOUT_ARGUMENTS, "cache-without-arguments")                                          \
    P(CACHE_OF_ANY_AGE, "cache-of-any-age")

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
