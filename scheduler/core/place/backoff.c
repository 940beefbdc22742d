#include "scheduler/core/place/backoff.h"

#include <math.h>

int64_t backoff_wait_us(const struct backoff *policy, uint32_t next, double random01)
{
    if (next < 2 || next > policy->max_attempts)
        return -1;
    double ceiling = (double)policy->first_us * pow(policy->factor, next - 2);
    if (!(ceiling < (double)policy->cap_us)) /* infinity too */
        ceiling = (double)policy->cap_us;
    return (int64_t)(ceiling * random01);
}
