#include "common/schema/check.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/text/json.h"

#define PROBLEMS_MAX 100

struct checker {
    schema_problem *problem;
    void *arg;
    int found;
    struct text pointer;
    struct {
        const char *pattern; /* of a schema, so the address tells it apart */
        regex_t re;
    } regexes[8];
    size_t regex_count;
};

static void report(struct checker *c, const char *text)
{
    if (c->found++ < PROBLEMS_MAX && c->problem)
        c->problem(c->arg, c->pointer.data ? c->pointer.data : "", text);
}

static void pop_to(struct checker *c, size_t len)
{
    c->pointer.len = len;
    if (c->pointer.data)
        c->pointer.data[len] = '\0';
}

static unsigned type_of(const json_t *v)
{
    static const unsigned types[] = {
        [JSON_OBJECT] = SCHEMA_OBJECT, [JSON_ARRAY] = SCHEMA_ARRAY,
        [JSON_STRING] = SCHEMA_STRING, [JSON_INTEGER] = SCHEMA_INTEGER | SCHEMA_NUMBER,
        [JSON_REAL] = SCHEMA_NUMBER,   [JSON_TRUE] = SCHEMA_BOOLEAN,
        [JSON_FALSE] = SCHEMA_BOOLEAN, [JSON_NULL] = SCHEMA_NULL,
    };
    return types[json_typeof(v)];
}

static void report_type(struct checker *c, unsigned types)
{
    static const struct {
        unsigned bit;
        const char *name;
    } names[] = {{SCHEMA_OBJECT, "a mapping"}, {SCHEMA_ARRAY, "a list"},
                 {SCHEMA_STRING, "text"},      {SCHEMA_INTEGER, "a whole number"},
                 {SCHEMA_NUMBER, "a number"},  {SCHEMA_BOOLEAN, "true or false"},
                 {SCHEMA_NULL, "null"}};
    cleanup_text struct text t = {0};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (types & names[i].bit)
            text_printf(&t, "%s%s", t.len ? " or " : "must be ", names[i].name);
    report(c, t.data);
}

