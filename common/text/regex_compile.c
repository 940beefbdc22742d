#include "common/text/regex_internal.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/text/utf8.h"

#define EMIT_MAX (10 * REGEX_PROGRAM_MAX) /* visits; empty bodies repeat without instructions */

struct compiler {
    const char *why;
    struct regex_instr *program;
    int count, visits;
    size_t weight;
};

static void fail(struct compiler *c, const char *why)
{
    if (!c->why)
        c->why = why;
}

static int emit(struct compiler *c, struct regex_instr instr)
{
    if (c->count == REGEX_PROGRAM_MAX) {
        fail(c, "the pattern becomes too large; lower its repetition counts");
        return 0;
    }
    c->weight += 1 + (instr.op == RE_CLASS ? instr.cls->count : 0);
    c->program[c->count] = instr;
    return c->count++;
}

static void emit_node(struct compiler *c, const struct regex_node *n);

static void emit_star(struct compiler *c, const struct regex_node *body)
{
    const int split = emit(c, (struct regex_instr){.op = RE_SPLIT});
    emit_node(c, body);
    emit(c, (struct regex_instr){.op = RE_JUMP, .x = split});
    c->program[split].x = split + 1;
    c->program[split].y = c->count;
}

static void emit_repeat(struct compiler *c, const struct regex_node *n)
{
    for (int i = 0; i < n->least && !c->why; i++)
        emit_node(c, n->a);
    if (n->most == RE_NO_LIMIT) {
        emit_star(c, n->a);
        return;
    }
    for (int i = n->least; i < n->most && !c->why; i++) {
        const int split = emit(c, (struct regex_instr){.op = RE_SPLIT});
        emit_node(c, n->a);
        c->program[split].x = split + 1;
        c->program[split].y = c->count; /* x{0,3} as x?x?x? takes the same texts */
    }
}

static void emit_either(struct compiler *c, const struct regex_node *n)
{
    const int split = emit(c, (struct regex_instr){.op = RE_SPLIT});
    emit_node(c, n->a);
    const int jump = emit(c, (struct regex_instr){.op = RE_JUMP});
    c->program[split].x = split + 1;
    c->program[split].y = c->count;
    emit_node(c, n->b);
    c->program[jump].x = c->count;
}

static void emit_node(struct compiler *c, const struct regex_node *n)
{
    if (++c->visits > EMIT_MAX)
        fail(c, "the pattern becomes too large; lower its repetition counts");
    if (c->why)
        return;
    switch (n->kind) {
    case RE_EMPTY:
        break;
    case RE_ATOM:
        emit(c, n->atom);
        break;
    case RE_SEQUENCE:
        emit_node(c, n->a);
        emit_node(c, n->b);
        break;
    case RE_EITHER:
        emit_either(c, n);
        break;
    case RE_REPEAT:
        emit_repeat(c, n);
        break;
    }
}

/* The tree, unless the pattern is refused. */
static const struct regex_node *read_pattern(struct arena *arena, const char *pattern, size_t len,
                                             const char **why)
{
    if (len > REGEX_PATTERN_MAX)
        *why = "the pattern is longer than 256 bytes";
    else if (!utf8_valid(pattern, len) || memchr(pattern, '\0', len))
        *why = "the pattern is not UTF-8 text";
    else
        return regex_parse(arena, pattern, len, why);
    return NULL;
}

const struct regex *regex_compile(struct arena *arena, const char *pattern, size_t len,
                                  const char **why)
{
    const struct regex_node *root = read_pattern(arena, pattern, len, why);
    if (!root)
        return NULL;
    cleanup_free struct regex_instr *scratch = mem_array(REGEX_PROGRAM_MAX, sizeof *scratch);
    struct compiler c = {.program = scratch};
    emit_node(&c, root);
    emit(&c, (struct regex_instr){.op = RE_MATCH});
    *why = c.why;
    if (c.why)
        return NULL;
    struct regex_instr *program = arena_alloc(arena, (size_t)c.count * sizeof *program);
    memcpy(program, scratch, (size_t)c.count * sizeof *program);
    struct regex *re = arena_alloc(arena, sizeof *re);
    *re = (struct regex){program, c.count, c.weight};
    return re;
}
