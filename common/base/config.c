#include "common/base/config.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/address.h"
#include "common/base/config_internal.h"
#include "common/base/mem.h"

/* ---- values --------------------------------------------------------------------------------- */

static void *field(const struct config_key *key, void *out)
{
    return (char *)out + key->offset;
}

bool config_holds_text(const struct config_key *key)
{
    return key->type == CONFIG_STRING || key->type == CONFIG_ADDRESS || key->type == CONFIG_PATH;
}

static int set_text(const struct config_key *key, const char *value, void *at, struct err *err)
{
    struct address unused;
    if (key->type == CONFIG_ADDRESS && address_parse(value, &unused, err) != 0)
        return LEAT_EINPUT;
    if (key->type == CONFIG_PATH && !*value)
        return err_set(err, LEAT_EINPUT, "the path is empty");
    free(*(char **)at);
    *(char **)at = mem_string(value);
    return 0;
}

static int set_bool(const struct config_key *key, const char *value, void *at, struct err *err)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    (void)key;
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(words[i], value) == 0) {
            *(bool *)at = i % 2 == 1;
            return 0;
        }
    return err_set(err, LEAT_EINPUT, "'%s' is not true or false", value);
}

static int set_enum(const struct config_key *key, const char *value, void *at, struct err *err)
{
    cleanup_text struct text all = {0};
    for (int i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], value) == 0) {
            *(int *)at = i;
            return 0;
        }
        text_printf(&all, "%s%s", i ? ", " : "", key->words[i]);
    }
    return err_set(err, LEAT_EINPUT, "'%s' is none of: %s", value, all.data);
}

static bool read_number(const struct config_key *key, const char *value, int64_t *number)
{
    long long integer;
    if (key->type == CONFIG_DURATION)
        return text_to_duration(value, number);
    if (key->type == CONFIG_SIZE)
        return text_to_size(value, number);
    if (!text_to_int(value, INT64_MIN, INT64_MAX, &integer))
        return false;
    *number = integer;
    return true;
}

static int set_number(const struct config_key *key, const char *value, void *at, struct err *err)
{
    static const char *const wanted[] = {[CONFIG_INT] = "a whole number",
                                         [CONFIG_DURATION] = "a duration such as 500ms, 10s or 5m",
                                         [CONFIG_SIZE] = "a size such as 64KiB or 25MiB"};
    static const char *const units[] = {
        [CONFIG_INT] = "", [CONFIG_DURATION] = " µs", [CONFIG_SIZE] = " bytes"};
    int64_t number;
    if (!read_number(key, value, &number))
        return err_set(err, LEAT_EINPUT, "'%s' is not %s", value, wanted[key->type]);
    const bool any = key->least == 0 && key->most == 0;
    if (any ? number < 0 : number < key->least || number > key->most)
        return err_set(err, LEAT_EINPUT, "%s is not from %lld to %lld%s", value,
                       (long long)key->least, any ? INT64_MAX : (long long)key->most,
                       units[key->type]);
    *(int64_t *)at = number;
    return 0;
}

int config_set(const struct config_key *key, const char *value, void *out, struct err *err)
{
    typedef int setter(const struct config_key *, const char *, void *, struct err *);
    static setter *const setters[] = {
        [CONFIG_STRING] = set_text,     [CONFIG_INT] = set_number,  [CONFIG_BOOL] = set_bool,
        [CONFIG_DURATION] = set_number, [CONFIG_SIZE] = set_number, [CONFIG_ADDRESS] = set_text,
        [CONFIG_PATH] = set_text,       [CONFIG_ENUM] = set_enum,
    };
    struct err why = {0};
    const int rc = setters[key->type](key, value, field(key, out), &why);
    if (rc != 0) /* a secret must not show in the error either */
        return err_set(err, rc, "%s: %s", key->name, key->secret ? "bad value" : why.text);
    return 0;
}

void config_free(const struct config_program *program, void *out)
{
    for (const struct config_key *key = program->keys; key->name; key++) {
        if (!config_holds_text(key))
            continue;
        char **text = field(key, out);
        if (key->secret && *text)
            mem_wipe(*text, strlen(*text));
        free(*text);
        *text = NULL;
    }
}

/* ---- names ---------------------------------------------------------------------------------- */

const struct config_key *config_find(const struct config_program *program, const char *name,
                                     size_t len)
{
    for (const struct config_key *key = program->keys; key->name; key++)
        if (strlen(key->name) == len && memcmp(key->name, name, len) == 0)
            return key;
    return NULL;
}

int config_unknown(const struct config_program *program, const char *name, struct err *err)
{
    const char **names = NULL;
    size_t count = 0, cap = 0;
    for (const struct config_key *key = program->keys; key->name; key++) {
        MEM_ROOM(names, count, cap);
        names[count++] = key->name;
    }
    MEM_ROOM(names, count, cap);
    names[count] = NULL;
    const char *nearest = text_nearest(name, names);
    free(names);
    if (nearest)
        return err_set(err, LEAT_EINPUT, "there is no key '%.100s', did you mean '%s'?", name,
                       nearest);
    return err_set(err, LEAT_EINPUT, "there is no key '%.100s' (see %s --help)", name,
                   program->name);
}

void config_variable(const char *name, struct text *out)
{
    text_puts(out, "LEAT_");
    for (; *name; name++) {
        const char c = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
        text_append(out, &c, 1);
    }
}

