/* common/ir/mermaid.h: a pipeline version drawn as a flowchart in Mermaid's language
 * (https://mermaid.js.org/syntax/flowchart.html). Pure. */
#pragma once
#include "common/base/text.h"
#include "common/ir/ir.h"

/* Appends the whole drawing: a node for each step, called s and its index, a subgraph for each
 * group, branch and finally, an arrow for each need. Labels are escaped. The texts of expressions
 * are read from ir->json, which must be there. */
void ir_graph(const struct ir *ir, struct text *out);
