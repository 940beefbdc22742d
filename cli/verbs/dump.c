/* dump machines: the state machines that this build runs; dump cli: docs/cli.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/verb.h"
#include "common/base/states.h"
#include "common/text/json.h"

static const struct option options[] = {{"format", 0, "json|mermaid", false, "default json"},
                                        OPTION_END};

static json_t *machine_json(const struct machine *m)
{
    json_t *states = json_object();
    for (int from = 0; from < m->count; from++) {
        json_t *next = json_array();
        for (int to = 0; to < m->count; to++)
            if (machine_allows(m, from, to))
                json_array_append_new(next, json_string(machine_state_name(m, to)));
        json_object_set_new(states, machine_state_name(m, from), next);
    }
    return states;
}

static void print_mermaid(const struct machine *m)
{
    printf("stateDiagram-v2\n    %%%% %s\n", m->name);
    for (int from = 0; from < m->count; from++) {
        for (int to = 0; to < m->count; to++)
            if (machine_allows(m, from, to))
                printf("    %s --> %s\n", machine_state_name(m, from), machine_state_name(m, to));
        if (machine_is_terminal(m, from))
            printf("    %s --> [*]\n", machine_state_name(m, from));
    }
}

static int run_dump(const struct given *given, struct err *err)
{
    const char *format = given_value(given, "format", "json");
    if (strcmp(format, "mermaid") == 0) {
        for (const struct machine *const *m = MACHINE_ALL; *m; m++)
            print_mermaid(*m);
        return 0;
    }
    if (strcmp(format, "json") != 0)
        return err_set(err, LEAT_EUSAGE, "--format must be json or mermaid");
    cleanup_json json_t *all = json_object();
    for (const struct machine *const *m = MACHINE_ALL; *m; m++)
        json_object_set_new(all, (*m)->name, machine_json(*m));
    char *text = json_write_pretty(all);
    fputs(text, stdout);
    free(text);
    return 0;
}
const struct verb VERB_DUMP_MACHINES = {.name = "dump machines",
                                        .arguments = "",
                                        .summary = "Prints the state machines",
                                        .options = options,
                                        .offline = true,
                                        .run = run_dump};

static int run_dump_cli(const struct given *given, struct err *err)
{
    cleanup_text struct text out = {0};
    (void)given;
    (void)err;
    help_document(&out);
    fputs(out.data, stdout);
    return 0;
}
const struct verb VERB_DUMP_CLI = {.name = "dump cli",
                                   .arguments = "",
                                   .summary = "Prints docs/cli.md",
                                   .offline = true,
                                   .run = run_dump_cli};
