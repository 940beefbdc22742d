/* The table of functions; docs/expressions.md names each of them, a test compares. */
#include "common/text/cel_internal.h"

#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"

#define BIT(type) (1U << (type))
#define ANY       CEL_ANY
#define BOOL      BIT(CEL_BOOL)
#define INT       BIT(CEL_INT)
#define UINT      BIT(CEL_UINT)
#define DOUBLE    BIT(CEL_DOUBLE)
#define STRING    BIT(CEL_STRING)
#define BYTES     BIT(CEL_BYTES)
#define LIST      BIT(CEL_LIST)
#define TIMESTAMP BIT(CEL_TIMESTAMP)
#define DURATION  BIT(CEL_DURATION)
#define TYPE      BIT(CEL_TYPE)
#define TIMES     (TIMESTAMP | DURATION)
#define SIZED     (STRING | BYTES | LIST | BIT(CEL_MAP))

/* Arguments are counted with the receiver. */
static const struct cel_function functions[] = {
    /* name, f(x), x.f(), least, most, takes, gives, call */
    {"size", true, true, 1, 1, SIZED, INT, cel_call_size},
    {"int", true, false, 1, 1, ANY, INT, cel_call_int},
    {"uint", true, false, 1, 1, ANY, UINT, cel_call_uint},
    {"double", true, false, 1, 1, ANY, DOUBLE, cel_call_double},
    {"string", true, false, 1, 1, ANY, STRING, cel_call_string},
    {"bool", true, false, 1, 1, ANY, BOOL, cel_call_bool},
    {"bytes", true, false, 1, 1, ANY, BYTES, cel_call_bytes},
    {"timestamp", true, false, 1, 1, ANY, TIMESTAMP, cel_call_timestamp},
    {"duration", true, false, 1, 1, ANY, DURATION, cel_call_duration},
    {"type", true, false, 1, 1, ANY, TYPE, cel_call_type},
    {"dyn", true, false, 1, 1, ANY, ANY, cel_call_dyn},
    {"contains", false, true, 2, 2, STRING, BOOL, cel_call_contains},
    {"startsWith", false, true, 2, 2, STRING, BOOL, cel_call_starts_with},
    {"endsWith", false, true, 2, 2, STRING, BOOL, cel_call_ends_with},
    {"matches", true, true, 2, 2, STRING, BOOL, cel_call_matches},
    {"charAt", false, true, 2, 2, STRING, STRING, cel_call_char_at},
    {"indexOf", false, true, 2, 3, STRING, INT, cel_call_index_of},
    {"lastIndexOf", false, true, 2, 3, STRING, INT, cel_call_last_index_of},
    {"substring", false, true, 2, 3, STRING, STRING, cel_call_substring},
    {"lowerAscii", false, true, 1, 1, STRING, STRING, cel_call_lower_ascii},
    {"upperAscii", false, true, 1, 1, STRING, STRING, cel_call_upper_ascii},
    {"trim", false, true, 1, 1, STRING, STRING, cel_call_trim},
    {"replace", false, true, 3, 4, STRING, STRING, cel_call_replace},
    {"split", false, true, 2, 3, STRING, LIST, cel_call_split},
    {"join", false, true, 1, 2, LIST, STRING, cel_call_join},
    {"getFullYear", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getMonth", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getDate", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getDayOfMonth", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getDayOfWeek", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getDayOfYear", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getHours", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getMinutes", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getSeconds", false, true, 1, 2, TIMES, INT, cel_call_time_part},
    {"getMilliseconds", false, true, 1, 2, TIMES, INT, cel_call_time_part},
};

/* Read by the parser, not called. The first five go over a receiver. */
static const struct {
    const char *name;
    enum cel_macro macro;
} macros[] = {{"all", M_ALL},
              {"exists", M_EXISTS},
              {"exists_one", M_EXISTS_ONE},
              {"map", M_MAP},
              {"filter", M_FILTER}};
static const char *const special_forms[] = {"has", "default"};

const struct cel_function *cel_function_find(const char *name, bool member, bool *known)
{
    for (size_t i = 0; i < ARRAY_LEN(functions); i++) {
        const struct cel_function *f = &functions[i];
        if (strcmp(f->name, name) == 0) {
            *known = true;
            return (member ? f->member : f->global) ? f : NULL;
        }
    }
    enum cel_macro macro;
    *known =
        cel_macro_find(name, &macro) || strcmp(name, "has") == 0 || strcmp(name, "default") == 0;
    return NULL;
}

bool cel_macro_find(const char *name, enum cel_macro *out)
{
    for (size_t i = 0; i < ARRAY_LEN(macros); i++) {
        if (strcmp(macros[i].name, name) == 0) {
            *out = macros[i].macro;
            return true;
        }
    }
    return false;
}

const char *cel_function_name(size_t index)
{
    if (index < ARRAY_LEN(special_forms))
        return special_forms[index];
    index -= ARRAY_LEN(special_forms);
    if (index < ARRAY_LEN(macros))
        return macros[index].name;
    index -= ARRAY_LEN(macros);
    return index < ARRAY_LEN(functions) ? functions[index].name : NULL;
}

const char *cel_function_nearest(const char *name)
{
    const char *names[ARRAY_LEN(special_forms) + ARRAY_LEN(macros) + ARRAY_LEN(functions) + 1];
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        names[i] = cel_function_name(i);
    return text_nearest(name, names);
}

bool cel_no_overload(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *args,
                     size_t count)
{
    cleanup_text struct text types = {0};
    for (size_t i = 0; i < count; i++)
        text_printf(&types, "%s%s", i ? ", " : "", cel_type_name(args[i].type));
    return cel_fail(ctx, at, "%s() does not take %s", at->name, types.data);
}
