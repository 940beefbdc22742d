#include "cli/gather.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/files.h"
#include "cli/registry.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/http/client.h"
#include "common/ir/names.h"

#define IMAGES_MAX 1000

struct named {
    char *name, *text;
    struct text problems;
};

struct gathered {
    struct bundle *bundle;
    struct named *files;
    size_t count, cap;
    json_t *parts;   /* [{name, text}] */
    json_t *missing; /* {name: why it cannot be had} */
    json_t *wanted;  /* of one round */
    json_t *images;  /* {NAME: digest}, once they are pinned; NULL = they stay as they are named */
    struct err unpinned; /* of the first that has none */
};

static int is_yaml(const struct dirent *e)
{
    return text_ends_with(e->d_name, ".yaml") || text_ends_with(e->d_name, ".yml");
}

/* ---- files that are named -------------------------------------------------------------------- */

static int add_file(struct gathered *g, const char *path, struct err *err)
{
    size_t len;
    cleanup_free char *text = file_read(path, IR_FILE_MAX, &len, err);
    if (!text)
        return err->code;
    if (strlen(text) != len)
        return err_set(err, LEAT_EINPUT, "%s: has a NUL character in it", path);
    MEM_ROOM(g->files, g->count, g->cap);
    struct named *file = &g->files[g->count++];
    *file = (struct named){.name = mem_string(path), .text = TAKE(text)};
    bundle_add(g->bundle, file->name, file->text, &file->problems);
    return 0;
}

static int add_folder(struct gathered *g, const char *path, struct err *err)
{
    struct dirent **found = NULL;
    const int n = scandir(path, &found, is_yaml, alphasort);
    int rc = n < 1 ? err_set(err, LEAT_EINPUT, "%s: there is no .yaml file in it", path) : 0;
    for (int i = 0; i < n; i++) {
        cleanup_free char *name = mem_printf("%s/%s", path, found[i]->d_name);
        if (rc == 0)
            rc = add_file(g, name, err);
        free(found[i]);
    }
    free(found);
    return rc;
}

static int add_path(struct gathered *g, const char *path, struct err *err)
{
    struct stat st;
    const bool folder = strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode);
    return folder ? add_folder(g, path, err) : add_file(g, path, err);
}

/* ---- what they use --------------------------------------------------------------------------- */

/* Without redirects: the hash says what must come, the address from where. */
static char *fetch(const char *url, struct err *err)
{
    const char *certificates = getenv("SSL_CERT_FILE");
    const struct http_outgoing call = {.url = url,
                                       .max_answer = IR_FILE_MAX,
                                       .ca_file =
                                           certificates && *certificates ? certificates : NULL};
    struct http_incoming answer = {0};
    if (http_call(&call, NULL, NULL, &answer, err) < 0)
        return NULL;
    char *text = answer.status == 200 ? mem_bytes(answer.body, answer.len) : NULL;
    if (!text)
        err_set(err, LEAT_ENOTFOUND, "the server answers %d", answer.status);
    http_incoming_free(&answer);
    return text;
}

static void want(void *arg, enum ir_reference kind, const char *name)
{
    struct gathered *g = arg;
    if (kind == IR_REFERENCE_COMPONENT && !json_object_get(g->missing, name))
        json_array_append_new(g->wanted, json_string(name));
}

/* Only files that are called YAML: what a file names is not its reader's to give away. */
static void add_part(struct gathered *g, const char *name)
{
    struct err err = {0};
    size_t len = 0;
    char *text = NULL;
    if (text_starts_with(name, "https://"))
        text = fetch(name, &err);
    else if (text_ends_with(name, ".yaml") || text_ends_with(name, ".yml"))
        text = file_read(name, IR_FILE_MAX, &len, &err);
    else
        err_set(&err, LEAT_EINPUT, "a component file is called .yaml or .yml");
    json_t *copy = text ? json_string(text) : NULL;
    if (!copy)
        json_object_set_new(g->missing, name, json_string(text ? "is no UTF-8 text" : err.text));
    else if (json_array_size(g->parts) < BUNDLE_PARTS_MAX)
        bundle_add_part(g->bundle, name, text);
    if (copy)
        json_array_append_new(g->parts, json_pack("{s:s, s:o}", "name", name, "text", copy));
    free(text);
}

/* Round by round: a component may use others. */
static void add_parts(struct gathered *g)
{
    do {
        json_array_clear(g->wanted);
        bundle_missing(g->bundle, want, g);
        for (size_t i = 0; i < json_array_size(g->wanted); i++)
            add_part(g, json_string_value(json_array_get(g->wanted, i)));
    } while (json_array_size(g->wanted) > 0 && json_array_size(g->parts) < BUNDLE_PARTS_MAX);
}

