#include "cli/help.h"

#include <stdio.h>
#include <string.h>

#include "common/base/mem.h"

#define SETTINGS                                                                                   \
    "Where Leat is, in order: the option --url or\n"                                               \
    "--context, the environment (LEAT_URL, LEAT_CONTEXT; LEAT_TOKEN), the context that\n"          \
    "`leat context use` chose, http://127.0.0.1:8080.\n"
#define STATUS                                                                                     \
    "Exit status: 0 done, 1 it failed, 2 wrong usage, 3 not found, 4 refused,\n"                   \
    "5 cannot reach Leat.\n"

void help_all(struct text *out)
{
    text_puts(out, "Leat: events in, pipelines run.\n\nusage: leat VERB [ARGUMENTS] [OPTIONS]\n\n");
    for (const struct verb *const *v = VERBS; *v; v++) {
        if ((*v)->hidden)
            continue;
        cleanup_free char *usage = mem_printf("%s %s", (*v)->name, (*v)->arguments);
        text_printf(out, "  %-44s %s\n", usage, (*v)->summary);
    }
    text_puts(out, "\nleat VERB --help tells more. " SETTINGS STATUS);
}

static void put_option(const struct option *o, struct text *out)
{
    cleanup_free char *letter = o->letter ? mem_printf("-%c, ", o->letter) : mem_string("    ");
    cleanup_free char *name =
        mem_printf("%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    text_printf(out, "  %-30s %s%s\n", name, o->help, o->repeated ? " (may be repeated)" : "");
}

void help_verb(const struct verb *verb, struct text *out)
{
    text_printf(out, "usage: leat %s%s%s%s\n\n%s.\n", verb->name, *verb->arguments ? " " : "",
                verb->arguments, " [OPTIONS]", verb->summary);
    if (verb->details)
        text_printf(out, "\n%s\n", verb->details);
    text_puts(out, "\noptions:\n");
    for (const struct option *o = verb->options; o && o->name; o++)
        put_option(o, out);
    for (size_t i = 0; verb_option_of_all(verb, i); i++)
        put_option(verb_option_of_all(verb, i), out);
}

/* In a Markdown table '|' ends a cell. */
static void put_cell(const char *s, struct text *out)
{
    for (; *s; s++)
        text_printf(out, *s == '|' ? "\\%c" : "%c", *s);
}

static void document_options(const struct option *o, struct text *out)
{
    if (!o)
        return;
    text_puts(out, "| option | meaning |\n|---|---|\n");
    for (; o->name; o++) {
        text_puts(out, "| `");
        if (o->letter)
            text_printf(out, "-%c`, `", o->letter);
        text_printf(out, "--%s%s", o->name, o->value ? " " : "");
        put_cell(o->value ? o->value : "", out);
        text_puts(out, "` | ");
        put_cell(o->help, out);
        text_printf(out, "%s |\n", o->repeated ? " (may be repeated)" : "");
    }
    text_puts(out, "\n");
}

void help_document(struct text *out)
{
    text_puts(out, "<!-- Made by `make generated` from the table of verbs; do not edit. -->\n"
                   "# The command line\n\n" SETTINGS "\n" STATUS "\n"
                   "RUN may be an id, a unique prefix of one, `latest`, or `latest:PIPELINE`. "
                   "Times are local on a terminal and RFC 3339 UTC otherwise.\n\n");
    text_puts(out,
              "Every verb takes `--help`, and every one that calls the API `--context CONTEXT` and "
              "`--url URL`.\n\n");
    for (const struct verb *const *v = VERBS; *v; v++) {
        if ((*v)->hidden)
            continue;
        text_printf(out, "## leat %s\n\n`leat %s%s%s`\n\n%s.\n\n", (*v)->name, (*v)->name,
                    *(*v)->arguments ? " " : "", (*v)->arguments, (*v)->summary);
        if ((*v)->details)
            text_printf(out, "%s\n\n", (*v)->details);
        document_options((*v)->options, out);
    }
}
