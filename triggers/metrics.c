#include "triggers/triggers.h"

struct metric TRIGGER_METRIC[] = {
#define M(id, kind_, name_, a, b, help_)                                                           \
    {.kind = METRIC_##kind_, .name = name_, .help = help_, .labels = {a, b}},
    TRIGGER_METRICS(M)
#undef M
};
