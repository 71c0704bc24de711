/* SPDX-License-Identifier: MIT */
/* address.c - the resolver, and the question why a connect failed; see address.h. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static const char where[] = "net";

static bool same(const struct address *a, const struct address *b)
{
    return a->n == b->n && memcmp(&a->at, &b->at, a->n) == 0;
}

static void add(struct addresses *ret, const struct sockaddr *at, socklen_t n)
{
    struct address a;
    memset(&a, 0, sizeof a);
    if (ret->n == HQI_NET_ADDRESSES || n > sizeof a.at)
        return;
    memcpy(&a.at, at, n);
    a.n = n;
    for (unsigned i = 0; i < ret->n; i++)
        if (same(&a, &ret->list[i]))
            return;
    ret->list[ret->n++] = a;
}

static void add_family(struct addresses *ret, const struct addrinfo *all, int family)
{
    for (const struct addrinfo *i = all; i; i = i->ai_next)
        if (i->ai_family == family)
            add(ret, i->ai_addr, i->ai_addrlen);
}

static void add_loopback(struct addresses *ret, uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (ret->n == HQI_NET_ADDRESSES)
        ret->n--;
    add(ret, (const struct sockaddr *)&a, sizeof a);
}

static bool is_own_name(const char *host)
{
    char own[256] = "";
    return gethostname(own, sizeof own - 1) == 0 && own[0] && strcmp(host, own) == 0;
}

/* "[::1]" is how an IPv6 address stands before a port. */
static const char *strip_brackets(const char *host, char *room, size_t size)
{
    size_t n = strlen(host);
    if (n < 3 || host[0] != '[' || host[n - 1] != ']' || n - 2 >= size)
        return host;
    memcpy(room, host + 1, n - 2);
    room[n - 2] = '\0';
    return room;
}

int hqi_net_address_resolve(struct addresses *ret, const char *host, uint16_t port, hq_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST}, *found = NULL;
    char service[8], room[INET6_ADDRSTRLEN];
    struct addresses all = {.n = 0};
    if (!host[0] || port == 0)
        return hqi_base_error_set(err, HQ_EINVAL, where, "\"%s\" port %u is no place to connect to", host, port);
    snprintf(service, sizeof service, "%u", port);
    host = strip_brackets(host, room, sizeof room);
    int rc = getaddrinfo(host, service, &hints, &found);
    if (rc == EAI_NONAME) { /* not numeric */
        hints.ai_flags = AI_NUMERICSERV;
        rc = getaddrinfo(host, service, &hints, &found);
    }
    int sys = errno;
    if (rc == 0) {
        add_family(&all, found, AF_INET);
        add_family(&all, found, AF_INET6);
        freeaddrinfo(found);
    }
    if (is_own_name(host)) /* a server may listen there only, and a laptop's own name may not resolve */
        add_loopback(&all, port);
    if (all.n > 0) {
        *ret = all;
        return HQ_OK;
    }
    if (rc == EAI_SYSTEM)
        return hqi_base_error_sys(err, sys, where, "cannot resolve host %s", host);
    return hqi_base_error_set(err, HQ_ESYS, where, "cannot resolve host %s: %s", host,
                              rc ? gai_strerror(rc) : "it has no address");
}

void hqi_net_address_endpoint(const struct address *a, char *out, unsigned size)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (a->at.any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->at.v6.sin6_addr, host, sizeof host);
        snprintf(out, size, "tcp://[%s]:%u", host, ntohs(a->at.v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &a->at.v4.sin_addr, host, sizeof host);
        snprintf(out, size, "tcp://%s:%u", host, ntohs(a->at.v4.sin_port));
    }
}

int hqi_net_address_probe(const struct address *a, int *fd)
{
    *fd = socket(a->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return errno;
    int rc = connect(*fd, &a->at.any, a->n) == 0 ? 0 : errno;
    if (rc == EINPROGRESS)
        return 0;
    close(*fd);
    *fd = -1;
    return rc;
}

int hqi_net_address_verdict(int fd)
{
    int sys = 0;
    socklen_t n = sizeof sys;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) == 0 ? sys : errno;
}
