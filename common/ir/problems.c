#include "common/ir/problems.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

typedef bool locate_fn(const struct yaml_doc *, const char *, int *, int *);

static bool is_told(const struct problems *p, const struct problem *one)
{
    for (size_t i = 0; i < p->count; i++) {
        const struct problem *other = &p->items[i];
        if (other->line == one->line && other->column == one->column &&
            strcmp(other->file, one->file) == 0 && strcmp(other->text, one->text) == 0)
            return true;
    }
    return false;
}

static void keep(struct problems *p, locate_fn *locate, const char *pointer, const char *fmt,
                 va_list ap)
{
    p->found++;
    if (problems_full(p))
        return;
    struct problem item = {.file = p->file, .main = p->main, .order = p->count};
    if (vasprintf(&item.text, fmt, ap) < 0)
        abort(); /* out of memory */
    locate(p->doc, pointer, &item.line, &item.column);
    if (is_told(p, &item)) {
        free(item.text);
        p->found--;
        return;
    }
    MEM_ROOM(p->items, p->count, p->cap);
    p->items[p->count++] = item;
}

void problem_at(struct problems *p, const char *pointer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    keep(p, yaml_locate, pointer, fmt, ap);
    va_end(ap);
}

void problem_vat(struct problems *p, const char *pointer, const char *fmt, va_list ap)
{
    keep(p, yaml_locate, pointer, fmt, ap);
}

void problem_at_key(struct problems *p, const char *pointer, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    keep(p, yaml_locate_key, pointer, fmt, ap);
    va_end(ap);
}

bool problems_full(const struct problems *p)
{
    return p->count >= PROBLEMS_KEPT;
}

static int by_place(const void *a, const void *b)
{
    const struct problem *x = a, *y = b;
    const int files = strcmp(x->file, y->file);
    if (x->main != y->main)
        return x->main ? -1 : 1;
    if (files != 0)
        return files;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    if (x->column != y->column)
        return x->column < y->column ? -1 : 1;
    return x->order < y->order ? -1 : 1;
}

int problems_tell(struct problems *p, size_t most, struct text *all, struct err *err)
{
    if (p->count == 0)
        return 0;
    qsort(p->items, p->count, sizeof *p->items, by_place);
    const struct problem *first = &p->items[0];
    const size_t told = p->count < most ? p->count : most;
    for (size_t i = 0; all && i < told; i++)
        text_printf(all, "%s:%d:%d: %s\n", p->items[i].file, p->items[i].line, p->items[i].column,
                    p->items[i].text);
    if (all && p->found > told)
        text_printf(all, "%s: and %zu more\n", p->file, p->found - told);
    return err_set(err, LEAT_EINPUT, "%s:%d:%d: %s", first->file, first->line, first->column,
                   first->text);
}

void problems_free(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->items[i].text);
    free(p->items);
    *p = (struct problems){.doc = p->doc, .file = p->file};
}
