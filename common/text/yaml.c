#include "common/text/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#include "common/base/mem.h"
#include "common/text/yaml_internal.h"

/* Text that aliases may multiply, keys and values together. */
#define EXPANDED_BYTES_MAX (16UL * 1024 * 1024)

struct size {
    size_t nodes, bytes, height;
};

struct anchor {
    char *name;
    json_t *value;
    struct size size;
    UT_hash_handle hh;
};

struct reader {
    const char *name;
    yaml_parser_t parser;
    struct err *err;
    size_t nodes;          /* of the whole file, aliases expanded */
    size_t expanded_bytes; /* by aliases */
    struct anchor *anchors;
    struct yaml_places *places; /* of the document at hand */
};

static void event_cleanup(yaml_event_t *event)
{
    yaml_event_delete(event); /* takes a zeroed one */
}
#define cleanup_event __attribute__((cleanup(event_cleanup)))

static void json_cleanup_value(json_t **v)
{
    json_decref(*v);
}
#define cleanup_value __attribute__((cleanup(json_cleanup_value)))

static int read_node(struct reader *r, const yaml_event_t *event, size_t depth, json_t **out);

static struct yaml_place place_of(yaml_mark_t mark)
{
    return (struct yaml_place){(int)mark.line + 1, (int)mark.column + 1};
}

