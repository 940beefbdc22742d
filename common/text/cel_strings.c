/* Functions on strings. Positions and lengths are in code points. */
#include "common/text/cel_internal.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/text/utf8.h"

#define PATTERN_STEPS 100 /* what compiling a pattern costs of the budget */

/* Takes off the budget what looking at `bytes` bytes costs. */
static bool look(struct cel_ctx *ctx, const struct cel_node *at, size_t bytes)
{
    return cel_steps(ctx, at, bytes / CEL_BYTES_PER_STEP);
}

/* The first `n` arguments are strings and the rest ints, and the text of the first is paid for. */
static bool check(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_value *args,
                  size_t count, size_t n)
{
    for (size_t i = 0; i < count; i++)
        if (args[i].type != (i < n ? CEL_STRING : CEL_INT))
            return cel_no_overload(ctx, at, args, count);
    return look(ctx, at, args[0].text.len);
}

static const char *find(struct cel_bytes in, size_t from, struct cel_bytes what)
{
    if (what.len == 0)
        return in.data + from;
    return from >= in.len ? NULL : memmem(in.data + from, in.len - from, what.data, what.len);
}

static bool out_of_range(struct cel_ctx *ctx, const struct cel_node *at)
{
    return cel_fail(ctx, at, "%s(): the position is out of range", at->name);
}

CEL_CALL(cel_call_size)
{
    const struct cel_value *v = &args[0];
    switch (v->type) {
    case CEL_STRING:
        *out = cel_int((int64_t)utf8_count(v->text.data, v->text.len));
        return look(ctx, at, v->text.len);
    case CEL_BYTES:
        *out = cel_int((int64_t)v->text.len);
        return true;
    case CEL_LIST:
        *out = cel_int((int64_t)v->list.count);
        return true;
    case CEL_MAP:
        *out = cel_int((int64_t)v->map.count);
        return true;
    default:
        return cel_no_overload(ctx, at, args, count);
    }
}

CEL_CALL(cel_call_contains)
{
    if (!check(ctx, at, args, count, 2))
        return false;
    *out = cel_bool(find(args[0].text, 0, args[1].text) != NULL);
    return true;
}

CEL_CALL(cel_call_starts_with)
{
    if (!check(ctx, at, args, count, 2))
        return false;
    const struct cel_bytes s = args[0].text, head = args[1].text;
    *out = cel_bool(s.len >= head.len && (!head.len || memcmp(s.data, head.data, head.len) == 0));
    return true;
}

CEL_CALL(cel_call_ends_with)
{
    if (!check(ctx, at, args, count, 2))
        return false;
    const struct cel_bytes s = args[0].text, tail = args[1].text;
    *out = cel_bool(s.len >= tail.len &&
                    (!tail.len || memcmp(s.data + s.len - tail.len, tail.data, tail.len) == 0));
    return true;
}

static bool search(struct cel_ctx *ctx, const struct cel_node *at, const struct regex *re,
                   struct cel_bytes s, struct cel_value *out)
{
    if (s.len > REGEX_SUBJECT_MAX)
        return cel_limit(ctx, at, "matches() takes at most %d bytes", REGEX_SUBJECT_MAX);
    if (!look(ctx, at, (s.len + 1) * regex_weight(re)))
        return false;
    *out = cel_bool(regex_search(re, s.data, s.len));
    return true;
}

/* A pattern that is computed is compiled for this one call. */
static bool search_computed(struct cel_ctx *ctx, const struct cel_node *at,
                            struct cel_bytes pattern, struct cel_bytes s, struct cel_value *out)
{
    if (!cel_steps(ctx, at, PATTERN_STEPS))
        return false;
    struct arena *arena = arena_new();
    const char *why = NULL;
    const struct regex *re = regex_compile(arena, pattern.data, pattern.len, &why);
    const bool ok = re ? search(ctx, at, re, s, out) : cel_fail(ctx, at, "matches(): %s", why);
    arena_free(arena);
    return ok;
}

CEL_CALL(cel_call_matches)
{
    if (!check(ctx, at, args, count, 2))
        return false;
    return at->regex ? search(ctx, at, at->regex, args[0].text, out)
                     : search_computed(ctx, at, args[1].text, args[0].text, out);
}

