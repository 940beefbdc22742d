/* leat-api: REST over Postgres and the store; commands out on the queue. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "api/changes.h"
#include "common/base/config_daemon.h"
#include "common/base/hash.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/http/token.h"

#define KEY(field, name, kind) CONFIG_KEY(struct api_config, field, name, kind)
static const struct config_key keys[] = {
    DAEMON_KEYS(struct api_config, true),
    BUS_KEYS(struct api_config),
    {KEY(listen, "listen", CONFIG_ADDRESS), .fallback = "127.0.0.1:8080",
     .help = "where calls are taken"},
    STORE_KEYS(struct api_config, "artifacts and logs"),
    {KEY(key_file, "key-file", CONFIG_PATH), .required = true,
     .help = "the cluster's key, which seals secrets"},
    {KEY(token_file, "token-file", CONFIG_PATH), .help = "token that calls need off loopback"},
    {KEY(producer, "producer", CONFIG_STRING), .fallback = "api",
     .help = "stable name on the queue; one process a name"},
    {KEY(insecure, "insecure", CONFIG_BOOL), .help = "listen beyond loopback without TLS"},
    {0},
};
static const struct config_program program = {
    "leat-api", "Answers what people and programs ask of Leat, and takes their commands", keys};

static int open_bus(struct api *api, struct err *err)
{
    api->bus = bus_open(api->loop,
                        &(struct bus_wanted){.bus = api->config.bus,
                                             .kafka = &api->config.kafka,
                                             .database = api->config.database,
                                             .doorbells = api->config.doorbells,
                                             .name = "leat-api",
                                             .producer = api->config.producer},
                        err);
    return api->bus ? 0 : LEAT_EINPUT;
}

static struct pg *open_database(struct api *api, bool whole_reads)
{
    static const struct pg_events events = {0};
    return pg_open(api->loop,
                   &(struct pg_options){.conninfo = api->config.database,
                                        .name = whole_reads ? "leat-api-whole" : "leat-api",
                                        .answer_timeout_us = (whole_reads ? 40 : 10) * 1000000LL,
                                        .statement_timeout_us = 30 * 1000000LL,
                                        .whole_reads = whole_reads},
                   &events, api);
}

static int open_all(struct api *api, struct http_server **server, struct err *err)
{
    int rc = token_read("listen", api->config.listen, api->config.insecure, api->config.token_file,
                        &api->token, err);
    if (rc == 0)
        rc = secret_key_load(api->config.key_file, true, api->key, err);
    if (rc == 0)
        rc = store_open(api->loop, api->config.store,
                        STORE_OPTIONS(&api->config, STORE_RETRY_SOON_US), &api->store, err);
    if (rc == 0)
        rc = open_bus(api, err);
    if (rc < 0)
        return rc;
    api->pg = open_database(api, false);
    api->whole = open_database(api, true);
    api->changes = changes_open(api->loop, api->bus);
    api->commands = commands_open(api);
    api->live = live_open(api);
    return http_server_start(api->loop, api->config.listen, API_ROUTES, api, NULL, server, err);
}

int main(int argc, char **argv)
{
    struct api api = {0};
    struct http_server *server = NULL;
    struct err err = {0};
    int rc = config_load(&program, argc, argv, &api.config, &err);
    if (rc == CONFIG_TOLD)
        return 0;
    if (rc == CONFIG_GO) {
        log_setup("api", (enum log_level)api.config.log_level,
                  (enum log_format)api.config.log_format);
        rc = log_to_file(api.config.log_file, api.config.log_size, api.config.log_keep, &err);
        api.loop = loop_new();
        loop_stop_on_signals(api.loop);
        if (rc == 0)
            rc = open_all(&api, &server, &err);
    }
    if (rc >= 0) {
        log_info("answering", LOG_S("listen", api.config.listen));
        notify_supervisor("READY=1");
        loop_run(api.loop);
        return 0; /* crash-only: what is open ends with the process */
    }
    fprintf(stderr, "leat-api: %s\n", err.text);
    return err_exit_status(rc);
}
