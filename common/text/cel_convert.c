/* Functions that turn one type into another. */
#include "common/text/cel_internal.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/json.h"
#include "common/text/utf8.h"

void cel_double_text(double v, char out[CEL_TIME_TEXT])
{
    if (isnan(v)) {
        memcpy(out, "NaN", 4);
    } else if (isinf(v)) {
        snprintf(out, CEL_TIME_TEXT, "%sInfinity", v < 0 ? "-" : "");
    } else {
        json_double_text(v, out);
        const size_t n = strlen(out);
        if (n > 2 && strcmp(out + n - 2, ".0") == 0)
            out[n - 2] = '\0';
    }
}

static bool out_of_range(struct cel_ctx *ctx, const struct cel_node *at)
{
    return cel_fail(ctx, at, "%s(): out of range", at->name);
}

static bool not_a(struct cel_ctx *ctx, const struct cel_node *at)
{
    return cel_fail(ctx, at, "%s(): the text is not one", at->name);
}

/* The text of a number, NUL-terminated and short; false for anything longer. */
static bool number_text(struct cel_bytes text, char out[64])
{
    if (text.len == 0 || text.len >= 64 || memchr(text.data, '\0', text.len))
        return false;
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static bool int_of_text(struct cel_bytes text, int64_t *out)
{
    char number[64], *end;
    if (!number_text(text, number) || (!isdigit((unsigned char)*number) && *number != '-'))
        return false;
    errno = 0;
    *out = strtoll(number, &end, 10);
    return !errno && *end == '\0' && isdigit((unsigned char)end[-1]);
}

CEL_CALL(cel_call_int)
{
    const struct cel_value *v = &args[0];
    *out = cel_int(v->i);
    switch (v->type) {
    case CEL_INT:
        return true;
    case CEL_UINT:
        return v->u <= INT64_MAX || out_of_range(ctx, at);
    case CEL_DOUBLE:
        if (!(v->d > -0x1p63 && v->d < 0x1p63))
            return out_of_range(ctx, at);
        out->i = (int64_t)v->d;
        return true;
    case CEL_STRING:
        return int_of_text(v->text, &out->i) || not_a(ctx, at);
    case CEL_TIMESTAMP:
        out->i = v->time.s;
        return true;
    default:
        return cel_no_overload(ctx, at, args, count);
    }
}

static bool uint_of_text(struct cel_bytes text, uint64_t *out)
{
    char number[64], *end;
    if (!number_text(text, number) || !isdigit((unsigned char)*number))
        return false;
    errno = 0;
    *out = strtoull(number, &end, 10);
    return !errno && *end == '\0';
}

CEL_CALL(cel_call_uint)
{
    const struct cel_value *v = &args[0];
    *out = (struct cel_value){.type = CEL_UINT, .u = v->u};
    switch (v->type) {
    case CEL_UINT:
        return true;
    case CEL_INT:
        return v->i >= 0 || out_of_range(ctx, at);
    case CEL_DOUBLE:
        if (!(v->d > -1 && v->d < 0x1p64))
            return out_of_range(ctx, at);
        out->u = (uint64_t)v->d;
        return true;
    case CEL_STRING:
        return uint_of_text(v->text, &out->u) || not_a(ctx, at);
    default:
        return cel_no_overload(ctx, at, args, count);
    }
}

static bool double_of_text(struct cel_bytes text, double *out)
{
    char number[64], *end;
    if (!number_text(text, number) || isspace((unsigned char)*number) || strpbrk(number, "xXpP"))
        return false;
    *out = strtod(number, &end);
    return end != number && *end == '\0' && end[-1] != ')';
}

CEL_CALL(cel_call_double)
{
    const struct cel_value *v = &args[0];
    *out = (struct cel_value){.type = CEL_DOUBLE, .d = v->d};
    switch (v->type) {
    case CEL_DOUBLE:
        return true;
    case CEL_INT:
        out->d = (double)v->i;
        return true;
    case CEL_UINT:
        out->d = (double)v->u;
        return true;
    case CEL_STRING:
        return double_of_text(v->text, &out->d) || not_a(ctx, at);
    default:
        return cel_no_overload(ctx, at, args, count);
    }
}

CEL_CALL(cel_call_bool)
{
    static const char *const words[][2] = {{"true", "false"}, {"True", "False"}, {"TRUE", "FALSE"},
                                           {"t", "f"},        {"T", "F"},        {"1", "0"}};
    const struct cel_value *v = &args[0];
    *out = *v;
    if (v->type == CEL_BOOL)
        return true;
    if (v->type != CEL_STRING)
        return cel_no_overload(ctx, at, args, count);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        for (int value = 0; value < 2; value++) {
            const char *word = words[i][value ? 0 : 1];
            if (strlen(word) == v->text.len && memcmp(word, v->text.data, v->text.len) == 0) {
                *out = cel_bool(value);
                return true;
            }
        }
    }
    return not_a(ctx, at);
}

