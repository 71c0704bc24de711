/* SPDX-License-Identifier: MIT */
/* core.h - the pure server: commands and reports in, facts applied, an outbox out.
 *
 *     decide(state, input) -> facts | error    checks everything; whole or not at all
 *     reserve, apply                           lib/state/
 *     plan(state)                              lib/sched/
 *     effects(state, fact) -> outbox           messages, replies; needs no more than the fact and the state
 *
 * No I/O, no clock, no randomness of its own: `now` and a seed are inputs. What must never happen: an entry of the
 * outbox before the fact that it reveals was applied; a reply lost; a command answered twice; a malformed or
 * malicious input changing anything. */
#ifndef HQI_CORE_CORE_H
#define HQI_CORE_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/log.h"
#include "hqcore/error.h"
#include "model/command.h"
#include "model/reply.h"
#include "model/report.h"
#include "sched/plan.h"
#include "state/state.h"

struct core;

struct core_options {
    const struct alloc *alloc;
    const struct log *log;            /* may be NULL */
    struct server_info info;          /* what SERVER_INFO answers; borrowed bytes outlive the core */
    uint64_t worker_idle_timeout_ms;  /* for workers without their own; 0: none */
    /* Sees every batch of facts, before any of it is applied, with the position of the first: the journal, the simulator.
     * One batch is one record: a crash must leave all of it or nothing. HQ_OK, or an error: then none of it is applied. May be
     * NULL. */
    int (*on_facts)(void *user, uint64_t position, const struct fact *facts, uint32_t n);
    void *user;
};

int hqi_core_core_new(struct core **ret, const struct core_options *o, hq_error *err);
void hqi_core_core_free(struct core *c);
const struct state *hqi_core_core_state(const struct core *c);
/* Replays one batch of facts, the last of which is number `position`, into a core that has not started. HQ_EJOURNAL, HQ_ENOMEM.
 * Takes specs and configs. */
int hqi_core_core_replay(struct core *c, uint64_t position, struct fact *facts, uint32_t n, hq_error *err);
/* After new (or replay): epoch = state's + 1; applies SERVER_START. uid: of the access file, unless the state has one. Workers
 * that are not recorded lost, and their tasks, then have some time to come back. */
int hqi_core_core_start(struct core *c, const struct now *now, struct bytes uid, hq_error *err);

/* Commands that would change something are refused with this text from now on (HQ_EJOURNAL); NULL: no longer. Borrowed. */
void hqi_core_core_refuse(struct core *c, const char *text);
/* What SERVER_INFO answers, once the ports are known. */
void hqi_core_core_set_ports(struct core *c, uint16_t client_port, uint16_t worker_port);

/* ---- inputs. HQ_ENOMEM: nothing happened, a reply says so where there is one to answer. The outbox is to be drained after
 * each: the one reply that needs no memory is there once. ---- */

/* `client` is the session's id. The reply is in the outbox, now or later (waits). Takes cmd's spec. */
void hqi_core_on_command(struct core *c, const struct now *now, uint64_t client, struct command *cmd);
void hqi_core_on_client_gone(struct core *c, uint64_t client); /* its waits and uploads are dropped */
/* Takes *config (sets it NULL). `uid`: of its process, 0: none; `token`: HQI_TOKEN_BYTES at random, with which it may come
 * back, or empty. HQ_EINVAL, HQ_ELIMIT, HQ_ENOMEM; HQ_EAUTH: that process is registered, and should have come back. */
int hqi_core_on_worker_join(struct core *c, const struct now *now, struct worker_config **config, uint64_t uid,
                            struct bytes token, hq_worker_id *ret, hq_error *err);
/* A worker comes back. First who it is: its old id, or a new one where its loss was recorded. It gets nothing before holds().
 * As join; HQ_ENOENT: it is not known; HQ_ESTATE: it belongs to another server, or to a later start of this one. */
int hqi_core_on_worker_back(struct core *c, const struct now *now, struct worker_config **config, uint64_t uid,
                            const struct attach *a, hq_worker_id *ret, hq_error *err);
/* Then what it has: that is kept, adopted, or to be killed. HQ_ENOMEM: give it again later; HQ_ECLOSED: it was lost meanwhile. */
int hqi_core_on_worker_holds(struct core *c, const struct now *now, hq_worker_id w, const struct attach *a, hq_error *err);
/* Unknown, late or impossible rows are ignored (one debug line); the rest counts. HQ_ENOMEM: give it again later. */
int hqi_core_on_report(struct core *c, const struct now *now, hq_worker_id w, const struct report *r, hq_error *err);
/* How busy its node is: recorded, and otherwise nobody's business: no tick follows. HQ_ENOMEM: then that one is not told. */
int hqi_core_on_overview(struct core *c, const struct now *now, hq_worker_id w, const struct node_load *load, hq_error *err);
void hqi_core_on_worker_ending(struct core *c, const struct now *now, hq_worker_id w, uint8_t reason);
/* The session is over. A reason that was recorded before (stop, idle timeout) wins. */
void hqi_core_on_worker_lost(struct core *c, const struct now *now, hq_worker_id w, uint8_t reason);
struct core_counts { /* for people who look for a fault */
    uint32_t waits, uploads; /* commands whose answer waits, submits in the making */
};
void hqi_core_core_count(const struct core *c, struct core_counts *ret);

void hqi_core_set_peer(struct core *c, hq_worker_id w, const struct plan_peer *p); /* round trip, stalled */
/* Scheduling, timers (idle timeouts, uploads, progress). Once after each batch of inputs, and at the deadline. */
void hqi_core_tick(struct core *c, const struct now *now);
uint64_t hqi_core_deadline(const struct core *c); /* mono_ns; UINT64_MAX: nothing to wait for. 0: tick again now */
uint64_t hqi_core_idle_deadline_ms(const struct core *c); /* the next idle timeout of a worker, utc_ms; UINT64_MAX: none */
bool hqi_core_stopping(const struct core *c); /* a client asked the server to stop: its reply is withheld until stopped() */
/* All workers have left or time is up: records that the server ends, which is the last that is recorded, and queues that reply. */
void hqi_core_stopped(struct core *c, const struct now *now);
void hqi_core_stop(struct core *c, const struct now *now); /* the host asks: STOP to all workers, no new work */

/* ---- outbox: in order; borrowed until the next input or tick ---- */

enum out_kind { OUT_REPLY = 1, OUT_WORKER = 2 };
enum out_class { OUT_WRITTEN = 1, OUT_SYNCED = 2 }; /* fixed per kind: what must be true of `position` in a journal before it leaves */

struct out {
    uint8_t kind, class;
    uint64_t position; /* of the last fact that it reveals, 0: none; entries for one peer leave in order, whatever they wait for */
    uint64_t client;   /* OUT_REPLY */
    hq_worker_id worker; /* OUT_WORKER; one that has left meanwhile is told nothing */
    union {
        struct reply reply;
        struct to_worker to_worker;
    } u;
};

const struct out *hqi_core_peek(struct core *c); /* NULL: empty */
void hqi_core_pop(struct core *c);

#endif
