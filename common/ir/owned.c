/* What an IR has compiled. Equal texts share one result: of 10,000 steps that say /bin/true there
 * is one template, and freeing it needs no walk over the steps. */
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "common/ir/load.h"
#include "common/text/cel.h"
#include "common/text/template.h"

#define COMPILED_GUESS 6 /* bytes held for a byte of source, about */

struct compiled {
    char *source;
    union {
        struct template *template;
        struct cel *cel;
    };
    UT_hash_handle hh;
};

struct ir_owned *owned_new(void)
{
    struct ir_owned *owned = mem_alloc(sizeof *owned);
    owned->steps = names_new();
    owned->kept = json_array();
    return owned;
}

static struct compiled *find(struct compiled *head, const char *source)
{
    struct compiled *c = NULL;
    HASH_FIND_STR(head, source, c);
    return c;
}

static struct compiled *add(struct compiled **head, const char *source)
{
    struct compiled *c = mem_alloc(sizeof *c);
    c->source = mem_string(source);
    HASH_ADD_KEYPTR(hh, *head, c->source, strlen(c->source), c);
    return c;
}

struct template *load_template_text(struct loader *l, const char *source)
{
    struct err err = {0};
    struct compiled *c = find(l->ir->owned->templates, source);
    if (c)
        return c->template;
    struct template *t = template_compile(source, &err);
    if (!t) {
        load_fail(l, "text %s", err.text);
        return NULL;
    }
    add(&l->ir->owned->templates, source)->template = t;
    return t;
}

struct cel *load_cel(struct loader *l, const json_t *obj, const char *key)
{
    struct err err = {0};
    const json_t *source = json_object_get(obj, key);
    if (!source)
        return NULL;
    if (!json_is_string(source)) {
        load_fail(l, "%s: must be text", key);
        return NULL;
    }
    struct compiled *c = find(l->ir->owned->cels, json_string_value(source));
    if (c)
        return c->cel;
    struct cel *cel = cel_compile(json_string_value(source), &err);
    if (!cel) {
        load_fail(l, "%s: expression %s", key, err.text);
        return NULL;
    }
    add(&l->ir->owned->cels, json_string_value(source))->cel = cel;
    return cel;
}

json_t *load_kept(struct loader *l, json_t *value)
{
    if (value)
        json_array_append(l->ir->owned->kept, value);
    return value;
}

static void drop(struct compiled **head, struct compiled *c)
{
    HASH_DEL(*head, c);
    free(c->source);
    free(c);
}

void owned_free(struct ir_owned *owned)
{
    struct compiled *c, *next;
    if (!owned)
        return;
    HASH_ITER (hh, owned->templates, c, next) {
        template_free(c->template);
        drop(&owned->templates, c);
    }
    HASH_ITER (hh, owned->cels, c, next) {
        cel_free(c->cel);
        drop(&owned->cels, c);
    }
    names_free(owned->steps);
    json_decref(owned->kept);
    free(owned);
}

static size_t hash_bytes(const struct compiled *head)
{
    size_t bytes = HASH_OVERHEAD(hh, head);
    for (const struct compiled *c = head; c; c = c->hh.next)
        bytes += sizeof *c + strlen(c->source) * COMPILED_GUESS;
    return bytes;
}

size_t owned_bytes(const struct ir_owned *owned)
{
    return sizeof *owned + names_bytes(owned->steps) + hash_bytes(owned->templates) +
           hash_bytes(owned->cels);
}
