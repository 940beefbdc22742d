/* `uses:`: fetching a component file, once however often it is used. */
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/front/front.h"
#include "common/text/json.h"
#include "schema/gen/files.h"

#define HASH_MARK "@sha256:"

bool front_resolve(struct front *f, enum ir_reference kind, const char *reference,
                   struct ir_found *out)
{
    static const char *const KEYS[] = {[IR_REFERENCE_PIPELINE] = "pipeline",
                                       [IR_REFERENCE_START] = "start",
                                       [IR_REFERENCE_COMPONENT] = "uses",
                                       [IR_REFERENCE_LIMIT] = "limits",
                                       [IR_REFERENCE_IMAGE] = "image"};
    struct err err = {0};
    if (!f->resolver)
        front_problem(f,
                      "%s %s: nothing but this file is read here; check it by leat validate, or "
                      "by leat apply --dry-run",
                      KEYS[kind], reference);
    else if (f->resolver->find(f->resolver->arg, kind, reference, f->unit->file, out, &err) < 0)
        front_problem(f, "%s %s: %s", KEYS[kind], reference, err.text);
    else
        return true;
    return false;
}

struct front_unit *front_new_unit(struct front *f, const struct yaml_doc *doc, const char *file)
{
    struct front_unit *unit = arena_alloc(f->arena, sizeof *unit);
    *unit = (struct front_unit){.file = arena_text(f->arena, file),
                                .place = "",
                                .doc = doc,
                                .root = doc->value,
                                .params_out = json_array(),
                                .params = names_new(),
                                .user_vars = names_new()};
    MEM_ROOM(f->units, f->unit_count, f->unit_cap);
    f->units[f->unit_count++] = unit;
    return unit;
}

static bool is_yaml(const char *reference, const char *mark)
{
    cleanup_free char *name =
        mem_bytes(reference, mark ? (size_t)(mark - reference) : strlen(reference));
    return text_ends_with(name, ".yaml") || text_ends_with(name, ".yml");
}

/* The reference without its hash; *hash is "" where it has none. NULL and told when it is wrong. */
static char *cut_hash(struct front *f, const char *reference, const char **hash)
{
    const char *mark = strstr(reference, HASH_MARK);
    const bool far = text_starts_with(reference, "https://");
    *hash = mark ? mark + strlen(HASH_MARK) : "";
    if (!far && !text_starts_with(reference, "./") && !text_starts_with(reference, "../"))
        front_problem(f, "uses: write ./FILE, relative to this file, or https://…" HASH_MARK "HEX");
    else if (!far && !is_yaml(reference, mark))
        front_problem(f, "uses: a component file is called .yaml or .yml");
    else if (mark && (strlen(*hash) != 64 || strspn(*hash, "0123456789abcdef") != 64))
        front_problem(f, "uses: " HASH_MARK " is followed by 64 of 0-9 a-f");
    else if (far && !mark)
        front_problem(f, "uses: what comes over https must be named with its hash, "
                         "https://…" HASH_MARK "HEX; sha256sum FILE prints it");
    else
        return mark ? mem_bytes(reference, (size_t)(mark - reference)) : mem_string(reference);
    return NULL;
}

/* A program or steps, and nothing of the other. */
static void check_root(struct front *f)
{
    static const char *const OF_STEPS[] = {
        "kind",    "name",  "description", "params",          "inputs",
        "outputs", "steps", "finally",     "finally_timeout", "defaults"};
    const json_t *root = f->unit->root;
    const char *key;
    json_t *value;
    if (!json_object_get(root, "steps")) {
        front_check_keys(f, root, FRONT_PROGRAM);
        return;
    }
    json_object_foreach ((json_t *)root, key, value) {
        size_t i = 0;
        while (i < ARRAY_LEN(OF_STEPS) && strcmp(OF_STEPS[i], key) != 0)
            i++;
        front_at(f, key, NULL);
        if (i == ARRAY_LEN(OF_STEPS))
            front_key_problem(f,
                              "%s: a component of steps has no %s: put it on the steps inside, "
                              "or on the step that uses it",
                              key, key);
    }
    front_at(f, NULL);
}

static void check_names(struct front *f)
{
    const char *name;
    json_t *input;
    json_object_foreach (json_object_get(f->unit->root, "inputs"), name, input) {
        front_at(f, "inputs", name, NULL);
        front_plain_name(f, "input", name);
    }
    front_at(f, "inputs", NULL);
    front_few(f, "inputs", json_object_get(f->unit->root, "inputs"), IR_ENTRIES_MAX);
}

