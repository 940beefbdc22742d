/* GET /status. On Kafka the ends of what the leader reads are asked of the brokers first; when they
 * do not answer, the rest is told all the same. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "common/base/mem.h"
#include "common/bus/kafka.h"

struct asking {
    struct api *api;
    struct http_request *req;
};

static void add_ends(struct pg_params *p, const struct bus_position *ends, size_t n)
{
    pg_array_begin(p, PG_TEXT);
    for (size_t i = 0; i < n; i++)
        pg_add_text(p, ends[i].topic);
    pg_array_end(p);
    pg_array_begin(p, PG_INT4);
    for (size_t i = 0; i < n; i++)
        pg_add_int4(p, ends[i].partition);
    pg_array_end(p);
    pg_array_begin(p, PG_INT8);
    for (size_t i = 0; i < n; i++)
        pg_add_int8(p, ends[i].offset);
    pg_array_end(p);
}

static void ask_database(struct api *api, struct http_request *req, const struct kafka_probe *seen,
                         const struct bus_position *ends, size_t n)
{
    struct pg_params params = {0};
    const struct uuid *id = api->bus->ops->id(api->bus);
    pg_add_text(&params, LEAT_VERSION);
    pg_add_text(&params, api->bus->ops->backend);
    if (id)
        pg_add_uuid(&params, id);
    else
        pg_add_null(&params, PG_UUID);
    add_ends(&params, ends, n);
    if (seen)
        pg_add_bool(&params, seen->power_loss);
    else
        pg_add_null(&params, PG_BOOL);
    api_ask(api, QUERY_API_STATUS, &params, api_answer_row, req);
}

static void ends_told(void *arg, const struct err *err, const struct bus_position *ends, size_t n)
{
    struct asking *asking = arg;
    struct api *api = asking->api;
    ask_database(api, asking->req, kafka_seen(api->bus), ends, err ? 0 : n);
    free(asking);
}

void api_status(struct http_request *req, void *arg)
{
    static const char *const topics[] = {TOPIC_COMMANDS, TOPIC_REPORTS, TOPIC_EVENTS};
    struct api *api = arg;
    if (strcmp(api->bus->ops->backend, "kafka") != 0) {
        ask_database(api, req, NULL, NULL, 0);
        return;
    }
    struct asking *asking = mem_alloc(sizeof *asking);
    *asking = (struct asking){api, req};
    kafka_seen(api->bus); /* looks meanwhile */
    api->bus->ops->ends(api->bus, topics, ARRAY_LEN(topics), ends_told, asking);
}
