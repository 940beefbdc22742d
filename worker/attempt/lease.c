#include "worker/attempt/lease.h"

void lease_begin(struct lease *lease, int64_t now_us)
{
    if (now_us + LEASE_US > lease->end_us)
        lease->end_us = now_us + LEASE_US;
}

void lease_sent(struct lease *lease, int64_t number, int64_t now_us)
{
    lease->sent[lease->next] = (struct lease_beat){number, now_us};
    lease->next = (lease->next + 1) % LEASE_SENT;
}

bool lease_granted(struct lease *lease, int64_t number)
{
    for (size_t i = 0; i < LEASE_SENT; i++) {
        const struct lease_beat *beat = &lease->sent[i];
        if (number == 0 || beat->number != number)
            continue;
        if (beat->sent_us + LEASE_US <= lease->end_us)
            return false;
        lease->end_us = beat->sent_us + LEASE_US;
        return true;
    }
    return false;
}

bool lease_live(const struct lease *lease, int64_t now_us)
{
    return now_us < lease->end_us;
}

int64_t lease_fuse_slack(int64_t lost_after_us, int64_t grace_us)
{
    const int64_t slack = lost_after_us - LEASE_MARGIN - grace_us;
    return slack > 0 ? slack : 0;
}
