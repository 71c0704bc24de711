/* SPDX-License-Identifier: MIT */
/* link_test.c - a link and a router that mean well: opening, data both ways, cuts, goodbyes, and the ways in
 * which a connection fails to come about. */
#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../failing_alloc.h"

static int set_up(void **state)
{
    struct stage *s = malloc(sizeof *s);
    stage_init(s);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    stage_fini(*state);
    free(*state);
    return 0;
}

static void test_data_both_ways(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s);
    struct far *f = stage_far(s, 0);
    for (int i = 0; i < 10000; i++) {
        near_send(&n, 4 + (size_t)i % 300);
        far_send(f, 4 + (size_t)i % 500);
    }
    assert_true(hqi_net_link_unacked_bytes(n.link) > 10000 * 28);
    UNTIL(s, f->got == 10000 && n.got == 10000, 10000);
    UNTIL(s, hqi_net_peer_idle(f->peer) && hqi_net_link_unacked_bytes(n.link) == 0, 2000);
    assert_true(hqi_net_peer_rtt_ns(f->peer) > 0);
    assert_true(s->idles > 0 && n.idles > 0 && s->idles < 10000);
    assert_int_equal(n.opens, 1);
    assert_int_equal(s->lines, 0);
    near_free(&n);
}

static void test_what_is_not_safe_is_not_acknowledged(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s);
    struct far *f = stage_far(s, 0);
    f->hold = n.hold = true;
    for (int i = 0; i < 10; i++) {
        near_send(&n, 100);
        far_send(f, 100);
    }
    UNTIL(s, f->got == 10 && n.got == 10, 2000);
    stage_run_for(s, 60); /* three times the delay of an acknowledgement */
    assert_int_equal(hqi_net_link_unacked_bytes(n.link), 10 * 128);
    assert_false(hqi_net_peer_idle(f->peer));
    hqi_net_peer_safe(f->peer, f->last - 4);
    hqi_net_link_safe(n.link, UINT64_MAX); /* more than ever came: as much as came */
    UNTIL(s, hqi_net_link_unacked_bytes(n.link) == 4 * 128, 1000);
    UNTIL(s, hqi_net_peer_idle(f->peer), 1000);
    near_free(&n);
}

static void test_cuts(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    struct proxy *p = proxy_new(s, s->options.port);
    const struct link_options o = near_options(&n, s, "127.0.0.1", proxy_port(p));
    near_new(&n, &o);
    UNTIL(s, n.opens == 1, 3000);
    struct far *f = stage_far(s, 0);
    for (unsigned cut = 1; cut <= 6; cut++) {
        for (int i = 0; i < 500; i++) {
            near_send(&n, 2000);
            far_send(f, 2000);
        }
        UNTIL(s, f->got > 500 * (cut - 1) + 50 * cut, 3000); /* somewhere in the middle */
        proxy_cut(p);
        UNTIL(s, n.drops == cut, 3000);
        near_send(&n, 100); /* while it is away */
        far_send(f, 100);
        UNTIL(s, n.resumes == cut, 3000);
    }
    UNTIL(s, f->got == n.sent && n.got == f->sent, 5000);
    UNTIL(s, hqi_net_peer_idle(f->peer) && hqi_net_link_unacked_bytes(n.link) == 0, 2000);
    assert_int_equal(n.sent, 6 * 501);
    assert_int_equal(s->n_fars, 1);
    assert_non_null(f->peer);
    assert_int_equal(n.code, 0);
    near_free(&n);
    proxy_free(p);
}

static void test_not_resumed_in_time(void **state)
{
    struct stage *s = *state;
    struct near n;
    s->options.resume_ms = 100;
    stage_listen(s);
    near_open(&n, s);
    near_free(&n);
    UNTIL(s, stage_far(s, 0)->loss, 1500);
    assert_int_equal(stage_far(s, 0)->loss, PEER_DROPPED);
}

static void test_resume_with_a_lost_session(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s);
    hqi_net_router_free(s->router); /* and its memory of sessions */
    s->router = NULL;
    UNTIL(s, n.drops == 1, 2000);
    stage_listen(s);
    UNTIL(s, n.code, 4000);
    assert_int_equal(n.code, HQ_ECLOSED);
    assert_string_equal(n.text, "unknown session");
    hq_error err;
    assert_int_equal(hqi_net_link_send(n.link, bytes_of("x"), &err), HQ_ECLOSED);
    near_free(&n);
}

