/* validate (offline) and apply. */
#include <stdio.h>
#include <string.h>

#include "cli/client.h"
#include "cli/gather.h"
#include "cli/output.h"
#include "common/base/mem.h"
#include "common/text/json.h"

/* Problems of one file to standard error; whether there are any. */
static bool is_wrong(struct gathered *g, size_t nth)
{
    struct bundle *b = gathered_bundle(g);
    cleanup_text struct text problems = {0};
    text_puts(&problems, gathered_problems(g, nth));
    bool wrong = problems.len > 0;
    for (size_t i = 0; i < bundle_count(b); i++) {
        if (strcmp(bundle_file(b, i), gathered_name(g, nth)) != 0)
            continue;
        cleanup_json json_t *out = bundle_compile(b, i, &problems);
        wrong = wrong || !out;
    }
    fputs(problems.data, stderr);
    return wrong;
}

#define OPTION_PIN_IMAGES                                                                          \
    {                                                                                              \
        "pin-images", 0, NULL, false, "images by the digests that their tags have now"             \
    }

static const struct option validate_options[] = {OPTION_PIN_IMAGES, OPTION_END};

static int run_validate(const struct given *given, struct err *err)
{
    struct gathered *g = NULL;
    bool wrong = false;
    const int rc = gather_given(given, &g, err);
    if (rc == 0 && given_flag(given, "pin-images"))
        gathered_pin_images(g);
    for (size_t i = 0; rc == 0 && i < gathered_count(g); i++) {
        if (is_wrong(g, i))
            wrong = true;
        else
            printf("%s: fine\n", gathered_name(g, i));
    }
    gathered_free(g);
    return rc < 0 ? rc : wrong;
}
const struct verb VERB_VALIDATE = {.name = "validate",
                                   .arguments = "FILE|DIR...",
                                   .summary = "Checks files without Leat",
                                   .least = 1,
                                   .most = -1,
                                   .offline = true,
                                   .options = validate_options,
                                   .run = run_validate};

static const struct option apply_options[] = {
    {"dry-run", 0, NULL, false, "say what would change, or why it would be refused"},
    OPTION_PIN_IMAGES,
    OPTION_OUTPUT,
    OPTION_END};
static const struct column apply_columns[] = {
    {"NAME", "/name", ALWAYS},     {"KIND", "/kind", ALWAYS},     {"ACTION", "/action", ALWAYS},
    {"NUMBER", "/number", ALWAYS}, {"VERSION", "/version", WIDE}, COLUMN_END};

static int run_apply(const struct given *given, struct err *err)
{
    struct gathered *g = NULL;
    cleanup_json json_t *answer = NULL;
    int rc = output_check(given, err);
    if (rc == 0)
        rc = gather_given(given, &g, err);
    if (rc == 0 && given_flag(given, "pin-images")) {
        gathered_pin_images(g);
        rc = gathered_find_images(g, err);
    }
    if (rc < 0) {
        gathered_free(g);
        return rc;
    }
    const char *path =
        given_flag(given, "dry-run") ? "/api/v1/apply?dry_run=true" : "/api/v1/apply";
    cleanup_json json_t *body = gathered_body(g);
    rc = client_call("POST", path, body, &answer, err);
    if (rc < 0)
        gathered_tell_missing(g);
    gathered_free(g);
    if (rc < 0)
        return rc;
    output_warnings(answer);
    output_list(given, json_object_get(answer, "items"), apply_columns);
    return 0;
}
const struct verb VERB_APPLY = {
    .name = "apply",
    .arguments = "FILE|DIR...",
    .summary = "Makes pipelines and sources what the files say, all or none",
    .details = "With --pin-images each image that is named by a tag is taken by the digest\n"
               "that the tag has now, of which its registry is asked: so that it stays the\n"
               "same until the next apply, and its steps may have a cache. Logins are those\n"
               "of docker login.",
    .least = 1,
    .most = -1,
    .options = apply_options,
    .run = run_apply};
