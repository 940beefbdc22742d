/* graph: a pipeline drawn as a Mermaid flowchart, out of a file or of what was applied. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client.h"
#include "cli/gather.h"
#include "common/base/mem.h"
#include "common/ir/mermaid.h"
#include "common/text/json.h"

static int draw(const json_t *json, struct err *err)
{
    cleanup_text struct text out = {0};
    struct ir *ir = ir_load(json, err);
    if (!ir)
        return err->code;
    ir_graph(ir, &out);
    fputs(out.data, stdout);
    ir_free(ir);
    return 0;
}

static int draw_file(const char *path, struct err *err)
{
    struct gathered *g = NULL;
    cleanup_text struct text problems = {0};
    int rc = gather((const char *const[]){path, NULL}, &g, err), drawn = 0;
    for (size_t i = 0; rc == 0 && i < gathered_count(g); i++)
        text_puts(&problems, gathered_problems(g, i));
    for (size_t i = 0; rc == 0 && i < bundle_count(gathered_bundle(g)); i++) {
        if (strcmp(bundle_kind(gathered_bundle(g), i), "pipeline") != 0)
            continue;
        cleanup_json json_t *ir = bundle_compile(gathered_bundle(g), i, &problems);
        rc = ir ? draw(ir, err) : 0;
        drawn++;
    }
    gathered_free(g);
    if (rc == 0 && problems.len > 0)
        fputs(problems.data, stderr);
    if (rc == 0 && drawn == 0 && problems.len == 0)
        return err_set(err, LEAT_EINPUT, "%s: there is no pipeline in it", path);
    return rc < 0 ? rc : problems.len > 0;
}

/* NAME or NAME@VERSION. */
static int draw_applied(const char *reference, struct err *err)
{
    cleanup_free char *name = mem_string(reference);
    cleanup_json json_t *answer = NULL;
    char *at = strchr(name, '@');
    if (at)
        *at++ = '\0';
    cleanup_free char *path = at ? client_path("/api/v1/pipelines/%s?version=%s", name, at)
                                 : client_path("/api/v1/pipelines/%s", name);
    const int rc = client_call("GET", path, NULL, &answer, err);
    return rc < 0 ? rc : draw(json_object_get(answer, "ir"), err);
}

/* ---- a run ---------------------------------------------------------------------------------- */

/* What the colour of a node says; of a step with many instances the first of these that one has. */
static const struct {
    const char *state, *style;
} looks[] = {
    {"failed", "fill:#f8c8c4,stroke:#b3261e"},
    {"upstream_failed", "fill:#fbe3e1,stroke:#b3261e"},
    {"cancelled", "fill:#f5e0b5,stroke:#8a6100"},
    {"cancelling", "fill:#f5e0b5,stroke:#8a6100"},
    {"running", "fill:#c7dcf7,stroke:#1b5fb3"},
    {"placed", "fill:#c7dcf7,stroke:#1b5fb3"},
    {"waiting", "fill:#fff3c4,stroke:#8a6100"},
    {"ready", "fill:#e3edfa,stroke:#1b5fb3"},
    {"succeeded", "fill:#c9e7cb,stroke:#2a7230"},
    {"pending", "fill:#f1f1f1,stroke:#767676"},
    {"skipped", "fill:#f1f1f1,stroke:#767676,stroke-dasharray:4"},
};

static size_t look_of(const char *state)
{
    size_t i = 0;
    while (i < ARRAY_LEN(looks) && strcmp(looks[i].state, state) != 0)
        i++;
    return i;
}

/* The classes that the run's steps are of, by how each is. */
static void colour(const json_t *run)
{
    const json_t *steps = json_object_get(run, "steps"), *step;
    size_t most = 0, i;
    json_array_foreach (steps, i, step)
        if ((size_t)json_get_int(step, "index", 0) >= most)
            most = (size_t)json_get_int(step, "index", 0) + 1;
    cleanup_free size_t *look = mem_array(most + 1, sizeof *look);
    for (i = 0; i < most; i++)
        look[i] = ARRAY_LEN(looks);
    json_array_foreach (steps, i, step) {
        size_t *at = &look[json_get_int(step, "index", 0)];
        const size_t own = look_of(json_get_string(step, "state", ""));
        *at = own < *at ? own : *at;
    }
    for (size_t l = 0; l < ARRAY_LEN(looks); l++) {
        size_t n = 0;
        for (i = 0; i < most; i++)
            if (look[i] == l)
                printf("%ss%zu", n++ ? "," : "    class ", i);
        if (n > 0)
            printf(" %s\n    classDef %s %s\n", looks[l].state, looks[l].state, looks[l].style);
    }
}

/* The version that a run runs, and how its steps are: an id, a unique prefix of one, latest,
 * latest:PIPELINE. */
static int draw_run(const char *run, struct err *err)
{
    cleanup_json json_t *answer = NULL;
    cleanup_free char *path = client_path("/api/v1/runs/%s", run);
    const int rc = client_call("GET", path, NULL, &answer, err);
    if (rc < 0)
        return rc;
    cleanup_free char *reference = mem_printf("%s@%s", json_get_string(answer, "pipeline", ""),
                                              json_get_string(answer, "version", ""));
    const int drawn = draw_applied(reference, err);
    if (drawn == 0)
        colour(answer);
    return drawn;
}

/* Names of pipelines come first: `latest` may be one. */
static int draw_known(const char *argument, struct err *err)
{
    struct err other = {0};
    const int rc = draw_applied(argument, err);
    if (rc != LEAT_ENOTFOUND || strchr(argument, '@'))
        return rc;
    return draw_run(argument, &other) == 0 ? 0 : rc;
}

/* What has a slash, ends as a file does, or lies there. A pipeline's name has no slash. */
static bool is_file(const char *argument)
{
    return strcmp(argument, "-") == 0 || strchr(argument, '/') ||
           text_ends_with(argument, ".yaml") || text_ends_with(argument, ".yml") ||
           access(argument, F_OK) == 0;
}

static int run_graph(const struct given *given, struct err *err)
{
    const char *argument = given_argument(given, 0);
    return is_file(argument) ? draw_file(argument, err) : draw_known(argument, err);
}
const struct verb VERB_GRAPH = {.name = "graph",
                                .arguments = "FILE|PIPELINE[@VERSION]|RUN",
                                .summary = "Draws a pipeline as a Mermaid flowchart",
                                .details =
                                    "Of a file every pipeline in it, without Leat; of a run the "
                                    "version that it runs, coloured by how its steps are. A "
                                    "dotted arrow leads to what may be skipped.",
                                .least = 1,
                                .most = 1,
                                .run = run_graph};
