#include "cli/output.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/took.h"
#include "cli/yaml.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define COLUMNS_MAX  16
#define VALUE_MAX    60 /* columns of a list or mapping in a table */
#define TIME_PATTERN 19 /* characters of 2026-01-31T12:00:00 */

#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define BLUE   "\033[34m"

static const char *const formats[] = {"table", "wide", "json", "yaml", "name", NULL};

bool output_is(const struct given *given, const char *format)
{
    return strcmp(given_value(given, "output", "table"), format) == 0;
}

int output_check(const struct given *given, struct err *err)
{
    for (const char *const *f = formats; *f; f++)
        if (output_is(given, *f))
            return 0;
    return err_set(err, LEAT_EUSAGE, "--output must be table, wide, json, yaml or name");
}

/* Times print in local time on a terminal and as RFC 3339 otherwise. */
static char *time_text(const char *s)
{
    int64_t us;
    char text[32];
    struct tm tm;
    if (strlen(s) < TIME_PATTERN || s[10] != 'T' || clock_parse(s, &us) < 0)
        return NULL;
    if (!isatty(STDOUT_FILENO)) {
        clock_format(us, text);
        return mem_string(text);
    }
    const time_t seconds = (time_t)(us / US_PER_S);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &tm));
    return mem_string(text);
}

char *output_text(const json_t *value)
{
    if (!value || json_is_null(value))
        return mem_string("");
    if (!json_is_string(value))
        return json_write(value);
    char *time = time_text(json_string_value(value));
    return time ? time : mem_string(json_string_value(value));
}

static bool show_whole(const struct given *given, const json_t *v)
{
    if (output_is(given, "json")) {
        cleanup_free char *text = json_write_pretty(v);
        fputs(text, stdout);
        return true;
    }
    if (!output_is(given, "yaml"))
        return false;
    cleanup_text struct text out = {0};
    yaml_write(v, &out);
    fputs(out.data, stdout);
    return true;
}

/* ---- tables ------------------------------------------------------------------------------------
 */

/* Columns that people see: bytes that continue a UTF-8 character take none. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Bytes of a control character at s: C0 and DEL one, C1 (as UTF-8) two, otherwise 0. */
static size_t control_length(const char *s)
{
    const unsigned char c = (unsigned char)s[0], next = c ? (unsigned char)s[1] : 0;
    if (c < 0x20 || c == 0x7f)
        return 1;
    return c == 0xc2 && next >= 0x80 && next < 0xa0 ? 2 : 0;
}

static const json_t *value_of(const json_t *item, const struct column *column)
{
    return column->pointer ? json_pointer((json_t *)item, column->pointer) : NULL;
}

/* A cell is one line, and what events and steps wrote cannot steer the terminal. */
static char *cell(const json_t *item, const struct column *column)
{
    char *took = column->pointer == OUTPUT_TOOK ? took_text(item) : NULL;
    char *text = took ? took : output_text(value_of(item, column));
    for (char *p = text; *p; p++)
        memset(p, ' ', control_length(p));
    return text;
}

/* Colour only where a person looks, and where the person did not refuse it (no-color.org). */
static bool is_coloured(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

const char *output_colour(const char *word)
{
    static const struct {
        const char *word, *colour;
    } words[] = {
        {"succeeded", GREEN},     {"ok", GREEN},       {"active", GREEN},    {"failed", RED},
        {"timed_out", RED},       {"lost", RED},       {"wrong", RED},       {"unreachable", RED},
        {"upstream_failed", RED}, {"running", BLUE},   {"placed", BLUE},     {"ready", BLUE},
        {"warning", YELLOW},      {"waiting", YELLOW}, {"queued", YELLOW},   {"cancelling", YELLOW},
        {"cancelled", YELLOW},    {"paused", YELLOW},  {"draining", YELLOW},
    };
    if (!is_coloured())
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i].word, word) == 0)
            return words[i].colour;
    return NULL;
}

static bool has_one(const json_t *items, const struct column *column)
{
    const json_t *item;
    size_t i;
    json_array_foreach (items, i, item) {
        const json_t *value = value_of(item, column);
        if (value && !json_is_null(value))
            return true;
    }
    return false;
}

static size_t choose(const struct given *given, const json_t *items, const struct column *all,
                     const struct column **out)
{
    size_t n = 0;
    for (; all->title && n < COLUMNS_MAX; all++)
        if (all->shown == ALWAYS || (all->shown == WIDE && output_is(given, "wide")) ||
            (all->shown == RARE && has_one(items, all)))
            out[n++] = all;
    return n;
}

static void print_cell(const char *text, size_t width, bool last)
{
    const char *colour = output_colour(text);
    printf("%s%s%s", colour ? colour : "", text, colour ? OUTPUT_PLAIN : "");
    for (size_t n = width_of(text); !last && n < width + 2; n++)
        putchar(' ');
    if (last)
        putchar('\n');
}

/* In a table, where what follows has to be found too; -o wide and json have all of it. */
static void cut(char *text)
{
    char *at = text;
    for (size_t columns = 1; *at && columns < VALUE_MAX; columns++)
        do
            at++;
        while (((unsigned char)*at & 0xc0) == 0x80);
    if (strlen(at) >= sizeof "…" - 1) /* as long as what takes its place */
        memcpy(at, "…", sizeof "…");
}

static char *table_cell(const json_t *item, const struct column *column, bool whole)
{
    char *text = cell(item, column);
    const json_t *value = value_of(item, column);
    if (!whole && (json_is_object(value) || json_is_array(value)))
        cut(text);
    return text;
}

static void show_table(const json_t *items, const struct column *const *columns, size_t n,
                       bool whole)
{
    size_t width[COLUMNS_MAX], i;
    const json_t *item;
    for (size_t c = 0; c < n; c++)
        width[c] = width_of(columns[c]->title);
    json_array_foreach (items, i, item)
        for (size_t c = 0; c < n; c++) {
            cleanup_free char *text = table_cell(item, columns[c], whole);
            if (width_of(text) > width[c])
                width[c] = width_of(text);
        }
    for (size_t c = 0; c < n; c++)
        print_cell(columns[c]->title, width[c], c + 1 == n);
    json_array_foreach (items, i, item)
        for (size_t c = 0; c < n; c++) {
            cleanup_free char *text = table_cell(item, columns[c], whole);
            print_cell(text, width[c], c + 1 == n);
        }
}

void output_list(const struct given *given, const json_t *items, const struct column *columns)
{
    const struct column *chosen[COLUMNS_MAX];
    const json_t *item;
    size_t i;
    if (show_whole(given, items))
        return;
    if (!output_is(given, "name")) {
        show_table(items, chosen, choose(given, items, columns, chosen), output_is(given, "wide"));
        return;
    }
    json_array_foreach (items, i, item) {
        cleanup_free char *name = cell(item, &columns[0]);
        puts(name);
    }
}

void output_object(const struct given *given, const json_t *object, const struct column *columns)
{
    if (show_whole(given, object))
        return;
    for (const struct column *c = columns; c->title; c++) {
        cleanup_free char *text = cell(object, c);
        if (output_is(given, "name")) {
            puts(text);
            return;
        }
        if (!*text || (c->shown == WIDE && !output_is(given, "wide")))
            continue;
        printf("%-12s ", c->title);
        print_cell(text, 0, true);
    }
}

void output_warnings(const json_t *answer)
{
    size_t i;
    json_t *text;
    json_array_foreach (json_object_get(answer, "warnings"), i, text)
        fprintf(stderr, "warning: %s\n", json_string_value(text));
}
