/* cli/verbs.h: every verb once, in the order of --help. */
#pragma once

#define VERB_LIST(V)                                                                               \
    V(UP)                                                                                          \
    V(DOWN)