/* ---- flags ---------------------------------------------------------------------------------- */

struct flag {
    const struct config_key *key;
    const char *value;
};

struct flags {
    struct flag *set;
    size_t count, cap;
    const char *file;
    bool help, version, document;
};

static bool is_told(const struct flags *flags)
{
    return flags->help || flags->version || flags->document;
}

/* Value of a flag: after '=', or the next argument (not for a bool, whose presence is enough). */
static const char *flag_value(const char *equals, bool is_bool, int argc, char *const *argv, int *i)
{
    if (equals)
        return equals + 1;
    if (is_bool)
        return "true";
    return *i + 1 < argc ? argv[++*i] : NULL;
}

static int read_flag(const struct config_program *program, int argc, char *const *argv, int *i,
                     struct flags *flags, struct err *err)
{
    const char *arg = argv[*i];
    if (!text_starts_with(arg, "--") || !arg[2])
        return err_set(err, LEAT_EUSAGE, "'%.100s' is not a flag (see %s --help)", arg,
                       program->name);
    const char *name = arg + 2, *equals = strchr(name, '=');
    const size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const bool is_file = len == strlen("config") && memcmp(name, "config", len) == 0;
    flags->help |= strcmp(name, "help") == 0;
    flags->version |= strcmp(name, "version") == 0;
    flags->document |= strcmp(name, "document") == 0;
    if (is_told(flags))
        return 0;
    const struct config_key *key = is_file ? NULL : config_find(program, name, len);
    if (!key && !is_file) {
        cleanup_free char *copy = mem_bytes(name, len);
        config_unknown(program, copy, err);
        return err_set(err, LEAT_EUSAGE, "%s", err->text);
    }
    const char *value = flag_value(equals, key && key->type == CONFIG_BOOL, argc, argv, i);
    if (!value)
        return err_set(err, LEAT_EUSAGE, "--%s needs a value", name);
    if (is_file) {
        flags->file = value;
        return 0;
    }
    MEM_ROOM(flags->set, flags->count, flags->cap);
    flags->set[flags->count++] = (struct flag){key, value};
    return 0;
}

static int apply_flags(const struct flags *flags, void *out, struct err *err)
{
    for (size_t i = 0; i < flags->count; i++)
        if (config_set(flags->set[i].key, flags->set[i].value, out, err) != 0) {
            err_wrap(err, "--%s", flags->set[i].key->name);
            return err_set(err, LEAT_EUSAGE, "%s", err->text);
        }
    return 0;
}

/* ---- the other sources ---------------------------------------------------------------------- */

static void apply_defaults(const struct config_program *program, void *out)
{
    struct err err = {0};
    for (const struct config_key *key = program->keys; key->name; key++)
        if (key->fallback && config_set(key, key->fallback, out, &err) != 0) {
            fprintf(stderr, "defect: default of %s\n", err.text);
            abort();
        }
}

/* An empty variable counts as unset. */
static int apply_environment(const struct config_program *program, void *out, struct err *err)
{
    for (const struct config_key *key = program->keys; key->name; key++) {
        cleanup_text struct text name = {0};
        config_variable(key->name, &name);
        const char *value = getenv(name.data);
        if (value && *value && config_set(key, value, out, err) != 0)
            return err_wrap(err, "%s", name.data);
    }
    return 0;
}

static int check_required(const struct config_program *program, const void *in, struct err *err)
{
    for (const struct config_key *key = program->keys; key->name; key++) {
        const char *text =
            config_holds_text(key) ? *(char *const *)((const char *)in + key->offset) : "x";
        if (key->required && (!text || !*text))
            return err_set(err, LEAT_EUSAGE, "--%s must be given (see %s --help)", key->name,
                           program->name);
    }
    return 0;
}

static int gather(const struct config_program *program, const struct flags *flags, void *out,
                  struct err *err)
{
    const char *file = flags->file ? flags->file : getenv("LEAT_CONFIG");
    apply_defaults(program, out);
    int rc = 0;
    if (file && *file)
        rc = config_read_file(program, file, out, err);
    if (rc == 0)
        rc = apply_environment(program, out, err);
    if (rc == 0)
        rc = apply_flags(flags, out, err);
    if (rc == 0)
        rc = check_required(program, out, err);
    if (rc != 0)
        config_free(program, out);
    return rc;
}

static int tell(const struct config_program *program, const struct flags *flags)
{
    cleanup_text struct text text = {0};
    if (flags->help)
        config_help(program, &text);
    else if (flags->document)
        config_document(program, &text);
    else
        text_printf(&text, "%s %s\n", program->name, LEAT_VERSION);
    fputs(text.data, stdout);
    fflush(stdout);
    return CONFIG_TOLD;
}

int config_load(const struct config_program *program, int argc, char *const *argv, void *out,
                struct err *err)
{
    struct err unused = {0};
    struct flags flags = {0};
    int rc = 0;
    err = err ? err : &unused;
    for (int i = 1; i < argc && rc == 0 && !is_told(&flags); i++)
        rc = read_flag(program, argc, argv, &i, &flags, err);
    if (rc == 0)
        rc = is_told(&flags) ? tell(program, &flags) : gather(program, &flags, out, err);
    free(flags.set);
    return rc;
}
