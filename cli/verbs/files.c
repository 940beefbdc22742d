/* validate (offline) and apply. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/client.h"
#include "cli/files.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/ir/ir.h"
#include "common/ir/source.h"
#include "common/text/json.h"
#include "common/text/yaml.h"

struct names {
    char **list;
    size_t count, cap;
};

static void names_free(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
}

static void add_name(struct names *n, char *name)
{
    MEM_ROOM(n->list, n->count, n->cap);
    n->list[n->count++] = name;
}

static int is_yaml(const struct dirent *e)
{
    return text_ends_with(e->d_name, ".yaml") || text_ends_with(e->d_name, ".yml");
}

/* A folder stands for the YAML files in it, in the order of their names. */
static int expand(const struct given *given, struct names *out, struct err *err)
{
    const char *path;
    for (size_t i = 0; (path = given_argument(given, i)) != NULL; i++) {
        struct stat st;
        struct dirent **found = NULL;
        if (strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
            const int n = scandir(path, &found, is_yaml, alphasort);
            for (int k = 0; k < n; k++) {
                add_name(out, mem_printf("%s/%s", path, found[k]->d_name));
                free(found[k]);
            }
            free(found);
            if (n < 1)
                return err_set(err, LEAT_EINPUT, "%s: there is no .yaml file in it", path);
        } else {
            add_name(out, mem_string(path));
        }
    }
    return 0;
}

/* Problems of one file to standard error; how many documents are wrong. */
static int validate(const char *path, struct err *err)
{
    size_t len;
    int wrong = 0;
    cleanup_yaml struct yaml_docs docs = {0};
    cleanup_free char *text = file_read(path, IR_FILE_MAX, &len, err);
    if (!text)
        return err->code;
    if (yaml_read(path, text, len, &docs, err) < 0) {
        fprintf(stderr, "%s\n", err->text);
        return 1;
    }
    for (size_t i = 0; i < docs.count; i++) {
        struct err why = {0};
        cleanup_text struct text all = {0};
        const char *kind = json_get_string(docs.items[i].value, "kind", "pipeline");
        cleanup_json json_t *out = strcmp(kind, "source") == 0
                                       ? source_compile(&docs.items[i], path, &all, &why)
                                       : ir_compile(&docs.items[i], path, &all, &why);
        if (!out)
            fprintf(stderr, "%s\n", all.len ? all.data : why.text);
        wrong += !out;
    }
    return wrong;
}

static int run_validate(const struct given *given, struct err *err)
{
    struct names names = {0};
    int wrong = 0, rc = expand(given, &names, err);
    for (size_t i = 0; rc >= 0 && i < names.count; i++) {
        rc = validate(names.list[i], err);
        wrong += rc > 0;
        if (rc == 0)
            printf("%s: fine\n", names.list[i]);
    }
    names_free(&names);
    return rc < 0 ? rc : wrong ? 1 : 0;
}
const struct verb VERB_VALIDATE = {.name = "validate",
                                   .arguments = "FILE|DIR...",
                                   .summary = "Checks files without Leat",
                                   .least = 1,
                                   .most = -1,
                                   .offline = true,
                                   .run = run_validate};

static const struct option apply_options[] = {
    {"dry-run", 0, NULL, false, "say what would change"}, OPTION_OUTPUT, OPTION_END};
static const struct column apply_columns[] = {
    {"NAME", "/name", false},     {"KIND", "/kind", false},      {"ACTION", "/action", false},
    {"NUMBER", "/number", false}, {"VERSION", "/version", true}, COLUMN_END};

static json_t *read_files(const struct names *names, struct err *err)
{
    json_t *files = json_array();
    for (size_t i = 0; i < names->count; i++) {
        size_t len;
        cleanup_free char *text = file_read(names->list[i], IR_FILE_MAX, &len, err);
        json_t *body = text ? json_stringn(text, len) : NULL;
        if (!body) {
            if (text)
                err_set(err, LEAT_EINPUT, "%s: is not UTF-8", names->list[i]);
            json_decref(files);
            return NULL;
        }
        json_array_append_new(files, json_pack("{s:s, s:o}", "name", names->list[i], "text", body));
    }
    return files;
}

static int run_apply(const struct given *given, struct err *err)
{
    struct names names = {0};
    cleanup_json json_t *body = json_object();
    cleanup_json json_t *answer = NULL;
    int rc = output_check(given, err);
    if (rc == 0)
        rc = expand(given, &names, err);
    json_t *files = rc == 0 ? read_files(&names, err) : NULL;
    if (files) {
        json_object_set_new(body, "files", files);
        const bool dry = given_flag(given, "dry-run");
        rc = client_call("POST", dry ? "/api/v1/apply?dry_run=true" : "/api/v1/apply", body,
                         &answer, err);
    } else if (rc == 0) {
        rc = err->code;
    }
    names_free(&names);
    if (rc < 0)
        return rc;
    output_list(given, json_object_get(answer, "items"), apply_columns);
    return 0;
}
const struct verb VERB_APPLY = {.name = "apply",
                                .arguments = "FILE|DIR...",
                                .summary =
                                    "Makes pipelines and sources what the files say, all or none",
                                .least = 1,
                                .most = -1,
                                .options = apply_options,
                                .run = run_apply};
