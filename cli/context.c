#include "cli/context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/files.h"
#include "common/base/fd.h"
#include "common/base/mem.h"
#include "common/text/json.h"

#define FILE_MAX (4UL * 1024 * 1024)

static char *folder(void)
{
    const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    return config && config[0] == '/' ? mem_printf("%s/leat", config)
                                      : mem_printf("%s/.config/leat", home ? home : "");
}

static json_t *empty(void)
{
    return json_pack("{s:{}}", "contexts");
}

static json_t *parse(const char *path, struct err *err)
{
    size_t len;
    char *text = file_read(path, FILE_MAX, &len, err);
    if (!text)
        return NULL;
    struct err why = {0};
    json_t *all = json_read(text, len, NULL, &why);
    mem_wipe(text, len);
    free(text);
    if (all && json_get_object(all, "contexts"))
        return all;
    json_decref(all);
    err_set(err, LEAT_EINPUT, "%s: %s", path, all ? "has no \"contexts\"" : why.text);
    return NULL;
}

static json_t *read_at(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) != 0 && errno == ENOENT)
        return empty();
    if (st.st_mode & 077) {
        err_set(err, LEAT_EREFUSED, "%s holds tokens and others may read it: chmod 600 %s", path,
                path);
        return NULL;
    }
    return parse(path, err);
}

json_t *contexts_read(struct err *err)
{
    cleanup_free char *in = folder();
    cleanup_free char *path = mem_printf("%s/contexts.json", in);
    return read_at(path, err);
}

static int replace(const char *path, const json_t *all, struct err *err)
{
    cleanup_free char *fresh = mem_printf("%s.new", path);
    unlink(fresh); /* of a writer that died; we have the lock */
    cleanup_close int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_errno(err, errno, "%s", fresh);
    char *text = json_write_pretty(all);
    const int rc = fd_write(fd, text, strlen(text)) == 0 ? fsync(fd) : -1;
    mem_wipe(text, strlen(text));
    free(text);
    if (rc == 0 && rename(fresh, path) == 0)
        return 0;
    const int saved = errno;
    unlink(fresh);
    return err_errno(err, saved, "%s", path);
}

int contexts_change(context_change *change, void *arg, struct err *err)
{
    cleanup_free char *in = folder();
    cleanup_free char *path = mem_printf("%s/contexts.json", in);
    int rc = file_make_parents(path, 0700, err);
    cleanup_close int lock = rc == 0 ? open(in, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (rc < 0)
        return rc;
    if (lock < 0 || flock(lock, LOCK_EX) != 0)
        return err_errno(err, errno, "%s", in);
    cleanup_json json_t *all = read_at(path, err);
    if (!all)
        return err ? err->code : LEAT_EINPUT;
    rc = change(all, arg, err);
    return rc < 0 ? rc : replace(path, all, err);
}

/* ---- the choice ---------------------------------------------------------------------------- */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static int take_context(const json_t *all, const char *name, bool asked, struct err *err)
{
    const json_t *context = json_object_get(json_object_get(all, "contexts"), name);
    const char *url = json_get_string(context, "url", NULL);
    const char *token = json_get_string(context, "token", NULL);
    if (!url)
        return err_set(err, LEAT_ENOTFOUND, "there is no context '%.100s': leat context list",
                       name);
    int rc = context_check_url(url, err);
    if (rc == 0 && token)
        rc = context_check_token(token, err);
    if (rc < 0)
        return err_wrap(err, "context %.100s", name);
    setenv("LEAT_URL", url, 1);
    if (asked || !variable("LEAT_TOKEN")) {
        if (token)
            setenv("LEAT_TOKEN", token, 1);
        else
            unsetenv("LEAT_TOKEN");
    }
    return 0;
}

int context_choose(const struct given *given, struct err *err)
{
    return context_choose_named(given_value(given, "url", NULL),
                                given_value(given, "context", NULL), err);
}

int context_choose_named(const char *url, const char *asked, struct err *err)
{
    if (url && asked)
        return err_set(err, LEAT_EUSAGE, "--url and --context say the same thing: give one");
    if (url) {
        setenv("LEAT_URL", url, 1);
        return context_check_url(url, err);
    }
    if (!asked && variable("LEAT_URL"))
        return 0;
    cleanup_json json_t *all = contexts_read(err);
    const char *name = asked                      ? asked
                       : variable("LEAT_CONTEXT") ? variable("LEAT_CONTEXT")
                                                  : json_get_string(all, "current", NULL);
    if (!all)
        return err ? err->code : LEAT_EINPUT;
    return name ? take_context(all, name, asked != NULL, err) : 0;
}

/* ---- checks -------------------------------------------------------------------------------- */

int context_check_url(const char *url, struct err *err)
{
    const char *rest = strstr(url, "://");
    const bool is_http = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    if (!is_http || !rest[3] || rest[3] == '/' || rest[3] == ':')
        return err_set(err, LEAT_EINPUT, "'%.200s' is no URL like https://leat.example.org", url);
    for (const char *p = rest + 3; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("?#@\\\"", *p))
            return err_set(err, LEAT_EINPUT,
                           "the URL has a character that none of Leat's has (white space, ? # @): "
                           "give a token as a token");
    return 0;
}

int context_check_token(const char *token, struct err *err)
{
    const size_t len = strlen(token);
    bool fine = len > 0 && len <= CONTEXT_TOKEN_MAX;
    for (const char *p = token; fine && *p; p++)
        fine = *p > ' ' && *p < 0x7f;
    return fine ? 0
                : err_set(err, LEAT_EINPUT, "a token is 1 to %d characters without white space",
                          CONTEXT_TOKEN_MAX);
}