static void test_goodbyes(void **state)
{
    struct stage *s = *state;
    struct near a, b, c;
    stage_listen(s);
    near_open(&a, s);
    near_open(&b, s);
    near_open(&c, s);
    for (int i = 0; i < 20; i++) {
        near_send(&a, 1000);
        far_send(stage_far(s, 1), 1000);
    }
    hqi_net_link_bye(a.link, HQ_OK, "that was all");
    near_free(&a);
    hqi_net_peer_bye(stage_far(s, 1)->peer, HQ_OK, "server stops");
    hqi_net_peer_bye(stage_far(s, 2)->peer, HQ_ESTATE, "you must not");
    UNTIL(s, stage_far(s, 0)->loss && b.code && c.code, 2000);
    assert_int_equal(stage_far(s, 0)->loss, PEER_BYE);
    assert_string_equal(stage_far(s, 0)->text, "that was all");
    assert_int_equal(stage_far(s, 0)->got, 20); /* what was sent before goes before */
    assert_int_equal(b.got, 20);
    assert_int_equal(b.code, HQ_ECLOSED);
    assert_string_equal(b.text, "server stops");
    assert_int_equal(c.code, HQ_ESTATE);
    assert_int_equal(stage_far(s, 1)->loss, 0); /* no on_lost */
    assert_null(hqi_net_router_find(s->router, stage_far(s, 1)->id));
    near_free(&b);
    near_free(&c);
}

static void test_goodbye_of_a_server_that_ends(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s);
    hqi_net_peer_bye(stage_far(s, 0)->peer, HQ_OK, "server stops");
    hqi_net_router_free(s->router);
    s->router = NULL;
    UNTIL(s, n.code, 2000);
    assert_int_equal(n.code, HQ_ECLOSED);
    assert_string_equal(n.text, "server stops");
    assert_int_equal(n.drops, 0);
    near_free(&n);
}

static void test_wrong_secret(void **state)
{
    struct stage *s = *state;
    struct near n;
    uint8_t wrong[32] = {1};
    stage_listen(s);
    struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    o.secret = wrong;
    near_new(&n, &o);
    UNTIL(s, n.code, 4000);
    assert_int_equal(n.code, HQ_EAUTH);
    assert_non_null(strstr(n.text, "the server at 127.0.0.1:"));
    assert_non_null(strstr(n.text, "does not accept this access key"));
    assert_int_equal(s->n_fars, 0);
    assert_in_range(s->lines, 1, 3);
    near_free(&n);
}

static void test_the_other_planes_key(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    o.plane = "client";
    near_new(&n, &o);
    UNTIL(s, n.code, 4000);
    assert_int_equal(n.code, HQ_EAUTH);
    near_free(&n);
}

static void test_owner_refuses(void **state)
{
    struct stage *s = *state;
    struct near n;
    s->refuse = HQ_ESTATE;
    stage_listen(s);
    const struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    near_new(&n, &o);
    UNTIL(s, n.code, 3000);
    assert_int_equal(n.code, HQ_ESTATE);
    assert_string_equal(n.text, "the owner says no");
    assert_int_equal(n.opens, 0);
    near_free(&n);
}

static void test_nobody_listens_yet(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    hqi_net_router_free(s->router);
    s->router = NULL;
    const struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    near_new(&n, &o);
    near_send(&n, 8); /* waits */
    UNTIL(s, strcmp(hqi_net_link_trouble(n.link), "Connection refused (os error 111)") == 0, 3000);
    assert_int_equal(n.code, 0);
    stage_listen(s);
    UNTIL(s, s->n_fars == 1 && stage_far(s, 0)->got == 1, 4000);
    assert_string_equal(hqi_net_link_trouble(n.link), "");
    assert_int_equal(n.drops, 0);
    near_free(&n);
}

/* ---- early frames ---- */

static struct link_options early_options(struct near *n, struct stage *s, uint16_t port)
{
    struct link_options o = near_options(n, s, "127.0.0.1", port);
    o.early = true;
    return o;
}

