/* common/base/config.h: settings of a daemon, declared once in a table.
 * For each key, in order: --key VALUE or --key=VALUE, LEAT_KEY (dashes are underscores), the file
 * of --config FILE or LEAT_CONFIG (lines `key = value`, `#` begins a comment, "…" keeps spaces and
 * #), the table's default. Whatever is unknown is refused with its place and the nearest name. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "common/base/err.h"
#include "common/base/text.h"

enum config_type {
    CONFIG_STRING,   /* char *; NULL when not given */
    CONFIG_INT,      /* int64_t */
    CONFIG_BOOL,     /* bool; true|false|yes|no|on|off|1|0; the flag alone means true */
    CONFIG_DURATION, /* int64_t, microseconds: "500ms" "10s" "5m" "2h" "14d" */
    CONFIG_SIZE,     /* int64_t, bytes: "512" "64KiB" "25MiB" "5GiB" */
    CONFIG_ADDRESS,  /* char *, checked as HOST:PORT */
    CONFIG_PATH,     /* char *, not empty; "~" is not expanded */
    CONFIG_ENUM,     /* int, the index into `words` */
};

struct config_key {
    const char *name; /* "listen": --listen, LEAT_LISTEN, listen = … */
    enum config_type type;
    size_t offset;            /* of the field in the daemon's struct */
    const char *fallback;     /* default as text, NULL = not set (0, false, first word) */
    int64_t least, most;      /* INT, DURATION, SIZE; both 0 = any that is not negative */
    const char *const *words; /* ENUM: names, ends with NULL */
    bool secret;              /* never printed */
    bool required;            /* an empty or missing value is refused */
    const char *help;         /* one line */
};

/* {CONFIG_KEY(struct worker_config, slots, "slots", CONFIG_INT), .fallback = "4", …} */
#define CONFIG_KEY(type_, field, name_, kind)                                                      \
    .name = (name_), .type = (kind), .offset = offsetof(type_, field)

struct config_program {
    const char *name;              /* "leat-worker" */
    const char *summary;           /* one line */
    const struct config_key *keys; /* ends with a row whose name is NULL */
};

enum config_told { CONFIG_GO = 0, CONFIG_TOLD = 1 };

/* Fills *out (zeroed by the caller) from argv, the process's environment and the file.
 * CONFIG_GO: start. CONFIG_TOLD: --help, --version or --document was printed on standard output,
 * exit 0. < 0: LEAT_EUSAGE (flag) or LEAT_EINPUT (environment, file: "leat.conf:3:1: …"); *out is
 * then freed already. Strings in *out are the caller's: config_free. Positional arguments are
 * refused.
 */
int config_load(const struct config_program *program, int argc, char *const *argv, void *out,
                struct err *err);
void config_free(const struct config_program *program, void *out);

/* Sets one key from text, as the sources do; for `leat up`, which passes settings on. */
int config_set(const struct config_key *key, const char *value, void *out, struct err *err);

void config_help(const struct config_program *program, struct text *out);
/* A section of docs/config.md. */
void config_document(const struct config_program *program, struct text *out);
/* "key=value …" of what is in force, secrets as "***"; for the first log line. */
void config_describe(const struct config_program *program, const void *in, struct text *out);
