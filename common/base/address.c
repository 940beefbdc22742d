#include "common/base/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"

static int bad(const char *text, struct err *err)
{
    return err_set(err, LEAT_EINPUT, "'%s' is not an address (HOST:PORT)", text);
}

int address_parse(const char *text, struct address *out, struct err *err)
{
    const char *host = text, *end, *colon;
    if (text[0] == '[') {
        host = text + 1;
        end = strchr(host, ']');
        colon = end ? end + 1 : NULL;
    } else {
        end = colon = strchr(text, ':');
    }
    long long port = 0;
    if (!end || *colon != ':' || (size_t)(end - host) >= ADDRESS_HOST ||
        !text_to_int(colon + 1, 0, 65535, &port))
        return bad(text, err);
    memset(out, 0, sizeof *out);
    memcpy(out->host, host, (size_t)(end - host));
    if (strpbrk(out->host, " /\t\r\n"))
        return bad(text, err);
    out->port = (uint16_t)port;
    return 0;
}

/* The host part of "HOST", "HOST:PORT", "[HOST]:PORT" or a bare IPv6 address. */
static bool host_of(const char *text, char host[ADDRESS_HOST])
{
    struct address address;
    const char *colon = strchr(text, ':');
    if ((text[0] == '[' || (colon && !strchr(colon + 1, ':')))) {
        if (address_parse(text, &address, NULL) != 0)
            return false;
        text = address.host;
    }
    if (strlen(text) >= ADDRESS_HOST)
        return false;
    memset(host, 0, ADDRESS_HOST);
    memcpy(host, text, strlen(text));
    return true;
}

bool address_is_loopback(const char *text)
{
    char host[ADDRESS_HOST];
    struct in_addr v4;
    struct in6_addr v6;
    if (text[0] == '/' || text_starts_with(text, "unix:/"))
        return true;
    if (!host_of(text, host))
        return false;
    if (strcmp(host, "localhost") == 0)
        return true;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return (ntohl(v4.s_addr) >> 24) == 127;
    return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

static int bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t len = sizeof bound;
    if (getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
        return 0;
    return ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&bound)->sin6_port
                                             : ((struct sockaddr_in *)&bound)->sin_port);
}

static int listen_on(const struct addrinfo *at, int backlog)
{
    const int on = 1, off = 0;
    const int fd = socket(at->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at->ai_family == AF_INET6) /* ":PORT" takes IPv4 too */
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, at->ai_addr, at->ai_addrlen) == 0 && listen(fd, backlog) == 0)
        return fd;
    const int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

int address_listen(const char *text, int backlog, int *fd, uint16_t *port, struct err *err)
{
    struct address address;
    const int parsed = address_parse(text, &address, err);
    if (parsed != 0)
        return parsed;
    char service[8];
    snprintf(service, sizeof service, "%u", address.port);
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found = NULL;
    const int rc = getaddrinfo(address.host[0] ? address.host : NULL, service, &hints, &found);
    if (rc != 0)
        return err_set(err, LEAT_EINPUT, "address %s: %s", text, gai_strerror(rc));
    /* IPv6 first where every address is asked for: one socket then serves both families. */
    int listening = -1;
    for (int pass = address.host[0] ? 1 : 0; pass < 2 && listening < 0; pass++)
        for (struct addrinfo *at = found; at && listening < 0; at = at->ai_next)
            if (pass == 1 || at->ai_family == AF_INET6)
                listening = listen_on(at, backlog);
    const int saved = errno;
    freeaddrinfo(found);
    if (listening < 0)
        return err_errno(err, saved, "cannot listen on %s", text);
    *fd = listening;
    *port = (uint16_t)bound_port(listening);
    return 0;
}