/* All of it is there before the link can have heard of its session. */
static void test_early_frames_come_with_hello(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    struct proxy *p = proxy_new(s, s->options.port);
    s->mute = p; /* WELCOME goes astray */
    const struct link_options o = early_options(&n, s, proxy_port(p));
    n.rejoins = true;
    near_new(&n, &o);
    for (int i = 0; i < 3; i++)
        near_send(&n, 100);
    UNTIL(s, s->n_fars == 1 && stage_far(s, 0)->got == 3, 3000);
    assert_int_equal(n.opens, 0);
    proxy_cut(p);
    UNTIL(s, n.opens == 1, 3000);
    near_send(&n, 100);
    far_send(stage_far(s, 0), 100);
    UNTIL(s, stage_far(s, 0)->got == 4 && n.got == 1, 2000);
    UNTIL(s, hqi_net_link_unacked_bytes(n.link) == 0, 2000);
    assert_int_equal(s->n_fars, 1);
    assert_int_equal(s->lines, 0);
    near_free(&n);
    proxy_free(p);
}

/* The first time before there was anything to send, so that the server has a session of it without any frames. */
static void test_welcome_goes_astray_twice(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    struct proxy *p = proxy_new(s, s->options.port);
    s->cut = p;
    const struct link_options o = early_options(&n, s, proxy_port(p));
    n.rejoins = true;
    near_new(&n, &o);
    UNTIL(s, s->n_fars == 1 && strcmp(hqi_net_link_trouble(n.link), "the connection broke") == 0, 3000);
    s->cut = p;
    near_send(&n, 100);
    UNTIL(s, s->n_fars == 2 && stage_far(s, 1)->got == 1, 3000);
    UNTIL(s, n.opens == 1, 3000);
    near_send(&n, 100);
    UNTIL(s, hqi_net_link_unacked_bytes(n.link) == 0, 2000);
    assert_int_equal(stage_far(s, 0)->got, 0);
    assert_int_equal(stage_far(s, 1)->got, 2);
    assert_int_equal(s->n_fars, 2);
    near_free(&n);
    proxy_free(p);
}

/* Whether it has acted on them, another server cannot tell: it must not be asked. */
static void test_early_frames_are_for_one_server(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    struct proxy *p = proxy_new(s, s->options.port);
    s->cut = p;
    const struct link_options o = early_options(&n, s, proxy_port(p));
    near_new(&n, &o);
    near_send(&n, 100);
    UNTIL(s, s->n_fars == 1, 3000);
    hqi_net_router_free(s->router);
    UNTIL(s, hqi_net_router_new(&s->router, &s->options, NULL) == HQ_OK, 2000); /* libzmq lets go of the port when it can */
    UNTIL(s, n.code, 4000);
    assert_int_equal(n.code, HQ_ECLOSED);
    assert_string_equal(n.text, "the server has forgotten this session");
    assert_true(hqi_net_link_forgotten(n.link));
    assert_int_equal(s->n_fars, 2);
    assert_int_equal(stage_far(s, 1)->got, 0);
    near_free(&n);
    proxy_free(p);
}

static void test_what_cannot_have_left_is_sent_again(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    struct proxy *p = proxy_new(s, s->options.port);
    const struct link_options o = early_options(&n, s, proxy_port(p));
    near_new(&n, &o);
    near_send(&n, 100);
    UNTIL(s, proxy_connections(p) == 1, 3000);
    proxy_cut(p); /* within the handshake */
    UNTIL(s, s->n_fars == 1 && stage_far(s, 0)->got == 1, 4000);
    UNTIL(s, n.opens == 1, 2000);
    assert_int_equal(n.resumes, 0);
    assert_int_equal(s->n_fars, 1);
    near_free(&n);
    proxy_free(p);
}

static void test_early_frames_fall_with_hello(void **state)
{
    struct stage *s = *state;
    struct near n;
    s->refuse = HQ_ESTATE;
    stage_listen(s);
    const struct link_options o = early_options(&n, s, s->options.port);
    near_new(&n, &o);
    near_send(&n, 5000); /* more than a first message may have */
    UNTIL(s, n.code, 3000);
    stage_run_for(s, 20);
    assert_int_equal(n.code, HQ_ESTATE);
    assert_int_equal(s->lines, 0);
    near_free(&n);
}

