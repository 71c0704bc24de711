/* SPDX-License-Identifier: MIT */
/* net.c - connections: what is sent arrives in order, or not at all from some point on. Cut ones still deliver a part of
 * what was under way, which is how frames of dead sessions come late. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"

/* ---- parcels ---- */

static struct parcel *parcel_of(struct list *l)
{
    return hqi_container(l, struct parcel, link);
}

void sim_parcel_push(struct list *q, uint64_t at, struct bytes b)
{
    struct parcel *p = malloc(sizeof *p + b.n);
    p->n = b.n;
    if (b.n)
        memcpy(p->bytes, b.p, b.n);
    p->at = at;
    if (!list_empty(q) && parcel_of(q->prev)->at > at)
        p->at = parcel_of(q->prev)->at;
    list_push_back(q, &p->link);
}

struct parcel *sim_parcel_due(struct list *q, uint64_t now)
{
    if (list_empty(q) || parcel_of(q->next)->at > now)
        return NULL;
    return parcel_of(list_pop_front(q));
}

uint64_t sim_parcel_next(const struct list *q)
{
    return list_empty(q) ? NEVER : parcel_of(q->next)->at;
}

void sim_parcel_drop(struct list *q)
{
    for (struct list *l; (l = list_pop_front(q));)
        free(parcel_of(l));
}

/* ---- connections ---- */

static struct conn *conn_of(struct list *l)
{
    return hqi_container(l, struct conn, link);
}

struct conn *net_connect(struct sim *s, struct peer *p)
{
    struct conn *c = calloc(1, sizeof *c);
    c->peer = p;
    list_init(&c->pipe[TO_SERVER]);
    list_init(&c->pipe[TO_PEER]);
    c->notice[TO_SERVER] = c->notice[TO_PEER] = NEVER;
    list_push_back(&s->conns, &c->link);
    if (!s->server.core) { /* nobody listens */
        c->cut = true;
        c->notice[TO_PEER] = s->now + sim_about(s, 5 * HQI_MS);
    }
    return c;
}

void net_send(struct sim *s, struct conn *c, int direction, struct bytes frame)
{
    uint64_t at = s->now + sim_about(s, s->p.latency_ns);
    if (c->cut)
        return;
    sim_parcel_push(&c->pipe[direction], at > c->frozen_until ? at : c->frozen_until, frame);
}

static void lose_suffix(struct sim *s, struct list *pipe)
{
    uint32_t n = 0;
    list_for(it, pipe)
        n++;
    for (uint64_t keep = sim_below(s, n + 1u); n > keep; n--) {
        struct list *last = pipe->prev;
        list_unlink(last);
        free(parcel_of(last));
    }
}

static uint64_t later(uint64_t now, uint64_t delay)
{
    return delay == NEVER ? NEVER : now + delay;
}

void net_cut(struct sim *s, struct conn *c, uint64_t server_ns, uint64_t peer_ns)
{
    if (c->cut)
        return;
    c->cut = true;
    c->notice[TO_SERVER] = later(s->now, server_ns);
    c->notice[TO_PEER] = later(s->now, peer_ns);
    lose_suffix(s, &c->pipe[TO_SERVER]);
    lose_suffix(s, &c->pipe[TO_PEER]);
}

void net_cut_all(struct sim *s)
{
    list_for(it, &s->conns) {
        struct conn *c = conn_of(it);
        net_cut(s, c, NEVER, sim_about(s, 3 * HQI_MS));
        sim_parcel_drop(&c->pipe[TO_SERVER]);
        c->at_server = NULL;
    }
}

static bool deliver(struct sim *s, struct conn *c, int direction)
{
    struct parcel *p = sim_parcel_due(&c->pipe[direction], s->now);
    if (!p)
        return false;
    const struct bytes frame = {p->bytes, p->n};
    if (direction == TO_SERVER && s->server.core)
        server_on_frame(s, c, frame);
    else if (direction == TO_PEER && c->peer)
        link_on_frame(s, c->peer, c, frame);
    free(p);
    return true;
}

static void tell_ends(struct sim *s, struct conn *c)
{
    if (c->notice[TO_SERVER] <= s->now) {
        c->notice[TO_SERVER] = NEVER;
        if (s->server.core)
            server_on_drop(s, c);
    }
    if (c->notice[TO_PEER] <= s->now) {
        c->notice[TO_PEER] = NEVER;
        if (c->peer)
            link_on_drop(s, c->peer, c);
    }
}

static bool is_gone(const struct conn *c)
{
    return c->cut && !c->peer && !c->at_server && list_empty(&c->pipe[0]) && list_empty(&c->pipe[1]);
}

void net_step(struct sim *s)
{
    list_for_safe(it, tmp, &s->conns) {
        struct conn *c = conn_of(it);
        while (deliver(s, c, TO_SERVER) || deliver(s, c, TO_PEER))
            ;
        tell_ends(s, c);
        if (!c->peer && !c->cut) /* whoever leaves a connection closes it */
            net_cut(s, c, sim_about(s, HQI_MS), NEVER);
        if (!is_gone(c))
            continue;
        list_unlink(it);
        free(c);
    }
}

uint64_t net_next(const struct sim *s)
{
    uint64_t at = NEVER;
    list_for(it, &s->conns) {
        const struct conn *c = conn_of(it);
        at = sim_least(at, sim_least(sim_parcel_next(&c->pipe[0]), sim_parcel_next(&c->pipe[1])));
        at = sim_least(at, sim_least(c->notice[0], c->notice[1]));
        if (!c->peer && !c->cut)
            at = s->now;
    }
    return at;
}

void net_fini(struct sim *s)
{
    for (struct list *l; (l = list_pop_front(&s->conns));) {
        sim_parcel_drop(&conn_of(l)->pipe[0]);
        sim_parcel_drop(&conn_of(l)->pipe[1]);
        free(conn_of(l));
    }
}
