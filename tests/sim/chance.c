/* How the executions of a step go, whatever else there is in the history. */
#include <string.h>
#include "tests/sim/check/check.h"
#include "tests/sim/worker/worker.h"

static uint64_t mixed(uint64_t sum, const void *data, size_t len) /* FNV-1a */
{
    for (const unsigned char *at = data; len; len--, at++)
        sum = (sum ^ *at) * 0x100000001b3u;
    return sum;
}

struct rng chance_of(struct sim *sim, const struct row_run *run, const char *step,
                     const struct row_key *key)
{
    const bool by_event = !uuid_is_nil(&run->event) && uuid_is_nil(&run->retry_of);
    const int executions = ledger_executions(sim->ledger, key);
    uint64_t sum = mixed(0xcbf29ce484222325u, by_event ? &run->event : &run->id, sizeof run->id);
    sum = mixed(sum, run->pipeline, strlen(run->pipeline));
    sum = mixed(sum, step, strlen(step));
    sum = mixed(sum, &key->iteration, sizeof key->iteration);
    sum = mixed(sum, &executions, sizeof executions);
    return sim_stream(sim, STREAM_ATTEMPTS, (int64_t)sum);
}
