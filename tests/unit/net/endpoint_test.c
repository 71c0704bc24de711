/* SPDX-License-Identifier: MIT */
/* endpoint_test.c - what has come in is told, whoever took the edge of the socket's descriptor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <poll.h>
#include <string.h>

#include "net/endpoint.h"
#include "net/keys.h"

#define PATIENCE_MS 10000
#define LOOK_MS 50

static bool never_ready(struct loop_source *s)
{
    return false;
}

static void run_nothing(struct loop_source *s)
{
}

struct pair {
    struct loop *loop;
    void *zmq;
    struct endpoint server, client;
};

static void open_end(struct pair *p, struct endpoint *e, int type, const uint8_t *secret, const uint8_t *own,
                     const uint8_t *server)
{
    const struct endpoint_options o = {.loop = p->loop, .zmq = p->zmq, .type = type, .events = ZMQ_EVENT_DISCONNECTED,
                                       .heartbeat_ms = 8000, .curve_secret = secret, .curve_public = own,
                                       .server_public = server, .ready = never_ready, .run = run_nothing,
                                       .on_event = run_nothing};
    hq_error err;
    if (hqi_net_endpoint_open(e, &o, &err) < 0)
        fail_msg("%s", err.text);
}

static void open_pair(struct pair *p)
{
    static const uint8_t key[32] = {1};
    uint8_t secret[32], public[32], own_secret[32], own[32];
    char name[64];
    size_t n = sizeof name;
    hqi_net_keys_server(key, "worker", secret, public);
    hqi_net_keys_server(key, "client", own_secret, own);
    assert_int_equal(hqi_loop_loop_new(&p->loop, &hqi_base_alloc_libc, NULL), HQ_OK);
    p->zmq = zmq_ctx_new();
    open_end(p, &p->server, ZMQ_ROUTER, secret, NULL, NULL);
    open_end(p, &p->client, ZMQ_DEALER, own_secret, own, public);
    assert_int_equal(zmq_bind(p->server.zmq, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(p->server.zmq, ZMQ_LAST_ENDPOINT, name, &n), 0);
    assert_int_equal(zmq_connect(p->client.zmq, name), 0);
}

static void close_pair(struct pair *p)
{
    hqi_net_endpoint_close(&p->client, 0);
    hqi_net_endpoint_close(&p->server, 0);
    zmq_ctx_term(p->zmq);
    hqi_loop_loop_free(p->loop);
}

/* The question takes the edge, so what came in meanwhile is told by has_more alone. */
static void has_more_after(bool (*ask)(struct endpoint *e))
{
    const struct bytes hello = bytes_of("hello");
    struct pair p;
    bool more = false;
    zmq_msg_t part;
    open_pair(&p);
    assert_false(hqi_net_endpoint_has_more(&p.server));
    assert_int_equal(hqi_net_endpoint_send(&p.client, (struct bytes){0}, hello), SENT_OK);
    for (int ms = 0; ms < PATIENCE_MS && !more; ms += LOOK_MS) {
        struct pollfd fd = {.fd = p.server.data.fd, .events = POLLIN};
        poll(&fd, 1, LOOK_MS);
        ask(&p.server);
        more = hqi_net_endpoint_has_more(&p.server);
    }
    assert_true(more);
    zmq_msg_init(&part);
    assert_true(hqi_net_endpoint_recv(&p.server, &part)); /* the routing id */
    assert_true(hqi_net_endpoint_recv(&p.server, &part));
    assert_int_equal(zmq_msg_size(&part), hello.n);
    assert_false(hqi_net_endpoint_recv(&p.server, &part));
    assert_false(hqi_net_endpoint_has_more(&p.server));
    zmq_msg_close(&part);
    close_pair(&p);
}

static void asking_whether_it_is_readable_hides_nothing(void **state)
{
    has_more_after(hqi_net_endpoint_readable);
}

static void asking_whether_it_is_writable_hides_nothing(void **state)
{
    has_more_after(hqi_net_endpoint_writable);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asking_whether_it_is_readable_hides_nothing),
        cmocka_unit_test(asking_whether_it_is_writable_hides_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
