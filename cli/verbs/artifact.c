/* artifact get: a file, or a folder by its manifest. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/client.h"
#include "cli/files.h"
#include "common/base/mem.h"
#include "common/store/store.h"
#include "common/text/json.h"

static const struct option options[] = {
    {"output", 'o', "FILE", false, "where to; default: the output's name; - is standard output"},
    OPTION_END};

static int get_file(const char *folder, const json_t *file, struct err *err)
{
    const char *name = json_get_string(file, "path", "");
    struct http_incoming in = {0};
    if (!store_name_ok(name))
        return err_set(err, LEAT_EINPUT, "the artifact names a file that would lie outside it");
    cleanup_free char *path = mem_printf("%s/%s", folder, name);
    cleanup_free char *from =
        client_path("/api/v1/objects/%s", json_get_string(file, "sha256", ""));
    int rc = file_make_parents(path, 0777, err);
    if (rc == 0)
        rc = client_raw("GET", from, NULL, 0, &in, err);
    if (rc < 0)
        return rc;
    rc = file_write(path, in.body, in.len, err);
    http_incoming_free(&in);
    return rc;
}

static int get_folder(const char *folder, const struct http_incoming *in, struct err *err)
{
    cleanup_json json_t *manifest = json_read(in->body, in->len, NULL, err);
    const json_t *files = json_object_get(manifest, "files"), *file;
    size_t i;
    int rc = manifest ? 0 : LEAT_EINPUT;
    if (strcmp(folder, "-") == 0)
        return err_set(err, LEAT_EUSAGE, "the artifact is a folder: give a folder to put it in");
    if (rc == 0 && mkdir(folder, 0777) != 0 && errno != EEXIST)
        return err_errno(err, errno, "%s", folder);
    json_array_foreach (files, i, file)
        if (rc == 0)
            rc = get_file(folder, file, err);
    return rc;
}

static int run_get(const struct given *given, struct err *err)
{
    const char *name = given_argument(given, 1);
    struct http_incoming in = {0};
    cleanup_free char *path =
        client_path("/api/v1/runs/%s/artifacts/%s", given_argument(given, 0), name);
    int rc = client_raw("GET", path, NULL, 0, &in, err);
    if (rc < 0)
        return rc;
    const char *folder = http_incoming_header(&in, "Leat-Folder");
    const char *dot = strrchr(name, '.');
    const char *target = given_value(given, "output", dot ? dot + 1 : name);
    rc = folder && strcmp(folder, "true") == 0 ? get_folder(target, &in, err)
                                               : file_write(target, in.body, in.len, err);
    http_incoming_free(&in);
    return rc;
}
const struct verb VERB_ARTIFACT_GET = {.name = "artifact get",
                                       .arguments = "RUN STEP.OUTPUT",
                                       .summary = "Fetches an artifact",
                                       .least = 2,
                                       .most = 2,
                                       .options = options,
                                       .run = run_get};
