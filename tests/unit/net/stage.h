/* SPDX-License-Identifier: MIT */
/* stage.h - a router and links on one loop over real loopback sockets, with records of what each was told.
 *
 * Payloads are numbered by their sender, so that each receiver checks "once and in order" by itself. Nothing sleeps:
 * UNTIL runs rounds, waiting on the loop's fd, until a condition holds or its time is up. */
#ifndef TESTS_NET_STAGE_H
#define TESTS_NET_STAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zmq.h>
#include <cmocka.h>

#include "base/clock.h"
#include "loop/loop.h"
#include "net/keys.h"
#include "net/link.h"
#include "net/router.h"

#define FARS 64

struct far { /* the server's record of a session */
    struct peer *peer; /* NULL once it is lost */
    uint64_t uid, id;
    uint32_t sent, got;
    uint64_t last; /* frame number of the last payload */
    enum peer_loss loss;
    char text[128]; /* of on_lost */
    bool hold; /* acknowledge nothing */
    bool echo;
};

struct stage {
    struct loop *loop;
    void *zmq;
    struct router *router;
    struct router_options options; /* change before stage_listen */
    uint8_t secret[32];
    struct log log;
    unsigned lines; /* of the log, at LOG_WARN or above */
    char line[512]; /* the last one */
    struct far fars[FARS];
    unsigned n_fars, idles;
    int refuse; /* on_open refuses with this code */
    struct proxy *cut; /* on_open cuts it, once: what the router answers is lost; */
    struct proxy *mute; /* or mutes it, once: that does not pass */
    uint64_t skew_ns; /* added to the clock of every round */
};

struct near { /* a link and what it was told */
    struct stage *stage;
    struct link *link;
    unsigned opens, resumes, drops, idles;
    uint32_t sent, got;
    int code; /* of on_end */
    char text[256];
    bool hold, free_in_end, free_in_data;
    bool rejoins; /* its first WELCOME is of a session that it does not know to have */
    uint64_t session, last;
};

void stage_init(struct stage *s);
void stage_listen(struct stage *s);
void stage_fini(struct stage *s); /* links must be freed before: zmq_ctx_term waits for them */
void stage_round(struct stage *s, int wait_ms);
uint64_t stage_ms(void);
#define UNTIL(s, cond, ms)                                                       \
    do {                                                                         \
        uint64_t until_end = stage_ms() + (ms);                                  \
        while (!(cond)) {                                                        \
            if (stage_ms() > until_end)                                          \
                fail_msg("%s:%d: not within %d ms: %s", __FILE__, __LINE__, (int)(ms), #cond); \
            stage_round(s, 5);                                                   \
        }                                                                        \
    } while (0)
void stage_run_for(struct stage *s, unsigned ms); /* to show that something does not happen */

struct far *stage_far(struct stage *s, unsigned i); /* in order of arrival */
void far_send(struct far *f, size_t size);          /* the next numbered payload, size >= 4 */

struct link_options near_options(struct near *n, struct stage *s, const char *host, uint16_t port);
void near_open(struct near *n, struct stage *s); /* a link to the stage's router; waits until it is open */
void near_new(struct near *n, const struct link_options *o);
void near_send(struct near *n, size_t size);
void near_free(struct near *n);

unsigned count_fds(void);

/* A TCP relay on the same loop, to cut connections that libzmq does not know to be cut. */
struct proxy;
struct proxy *proxy_new(struct stage *s, uint16_t upstream);
uint16_t proxy_port(const struct proxy *p);
void proxy_cut(struct proxy *p);
void proxy_mute(struct proxy *p); /* what comes from upstream on today's connections passes no more */
unsigned proxy_connections(const struct proxy *p); /* so far */
void proxy_free(struct proxy *p);

/* A process of its own that holds one link: "live" serves it, "mute" falls asleep once it is open. */
pid_t child_start(const char *program, const struct stage *s, const char *mode, uint32_t heartbeat_ms);
void child_end(pid_t pid); /* kill -9 and reap */

#endif