static bool copy_text(struct cel_ctx *ctx, const struct cel_node *at, const char *text,
                      struct cel_value *out)
{
    const size_t len = strlen(text);
    char *data = cel_alloc(ctx, at, 1, len + 1);
    if (!data)
        return false;
    memcpy(data, text, len);
    *out = cel_text(CEL_STRING, data, len);
    return true;
}

CEL_CALL(cel_call_string)
{
    const struct cel_value *v = &args[0];
    char text[CEL_TIME_TEXT];
    switch (v->type) {
    case CEL_STRING:
        *out = *v;
        return true;
    case CEL_BYTES:
        if (!cel_steps(ctx, at, v->text.len / CEL_BYTES_PER_STEP))
            return false;
        if (!utf8_valid(v->text.data, v->text.len))
            return cel_fail(ctx, at, "string(): the bytes are not UTF-8");
        *out = cel_text(CEL_STRING, v->text.data, v->text.len);
        return true;
    case CEL_BOOL:
        return copy_text(ctx, at, v->boolean ? "true" : "false", out);
    case CEL_INT:
        snprintf(text, sizeof text, "%" PRId64, v->i);
        break;
    case CEL_UINT:
        snprintf(text, sizeof text, "%" PRIu64, v->u);
        break;
    case CEL_DOUBLE:
        cel_double_text(v->d, text);
        break;
    case CEL_TIMESTAMP:
        cel_timestamp_text(v->time, text);
        break;
    case CEL_DURATION:
        cel_duration_text(v->duration_ns, text);
        break;
    default:
        return cel_no_overload(ctx, at, args, count);
    }
    return copy_text(ctx, at, text, out);
}

CEL_CALL(cel_call_bytes)
{
    if (args[0].type != CEL_STRING && args[0].type != CEL_BYTES)
        return cel_no_overload(ctx, at, args, count);
    *out = cel_text(CEL_BYTES, args[0].text.data, args[0].text.len);
    return true;
}

CEL_CALL(cel_call_timestamp)
{
    const struct cel_value *v = &args[0];
    *out = (struct cel_value){.type = CEL_TIMESTAMP, .time = v->time};
    if (v->type == CEL_TIMESTAMP)
        return true;
    if (v->type == CEL_INT) {
        out->time = (struct cel_time){v->i, 0};
        return cel_time_in_range(out->time) || out_of_range(ctx, at);
    }
    if (v->type != CEL_STRING)
        return cel_no_overload(ctx, at, args, count);
    return cel_timestamp_parse(v->text, &out->time) ||
           cel_fail(ctx, at,
                    "timestamp() takes RFC 3339 from year 1 to 9999, like "
                    "2026-11-23T08:00:00Z");
}

CEL_CALL(cel_call_duration)
{
    const struct cel_value *v = &args[0];
    *out = (struct cel_value){.type = CEL_DURATION, .duration_ns = v->duration_ns};
    if (v->type == CEL_DURATION)
        return true;
    if (v->type != CEL_STRING)
        return cel_no_overload(ctx, at, args, count);
    return cel_duration_parse(v->text, &out->duration_ns) ||
           cel_fail(ctx, at, "duration() takes h, m, s, ms, us and ns up to 292 years, like 1h30m");
}

CEL_CALL(cel_call_type)
{
    (void)ctx, (void)at, (void)count;
    *out = (struct cel_value){.type = CEL_TYPE, .type_name = args[0].type};
    return true;
}

CEL_CALL(cel_call_dyn)
{
    (void)ctx, (void)at, (void)count;
    *out = args[0];
    return true;
}
