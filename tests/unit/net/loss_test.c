/* SPDX-License-Identifier: MIT */
/* loss_test.c - how a router tells the dead from the stopped, the busy and the slow, with peers in processes of their own.
 * argv[1]: the program of such a peer. */
#include "stage.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

static const char *program; /* set once by main */

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

static pid_t join(struct stage *s, const char *mode, uint32_t heartbeat_ms)
{
    unsigned before = s->n_fars;
    pid_t pid = child_start(program, s, mode, heartbeat_ms);
    UNTIL(s, s->n_fars > before, 5000);
    return pid;
}

static void test_killed(void **state)
{
    struct stage *s = *state;
    s->options.resume_ms = 300;
    stage_listen(s);
    pid_t pid = join(s, "live", 0);
    uint64_t start = stage_ms();
    child_end(pid);
    UNTIL(s, stage_far(s, 0)->loss, 2000);
    assert_int_equal(stage_far(s, 0)->loss, PEER_DROPPED);
    assert_true(stage_ms() - start >= 290);
}

/* Those that were dropped together are given the time to come back one after the other. */
static void test_dropped_together(void **state)
{
    enum { PEERS = 40 };
    struct stage *s = *state;
    struct near n[PEERS];
    s->options.resume_ms = 50;
    stage_listen(s);
    for (unsigned i = 0; i < PEERS; i++)
        near_open(&n[i], s);
    uint64_t start = stage_ms();
    for (unsigned i = 0; i < PEERS; i++)
        near_free(&n[i]);
    UNTIL(s, stage_far(s, 0)->loss, 3000);
    assert_true(stage_ms() - start >= 50 + 2 * PEERS - 5);
    UNTIL(s, stage_far(s, PEERS - 1)->loss, 3000);
}

static void test_killed_while_stopped_or_busy(void **state)
{
    struct stage *s = *state;
    s->options.resume_ms = 300;
    stage_listen(s);
    pid_t stopped = join(s, "live", 0), busy = join(s, "mute", 0);
    assert_int_equal(kill(stopped, SIGSTOP), 0);
    stage_run_for(s, 100);
    child_end(stopped);
    child_end(busy);
    UNTIL(s, stage_far(s, 0)->loss && stage_far(s, 1)->loss, 2000);
    assert_int_equal(stage_far(s, 0)->loss, PEER_DROPPED); /* its silence was too short to say anything */
    assert_int_equal(stage_far(s, 1)->loss, PEER_DROPPED);
}

static void test_stopped(void **state)
{
    struct stage *s = *state;
    s->options.heartbeat_ms = 400;
    stage_listen(s);
    pid_t pid = join(s, "live", 400);
    stage_run_for(s, 1000); /* it lives through windows */
    assert_non_null(stage_far(s, 0)->peer);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    uint64_t start = stage_ms();
    UNTIL(s, stage_far(s, 0)->loss, 4000);
    assert_int_equal(stage_far(s, 0)->loss, PEER_SILENT);
    assert_in_range(stage_ms() - start, 500, 4000); /* 2 x 400, and no 5 s of waiting for a resumption */
    child_end(pid);
}

/* Its own heartbeat counts, not the router's. */
static void test_stopped_with_a_heartbeat_of_its_own(void **state)
{
    struct stage *s = *state;
    stage_listen(s);
    pid_t quick = join(s, "live", 300), slow = join(s, "live", 8000);
    hqi_net_peer_set_heartbeat(stage_far(s, 0)->peer, 300);
    stage_run_for(s, 900);
    assert_non_null(stage_far(s, 0)->peer);
    assert_int_equal(kill(quick, SIGSTOP), 0);
    assert_int_equal(kill(slow, SIGSTOP), 0);
    UNTIL(s, stage_far(s, 0)->loss, 3000);
    assert_int_equal(stage_far(s, 0)->loss, PEER_SILENT);
    assert_non_null(stage_far(s, 1)->peer);
    child_end(quick);
    child_end(slow);
}

/* A lost one that wakes up again learns of its loss from the answer to whatever it says. */
static void test_stopped_and_continued(void **state)
{
    struct stage *s = *state;
    int status;
    s->options.heartbeat_ms = 200;
    stage_listen(s);
    pid_t pid = join(s, "live", 200);
    assert_int_equal(kill(pid, SIGSTOP), 0);
    UNTIL(s, stage_far(s, 0)->loss, 4000);
    assert_int_equal(kill(pid, SIGCONT), 0);
    UNTIL(s, waitpid(pid, &status, WNOHANG) == pid, 4000);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0); /* on_end came */
    assert_int_equal(s->n_fars, 1);
}

