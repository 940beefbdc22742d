/* The two addresses: free, or ours. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/doctor/doctor.h"
#include "common/base/address.h"
#include "common/base/mem.h"
#include "common/http/client.h"

static bool answers(const char *address)
{
    cleanup_free char *url = mem_printf("http://%s/healthz", address);
    const struct http_outgoing out = {.url = url, .timeout_us = US_PER_S};
    struct http_incoming in = {0};
    if (http_call(&out, NULL, NULL, &in, NULL) < 0)
        return false;
    const bool fine = in.status == 200;
    http_incoming_free(&in);
    return fine;
}

static void look(const struct doctor *d, const char *address, const char *option, struct finding *f)
{
    struct err err = {0};
    uint16_t port;
    int fd = -1;
    if (d->running) {
        if (answers(address))
            found(f, DOCTOR_OK, NULL, "%s answers", address);
        else
            found(f, DOCTOR_WRONG, "see `daemons`, and who listens there: ss -ltnp",
                  "Leat runs and %s does not answer as Leat does", address);
        return;
    }
    cleanup_free char *todo =
        mem_printf("see who listens there: ss -ltnp; end it, or give %s another address", option);
    if (address_listen(address, 1, &fd, &port, &err) < 0)
        found(f, DOCTOR_WRONG, todo, "%s", err.text);
    else
        found(f, DOCTOR_OK, NULL, "%s is free", address);
    if (fd >= 0)
        close(fd);
}

void doctor_port_api(const struct doctor *d, struct finding *f)
{
    look(d, d->settings->listen, "--listen", f);
}

void doctor_port_hooks(const struct doctor *d, struct finding *f)
{
    look(d, d->settings->hooks, "--hooks", f);
}
