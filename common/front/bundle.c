#include "common/front/bundle.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/ir/names.h"
#include "common/ir/plain.h"
#include "common/ir/source.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

struct file {
    char *name, *text;
    struct yaml_docs docs;
};

struct document {
    size_t file;
    size_t nth;     /* in it */
    json_t *ir;     /* a pipeline, once it was compiled */
    bool compiling; /* it is being asked for by what it is made of */
    bool told;      /* its problems are in somebody's list */
};

struct bundle {
    bundle_find *find;
    void *arg;
    struct file *files, *parts;
    size_t file_count, file_cap, part_count, part_cap;
    struct document *docs;
    size_t doc_count, doc_cap;
    struct text *problems; /* of the call that is under way */
};

struct bundle *bundle_new(bundle_find *find, void *arg)
{
    struct bundle *b = mem_alloc(sizeof *b);
    b->find = find;
    b->arg = arg;
    return b;
}

static void files_free(struct file *files, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(files[i].name);
        free(files[i].text);
        yaml_docs_free(&files[i].docs);
    }
    free(files);
}

void bundle_free(struct bundle *b)
{
    if (!b)
        return;
    for (size_t i = 0; i < b->doc_count; i++)
        json_decref(b->docs[i].ir);
    free(b->docs);
    files_free(b->files, b->file_count);
    files_free(b->parts, b->part_count);
    free(b);
}

static void tell(struct text *problems, const char *text)
{
    text_puts(problems, text);
    if (problems->data[problems->len - 1] != '\n')
        text_puts(problems, "\n");
}

static bool is_component(const json_t *doc)
{
    return strcmp(json_get_string(doc, "kind", ""), "component") == 0;
}

void bundle_add(struct bundle *b, const char *name, const char *text, struct text *problems)
{
    struct err err = {0};
    MEM_ROOM(b->files, b->file_count, b->file_cap);
    struct file *file = &b->files[b->file_count];
    *file = (struct file){.name = mem_string(name), .text = mem_string(text)};
    if (strlen(text) > IR_FILE_MAX)
        err_set(&err, LEAT_ELIMIT, "%.200s: a file may have 1 MiB", name);
    else
        yaml_read(name, text, strlen(text), &file->docs, &err);
    if (err.code)
        tell(problems, err.text);
    if (file->docs.count == 1 && is_component(file->docs.items[0].value))
        bundle_add_part(b, name, text);
    for (size_t i = 0; i < file->docs.count; i++) {
        MEM_ROOM(b->docs, b->doc_count, b->doc_cap);
        b->docs[b->doc_count++] = (struct document){.file = b->file_count, .nth = i};
    }
    b->file_count++;
}

void bundle_add_part(struct bundle *b, const char *name, const char *text)
{
    if (bundle_has_part(b, name))
        return;
    MEM_ROOM(b->parts, b->part_count, b->part_cap);
    b->parts[b->part_count++] = (struct file){.name = mem_string(name), .text = mem_string(text)};
}

static const struct file *find_part(const struct bundle *b, const char *name)
{
    for (size_t i = 0; i < b->part_count; i++) {
        if (strcmp(b->parts[i].name, name) == 0)
            return &b->parts[i];
    }
    return NULL;
}

bool bundle_has_part(const struct bundle *b, const char *name)
{
    return find_part(b, name) != NULL;
}

size_t bundle_count(const struct bundle *b)
{
    return b->doc_count;
}

static const struct yaml_doc *doc_of(const struct bundle *b, size_t i)
{
    return &b->files[b->docs[i].file].docs.items[b->docs[i].nth];
}

const char *bundle_kind(const struct bundle *b, size_t i)
{
    return json_get_string(doc_of(b, i)->value, "kind", "pipeline");
}

const char *bundle_file(const struct bundle *b, size_t i)
{
    return b->files[b->docs[i].file].name;
}

const char *bundle_text(const struct bundle *b, size_t i)
{
    return b->files[b->docs[i].file].text;
}

/* ---- compiling ------------------------------------------------------------------------------- */

/* The document of that kind and name, -1 = none. */
static int find_document(const struct bundle *b, const char *kind, const char *name)
{
    for (size_t i = 0; i < b->doc_count; i++) {
        const char *own = json_get_string(doc_of(b, i)->value, "name", "");
        if (strcmp(bundle_kind(b, i), kind) == 0 && strcmp(own, name) == 0)
            return (int)i;
    }
    return -1;
}