static void test_names(void **state)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1"};
    struct stage *s = *state;
    char own[256] = "";
    struct near n;
    hq_error err;
    stage_listen(s);
    assert_int_equal(gethostname(own, sizeof own - 1), 0);
    for (size_t i = 0; i < 3; i++) { /* the own name ends with 127.0.0.1, whatever the resolver says */
        const struct link_options o = near_options(&n, s, i < 2 ? hosts[i] : own, s->options.port);
        near_new(&n, &o);
        UNTIL(s, n.opens == 1, 15000);
        near_free(&n);
    }
    struct link_options o = near_options(&n, s, "no-such-host.invalid", s->options.port);
    assert_int_equal(hqi_net_link_new(&n.link, &o, &err), HQ_ESYS);
    assert_non_null(strstr(err.text, "no-such-host.invalid"));
    o = near_options(&n, s, "", s->options.port);
    assert_int_equal(hqi_net_link_new(&n.link, &o, &err), HQ_EINVAL);
    o = near_options(&n, s, "127.0.0.1", 0);
    assert_int_equal(hqi_net_link_new(&n.link, &o, &err), HQ_EINVAL);
}

static void test_ipv6(void **state)
{
    struct stage *s = *state;
    struct near n;
    hq_error err;
    s->options.bind = "[::1]";
    int rc = hqi_net_router_new(&s->router, &s->options, &err);
    if (rc == HQ_ESYS && (err.sys == 99 || err.sys == 97)) /* EADDRNOTAVAIL, EAFNOSUPPORT: a host without IPv6 */
        skip();
    assert_int_equal(rc, HQ_OK);
    const struct link_options o = near_options(&n, s, "::1", hqi_net_router_port(s->router));
    near_new(&n, &o);
    UNTIL(s, n.opens == 1, 3000);
    near_free(&n);
}

static void test_bind_errors(void **state)
{
    struct stage *s = *state;
    struct router *second;
    hq_error err;
    stage_listen(s);
    assert_int_equal(hqi_net_router_new(&second, &s->options, &err), HQ_ESYS);
    assert_non_null(strstr(err.text, "Address already in use (os error 98)"));
    s->options.bind = "localhost";
    assert_int_equal(hqi_net_router_new(&second, &s->options, &err), HQ_EINVAL);
    assert_non_null(strstr(err.text, "\"localhost\""));
    s->options.bind = "*";
    assert_int_equal(hqi_net_router_new(&second, &s->options, &err), HQ_EINVAL);
}

static void test_freed_in_its_own_callbacks(void **state)
{
    struct stage *s = *state;
    struct near a, b, c;
    stage_listen(s);
    near_open(&a, s);
    near_open(&b, s);
    near_open(&c, s);
    a.free_in_data = b.free_in_end = c.free_in_end = true;
    far_send(stage_far(s, 0), 10);
    far_send(stage_far(s, 0), 10);
    UNTIL(s, !a.link, 2000);
    assert_int_equal(a.got, 1);
    hqi_net_peer_bye(stage_far(s, 1)->peer, HQ_OK, "");
    hqi_net_peer_bye(stage_far(s, 2)->peer, HQ_OK, "");
    hqi_net_router_free(s->router); /* so that goodbye and the broken connection are seen in one round, or not */
    s->router = NULL;
    UNTIL(s, !b.link && !c.link, 2000);
    assert_int_equal(b.drops + c.drops, 0);
}

static void test_no_descriptor_is_left_over(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s); /* libzmq has opened what it keeps */
    near_free(&n);
    hqi_net_router_free(s->router);
    s->router = NULL;
    assert_int_equal(zmq_ctx_term(s->zmq), 0);
    s->zmq = s->options.zmq = zmq_ctx_new();
    unsigned before = count_fds();
    stage_listen(s);
    for (int i = 0; i < 5; i++) {
        near_open(&n, s);
        near_free(&n);
    }
    hqi_net_router_free(s->router);
    s->router = NULL;
    const struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    near_new(&n, &o);
    UNTIL(s, hqi_net_link_trouble(n.link)[0], 1000);
    near_free(&n);
    assert_int_equal(zmq_ctx_term(s->zmq), 0);
    s->zmq = s->options.zmq = zmq_ctx_new();
    assert_int_equal(count_fds(), before);
}

