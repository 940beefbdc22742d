/* cli/verb.h: what a verb of the CLI is. Each lives in a file of its own (cli/verb_NAME.c, or a
 * folder where it takes several) and defines one `const struct verb VERB_NAME`; cli/verbs.h lists
 * them. Parsing, --help, completion and docs/cli.md come from the same tables. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "common/base/err.h"

struct option {
    const char *name;  /* "output": --output VALUE, --output=VALUE */
    char letter;       /* 'o': -o VALUE, -oVALUE; 0 = none */
    const char *value; /* what the value is called in --help; NULL = a flag without a value */
    bool repeated;     /* may be given more than once */
    const char *help;
};

#define OPTION_END                                                                                 \
    {                                                                                              \
        0                                                                                          \
    }
/* Every verb that makes a run has it. */
#define OPTION_NO_CACHE                                                                            \
    {                                                                                              \
        "no-cache", 0, NULL, false,                                                                \
            "no step takes an earlier result; what it gives may be taken later"                    \
    }
/* Every verb that shows something has it. */
#define OPTION_OUTPUT                                                                              \
    {                                                                                              \
        "output", 'o', "FORMAT", false, "table, wide, json, yaml or name"                          \
    }

struct given; /* the parsed command line of one verb */

struct verb {
    const char *name;             /* "run", or two words: "secret set" */
    const char *arguments;        /* "RUN [STEP]" */
    const char *summary;          /* one line */
    const char *details;          /* more for --help; NULL = none */
    int least, most;              /* positional arguments; most -1 = any number */
    const struct option *options; /* ends with OPTION_END; NULL = none */
    bool offline;                 /* calls no API: --url and --context are not among its options */
    bool hidden;                  /* for programs: not in --help, docs or completion */
    /* Exit status >= 0, or < 0 with err set (err_exit_status gives the status). */
    int (*run)(const struct given *given, struct err *err);
};

/* Value of an option as given last; `fallback` when it was not. A flag given has the value "". */
const char *given_value(const struct given *given, const char *name, const char *fallback);
bool given_flag(const struct given *given, const char *name);
/* The n-th value of a repeated option; NULL past the last. */
const char *given_nth(const struct given *given, const char *name, size_t n);
/* The n-th positional argument; NULL past the last. */
const char *given_argument(const struct given *given, size_t n);

/* Refuses what the verb does not have, naming the nearest option (LEAT_EUSAGE). Options and
 * arguments may be mixed; "--" ends the options. */
int given_parse(const struct verb *verb, int argc, char *const *argv, struct given **out,
                struct err *err);
void given_free(struct given *given); /* takes NULL */

extern const struct verb *const VERBS[]; /* ends with NULL */
/* Options of every verb: --help; of those that are not offline also --context and --url. The n-th,
 * NULL past the last. */
const struct option *verb_option_of_all(const struct verb *verb, size_t n);
/* The option of a word's name or letter, those of every verb included; NULL = none. */
const struct option *verb_option(const struct verb *verb, const char *name, size_t len);
const struct option *verb_option_letter(const struct verb *verb, char letter);

/* The verb that argv begins with (two words before one) and how many words it took; NULL = none. */
const struct verb *verb_find(int argc, char *const *argv, int *words);
