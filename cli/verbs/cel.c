/* cel: evaluates an expression. Offline. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/files.h"
#include "cli/output.h"
#include "cli/yaml.h"
#include "common/base/mem.h"
#include "common/text/cel.h"
#include "common/text/json.h"

#define VARS_MAX 256

static const struct option options[] = {
    {"vars", 0, "FILE", false, "variables: a JSON object by name"}, OPTION_OUTPUT, OPTION_END};

static json_t *read_vars(const char *path, struct err *err)
{
    size_t len;
    if (!path)
        return json_object();
    cleanup_free char *text = file_read(path, JSON_BYTES_MAX, &len, err);
    json_t *vars = text ? json_read(text, len, NULL, err) : NULL;
    if (!vars) {
        if (text)
            err_wrap(err, "%s", path);
        return NULL;
    }
    if (json_is_object(vars) && json_object_size(vars) <= VARS_MAX)
        return vars;
    json_decref(vars);
    err_set(err, LEAT_EINPUT, "%s: must be a JSON object of at most %d variables", path, VARS_MAX);
    return NULL;
}

static int run_cel(const struct given *given, struct err *err)
{
    struct cel_var items[VARS_MAX];
    struct cel_vars vars = {.items = items};
    const char *name;
    json_t *value;
    int rc = output_check(given, err);
    if (rc < 0)
        return rc;
    cleanup_json json_t *all = read_vars(given_value(given, "vars", NULL), err);
    cleanup_cel struct cel *cel = all ? cel_compile(given_argument(given, 0), err) : NULL;
    if (!cel)
        return LEAT_EINPUT;
    json_object_foreach (all, name, value)
        items[vars.count++] = (struct cel_var){name, value};
    cleanup_json json_t *result = cel_eval_json(cel, &vars, err);
    if (!result)
        return LEAT_EINPUT;
    cleanup_text struct text out = {0};
    if (output_is(given, "yaml")) {
        yaml_write(result, &out);
    } else {
        cleanup_free char *text =
            output_is(given, "json") ? json_write(result) : output_text(result);
        text_printf(&out, "%s\n", text);
    }
    fputs(out.data, stdout);
    return 0;
}
const struct verb VERB_CEL = {.name = "cel",
                              .arguments = "EXPR",
                              .summary = "Evaluates an expression",
                              .least = 1,
                              .most = 1,
                              .options = options,
                              .offline = true,
                              .run = run_cel};
