/* What the table of keys says of itself: --help, docs/config.md, the first log line. */
#include <inttypes.h>
#include <string.h>

#include "common/base/config_internal.h"
#include "common/base/mem.h"

static const char *const placeholders[] = {
    [CONFIG_STRING] = "TEXT",       [CONFIG_INT] = "N",     [CONFIG_BOOL] = "",
    [CONFIG_DURATION] = "DURATION", [CONFIG_SIZE] = "SIZE", [CONFIG_ADDRESS] = "HOST:PORT",
    [CONFIG_PATH] = "PATH",         [CONFIG_ENUM] = "",
};

static void put_placeholder(const struct config_key *key, struct text *out)
{
    if (key->type != CONFIG_ENUM) {
        text_puts(out, placeholders[key->type]);
        return;
    }
    for (int i = 0; key->words[i]; i++)
        text_printf(out, "%s%s", i ? "|" : "", key->words[i]);
}

static void put_help_row(const char *flag, const char *help, const char *fallback, struct text *out)
{
    text_printf(out, "  %-30s ", flag);
    if (strlen(flag) > 30)
        text_printf(out, "\n  %-30s ", "");
    text_puts(out, help);
    if (fallback)
        text_printf(out, " (default %s)", fallback);
    text_puts(out, "\n");
}

void config_help(const struct config_program *program, struct text *out)
{
    text_printf(out, "%s: %s\n\nusage: %s [--key value]...\n\n", program->name, program->summary,
                program->name);
    for (const struct config_key *key = program->keys; key->name; key++) {
        cleanup_text struct text flag = {0};
        text_printf(&flag, "--%s ", key->name);
        put_placeholder(key, &flag);
        put_help_row(flag.data, key->help, key->secret ? NULL : key->fallback, out);
    }
    put_help_row("--config FILE", "lines `key = value`; `#` begins a comment", NULL, out);
    put_help_row("--version", "print the version", NULL, out);
    put_help_row("--document", "print the section of docs/config.md", NULL, out);
    put_help_row("--help", "print this", NULL, out);
    text_puts(out, "\nEach key is also read from the environment (--bus is LEAT_BUS) and from the "
                   "file;\na flag goes before the environment, the environment before the file.\n");
}

void config_document(const struct config_program *program, struct text *out)
{
    text_printf(out, "## %s\n\n%s.\n\n", program->name, program->summary);
    text_puts(out, "| key | value | default | meaning |\n|---|---|---|---|\n");
    for (const struct config_key *key = program->keys; key->name; key++) {
        cleanup_text struct text value = {0};
        put_placeholder(key, &value);
        text_printf(out, "| `%s` | ", key->name);
        for (const char *p = value.data ? value.data : ""; *p; p++)
            text_printf(out, *p == '|' ? "\\%c" : "%c", *p);
        text_printf(out, "%s | ", key->type == CONFIG_BOOL ? "true, false" : "");
        if (key->fallback)
            text_printf(out, "`%s`", key->fallback);
        text_printf(out, " | %s%s |\n", key->help, key->secret ? " (never printed)" : "");
    }
    text_puts(out, "\n");
}

static void put_value(const struct config_key *key, const void *at, struct text *out)
{
    const char *text = config_holds_text(key) ? *(char *const *)at : NULL;
    if (key->secret)
        text_puts(out, !config_holds_text(key) || text ? "***" : "");
    else if (config_holds_text(key))
        text_puts(out, text ? text : "");
    else if (key->type == CONFIG_BOOL)
        text_puts(out, *(const bool *)at ? "true" : "false");
    else if (key->type == CONFIG_ENUM)
        text_puts(out, key->words[*(const int *)at]);
    else
        text_printf(out, "%" PRId64 "%s", *(const int64_t *)at,
                    key->type == CONFIG_DURATION ? "us" : "");
}

void config_describe(const struct config_program *program, const void *in, struct text *out)
{
    for (const struct config_key *key = program->keys; key->name; key++) {
        text_printf(out, "%s%s=", key == program->keys ? "" : " ", key->name);
        put_value(key, (const char *)in + key->offset, out);
    }
}
