/* common/base/config_daemon.h: the keys that every daemon has, once. A daemon's configuration
 * struct begins with DAEMON_FIELDS and its table of keys with DAEMON_KEYS. */
#pragma once
#include "common/base/config.h"
#include "common/base/log.h"
#include "common/base/log_file.h"

#define DAEMON_FIELDS                                                                              \
    char *database;  /* libpq's conninfo or URL */                                                 \
    char *bus;       /* "embedded", kafka:// */                                                    \
    char *doorbells; /* folder of sockets; NULL = readers look once a second */                    \
    char *log_file;  /* NULL = standard error */                                                   \
    int64_t log_size, log_keep;                                                                    \
    int log_level; /* enum log_level */                                                            \
    int log_format /* enum log_format */

/* `needs_database`: may it be missing? (A worker needs it for the embedded queue alone.) */
#define DAEMON_KEYS(type, needs_database)                                                          \
    {CONFIG_KEY(type, database, "database", CONFIG_STRING), .required = (needs_database),          \
     .secret = true, .help = "Postgres, as libpq's conninfo or URL"},                              \
        {CONFIG_KEY(type, bus, "bus", CONFIG_STRING), .fallback = "embedded",                      \
         .help = "the queue: embedded, or kafka://HOST:PORT,…"},                                   \
        {CONFIG_KEY(type, doorbells, "doorbells", CONFIG_PATH),                                    \
         .help = "folder of the sockets that wake readers of the embedded queue"},                 \
        {CONFIG_KEY(type, log_file, "log-file", CONFIG_PATH),                                      \
         .help = "where lines go, turned over when it is full (default: standard error)"},         \
        {CONFIG_KEY(type, log_size, "log-size", CONFIG_SIZE), .fallback = "8MiB", .least = 65536,  \
         .most = 1LL << 40, .help = "of that file; a line that would pass it begins a new one"},   \
        {CONFIG_KEY(type, log_keep, "log-keep", CONFIG_INT), .fallback = "4", .least = 0,          \
         .most = 1000, .help = "how many full ones stay, as FILE.1 (the newest), FILE.2, …"},      \
        {CONFIG_KEY(type, log_level, "log-level", CONFIG_ENUM), .fallback = "info",                \
         .words = LOG_LEVEL_NAMES, .help = "least level that is logged"},                          \
    {                                                                                              \
        CONFIG_KEY(type, log_format, "log-format", CONFIG_ENUM),                                   \
            .fallback = "logfmt", .words = LOG_FORMAT_NAMES, .help = "how a line is written"       \
    }
