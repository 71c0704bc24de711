/* SPDX-License-Identifier: MIT */
/* peer_main.c - a peer in a process of its own, to be killed, stopped or ignored by the tests of loss.
 *
 * peer PORT SECRET live|mute HEARTBEAT_MS: live serves its link until it ends; mute falls asleep once it is open,
 * as a host that computes does, so that only libzmq's own thread answers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <signal.h>
#include <unistd.h>
#include <zmq.h>

#include "loop/loop.h"
#include "net/link.h"

struct self {
    struct link *link;
    bool open, ended;
};

static void on_open(void *user, const struct welcome *w)
{
    struct self *me = user;
    me->open = true;
}

static void on_data(void *user, uint64_t number, struct bytes payload)
{
    struct self *me = user;
    hqi_net_link_safe(me->link, number);
}

static void on_drop(void *user)
{
}

static void on_end(void *user, int code, const char *text)
{
    struct self *me = user;
    me->ended = true;
}

int main(int argc, char **argv)
{
    static const struct link_ops ops = {on_open, on_data, on_drop, on_end, NULL};
    struct self me = {0};
    struct loop *loop;
    uint8_t secret[32];
    unsigned byte;
    if (argc != 5 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
        return 2;
    for (int i = 0; i < 32; i++) {
        if (sscanf(argv[2] + 2 * i, "%2x", &byte) != 1)
            return 2;
        secret[i] = (uint8_t)byte;
    }
    if (hqi_loop_loop_new(&loop, &hqi_base_alloc_libc, NULL) < 0)
        return 1;
    const struct link_options o = {
        .alloc = &hqi_base_alloc_libc,
        .loop = loop,
        .zmq = zmq_ctx_new(),
        .plane = "worker",
        .host = "127.0.0.1",
        .port = (uint16_t)atoi(argv[1]),
        .secret = secret,
        .uid = (uint64_t)getpid(),
        .heartbeat_ms = (uint32_t)atoi(argv[4]),
        .ops = &ops,
        .user = &me,
    };
    if (hqi_net_link_new(&me.link, &o, NULL) < 0)
        return 1;
    while (!me.ended && hqi_loop_loop_wait(loop, -1, NULL) >= 0 && hqi_loop_loop_run(loop, NULL) == HQ_OK)
        while (me.open && strcmp(argv[3], "mute") == 0)
            pause();
    hqi_net_link_free(me.link);
    hqi_loop_loop_free(loop);
    return zmq_ctx_term(o.zmq) < 0;
}