/* Byte offset of code point `index` where 0 <= index <= length. */
static bool offset_of(struct cel_bytes s, int64_t index, size_t *offset)
{
    if (index < 0 || (uint64_t)index > utf8_count(s.data, s.len))
        return false;
    *offset = utf8_offset(s.data, s.len, (size_t)index);
    return true;
}

CEL_CALL(cel_call_substring)
{
    size_t begin, end = args[0].text.len;
    if (!check(ctx, at, args, count, 1))
        return false;
    const struct cel_bytes s = args[0].text;
    if (!offset_of(s, args[1].i, &begin) || (count == 3 && !offset_of(s, args[2].i, &end)) ||
        end < begin)
        return out_of_range(ctx, at);
    *out = cel_text(CEL_STRING, s.data + begin, end - begin);
    return true;
}

CEL_CALL(cel_call_char_at)
{
    size_t begin;
    if (!check(ctx, at, args, count, 1))
        return false;
    const struct cel_bytes s = args[0].text;
    if (!offset_of(s, args[1].i, &begin))
        return out_of_range(ctx, at);
    *out = cel_text(CEL_STRING, s.data + begin, utf8_offset(s.data + begin, s.len - begin, 1));
    return true;
}

CEL_CALL(cel_call_index_of)
{
    size_t from = 0;
    if (!check(ctx, at, args, count, 2))
        return false;
    const struct cel_bytes s = args[0].text;
    if (count == 3 && !offset_of(s, args[2].i, &from))
        return out_of_range(ctx, at);
    const char *p = find(s, from, args[1].text);
    *out = cel_int(p ? (int64_t)utf8_count(s.data, (size_t)(p - s.data)) : -1);
    return true;
}

CEL_CALL(cel_call_last_index_of)
{
    size_t from = args[0].text.len;
    if (!check(ctx, at, args, count, 2))
        return false;
    const struct cel_bytes s = args[0].text, what = args[1].text;
    if (count == 3 && !offset_of(s, args[2].i, &from))
        return out_of_range(ctx, at);
    if (!look(ctx, at, s.len < CEL_MEMORY_MAX ? s.len * (what.len + 1) : SIZE_MAX))
        return false;
    *out = cel_int(-1);
    if (what.len > s.len)
        return true;
    for (size_t i = from < s.len - what.len ? from : s.len - what.len;; i--) {
        if (!what.len || memcmp(s.data + i, what.data, what.len) == 0) {
            *out = cel_int((int64_t)utf8_count(s.data, i));
            return true;
        }
        if (i == 0)
            return true;
    }
}

static bool map_bytes(struct cel_ctx *ctx, const struct cel_node *at, struct cel_bytes s,
                      char first, struct cel_value *out)
{
    char *data = cel_alloc(ctx, at, 1, s.len + 1);
    if (!data)
        return false;
    for (size_t i = 0; i < s.len; i++)
        data[i] =
            s.data[i] >= first && s.data[i] <= first + 25 ? (char)(s.data[i] ^ 0x20) : s.data[i];
    *out = cel_text(CEL_STRING, data, s.len);
    return true;
}

CEL_CALL(cel_call_lower_ascii)
{
    return check(ctx, at, args, count, 1) && map_bytes(ctx, at, args[0].text, 'A', out);
}

CEL_CALL(cel_call_upper_ascii)
{
    return check(ctx, at, args, count, 1) && map_bytes(ctx, at, args[0].text, 'a', out);
}

/* White_Space of Unicode. */
static bool is_blank(uint32_t cp)
{
    return (cp >= 9 && cp <= 13) || cp == ' ' || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F ||
           cp == 0x205F || cp == 0x3000;
}

CEL_CALL(cel_call_trim)
{
    if (!check(ctx, at, args, count, 1))
        return false;
    const char *p = args[0].text.data, *const end = p + args[0].text.len;
    const char *begin = end, *last = end; /* of what stays */
    bool inside = false;
    while (p < end) {
        const char *here = p;
        if (is_blank(utf8_next(&p, end)))
            continue;
        if (!inside)
            begin = here;
        inside = true;
        last = p;
    }
    *out = cel_text(CEL_STRING, begin, inside ? (size_t)(last - begin) : 0);
    return true;
}