/* The one document of the file, checked; false and told when it is no component. */
static bool read_unit(struct front *f, struct front_unit *unit)
{
    struct front_unit *user = f->unit;
    front_use(f, unit);
    const bool fits = front_fits_schema(f, &SCHEMA_COMPONENT);
    if (fits) {
        front_params(f);
        check_names(f);
        front_at(f, NULL);
        check_root(f);
    }
    front_use(f, user);
    return fits;
}

static struct front_unit *new_part(struct front *f, const struct ir_found *found)
{
    struct err err = {0};
    struct yaml_docs docs = {0};
    const char *kind = NULL;
    if (found->len > IR_FILE_MAX)
        front_problem(f, "uses: %s is over 1 MiB", found->name);
    else if (!front_spend(f, found->len))
        return NULL;
    else if (yaml_read(found->name, found->bytes, found->len, &docs, &err) < 0)
        front_problem(f, "uses: %s", err.text);
    else if (docs.count != 1)
        front_problem(f, "uses: %s has %zu documents; a component file has one", found->name,
                      docs.count);
    else if (kind = json_get_string(docs.items[0].value, "kind", "pipeline"),
             strcmp(kind, "component") != 0)
        front_problem(f, "uses: %s is of kind %s: write kind: component in it", found->name, kind);
    else {
        struct front_unit *unit = front_new_unit(f, &docs.items[0], found->name);
        unit->docs = docs;
        return unit;
    }
    yaml_docs_free(&docs);
    return NULL;
}

static struct front_unit *find_unit(const struct front *f, const char *origin)
{
    for (size_t i = 1; i < f->unit_count; i++) {
        if (strcmp(f->units[i]->origin, origin) == 0)
            return f->units[i];
    }
    return NULL;
}

/* Where it lies from the pipeline's file, so that the version is the same whatever folder that is
 * in. NULL and told when it cannot be said. */
static char *place_of(struct front *f, const char *name)
{
    struct err err = {0};
    if (text_starts_with(name, "https://"))
        return mem_string(name);
    char *place = ir_relative(f->unit->place, name, &err);
    if (!place)
        front_problem(f, "uses %s: %s", name, err.text);
    return place;
}

/* The unit behind what was found. A file that fits no schema stays, marked as broken by having no
 * root, so that it is told once. */
static struct front_unit *take_in(struct front *f, const struct ir_found *found, const char *place,
                                  const char *hex)
{
    cleanup_free char *origin = mem_printf("%s" HASH_MARK "%s", place, hex);
    struct front_unit *unit = find_unit(f, origin);
    if (unit)
        return unit;
    if (f->unit_count > FRONT_UNITS_MAX) {
        front_problem(f, "uses: more than %d component files", FRONT_UNITS_MAX);
        return NULL;
    }
    unit = new_part(f, found);
    if (!unit)
        return NULL;
    unit->place = arena_text(f->arena, place);
    unit->origin = arena_text(f->arena, origin);
    if (!read_unit(f, unit))
        unit->root = NULL;
    return unit;
}

static struct front_unit *fetch(struct front *f, const char *name, const char *hash)
{
    struct ir_found found = {0};
    struct front_unit *unit = NULL;
    char hex[SHA256_HEX];
    cleanup_free char *place = place_of(f, name);
    if (!place || !front_resolve(f, IR_REFERENCE_COMPONENT, name, &found))
        return NULL;
    sha256_hex(found.bytes, found.len, hex);
    if (*hash && strcmp(hash, hex) != 0)
        front_problem(f, "uses: %s has another content: its sha256 is %s", name, hex);
    else
        unit = take_in(f, &found, place, hex);
    ir_found_free(&found);
    return unit;
}

static bool is_inside_itself(struct front *f, size_t step, const struct front_unit *part)
{
    int32_t at = (int32_t)step;
    while ((at = f->dags[f->step[at].dag].group) >= 0 && f->step[at].part != part)
        continue;
    if (at >= 0)
        front_problem(f, "uses: %s uses itself, by %s and %s", part->file, f->step[at].name,
                      f->step[step].name);
    return at >= 0;
}

struct front_unit *front_open(struct front *f, size_t step)
{
    const char *reference = json_get_string(f->step[step].source, "uses", ""), *hash;
    front_at_step(f, step, "uses", NULL);
    cleanup_free char *name = cut_hash(f, reference, &hash);
    if (!name)
        return NULL;
    cleanup_free char *key = mem_printf("%s %s", f->unit->file, reference);
    const int32_t there = names_find(f->opened, key);
    struct front_unit *part = there < 0 ? fetch(f, name, hash) : f->units[there];
    if (!part)
        return NULL;
    for (size_t i = 0; there < 0 && i < f->unit_count; i++) {
        if (f->units[i] == part)
            names_add(f->opened, arena_text(f->arena, key), (int32_t)i);
    }
    return !part->root || is_inside_itself(f, step, part) ? NULL : part;
}
