/* SPDX-License-Identifier: MIT */
/* search.c - a server that has a journal is lost, and may come back, perhaps elsewhere: the client looks for it, and asks
 * again what was not answered. Commands that change something have keys, so that nothing happens twice. */
#include <string.h>

#include "base/error.h"
#include "client/client.h"

#define LOOK_NS HQI_SEC             /* between looks into the server directory */
#define PATIENCE_NS (300 * HQI_SEC) /* as long as its workers have */

static uint64_t now_of(const struct hq_client *c)
{
    return hqi_loop_loop_now(c->loop).mono_ns;
}

bool hqi_client_search_is_meant(const struct hq_client *c)
{
    return c->was_connected && c->durable;
}

void hqi_client_search_begin(struct hq_client *c)
{
    if (c->until_ns)
        return;
    c->until_ns = now_of(c) + PATIENCE_NS;
    hqi_loop_timer_set(c->loop, &c->search, now_of(c));
    hqi_client_client_tell(c, HQ_CONNECTION_AWAITED);
}

static bool is_same(const struct reach *a, const struct reach *b)
{
    return strcmp(a->host, b->host) == 0 && a->port == b->port && memcmp(a->secret, b->secret, sizeof a->secret) == 0;
}

/* Connects to where the server is said to be, unless that is under way. */
static void approach(struct hq_client *c)
{
    struct reach at = c->reach;
    if (c->server_dir)
        hqi_host_reach_find(&at, NULL, NULL, c->server_dir, ACCESS_CLIENT, NULL);
    if (c->link && is_same(&at, &c->reach))
        return;
    hqi_net_link_free(c->link);
    c->link = NULL;
    c->reach = at;
    hqi_client_client_connect(c, NULL); /* else with the next look */
}

void hqi_client_search_on_timer(struct loop_timer *t)
{
    struct hq_client *c = hqi_container(t, struct hq_client, search);
    if (c->link && hqi_net_link_connected(c->link)) {
        c->until_ns = 0;
    } else if (now_of(c) >= c->until_ns) {
        hqi_client_client_end(c, HQ_ECLOSED, "Connection closed");
    } else {
        approach(c);
        hqi_loop_timer_set(c->loop, t, now_of(c) + LOOK_NS);
    }
}

/* At once; but who was refused while looking does not run against the same door. */
void hqi_client_search_on_forgotten(struct hq_client *c)
{
    bool looks = c->until_ns && !hqi_net_link_forgotten(c->link);
    hqi_net_link_free(c->link);
    c->link = NULL;
    hqi_client_search_begin(c);
    hqi_loop_timer_set(c->loop, &c->search, now_of(c) + (looks ? LOOK_NS : 0));
}

/* Replies to what was asked in the session before cannot come in this one. */
void hqi_client_search_done(struct hq_client *c)
{
    hq_error err;
    c->until_ns = 0;
    hqi_loop_timer_clear(c->loop, &c->search);
    hqi_host_backlog_fini(&c->backlog);
    hqi_host_backlog_init(&c->backlog, c->alloc);
    list_for_safe(it, tmp, &c->requests) {
        struct request *r = hqi_container(it, struct request, link);
        int code = hqi_client_request_ask_again(r, &err);
        if (code < 0)
            hqi_client_request_finish(r, code, bytes_of(err.text));
    }
}
