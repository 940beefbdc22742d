/* api/run_token.h: what LEAT_TOKEN_FILE holds: proof that the caller is one attempt of a step.
 * Nothing of it is stored: it is an HMAC under a key derived from the cluster's key (RFC 2104), and
 * valid while that attempt is live (docs/decisions/006). Pure.
 *
 *     leat_run_ATTEMPT_MAC      MAC: 64 hex digits over all that stands before it */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/uuid.h"

#define RUN_TOKEN_PREFIX "leat_run_"
#define RUN_TOKEN_SIZE   111 /* 110 characters and the NUL */

/* `key`: the cluster's. */
void run_token_make(const uint8_t key[32], const struct uuid *attempt, char out[RUN_TOKEN_SIZE]);
/* The MAC is compared, in constant time, before anything of the text is read. Says nothing about
 * whether the attempt is live. */
bool run_token_check(const uint8_t key[32], const char *text, struct uuid *attempt);
