#include "common/ir/ir.h"

static enum ir_verdict unless_failed(const struct ir_ends *ends)
{
    return ends->failed > 0 ? IR_VERDICT_UPSTREAM_FAILED : IR_VERDICT_SKIP;
}

enum ir_verdict ir_rule_judge(enum ir_rule rule, const struct ir_ends *ends)
{
    switch (rule) {
    case IR_ALL_SUCCEEDED:
        return ends->failed + ends->skipped == 0 ? IR_VERDICT_RUN : unless_failed(ends);
    case IR_ALL_DONE:
        return IR_VERDICT_RUN;
    case IR_ANY_FAILED:
        return ends->failed > 0 ? IR_VERDICT_RUN : IR_VERDICT_SKIP;
    case IR_ANY_SUCCEEDED:
        return ends->succeeded > 0 ? IR_VERDICT_RUN : unless_failed(ends);
    case IR_NONE_FAILED:
        return ends->failed == 0 ? IR_VERDICT_RUN : IR_VERDICT_UPSTREAM_FAILED;
    }
    return IR_VERDICT_SKIP;
}
