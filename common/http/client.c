#include "common/http/client.h"

#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/http/client_internal.h"

struct http_client {
    struct loop *loop;
    CURLM *multi;
    struct loop_timer timer;
    struct http_transfer *transfers;
    bool driving; /* inside libcurl, which then takes no handle in or out */
    bool waits;   /* some transfers are to be begun */
};

/* A socket of libcurl's that it wants watched. */
struct watch {
    struct http_client *client;
    struct loop_fd fd;
    curl_socket_t socket;
};

/* ---- transfers ------------------------------------------------------------------------------ */

static void begin(struct http_transfer *t)
{
    t->waits = false;
    if (curl_multi_add_handle(t->client->multi, t->easy) != CURLM_OK)
        abort(); /* out of memory */
}

static void begin_waiting(struct http_client *client)
{
    client->waits = false;
    for (struct http_transfer *t = client->transfers; t; t = t->next)
        if (t->waits)
            begin(t);
}

static void take_out(struct http_transfer *t)
{
    struct http_client *client = t->client;
    curl_multi_remove_handle(client->multi, t->easy);
    if (t->prev)
        t->prev->next = t->next;
    else
        client->transfers = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->client = NULL;
}

static void finish(struct http_transfer *t, CURLcode code)
{
    struct err err = {0};
    struct http_incoming answer = {0};
    const bool cancelled = t->cancelled;
    take_out(t);
    if (!cancelled) {
        const int rc = transfer_result(t, code, &answer, &err);
        t->done(t->arg, rc == 0 ? &answer : NULL, rc == 0 ? NULL : &err);
    }
    transfer_free(t);
}

static void finish_all(struct http_client *client)
{
    int left;
    for (CURLMsg *msg = curl_multi_info_read(client->multi, &left); msg;
         msg = curl_multi_info_read(client->multi, &left)) {
        struct http_transfer *t = NULL;
        if (msg->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        finish(t, msg->data.result);
    }
}

/* Those cancelled while libcurl was at work. */
static void drop_cancelled(struct http_client *client)
{
    struct http_transfer *next;
    for (struct http_transfer *t = client->transfers; t; t = next) {
        next = t->next;
        if (!t->cancelled)
            continue;
        take_out(t);
        transfer_free(t);
    }
}

static void drive(struct http_client *client, curl_socket_t socket, int events)
{
    int running;
    client->driving = true;
    curl_multi_socket_action(client->multi, socket, events, &running);
    client->driving = false;
    drop_cancelled(client);
    if (client->waits)
        begin_waiting(client);
    finish_all(client);
}

struct http_transfer *http_send_streaming(struct http_client *client,
                                          const struct http_outgoing *call, http_piece_fn *piece,
                                          http_done_fn *done, void *arg)
{
    struct http_transfer *t = transfer_new(call, true, piece, arg);
    t->done = done;
    t->client = client;
    t->next = client->transfers;
    if (t->next)
        t->next->prev = t;
    client->transfers = t;
    if (client->driving)
        t->waits = client->waits = true; /* `piece` asked for it: drive() goes on with it */
    else
        begin(t);
    return t;
}

struct http_transfer *http_send(struct http_client *client, const struct http_outgoing *call,
                                http_done_fn *done, void *arg)
{
    return http_send_streaming(client, call, NULL, done, arg);
}

void http_cancel(struct http_transfer *t)
{
    t->cancelled = true;
    if (t->client->driving)
        return; /* drive() drops it */
    take_out(t);
    transfer_free(t);
}

/* ---- libcurl on the loop -------------------------------------------------------------------- */

static void on_timer(void *arg)
{
    drive(arg, CURL_SOCKET_TIMEOUT, 0);
}

static int set_timer(CURLM *multi, long ms, void *arg)
{
    (void)multi;
    struct http_client *client = arg;
    if (ms < 0)
        loop_timer_stop(&client->timer);
    else
        loop_timer_start(client->loop, &client->timer, ms * US_PER_MS, 0, on_timer, client);
    return 0;
}

static void on_socket(void *arg, int events)
{
    struct watch *watch = arg; /* may be freed by drive() */
    const int flags =
        (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
    drive(watch->client, watch->socket, flags);
}

static int watch_socket(CURL *easy, curl_socket_t socket, int what, void *arg, void *assigned)
{
    (void)easy;
    struct http_client *client = arg;
    struct watch *watch = assigned;
    if (what == CURL_POLL_REMOVE) {
        if (watch)
            loop_fd_stop(&watch->fd);
        free(watch);
        curl_multi_assign(client->multi, socket, NULL);
        return 0;
    }
    const int events =
        (what & CURL_POLL_IN ? LOOP_READ : 0) | (what & CURL_POLL_OUT ? LOOP_WRITE : 0);
    if (watch) {
        loop_fd_events(&watch->fd, events);
        return 0;
    }
    watch = mem_alloc(sizeof *watch);
    watch->client = client;
    watch->socket = socket;
    if (loop_fd_start(client->loop, &watch->fd, socket, events, on_socket, watch, NULL) != 0) {
        free(watch);
        return -1;
    }
    curl_multi_assign(client->multi, socket, watch);
    return 0;
}

struct http_client *http_client_new(struct loop *loop)
{
    struct http_client *client = mem_alloc(sizeof *client);
    client->loop = loop;
    client->multi = curl_multi_init();
    if (!client->multi)
        abort();
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
    curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, set_timer);
    curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
    return client;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    while (client->transfers)
        http_cancel(client->transfers);
    curl_multi_cleanup(client->multi);
    loop_timer_stop(&client->timer);
    free(client);
}

/* ---- without a loop -------------------------------------------------------------------------- */

int http_call(const struct http_outgoing *call, http_piece_fn *piece, void *arg,
              struct http_incoming *answer, struct err *err)
{
    struct http_transfer *t = transfer_new(call, false, piece, arg);
    const int rc = transfer_result(t, curl_easy_perform(t->easy), answer, err);
    if (rc == 0) { /* what it points to becomes the caller's */
        answer->headers = mem_alloc(sizeof *answer->headers);
        *answer->headers = t->answer_headers;
        t->answer_headers = (struct http_headers){{0}};
        answer->body = text_take(&t->body);
    }
    transfer_free(t);
    return rc;
}

void http_incoming_free(struct http_incoming *answer)
{
    if (answer->headers)
        text_free(&answer->headers->lines);
    free(answer->headers);
    free((char *)(uintptr_t)answer->body);
    *answer = (struct http_incoming){0};
}