static int give(struct ir_found *out, char *bytes, const char *name)
{
    *out = (struct ir_found){bytes, strlen(bytes), mem_string(name)};
    return 0;
}

static void compile_pipeline(struct bundle *b, size_t i);

/* One that is started need not be right yet, only there: it may start this one in turn. */
static int give_pipeline(struct bundle *b, size_t i, enum ir_reference kind, const char *name,
                         struct ir_found *out, struct err *err)
{
    struct document *d = &b->docs[i];
    if (!d->ir && !d->told && !d->compiling)
        compile_pipeline(b, i);
    if (d->ir)
        return give(out, json_write(d->ir), name);
    if (kind == IR_REFERENCE_START)
        return 0;
    if (d->compiling)
        return err_set(err, LEAT_EINPUT,
                       "it is made of this one: two pipelines cannot be parts of one another");
    return err_set(err, LEAT_EINPUT, "it has problems of its own, in %.200s", bundle_file(b, i));
}

static int find_component(struct bundle *b, const char *reference, const char *from,
                          struct ir_found *out, struct err *err)
{
    cleanup_free char *path = strncmp(reference, "https://", 8) == 0
                                  ? mem_string(reference)
                                  : ir_relative(from, reference, err);
    const struct file *part = path ? find_part(b, path) : NULL;
    if (part)
        return give(out, mem_string(part->text), path);
    if (!path)
        return err->code;
    if (b->find)
        return b->find(b->arg, IR_REFERENCE_COMPONENT, path, from, out, err);
    return err_set(err, LEAT_ENOTFOUND, "%.200s was not sent along", path);
}

static int find(void *arg, enum ir_reference kind, const char *reference, const char *from,
                struct ir_found *out, struct err *err)
{
    struct bundle *b = arg;
    if (kind == IR_REFERENCE_COMPONENT)
        return find_component(b, reference, from, out, err);
    if (kind == IR_REFERENCE_IMAGE)
        return b->find ? b->find(b->arg, kind, reference, from, out, err) : 0;
    const bool limit = kind == IR_REFERENCE_LIMIT;
    const int i = find_document(b, limit ? "limit" : "pipeline", reference);
    if (i >= 0 && limit)
        return 0;
    if (i >= 0)
        return give_pipeline(b, (size_t)i, kind, reference, out, err);
    if (b->find)
        return b->find(b->arg, kind, reference, from, out, err);
    return err_set(err, LEAT_ENOTFOUND, "it is not among these files");
}

static void compile_pipeline(struct bundle *b, size_t i)
{
    struct err err = {0};
    cleanup_text struct text all = {0};
    const struct ir_resolver resolver = {find, b};
    struct document *d = &b->docs[i];
    d->compiling = true;
    json_t *ir = ir_compile(doc_of(b, i), bundle_file(b, i), &resolver, &all, &err);
    d->compiling = false;
    d->ir = ir;
    d->told = ir == NULL;
    if (!ir)
        tell(b->problems, all.len ? all.data : err.text);
}

/* A pipeline that uses the component and gives it all that it must have: whatever is wrong is in
 * the component then. JSON is YAML. */
static char *user_of(const json_t *component, const char *file)
{
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file, *name;
    cleanup_free char *reference = mem_printf("./%s", base);
    json_t *with = json_object(), *inputs = json_object(), *declared;
    json_object_foreach (json_object_get(component, "params"), name, declared) {
        if (json_is_object(declared) && !json_object_get(declared, "default"))
            json_object_set_new(with, name, json_string("${{ event.data }}"));
    }
    json_object_foreach (json_object_get(component, "inputs"), name, declared)
        json_object_set_new(inputs, name, json_pack("{s:{s:s}}", "objects", "bucket", "any"));
    cleanup_json json_t *pipeline =
        json_pack("{s:s, s:{s:{s:s, s:o, s:o}}}", "name", "user", "steps", "component", "uses",
                  reference, "with", with, "inputs", inputs);
    return json_write(pipeline);
}

/* Its own reference, so that nothing else needs to use it. */
static json_t *compile_component(struct bundle *b, size_t i, struct text *all, struct err *err)
{
    const struct ir_resolver resolver = {find, b};
    cleanup_yaml struct yaml_docs docs = {0};
    cleanup_free char *user = user_of(doc_of(b, i)->value, bundle_file(b, i));
    if (yaml_read(bundle_file(b, i), user, strlen(user), &docs, err) < 0)
        return NULL;
    cleanup_json json_t *ir = ir_compile(&docs.items[0], bundle_file(b, i), &resolver, all, err);
    return ir ? json_incref(doc_of(b, i)->value) : NULL;
}

