/* worker/config.h: settings of leat-worker. */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "common/base/config_daemon.h"
#include "common/bus/open.h"
#include "common/store/config.h"

/* auto: containers for steps with an image while a docker engine answers, else processes. */
/* auto: mount where the worker is root and may read and remove what any user left. */
enum worker_outputs { WORKER_OUTPUTS_AUTO, WORKER_OUTPUTS_MOUNT, WORKER_OUTPUTS_COPY };
enum worker_executor { WORKER_EXECUTOR_AUTO, WORKER_EXECUTOR_PROCESS, WORKER_EXECUTOR_DOCKER };

struct worker_config {
    DAEMON_FIELDS;
    BUS_FIELDS;
    char *name; /* id of the worker, born with its data folder */
    char *data; /* absolute folder: journal, keeper, logs, workspaces */
    STORE_FIELDS;
    char *buckets; /* folder of the directory buckets; NULL = none */
    char *pool;
    char *path; /* PATH of process steps */
    char *home; /* their HOME; NULL = the workspace of each */
    char *api;  /* URL of leat-api */
    char *token_file;
    char *keeper;  /* program; NULL = leat-keeper beside this one */
    char *secrets; /* folder for tmpfs files; NULL = $XDG_RUNTIME_DIR or /dev/shm */
    char *listen;  /* health and metrics; NULL = none */
    int executor;  /* enum worker_executor */
    char *docker_host;
    char *docker_certs; /* NULL = plain */
    int docker_outputs; /* enum worker_outputs */
    int64_t docker_copy_limit;
    char *docker_network;  /* of steps that name none */
    char *docker_networks; /* that steps may name, between commas */
    int64_t slots;         /* 0 = one a processor */
    int64_t lost_after_us;
};

extern const struct config_program WORKER_PROGRAM;

/* Fills in what depends on the machine and checks what the table cannot: name, absolute paths. */
int worker_config_complete(struct worker_config *config, struct err *err);