static void test_out_of_descriptors(void **state)
{
    struct stage *s = *state;
    struct near n;
    struct rlimit old, low;
    hq_error err;
    stage_listen(s);
    unsigned used = count_fds();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = (struct rlimit){used + 10, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    const struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    struct router *second;
    assert_int_equal(hqi_net_link_new(&n.link, &o, &err), HQ_ELIMIT);
    assert_non_null(strstr(err.text, "ulimit -n"));
    assert_int_equal(hqi_net_router_new(&second, &s->options, &err), HQ_ELIMIT);
    assert_int_equal(count_fds(), used);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    near_open(&n, s);
    near_free(&n);
}

static void test_out_of_memory(void **state)
{
    struct stage *s = *state;
    struct failing f;
    hq_error err;
    stage_listen(s);
    for (size_t i = 1;; i++) { /* each allocation of a link that opens and sends */
        struct near n;
        struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
        failing_init(&f, i);
        o.alloc = &f.alloc;
        int rc = hqi_net_link_new(&n.link, &o, &err);
        if (rc < 0) {
            assert_int_equal(rc, HQ_ENOMEM);
        } else {
            UNTIL(s, n.opens, 3000); /* at the second attempt, if the first had no memory */
            near_free(&n);
        }
        assert_int_equal(f.live, 0);
        if (!f.hit)
            break;
    }
    for (size_t i = 1;; i++) {
        struct router *r;
        struct router_options o = s->options;
        o.port = 0;
        failing_init(&f, i);
        o.alloc = &f.alloc;
        int rc = hqi_net_router_new(&r, &o, &err);
        assert_true(rc == HQ_ENOMEM || (rc == HQ_OK && !f.hit));
        if (rc == HQ_OK)
            hqi_net_router_free(r);
        assert_int_equal(f.live, 0);
        if (!f.hit)
            break;
    }
}

/* The server has no memory for a peer: it is told so. */
static void test_server_out_of_memory(void **state)
{
    struct stage *s = *state;
    struct failing f;
    struct near n;
    failing_init(&f, 0);
    s->options.alloc = &f.alloc;
    stage_listen(s);
    near_open(&n, s); /* warms buffers and tables */
    near_free(&n);
    f.fail_at = f.calls + 1;
    f.forever = true;
    const struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
    near_new(&n, &o);
    UNTIL(s, n.code, 3000);
    assert_int_equal(n.code, HQ_ENOMEM);
    f.forever = false;
    near_free(&n);
    hqi_net_router_free(s->router);
    s->router = NULL;
    assert_int_equal(f.live, 0);
}

static void test_fork(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s);
    far_send(stage_far(s, 0), 100);
    near_send(&n, 100);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        hqi_loop_loop_free_forked(s->loop);
        hqi_net_link_free_forked(n.link);
        hqi_net_router_free_forked(s->router);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    UNTIL(s, n.got == 1 && stage_far(s, 0)->got == 1, 2000); /* the parent noticed nothing */
    near_free(&n);
}

/* Not a benchmark: it fails when a timer of ours has come into the way of the first answer. */
static void test_first_answer_is_quick(void **state)
{
    struct stage *s = *state;
    uint64_t best = UINT64_MAX;
    struct near n;
    stage_listen(s);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t start = hqi_base_clock_now().mono_ns;
        const struct link_options o = near_options(&n, s, "127.0.0.1", s->options.port);
        near_new(&n, &o);
        near_send(&n, 100);
        while (s->n_fars <= i)
            stage_round(s, 1000);
        stage_far(s, i)->echo = true;
        while (n.got == 0)
            stage_round(s, 1000);
        uint64_t took = hqi_base_clock_now().mono_ns - start;
        best = took < best ? took : best;
        near_free(&n);
    }
    print_message("first answer after %llu us\n", (unsigned long long)best / 1000);
    assert_true(best < 20 * HQI_MS);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_data_both_ways),
        T(test_what_is_not_safe_is_not_acknowledged),
        T(test_cuts),
        T(test_not_resumed_in_time),
        T(test_resume_with_a_lost_session),
        T(test_goodbyes),
        T(test_goodbye_of_a_server_that_ends),
        T(test_wrong_secret),
        T(test_the_other_planes_key),
        T(test_owner_refuses),
        T(test_nobody_listens_yet),
        T(test_early_frames_come_with_hello),
        T(test_welcome_goes_astray_twice),
        T(test_early_frames_are_for_one_server),
        T(test_what_cannot_have_left_is_sent_again),
        T(test_early_frames_fall_with_hello),
        T(test_names),
        T(test_ipv6),
        T(test_bind_errors),
        T(test_freed_in_its_own_callbacks),
        T(test_no_descriptor_is_left_over),
        T(test_out_of_descriptors),
        T(test_out_of_memory),
        T(test_server_out_of_memory),
        T(test_fork),
        T(test_first_answer_is_quick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
