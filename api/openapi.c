#include <string.h>

#include "api/api.h"
#include "api/routes.h"
#include "common/base/mem.h"
#include "common/base/text.h"

static const struct {
    const char *method, *pattern, *summary;
} described[] = {
#define R(method, pattern, handler, access, body, summary) {method, pattern, summary},
    API_ROUTE_LIST(R)
#undef R
};

/* "/runs/:run/logs/:step" -> "/runs/{run}/logs/{step}", with its parameters. */
static char *path_of(const char *pattern, json_t *parameters)
{
    struct text out = {0};
    for (const char *p = pattern; *p;) {
        const size_t n = strcspn(p, ":");
        text_append(&out, p, n);
        p += n;
        if (!*p)
            break;
        const size_t len = strcspn(++p, "/");
        text_printf(&out, "{%.*s}", (int)len, p);
        json_array_append_new(parameters,
                              json_pack("{s:s%, s:s, s:b, s:{s:s}}", "name", p, len, "in", "path",
                                        "required", 1, "schema", "type", "string"));
        p += len;
    }
    return text_take(&out);
}

static const char *lower(const char *method)
{
    static const char *const methods[][2] = {
        {"GET", "get"}, {"POST", "post"}, {"PUT", "put"}, {"DELETE", "delete"}};
    for (size_t i = 0; i < ARRAY_LEN(methods); i++)
        if (strcmp(methods[i][0], method) == 0)
            return methods[i][1];
    return "get";
}

json_t *openapi_document(void)
{
    json_t *paths = json_object();
    for (size_t i = 0; i < ARRAY_LEN(described); i++) {
        json_t *parameters = json_array();
        cleanup_free char *path = path_of(described[i].pattern, parameters);
        json_t *item = json_object_get(paths, path);
        if (!item)
            json_object_set_new(paths, path, item = json_object());
        json_object_set_new(item, lower(described[i].method),
                            json_pack("{s:s, s:o, s:{s:{s:s}, s:{s:s}}}", "summary",
                                      described[i].summary, "parameters", parameters, "responses",
                                      "2XX", "description", "done", "default", "description",
                                      "application/problem+json (RFC 9457)"));
    }
    return json_pack("{s:s, s:{s:s, s:s}, s:o}", "openapi", "3.1.0", "info", "title", "Leat",
                     "version", LEAT_VERSION, "paths", paths);
}

void api_openapi(struct http_request *req, void *arg)
{
    (void)arg;
    api_answer_json(req, openapi_document());
}