/* Connected and answering the transport's heartbeats, but not dispatching. */
static void test_busy(void **state)
{
    struct stage *s = *state;
    s->options.heartbeat_ms = 200;
    s->options.stalled_ms = 600;
    s->options.silent_lost_ms = 1800;
    stage_listen(s);
    pid_t pid = join(s, "mute", 200);
    struct far *f = stage_far(s, 0);
    uint64_t start = stage_ms();
    assert_false(hqi_net_peer_stalled(f->peer));
    UNTIL(s, hqi_net_peer_stalled(f->peer), 1700);
    assert_true(stage_ms() - start >= 550);
    UNTIL(s, f->loss, 4000);
    assert_int_equal(f->loss, PEER_SILENT);
    assert_true(stage_ms() - start >= 1700);
    child_end(pid);
}

/* A peer that does not read costs what its queue holds, and nobody else anything. */
static void test_not_reading(void **state)
{
    struct stage *s = *state;
    struct near good;
    stage_listen(s);
    near_open(&good, s);
    pid_t pid = join(s, "mute", 0);
    struct far *f = stage_far(s, 1), *g = stage_far(s, 0);
    unsigned frames = 0;
    assert_false(hqi_net_peer_full(f->peer));
    while (frames < 300) {
        far_send(f, 64 << 10);
        far_send(g, 100);
        frames++;
        if (frames == 10)
            assert_false(hqi_net_peer_full(f->peer)); /* 640 kB of 1 MiB */
        stage_round(s, 0);
    }
    assert_true(hqi_net_peer_full(f->peer));
    assert_false(hqi_net_peer_idle(f->peer));
    UNTIL(s, good.got == frames && hqi_net_peer_idle(g->peer), 3000);
    assert_false(hqi_net_peer_full(g->peer));
    assert_non_null(f->peer);
    unsigned idle_rounds = 0;
    for (uint64_t end = stage_ms() + 500; stage_ms() < end; idle_rounds++)
        stage_round(s, 100);
    assert_in_range(idle_rounds, 5, 60); /* a full pipe does not keep the loop spinning */
    child_end(pid);
    near_free(&good);
}

/* We were away for an hour: nobody is judged by what did not happen meanwhile. */
static void test_judge_was_late(void **state)
{
    struct stage *s = *state;
    struct near n;
    stage_listen(s);
    near_open(&n, s);
    pid_t pid = join(s, "live", 0);
    s->skew_ns += 7200 * HQI_SEC;
    stage_run_for(s, 300);
    assert_non_null(stage_far(s, 0)->peer);
    assert_non_null(stage_far(s, 1)->peer);
    assert_false(hqi_net_peer_stalled(stage_far(s, 1)->peer));
    near_send(&n, 10);
    UNTIL(s, stage_far(s, 0)->got == 1, 1000);
    child_end(pid);
    s->skew_ns += 7200 * HQI_SEC; /* and now its connection broke meanwhile: it still has its time to come back */
    stage_run_for(s, 300);
    assert_non_null(stage_far(s, 1)->peer);
    near_free(&n);
}

/* An idle pair wakes up for heartbeats and for nothing else. */
static void test_idle_is_idle(void **state)
{
    struct stage *s = *state;
    stage_listen(s);
    pid_t pid = join(s, "live", 0);
    stage_run_for(s, 200);
    unsigned rounds = 0;
    for (uint64_t end = stage_ms() + 1000; stage_ms() < end; rounds++)
        stage_round(s, 1000);
    assert_in_range(rounds, 1, 4);
    child_end(pid);
}

static void test_many(void **state)
{
    struct stage *s = *state;
    pid_t pids[12];
    s->options.resume_ms = 200;
    stage_listen(s);
    for (size_t i = 0; i < 12; i++)
        pids[i] = child_start(program, s, "live", 0);
    UNTIL(s, s->n_fars == 12, 8000);
    for (size_t i = 0; i < 12; i++)
        for (unsigned k = 0; k < 200; k++)
            far_send(stage_far(s, (unsigned)i), 1000);
    unsigned idle = 0;
    UNTIL(s, ({
              idle = 0;
              for (unsigned i = 0; i < 12; i++)
                  idle += hqi_net_peer_idle(stage_far(s, i)->peer);
              idle == 12;
          }), 5000);
    for (size_t i = 0; i < 12; i++)
        child_end(pids[i]);
    UNTIL(s, ({
              idle = 0;
              for (unsigned i = 0; i < 12; i++)
                  idle += stage_far(s, i)->loss == PEER_DROPPED;
              idle == 12;
          }), 2000);
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_killed),
        T(test_dropped_together),
        T(test_killed_while_stopped_or_busy),
        T(test_stopped),
        T(test_stopped_with_a_heartbeat_of_its_own),
        T(test_stopped_and_continued),
        T(test_busy),
        T(test_not_reading),
        T(test_judge_was_late),
        T(test_idle_is_idle),
        T(test_many),
    };
    if (argc < 2) {
        fprintf(stderr, "usage: loss_test PEER_PROGRAM\n");
        return 2;
    }
    program = argv[1];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