/* Compiled once for each check: a file of 10,000 steps holds as many names. */
static const regex_t *compiled(struct checker *c, const char *pattern)
{
    size_t i = 0;
    while (i < c->regex_count && c->regexes[i].pattern != pattern)
        i++;
    if (i < c->regex_count)
        return &c->regexes[i].re;
    if (i == ARRAY_LEN(c->regexes))
        regfree(&c->regexes[--i].re);
    if (regcomp(&c->regexes[i].re, pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        c->regex_count = i;
        return NULL;
    }
    c->regexes[i].pattern = pattern;
    c->regex_count = i + 1;
    return &c->regexes[i].re;
}

static bool matches(struct checker *c, const char *pattern, const char *s)
{
    const regex_t *re = compiled(c, pattern);
    return re && regexec(re, s, 0, NULL, 0) == 0;
}

static void check_words(struct checker *c, const struct schema_node *n, const char *s)
{
    size_t count = 0;
    for (; n->words[count]; count++)
        if (strcmp(n->words[count], s) == 0)
            return;
    cleanup_text struct text t = {0};
    for (size_t i = 0; i < count; i++)
        text_printf(&t, "%s%s", i ? ", " : "must be one of ", n->words[i]);
    const char *near = text_nearest(s, n->words);
    if (near)
        text_printf(&t, "; did you mean '%s'?", near);
    report(c, t.data);
}

static void check_string(struct checker *c, const struct schema_node *n, const json_t *v)
{
    cleanup_text struct text t = {0};
    const char *s = json_string_value(v);
    const size_t len = json_string_length(v);
    if (n->words) {
        check_words(c, n, s);
        return;
    }
    if (len < n->min_length)
        text_puts(&t, n->min_length == 1 ? "must not be empty" : "is too short");
    else if (n->max_length && len > n->max_length)
        text_printf(&t, "is longer than %zu characters", n->max_length);
    else if (n->pattern && !matches(c, n->pattern, s))
        text_printf(&t, "must %s", n->names_hint ? n->names_hint : "have another form");
    if (t.data)
        report(c, t.data);
}

static void check_number(struct checker *c, const struct schema_node *n, const json_t *v)
{
    cleanup_text struct text t = {0};
    const double x = json_number_value(v);
    if (n->has_least && (x < n->least || (n->least_excluded && x <= n->least)))
        text_printf(&t, "must be %s %.15g", n->least_excluded ? "more than" : "at least", n->least);
    else if (n->has_most && x > n->most)
        text_printf(&t, "must be at most %.15g", n->most);
    if (t.data)
        report(c, t.data);
}

static void check_value(struct checker *c, const struct schema_node *n, const json_t *v);

static void check_array(struct checker *c, const struct schema_node *n, const json_t *v)
{
    cleanup_text struct text t = {0};
    const size_t count = json_array_size(v), len = c->pointer.len;
    if (count < n->min_items)
        text_printf(&t, "must have at least %zu entries, has %zu", n->min_items, count);
    else if (n->max_items && count > n->max_items)
        text_printf(&t, "must have at most %zu entries, has %zu", n->max_items, count);
    if (t.data) {
        report(c, t.data);
        return;
    }
    for (size_t i = 0; n->items && i < count; i++) {
        json_pointer_add_index(&c->pointer, i);
        check_value(c, n->items, json_array_get(v, i));
        pop_to(c, len);
    }
}

static const struct schema_node *find_property(const struct schema_node *n, const char *name)
{
    for (size_t i = 0; i < n->property_count; i++)
        if (strcmp(n->properties[i].name, name) == 0)
            return n->properties[i].node;
    return NULL;
}

static void report_unknown(struct checker *c, const struct schema_node *n, const char *name)
{
    cleanup_free const char **words = mem_array(n->property_count + 1, sizeof *words);
    for (size_t i = 0; i < n->property_count; i++)
        words[i] = n->properties[i].name;
    const char *near = text_nearest(name, words);
    cleanup_text struct text t = {0};
    text_puts(&t, near ? "unknown key" : "unknown key; known here:");
    if (near)
        text_printf(&t, "; did you mean '%s'?", near);
    for (size_t i = 0; !near && i < n->property_count; i++)
        text_printf(&t, "%s %s", i ? "," : "", words[i]);
    report(c, t.data);
}

static void check_member(struct checker *c, const struct schema_node *n, const char *name,
                         const json_t *member)
{
    const struct schema_node *known = find_property(n, name);
    if (known) {
        check_value(c, known, member);
    } else if (n->closed) {
        report_unknown(c, n, name);
    } else if (n->names && !matches(c, n->names, name)) {
        cleanup_text struct text t = {0};
        text_printf(&t, "a name here must %s", n->names_hint);
        report(c, t.data);
    } else if (n->additional) {
        check_value(c, n->additional, member);
    }
}

static void check_object(struct checker *c, const struct schema_node *n, const json_t *v)
{
    const size_t len = c->pointer.len;
    const char *name;
    json_t *member;
    json_object_foreach ((json_t *)v, name, member) {
        json_pointer_add(&c->pointer, name);
        check_member(c, n, name, member);
        pop_to(c, len);
    }
    for (size_t i = 0; i < n->property_count; i++) {
        if (!n->properties[i].required || json_object_get(v, n->properties[i].name))
            continue;
        cleanup_text struct text t = {0};
        text_printf(&t, "'%s' is missing", n->properties[i].name);
        report(c, t.data);
    }
}

/* oneOf: the first alternative that takes values of this type. */
static void check_alternatives(struct checker *c, const struct schema_node *n, const json_t *v)
{
    unsigned all = 0;
    for (const struct schema_node *const *a = n->alternatives; *a; a++) {
        if ((*a)->types == 0 || ((*a)->types & type_of(v))) {
            check_value(c, *a, v);
            return;
        }
        all |= (*a)->types;
    }
    report_type(c, all);
}

static void check_value(struct checker *c, const struct schema_node *n, const json_t *v)
{
    const unsigned type = type_of(v);
    if (n->alternatives)
        check_alternatives(c, n, v);
    else if (n->types && !(n->types & type))
        report_type(c, n->types);
    else if (type & SCHEMA_STRING)
        check_string(c, n, v);
    else if (type & SCHEMA_NUMBER)
        check_number(c, n, v);
    else if (type & SCHEMA_ARRAY)
        check_array(c, n, v);
    else if (type & SCHEMA_OBJECT)
        check_object(c, n, v);
}

int schema_check(const struct schema_node *schema, const json_t *value, schema_problem *problem,
                 void *arg)
{
    struct checker c = {.problem = problem, .arg = arg};
    check_value(&c, schema, value);
    text_free(&c.pointer);
    for (size_t i = 0; i < c.regex_count; i++)
        regfree(&c.regexes[i].re);
    return c.found;
}
