/* common/ir/runnable.h: what the format can say and this build's scheduler does not do yet. A
 * version that asks for it is refused when it is applied, so that nothing is promised in vain. */
#pragma once
#include "common/base/err.h"
#include "common/ir/ir.h"

/* 0, or LEAT_EREFUSED naming the step and the key. Pure. */
int ir_runnable(const struct ir *ir, struct err *err);