static int find_image(struct gathered *g, const char *image, struct ir_found *out, struct err *err)
{
    char digest[REGISTRY_DIGEST];
    const json_t *known = json_object_get(g->images, image);
    int rc = 0;
    if (!g->images)
        return 0;
    if (known)
        snprintf(digest, sizeof digest, "%s", json_string_value(known));
    else if (json_object_size(g->images) == IMAGES_MAX)
        rc = err_set(err, LEAT_ELIMIT, "at most %d are pinned at once", IMAGES_MAX);
    else
        rc = registry_digest(image, digest, err);
    if (rc < 0) {
        if (!g->unpinned.code)
            err_set(&g->unpinned, rc, "image %s: %s", image, err->text);
        return rc;
    }
    json_object_set_new(g->images, image, json_string(digest));
    *out = (struct ir_found){.bytes = mem_string(digest), .len = strlen(digest)};
    return 0;
}

static int find(void *arg, enum ir_reference kind, const char *reference, const char *from,
                struct ir_found *out, struct err *err)
{
    struct gathered *g = arg;
    const char *why = json_string_value(json_object_get(g->missing, reference));
    (void)from;
    if (kind == IR_REFERENCE_IMAGE)
        return find_image(g, reference, out, err);
    if (kind == IR_REFERENCE_START || kind == IR_REFERENCE_LIMIT) {
        *out = (struct ir_found){0}; /* who knows; apply does */
        return 0;
    }
    if (kind == IR_REFERENCE_PIPELINE)
        return err_set(err, LEAT_ENOTFOUND,
                       "it is not among these files; leat apply --dry-run asks Leat for it");
    return err_set(err, LEAT_ENOTFOUND, "%.400s", why ? why : "there is no such file");
}

/* ---- all of it ------------------------------------------------------------------------------- */

static struct gathered *gathered_new(void)
{
    struct gathered *g = mem_alloc(sizeof *g);
    g->bundle = bundle_new(find, g);
    g->parts = json_array();
    g->missing = json_object();
    g->wanted = json_array();
    return g;
}

static int finish(struct gathered *g, int rc, struct gathered **out)
{
    if (rc < 0) {
        gathered_free(g);
        return rc;
    }
    add_parts(g);
    *out = g;
    return 0;
}

int gather(const char *const *paths, struct gathered **out, struct err *err)
{
    struct gathered *g = gathered_new();
    int rc = 0;
    for (; rc == 0 && *paths; paths++)
        rc = add_path(g, *paths, err);
    return finish(g, rc, out);
}

int gather_given(const struct given *given, struct gathered **out, struct err *err)
{
    struct gathered *g = gathered_new();
    const char *path;
    int rc = 0;
    for (size_t i = 0; rc == 0 && (path = given_argument(given, i)) != NULL; i++)
        rc = add_path(g, path, err);
    return finish(g, rc, out);
}

void gathered_free(struct gathered *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->count; i++) {
        free(g->files[i].name);
        free(g->files[i].text);
        text_free(&g->files[i].problems);
    }
    free(g->files);
    bundle_free(g->bundle);
    json_decref(g->parts);
    json_decref(g->missing);
    json_decref(g->wanted);
    json_decref(g->images);
    free(g);
}

void gathered_pin_images(struct gathered *g)
{
    g->images = json_object();
}

int gathered_find_images(struct gathered *g, struct err *err)
{
    cleanup_text struct text problems = {0}; /* Leat tells them */
    for (size_t i = 0; i < bundle_count(g->bundle); i++)
        json_decref(bundle_compile(g->bundle, i, &problems));
    return g->unpinned.code ? err_set(err, g->unpinned.code, "%s", g->unpinned.text) : 0;
}

struct bundle *gathered_bundle(struct gathered *g)
{
    return g->bundle;
}

size_t gathered_count(const struct gathered *g)
{
    return g->count;
}

const char *gathered_name(const struct gathered *g, size_t i)
{
    return g->files[i].name;
}

const char *gathered_problems(const struct gathered *g, size_t i)
{
    return g->files[i].problems.len ? g->files[i].problems.data : "";
}

void gathered_tell_missing(const struct gathered *g)
{
    const char *name;
    json_t *why;
    json_object_foreach (g->missing, name, why) {
        const char *text = json_string_value(why);
        const bool named = text_starts_with(text, name);
        fprintf(stderr, "leat: %s%s%s\n", named ? "" : name, named ? "" : ": ", text);
    }
}

json_t *gathered_body(const struct gathered *g)
{
    json_t *files = json_array();
    for (size_t i = 0; i < g->count; i++) {
        json_t *text = json_string(g->files[i].text);
        json_array_append_new(files, json_pack("{s:s, s:o}", "name", g->files[i].name, "text",
                                               text ? text : json_string("")));
    }
    return json_pack("{s:o, s:O, s:O*}", "files", files, "parts", g->parts, "images", g->images);
}
