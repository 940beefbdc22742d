#include "common/text/cel.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/text/cel_internal.h"
#include "common/text/utf8.h"

struct cel *cel_compile(const char *source, struct err *err)
{
    return cel_compile_part(source, strlen(source), 1, 1, err);
}

static int check_source(const char *source, size_t len, int line, int column, struct err *err)
{
    if (len > CEL_SOURCE_MAX)
        return err_set(err, LEAT_ELIMIT, "%d:%d: an expression has at most %d bytes", line, column,
                       CEL_SOURCE_MAX);
    if (memchr(source, '\0', len) || !utf8_valid(source, len))
        return err_set(err, LEAT_EINPUT, "%d:%d: the expression is not UTF-8 text", line, column);
    return 0;
}

struct cel *cel_compile_part(const char *source, size_t len, int line, int column, struct err *err)
{
    if (check_source(source, len, line, column, err) < 0)
        return NULL;
    cleanup_cel struct cel *cel = mem_alloc(sizeof *cel);
    cel->arena = arena_new();
    struct cel_lexer lexer = {.arena = cel->arena,
                              .p = source,
                              .end = source + len,
                              .line = line,
                              .column = column,
                              .err = err};
    cel->root = cel_parse(&lexer);
    if (!cel->root)
        return NULL;
    cel_collect_references(cel);
    return TAKE(cel);
}

void cel_free(struct cel *cel)
{
    if (!cel)
        return;
    arena_free(cel->arena);
    free(cel);
}

int cel_eval(const struct cel *cel, const struct cel_vars *vars, struct cel_result *out,
             struct err *err)
{
    struct cel_ctx ctx = {
        .arena = arena_new(),
        .vars = vars,
        .steps_left = vars && vars->steps ? vars->steps : CEL_STEPS_DEFAULT,
        .memory_left = CEL_MEMORY_MAX,
    };
    struct cel_value v;
    json_t *json = NULL;
    if (cel_eval_node(&ctx, cel->root, &v))
        json = cel_to_json(&ctx, cel->root, &v);
    zone_free(ctx.zone);
    if (json)
        *out = (struct cel_result){v.type, json};
    arena_free(ctx.arena);
    return json ? 0 : err_set(err, ctx.err.code, "%s", ctx.err.text);
}

json_t *cel_eval_json(const struct cel *cel, const struct cel_vars *vars, struct err *err)
{
    struct cel_result result;
    return cel_eval(cel, vars, &result, err) < 0 ? NULL : result.json;
}

int cel_eval_bool(const struct cel *cel, const struct cel_vars *vars, bool *out, struct err *err)
{
    struct cel_result result;
    const int rc = cel_eval(cel, vars, &result, err);
    if (rc < 0)
        return rc;
    const bool value = json_is_true(result.json);
    json_decref(result.json);
    if (result.type != CEL_BOOL)
        return err_set(err, LEAT_EINPUT, "%d:%d: the condition gives %s, not bool", cel->root->line,
                       cel->root->column, cel_type_name(result.type));
    *out = value;
    return 0;
}
