/* SPDX-License-Identifier: MIT */
/* probe.c - is the server that a directory speaks of alive? It is when it completes a handshake within a second: a
 * file alone proves nothing, and neither does a port that somebody else may have by now.
 *
 * Runs a loop of its own, so that nothing else of the ctx happens meanwhile. */
#include <string.h>

#include "net/keys.h"
#include "net/link.h"
#include "server/server.h"

#define PATIENCE_NS HQI_SEC
#define LOOK_MS 10

struct probe {
    bool answered, over;
};

static void on_open(void *user, const struct welcome *w)
{
    ((struct probe *)user)->answered = true;
}

static void on_data(void *user, uint64_t number, struct bytes payload)
{
}

static void on_drop(void *user)
{
}

static void on_end(void *user, int code, const char *text)
{
    ((struct probe *)user)->over = true;
}

static const struct link_ops ops = {on_open, on_data, on_drop, on_end, NULL};

static bool is_refused(const struct link *l)
{
    return hqi_net_link_rounds(l) > 0 && hqi_net_link_errno(l) != 0;
}

static void run(struct loop *loop, const struct link *l, const struct probe *p)
{
    uint64_t end = hqi_base_clock_now().mono_ns + PATIENCE_NS;
    while (!p->answered && !p->over && !is_refused(l) && hqi_base_clock_now().mono_ns < end)
        if (hqi_loop_loop_wait(loop, LOOK_MS, NULL) > 0 && hqi_loop_loop_run(loop, NULL) < 0)
            return;
}

bool hqi_server_probe_is_alive(struct hq_server *s, void *zmq, const struct access_end *at)
{
    struct probe p = {0};
    struct link *l = NULL;
    struct loop *loop;
    struct link_options o = {
        .alloc = s->alloc,
        .zmq = zmq,
        .plane = "client",
        .host = at->host,
        .port = at->port,
        .secret = at->secret,
        .ops = &ops,
        .user = &p,
    };
    if (hqi_loop_loop_new(&loop, s->alloc, NULL) < 0)
        return false;
    o.loop = loop;
    hqi_net_keys_random(&o.uid, sizeof o.uid); /* any number will do */
    if (hqi_net_link_new(&l, &o, NULL) >= 0) {
        run(loop, l, &p);
        hqi_net_link_bye(l, HQ_OK, "");
        hqi_net_link_free(l);
    }
    hqi_loop_loop_free(loop);
    return p.answered;
}
