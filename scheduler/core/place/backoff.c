#include "scheduler/core/place/backoff.h"

#include <math.h>

int backoff_check(const struct backoff *policy, struct err *err)
{
    if (policy->max_attempts < 1)
        return err_set(err, LEAT_EINPUT, "max_attempts must be at least 1");
    if (policy->first_us < 0)
        return err_set(err, LEAT_EINPUT, "the first wait must not be negative");
    if (policy->cap_us < policy->first_us)
        return err_set(err, LEAT_EINPUT, "the longest wait must not be below the first");
    if (!(policy->factor >= 1.0) || isinf(policy->factor))
        return err_set(err, LEAT_EINPUT, "factor must be at least 1");
    return 0;
}

int64_t backoff_wait_us(const struct backoff *policy, uint32_t next, double random01)
{
    if (next < 2 || next > policy->max_attempts)
        return -1;
    double ceiling = (double)policy->first_us * pow(policy->factor, next - 2);
    if (!(ceiling < (double)policy->cap_us)) /* infinity too */
        ceiling = (double)policy->cap_us;
    return (int64_t)(ceiling * random01);
}