json_t *bundle_compile(struct bundle *b, size_t i, struct text *problems)
{
    struct err err = {0};
    cleanup_text struct text all = {0};
    json_t *out = NULL;
    const char *kind = bundle_kind(b, i);
    b->problems = problems;
    if (strcmp(kind, "source") == 0) {
        out = source_compile(doc_of(b, i), bundle_file(b, i), &all, &err);
    } else if (plain_is(kind)) {
        out = plain_compile(doc_of(b, i), kind, bundle_file(b, i), &all, &err);
    } else if (strcmp(kind, "component") == 0) {
        out = compile_component(b, i, &all, &err);
    } else {
        if (!b->docs[i].ir && !b->docs[i].told)
            compile_pipeline(b, i);
        return json_incref(b->docs[i].ir);
    }
    if (!out)
        tell(problems, all.len ? all.data : err.text);
    return out;
}

/* ---- what is missing ------------------------------------------------------------------------- */

struct search {
    const struct bundle *b;
    bundle_reference *each;
    void *arg;
    const char *file; /* that is being looked through */
    struct names *seen;
    json_t *names; /* that `seen` borrows */
};

static void note(struct search *s, enum ir_reference kind, const char *name)
{
    json_t *kept = json_sprintf("%d %s", kind, name);
    json_array_append_new(s->names, kept);
    if (kept && names_add(s->seen, json_string_value(kept), 0) < 0)
        s->each(s->arg, kind, name);
}

static void note_component(struct search *s, const char *reference)
{
    struct err err = {0};
    const char *mark = strstr(reference, "@sha256:");
    cleanup_free char *name =
        mem_bytes(reference, mark ? (size_t)(mark - reference) : strlen(reference));
    const bool far = strncmp(name, "https://", 8) == 0;
    if (far ? mark == NULL : name[0] != '.')
        return; /* over https nothing is fetched that no hash can be held against */
    cleanup_free char *path = far ? mem_string(name) : ir_relative(s->file, name, &err);
    if (path && !bundle_has_part(s->b, path))
        note(s, IR_REFERENCE_COMPONENT, path);
}

static void note_limits(struct search *s, const json_t *limits)
{
    const char *name;
    json_t *value;
    size_t i;
    json_object_foreach ((json_t *)limits, name, value) {
        if (find_document(s->b, "limit", name) < 0)
            note(s, IR_REFERENCE_LIMIT, name);
    }
    json_array_foreach (limits, i, value) {
        name = json_string_value(value);
        if (name && find_document(s->b, "limit", name) < 0)
            note(s, IR_REFERENCE_LIMIT, name);
    }
}

/* Any mapping may be a step here: what is none is found out when all is compiled. */
static void look(struct search *s, const json_t *value)
{
    const char *key;
    json_t *part;
    size_t i;
    const char *uses = json_get_string(value, "uses", NULL);
    const char *pipeline = json_get_string(value, "pipeline", NULL);
    if (uses)
        note_component(s, uses);
    if (pipeline && find_document(s->b, "pipeline", pipeline) < 0)
        note(s, IR_REFERENCE_PIPELINE, pipeline);
    note_limits(s, json_object_get(value, "limits"));
    json_object_foreach ((json_t *)value, key, part)
        look(s, part);
    json_array_foreach (value, i, part)
        look(s, part);
}

static void look_in_part(struct search *s, const struct file *part)
{
    struct err err = {0};
    cleanup_yaml struct yaml_docs docs = {0};
    s->file = part->name;
    if (strlen(part->text) <= IR_FILE_MAX)
        yaml_read(part->name, part->text, strlen(part->text), &docs, &err);
    for (size_t i = 0; i < docs.count; i++)
        look(s, docs.items[i].value);
}

void bundle_missing(const struct bundle *b, bundle_reference *each, void *arg)
{
    struct search s = {
        .b = b, .each = each, .arg = arg, .seen = names_new(), .names = json_array()};
    for (size_t i = 0; i < b->doc_count; i++) {
        s.file = bundle_file(b, i);
        if (strcmp(bundle_kind(b, i), "pipeline") == 0 || is_component(doc_of(b, i)->value))
            look(&s, doc_of(b, i)->value);
    }
    for (size_t i = 0; i < b->part_count; i++)
        look_in_part(&s, &b->parts[i]);
    names_free(s.seen);
    json_decref(s.names);
}