static int fail(struct reader *r, struct yaml_place at, int code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static int fail(struct reader *r, struct yaml_place at, int code, const char *fmt, ...)
{
    char what[400];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    return err_set(r->err, code, "%s:%d:%d: %s", r->name, at.line, at.column, what);
}

/* What to do about the commonest messages of libyaml. */
static const char *hint_for(const char *problem)
{
    static const char *const rows[][2] = {
        {"found character that cannot start any token",
         "; put the text in quotes, and indent with spaces, not tabs"},
        {"found a tab character that violates indentation", "; indent with spaces, not tabs"},
        {"mapping values are not allowed in this context",
         "; check the indentation, or put a text that holds ': ' in quotes"},
        {"did not find expected key", "; check the indentation and the quotes above it"},
        {"could not find expected ':'", "; write ': ' after the key"},
        {"found unexpected end of stream", "; close the quotes or brackets"},
        {"did not find expected node content", "; write a value, or close the brackets above"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(problem, rows[i][0]) == 0)
            return rows[i][1];
    return "";
}

/* The reader of libyaml gives a byte offset for bad bytes and no mark. */
static struct yaml_place place_of_offset(const yaml_parser_t *parser)
{
    struct yaml_place at = {1, 1};
    const unsigned char *data = parser->input.string.start;
    const size_t len = (size_t)(parser->input.string.end - data);
    for (size_t i = 0; i < parser->problem_offset && i < len; i++) {
        if (data[i] == '\n')
            at = (struct yaml_place){at.line + 1, 1};
        else if ((data[i] & 0xC0) != 0x80)
            at.column++;
    }
    return at;
}

static int parser_error(struct reader *r)
{
    const yaml_parser_t *p = &r->parser;
    const char *problem = p->problem ? p->problem : "not YAML";
    if (p->error == YAML_READER_ERROR)
        return fail(r, place_of_offset(p), LEAT_EINPUT, "%s", problem);
    const struct yaml_place at = place_of(p->problem_mark), begun = place_of(p->context_mark);
    if (!p->context)
        return fail(r, at, LEAT_EINPUT, "%s%s", problem, hint_for(problem));
    return fail(r, at, LEAT_EINPUT, "%s, begun at %d:%d: %s%s", p->context, begun.line,
                begun.column, problem, hint_for(problem));
}

static int next_event(struct reader *r, yaml_event_t *event)
{
    return yaml_parser_parse(&r->parser, event) ? 0 : parser_error(r);
}

static int count_nodes(struct reader *r, struct yaml_place at, size_t more)
{
    r->nodes += more;
    if (r->nodes > YAML_NODES_MAX)
        return fail(r, at, LEAT_ELIMIT, "more than %d values, aliases expanded", YAML_NODES_MAX);
    return 0;
}

/* ---- anchors -------------------------------------------------------------------------------- */

static void measure(const json_t *v, struct size *size, size_t depth)
{
    size->nodes++;
    if ((json_is_array(v) || json_is_object(v)) && depth + 1 > size->height)
        size->height = depth + 1;
    if (json_is_string(v))
        size->bytes += json_string_length(v);
    size_t i;
    const json_t *item;
    json_array_foreach (v, i, item)
        measure(item, size, depth + 1);
    const char *key;
    json_object_foreach ((json_t *)(uintptr_t)v, key, item) {
        size->bytes += strlen(key);
        measure(item, size, depth + 1);
    }
}

static void anchor_free(struct reader *r, struct anchor *a)
{
    HASH_DEL(r->anchors, a);
    json_decref(a->value);
    free(a->name);
    free(a);
}

static void anchors_free(struct reader *r)
{
    struct anchor *a, *next;
    HASH_ITER (hh, r->anchors, a, next)
        anchor_free(r, a);
}

/* A name may be given again; from there on it means the later value. */
static void remember_anchor(struct reader *r, const unsigned char *name, json_t *value)
{
    if (!name)
        return;
    struct anchor *a;
    HASH_FIND_STR(r->anchors, (const char *)name, a);
    if (a)
        anchor_free(r, a);
    a = mem_alloc(sizeof *a);
    a->name = mem_string((const char *)name);
    a->value = json_incref(value);
    measure(value, &a->size, 0);
    HASH_ADD_KEYPTR(hh, r->anchors, a->name, strlen(a->name), a);
}

static int read_alias(struct reader *r, const yaml_event_t *event, size_t depth, json_t **out)
{
    const struct yaml_place at = place_of(event->start_mark);
    const char *name = (const char *)event->data.alias.anchor;
    struct anchor *a;
    HASH_FIND_STR(r->anchors, name, a);
    if (!a)
        return fail(r, at, LEAT_EINPUT,
                    "no anchor &%.60s ends before this alias; define it above, not around it",
                    name);
    if (depth + a->size.height > YAML_DEPTH_MAX)
        return fail(r, at, LEAT_ELIMIT, "nested deeper than %d levels", YAML_DEPTH_MAX);
    if (count_nodes(r, at, a->size.nodes) < 0)
        return LEAT_ELIMIT;
    r->expanded_bytes += a->size.bytes;
    if (r->expanded_bytes > EXPANDED_BYTES_MAX)
        return fail(r, at, LEAT_ELIMIT, "aliases expand to more than %lu bytes",
                    EXPANDED_BYTES_MAX);
    *out = json_deep_copy(a->value);
    return 0;
}

/* ---- nodes ---------------------------------------------------------------------------------- */

static int unknown_tag(struct reader *r, struct yaml_place at, const unsigned char *tag)
{
    return fail(r, at, LEAT_EINPUT, "the tag %.80s is not known here; remove it", tag);
}

static int read_scalar(struct reader *r, const yaml_event_t *event, json_t **out)
{
    const struct yaml_place at = place_of(event->start_mark);
    const unsigned char *tag_text = event->data.scalar.tag;
    const enum yaml_tag tag = yaml_tag_of((const char *)tag_text);
    if (tag == YAML_TAG_UNKNOWN || tag == YAML_TAG_MAP || tag == YAML_TAG_SEQ)
        return unknown_tag(r, at, tag_text);
    const char *why = NULL;
    *out = yaml_scalar((const char *)event->data.scalar.value, event->data.scalar.length,
                       event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE, tag, &why);
    if (!*out)
        return fail(r, at, LEAT_EINPUT, "%s", why ? why : "not UTF-8 text");
    return 0;
}

static int read_sequence(struct reader *r, const yaml_event_t *start, size_t depth, json_t **out)
{
    const enum yaml_tag tag = yaml_tag_of((const char *)start->data.sequence_start.tag);
    if (tag != YAML_TAG_NONE && tag != YAML_TAG_SEQ)
        return unknown_tag(r, place_of(start->start_mark), start->data.sequence_start.tag);
    cleanup_value json_t *array = json_array();
    for (size_t i = 0;; i++) {
        cleanup_event yaml_event_t event = {0};
        if (next_event(r, &event) < 0)
            return LEAT_EINPUT;
        if (event.type == YAML_SEQUENCE_END_EVENT)
            break;
        json_t *item = NULL;
        const int rc = read_node(r, &event, depth + 1, &item);
        if (rc < 0)
            return rc;
        const struct yaml_place at = place_of(event.start_mark);
        yaml_places_add(r->places, array, NULL, i, at, at);
        json_array_append_new(array, item);
    }
    *out = TAKE(array);
    return 0;
}

/* Checks that the event is a key that can stand here. */
static int check_key(struct reader *r, const yaml_event_t *event, const json_t *object)
{
    const struct yaml_place at = place_of(event->start_mark);
    if (event->type != YAML_SCALAR_EVENT)
        return fail(r, at, LEAT_EINPUT, "a key must be a plain text, not a list, map or alias");
    const char *key = (const char *)event->data.scalar.value;
    const bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (plain && !event->data.scalar.tag && strcmp(key, "<<") == 0)
        return fail(r, at, LEAT_EINPUT, "merge keys (<<) are not taken; write the members out");
    cleanup_value json_t *v = NULL;
    if (read_scalar(r, event, &v) < 0)
        return LEAT_EINPUT;
    if (!json_is_string(v))
        return fail(r, at, LEAT_EINPUT, "the key %.60s is not a text; put it in quotes",
                    *key ? key : "(nothing)");
    if (json_object_get(object, key)) {
        const struct yaml_place first = yaml_places_key(r->places, object, key);
        return fail(r, at, LEAT_EINPUT,
                    "the key \"%.60s\" is there twice, first at %d:%d; remove one", key, first.line,
                    first.column);
    }
    return 0;
}

static int read_mapping(struct reader *r, const yaml_event_t *start, size_t depth, json_t **out)
{
    const enum yaml_tag tag = yaml_tag_of((const char *)start->data.mapping_start.tag);
    if (tag != YAML_TAG_NONE && tag != YAML_TAG_MAP)
        return unknown_tag(r, place_of(start->start_mark), start->data.mapping_start.tag);
    cleanup_value json_t *object = json_object();
    for (;;) {
        cleanup_event yaml_event_t key = {0}, event = {0};
        if (next_event(r, &key) < 0)
            return LEAT_EINPUT;
        if (key.type == YAML_MAPPING_END_EVENT)
            break;
        if (check_key(r, &key, object) < 0 || next_event(r, &event) < 0)
            return LEAT_EINPUT;
        json_t *item = NULL;
        const int rc = read_node(r, &event, depth + 1, &item);
        if (rc < 0)
            return rc;
        const char *name = (const char *)key.data.scalar.value;
        yaml_places_add(r->places, object, name, 0, place_of(key.start_mark),
                        place_of(event.start_mark));
        json_object_set_new(object, name, item);
    }
    *out = TAKE(object);
    return 0;
}

static int read_collection(struct reader *r, const yaml_event_t *event, size_t depth, json_t **out)
{
    const bool map = event->type == YAML_MAPPING_START_EVENT;
    if (depth >= YAML_DEPTH_MAX)
        return fail(r, place_of(event->start_mark), LEAT_ELIMIT, "nested deeper than %d levels",
                    YAML_DEPTH_MAX);
    const int rc = map ? read_mapping(r, event, depth, out) : read_sequence(r, event, depth, out);
    if (rc == 0)
        remember_anchor(
            r, map ? event->data.mapping_start.anchor : event->data.sequence_start.anchor, *out);
    return rc;
}

/* `depth` collections are open around the node that begins with `event`. */
static int read_node(struct reader *r, const yaml_event_t *event, size_t depth, json_t **out)
{
    if (event->type == YAML_ALIAS_EVENT)
        return read_alias(r, event, depth, out);
    if (count_nodes(r, place_of(event->start_mark), 1) < 0)
        return LEAT_ELIMIT;
    if (event->type != YAML_SCALAR_EVENT)
        return read_collection(r, event, depth, out);
    const int rc = read_scalar(r, event, out);
    if (rc == 0)
        remember_anchor(r, event->data.scalar.anchor, *out);
    return rc;
}

/* ---- documents ------------------------------------------------------------------------------ */

static bool is_empty(const yaml_event_t *root)
{
    return root->type == YAML_SCALAR_EVENT && root->data.scalar.length == 0 &&
           root->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !root->data.scalar.tag &&
           !root->data.scalar.anchor;
}

static int read_document(struct reader *r, struct yaml_docs *docs)
{
    cleanup_event yaml_event_t root = {0}, end = {0};
    if (next_event(r, &root) < 0)
        return LEAT_EINPUT;
    const struct yaml_place at = place_of(root.start_mark);
    r->places = yaml_places_new(at);
    json_t *value = NULL;
    int rc = read_node(r, &root, 0, &value);
    anchors_free(r);
    if (rc == 0)
        rc = next_event(r, &end); /* the end of the document, or what is wrong behind it */
    if (rc < 0 || is_empty(&root)) {
        json_decref(value);
        yaml_places_free(TAKE(r->places));
        return rc;
    }
    yaml_places_sort(r->places);
    docs->items = mem_grow(docs->items, docs->count + 1, sizeof *docs->items);
    docs->items[docs->count++] = (struct yaml_doc){value, at.line, TAKE(r->places)};
    return 0;
}

/* libyaml compares each %TAG with all before it; no tag that needs one is taken anyway. */
static int refuse_tag_directives(struct reader *r, const char *data, size_t len)
{
    int line = 1;
    for (const char *p = data, *end = data + len; p && p < end; line++) {
        if (end - p >= 4 && memcmp(p, "%TAG", 4) == 0)
            return fail(r, (struct yaml_place){line, 1}, LEAT_EINPUT,
                        "%%TAG directives are not taken; remove the line");
        p = memchr(p, '\n', (size_t)(end - p));
        p = p ? p + 1 : NULL;
    }
    return 0;
}

static int read_stream(struct reader *r, struct yaml_docs *docs)
{
    for (;;) {
        cleanup_event yaml_event_t event = {0};
        if (next_event(r, &event) < 0)
            return LEAT_EINPUT;
        if (event.type == YAML_STREAM_END_EVENT)
            return 0;
        const int rc = event.type == YAML_DOCUMENT_START_EVENT ? read_document(r, docs) : 0;
        if (rc < 0)
            return rc;
    }
}

int yaml_read(const char *name, const char *data, size_t len, struct yaml_docs *out,
              struct err *err)
{
    *out = (struct yaml_docs){0};
    struct reader r = {.name = name, .err = err};
    int rc = refuse_tag_directives(&r, data, len);
    if (rc < 0)
        return rc;
    if (!yaml_parser_initialize(&r.parser))
        return err_set(err, LEAT_EINTERNAL, "%s: the YAML parser does not start", name);
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)data, len);
    rc = read_stream(&r, out);
    yaml_parser_delete(&r.parser);
    if (rc < 0)
        yaml_docs_free(out);
    return rc;
}

void yaml_docs_free(struct yaml_docs *docs)
{
    for (size_t i = 0; i < docs->count; i++) {
        json_decref(docs->items[i].value);
        yaml_places_free(docs->items[i].places);
    }
    free(docs->items);
    *docs = (struct yaml_docs){0};
}
