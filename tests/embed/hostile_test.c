/* SPDX-License-Identifier: MIT */
/* hostile_test.c - peers that do not keep to the protocol, made with czmq: without encryption, with a wrong key, with the right
 * key and garbage. None gets an answer that it could use, none costs others anything, and the log stays short. */
#include <czmq.h>
#include <poll.h>
#include <sodium.h>

#include "rig.h"

#define FRAMES 300

struct heard {
    unsigned lines;
};

static void on_log(void *user, const hq_log *rec)
{
    struct heard *h = user;
    h->lines += rec->level <= 4;
}

/* The public half of the key that the server of this plane derives from its secret. */
static void server_key(const hq_server *s, int plane, uint8_t key[32])
{
    uint8_t curve_secret[32];
    const char *label = plane == HQ_PLANE_CLIENT ? "hq-curve-client" : "hq-curve-worker";
    crypto_generichash(curve_secret, 32, (const uint8_t *)label, strlen(label), hq_server_secret(s, plane), 32);
    crypto_scalarmult_base(key, curve_secret);
}

enum hostile { PLAIN, WRONG_KEY, GARBAGE, TOO_LONG, OTHER_SESSION, KINDS };

static zsock_t *hostile_open(const hq_server *s, int plane, enum hostile kind)
{
    zsock_t *z = zsock_new(ZMQ_DEALER);
    uint8_t key[32];
    assert_non_null(z);
    zsock_set_linger(z, 0);
    server_key(s, plane, key);
    key[0] ^= kind == WRONG_KEY;
    if (kind != PLAIN) {
        zcert_t *own = zcert_new();
        zcert_apply(own, z);
        zsock_set_curve_serverkey_bin(z, key);
        zcert_destroy(&own);
    }
    assert_int_equal(zsock_connect(z, "%s", hq_server_endpoint(s, plane)), 0);
    return z;
}

/* Frame `i`: noise of many lengths; or what looks like a frame of a session that nobody has. */
static zframe_t *make_frame(enum hostile kind, unsigned i)
{
    static const uint8_t header[28] = {'h', 'q', 1, 4, 7, 7, 7, 7, 7, 7, 7, 7, 1};
    size_t size = kind == TOO_LONG ? 5000 : kind == OTHER_SESSION ? 64 : i * 37 % 3000;
    zframe_t *f = zframe_new(NULL, size);
    randombytes_buf(zframe_data(f), size);
    if (kind == OTHER_SESSION)
        memcpy(zframe_data(f), header, sizeof header);
    return f;
}

static void dispatch(struct rig *r, int ms)
{
    struct pollfd p = {hq_ctx_fd(r->ctx), POLLIN, 0};
    for (int64_t end = zclock_mono() + ms; zclock_mono() < end;)
        if (poll(&p, 1, 5) > 0)
            must(hq_ctx_dispatch(r->ctx, RIG_ERR));
}

/* The only thing that a hostile peer may hear is REFUSE (kind 3), and only if it could make a connection. */
static void check_answers(zsock_t *z, enum hostile kind)
{
    zsock_set_rcvtimeo(z, 0);
    for (zframe_t *f; (f = zframe_recv(z)); zframe_destroy(&f)) {
        assert_true(kind != PLAIN && kind != WRONG_KEY);
        assert_true(zframe_size(f) >= 28);
        assert_memory_equal(zframe_data(f), "hq\1\3", 4);
    }
}

static void attack(struct rig *r, struct heard *h, int plane, enum hostile kind)
{
    zsock_t *z = hostile_open(r->server, plane, kind);
    unsigned before = h->lines;
    zsock_set_sndtimeo(z, 0);
    for (unsigned i = 0; i < FRAMES; i++) {
        zframe_t *f = make_frame(kind, i);
        if (zframe_send(&f, z, ZFRAME_DONTWAIT) < 0)
            zframe_destroy(&f);
        if (i % 20 == 0)
            dispatch(r, 10);
    }
    dispatch(r, 200);
    check_answers(z, kind);
    zsock_destroy(&z);
    assert_true(h->lines - before <= 10); /* FRAMES frames are a few lines, not as many */
}

static void hostile_peers_change_nothing(void **state)
{
    (void)state;
    struct heard h = {0};
    hq_ctx_options o = {.size = sizeof o, .log = on_log, .user = &h};
    struct rig r = {.dir = "/tmp/hq-embed-XXXXXX"};
    hq_job_status before = {.size = sizeof before}, after = {.size = sizeof after};
    const char *argv[] = {"/bin/true", NULL};
    hq_job_id job;
    assert_non_null(mkdtemp(r.dir));
    must(hq_ctx_new(&r.ctx, &o, RIG_ERR));
    must(hq_server_new(&r.server, r.ctx, NULL, RIG_ERR));
    rig_client(&r);
    rig_worker(&r, "1");
    hq_submit *s = rig_submit(&r, "1-3", argv);
    must(hq_submit_array(r.client, "1-3", argv, s, &job, RIG_ERR));
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    must(hq_job_progress(r.client, job, &before, RIG_ERR));
    for (int plane = HQ_PLANE_CLIENT; plane <= HQ_PLANE_WORKER; plane++)
        for (int kind = PLAIN; kind < KINDS; kind++) {
            attack(&r, &h, plane, (enum hostile)kind);
            must(hq_job_progress(r.client, job, &after, RIG_ERR));
            assert_memory_equal(&before, &after, sizeof before);
        }
    must(hq_submit_array(r.client, "1-3", argv, s, &job, RIG_ERR)); /* the worker is still there */
    must(hq_job_wait(r.client, job, LONG_MS, RIG_ERR));
    hq_submit_free(s);
    assert_true(h.lines > 0);
    rig_close(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_peers_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
