/* common/text/regex_internal.h: the tree that regex_parse.c makes, the program that
 * regex_compile.c writes and regex.c runs. */
#pragma once
#include "common/text/regex.h"

struct regex_range {
    uint32_t low, high;
};

struct regex_class {
    bool negated;
    uint64_t ascii[2]; /* of the ranges, before negation */
    const struct regex_range *ranges;
    size_t count;
};

enum regex_op {
    RE_CHAR,  /* `cp`; with `fold`, its other case too */
    RE_ANY,   /* not \n */
    RE_ANYNL, /* \n too */
    RE_CLASS,
    RE_SPLIT, /* x and y */
    RE_JUMP,  /* x */
    RE_ASSERT,
    RE_MATCH,
};

enum regex_assert {
    RE_TEXT_BEGIN,
    RE_TEXT_END,
    RE_LINE_BEGIN,
    RE_LINE_END,
    RE_WORD_EDGE,
    RE_NO_WORD_EDGE,
};

struct regex_instr {
    enum regex_op op;
    bool fold;
    uint32_t cp;
    const struct regex_class *cls;
    enum regex_assert assertion;
    int x, y;
};

struct regex {
    const struct regex_instr *program;
    int count;
    size_t weight;
};

/* What regex_parse.c makes of the pattern. */
enum regex_kind { RE_EMPTY, RE_ATOM, RE_SEQUENCE, RE_EITHER, RE_REPEAT };

struct regex_node {
    enum regex_kind kind;
    struct regex_instr atom;
    struct regex_node *a, *b;
    int least, most; /* of RE_REPEAT; most may be RE_NO_LIMIT */
};
#define RE_NO_LIMIT (-1)

/* NULL, and *why is set. */
const struct regex_node *regex_parse(struct arena *arena, const char *pattern, size_t len,
                                     const char **why);

bool regex_class_has(const struct regex_class *cls, uint32_t cp, bool fold);