/* Where the next piece ends when `s` is cut at `by`; an empty `by` cuts after each code point. */
static const char *next_cut(struct cel_bytes s, size_t from, struct cel_bytes by)
{
    if (by.len > 0)
        return find(s, from, by);
    const size_t one = utf8_offset(s.data + from, s.len - from, 1);
    return from + one < s.len ? s.data + from + one : NULL;
}

static size_t count_pieces(struct cel_bytes s, struct cel_bytes by, size_t most)
{
    size_t count = 1;
    const char *cut;
    for (size_t from = 0; count < most && (cut = next_cut(s, from, by)) != NULL; count++)
        from = (size_t)(cut - s.data) + by.len;
    return count;
}

CEL_CALL(cel_call_split)
{
    if (!check(ctx, at, args, count, 2))
        return false;
    const struct cel_bytes s = args[0].text, by = args[1].text;
    const size_t most = count == 3 && args[2].i >= 0 ? (size_t)args[2].i : SIZE_MAX;
    const bool nothing = most == 0 || (s.len == 0 && by.len == 0);
    const size_t pieces = nothing ? 0 : count_pieces(s, by, most);
    struct cel_value *items = cel_alloc(ctx, at, pieces, sizeof *items);
    if (!items || !cel_steps(ctx, at, pieces))
        return false;
    size_t from = 0;
    for (size_t i = 0; i < pieces; i++) {
        const char *cut = i + 1 < pieces ? next_cut(s, from, by) : s.data + s.len;
        const size_t end = (size_t)(cut - s.data);
        items[i] = cel_text(CEL_STRING, s.data + from, end - from);
        from = end + by.len;
    }
    *out = (struct cel_value){.type = CEL_LIST, .list = {.items = items, .count = pieces}};
    return true;
}

/* All pieces with `between` between them; a list of strings. */
static bool join(struct cel_ctx *ctx, const struct cel_node *at, const struct cel_list *list,
                 struct cel_bytes between, struct cel_value *out)
{
    size_t len = 0;
    for (size_t i = 0; i < list->count; i++) {
        const struct cel_value v = cel_list_at(list, i);
        if (v.type != CEL_STRING)
            return cel_fail(ctx, at, "%s(): element %zu is not a string", at->name, i);
        len += v.text.len + (i ? between.len : 0);
    }
    char *data = cel_alloc(ctx, at, 1, len + 1), *p = data;
    if (!data || !look(ctx, at, len))
        return false;
    for (size_t i = 0; i < list->count; i++) {
        const struct cel_value v = cel_list_at(list, i);
        if (i && between.len)
            p = mempcpy(p, between.data, between.len);
        if (v.text.len)
            p = mempcpy(p, v.text.data, v.text.len);
    }
    *out = cel_text(CEL_STRING, data, len);
    return true;
}

CEL_CALL(cel_call_join)
{
    if (args[0].type != CEL_LIST || (count == 2 && args[1].type != CEL_STRING))
        return cel_no_overload(ctx, at, args, count);
    const struct cel_bytes none = {"", 0};
    return cel_steps(ctx, at, args[0].list.count) &&
           join(ctx, at, &args[0].list, count == 2 ? args[1].text : none, out);
}

CEL_CALL(cel_call_replace)
{
    if (!check(ctx, at, args, count, 3))
        return false;
    const struct cel_bytes s = args[0].text, old = args[1].text, by = args[2].text;
    const bool all = count == 3 || args[3].i < 0;
    if (old.len == 0)
        return cel_fail(ctx, at, "replace(): the text to look for is empty");
    const size_t most = all || args[3].i >= INT64_MAX ? SIZE_MAX : (size_t)args[3].i + 1;
    const size_t pieces = count_pieces(s, old, most);
    struct cel_value *items = cel_alloc(ctx, at, pieces, sizeof *items);
    if (!items || !cel_steps(ctx, at, pieces))
        return false;
    size_t from = 0;
    for (size_t i = 0; i < pieces; i++) {
        const char *cut = i + 1 < pieces ? find(s, from, old) : s.data + s.len;
        const size_t end = (size_t)(cut - s.data);
        items[i] = cel_text(CEL_STRING, s.data + from, end - from);
        from = end + old.len;
    }
    return join(ctx, at, &(struct cel_list){.items = items, .count = pieces}, by, out);
}
