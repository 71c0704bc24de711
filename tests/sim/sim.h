/* SPDX-License-Identifier: MIT */
/* sim.h - a whole cluster in one thread under a seed: a server core, worker cores with helpers and processes that are
 * made up, clients, a network and a disk that fail.
 *
 * Promise: the same seed is the same history. Everything that the parts say to each other goes through lib/wire/ and
 * through the sessions of lib/net/; nothing here knows more than a real peer could, but for the judge (judge.c), who
 * sees everything and changes nothing. Time is a number; nobody sleeps.
 *
 *     chaos.c    what goes wrong, and when
 *     client.c   random commands; what was answered is a promise
 *     server.c   the composition root around lib/core/: sessions, outbox, acknowledgements, restarts
 *     worker.c   the composition root around lib/tasks/
 *     helper.c   processes: durations, failures, crashes
 *     link.c     both ends of a session over a connection that may break
 *     net.c      connections: FIFO, cut anywhere, frozen, half open
 *     disk.c     what was written, what was synced
 *     judge.c    the invariants */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/list.h"
#include "core/core.h"
#include "model/report.h"
#include "net/session.h"
#include "tasks/tasks.h"

#define SIM_START HQI_SEC
#define SIM_UTC 1700000000000ull
#define NEVER UINT64_MAX

struct sim;

static inline uint64_t sim_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* ---- chance ---- */

uint64_t sim_random(struct sim *s);
uint64_t sim_below(struct sim *s, uint64_t n);                     /* 0 .. n - 1; n > 0 */
uint64_t sim_between(struct sim *s, uint64_t low, uint64_t high); /* both included */
bool sim_chance(struct sim *s, uint32_t in_1000);
/* A time of about this size: mostly near it, now and then ten times as long. */
uint64_t sim_about(struct sim *s, uint64_t ns);

/* ---- queues of bytes, in order ---- */

struct parcel {
    struct list link;
    uint64_t at; /* when it arrives */
    size_t n;
    char bytes[];
};

void sim_parcel_push(struct list *q, uint64_t at, struct bytes b); /* never before the one ahead of it */
struct parcel *sim_parcel_due(struct list *q, uint64_t now);       /* the first, if it is due; unlinked; free() it */
uint64_t sim_parcel_next(const struct list *q);                    /* when */
void sim_parcel_drop(struct list *q);

/* ---- net.c ---- */

enum { TO_SERVER, TO_PEER };

struct peer;
struct session_end;
struct session_end;


struct conn {
    struct list link;
    struct peer *peer;      /* borrowed; NULL: it has left this connection */
    struct session_end *at_server; /* borrowed; NULL: no session yet, or it has left */
    struct list pipe[2];
    uint64_t frozen_until;  /* nothing arrives before */
    bool cut;
    uint64_t notice[2];     /* when that end learns of the cut; NEVER: it will not */
};

struct conn *net_connect(struct sim *s, struct peer *p);
void net_send(struct sim *s, struct conn *c, int direction, struct bytes frame);
/* A part of what is under way still arrives. The ends notice after their delays (NEVER: half open). */
void net_cut(struct sim *s, struct conn *c, uint64_t server_ns, uint64_t peer_ns);
void net_cut_all(struct sim *s); /* the server process has died */
void net_step(struct sim *s);
uint64_t net_next(const struct sim *s);
void net_fini(struct sim *s);

/* ---- link.c ---- */

#define BEAT_NS (400 * HQI_MS)   /* a sign of life at least so often */
#define SILENT_NS (1500 * HQI_MS)
#define RESUME_NS (2 * HQI_SEC)  /* a dropped session lives that long */

/* What both ends of a session have. */
struct session_end {
    struct session session;
    struct conn *conn; /* NULL: not connected */
    uint64_t heard, said, ack_at;
    /* of the server's end: */
    struct list link;    /* in server.sessions */
    uint64_t uid, greeting;
    bool is_worker, over;
    uint32_t worker;     /* id; 0: not registered */
    bool welcomed, settled;
    uint64_t lost_at;    /* while not connected */
    struct list held;    /* of struct held */
    struct list unsafe;  /* of struct unsafe: received, and not safe yet */
    struct list backlog; /* of parcels with numbers: memory was short */
};

enum link_state { LINK_DOWN, LINK_GREETING, LINK_UP, LINK_OVER };

struct peer {
    struct session_end end;
    enum link_state state;
    bool is_worker;
    uint64_t uid, epoch;
    uint64_t server_epoch; /* of the server that it has its session with */
    uint64_t retry_at, give_up_at, greeted_at;
    void *owner; /* struct sim_worker or sim_client */
};

void link_init(struct sim *s, struct peer *p, bool is_worker, void *owner);
void link_fini(struct peer *p);
void link_step(struct sim *s, struct peer *p);
uint64_t link_next(const struct peer *p);
bool link_send(struct sim *s, struct peer *p, struct bytes payload);
void link_bye(struct sim *s, struct peer *p);
void link_on_frame(struct sim *s, struct peer *p, struct conn *c, struct bytes frame);
void link_on_drop(struct sim *s, struct peer *p, struct conn *c);
/* Flushes what is queued, says ALIVE when it is time. */
void end_flush(struct sim *s, struct session_end *e, int direction);
uint64_t end_next(const struct session_end *e);

/* What owners of peers do. */
void worker_on_open(struct sim *s, struct peer *p);
void worker_on_data(struct sim *s, struct peer *p, uint64_t number, struct bytes payload);
void worker_on_over(struct sim *s, struct peer *p);
void client_on_open(struct sim *s, struct peer *p);
void client_on_data(struct sim *s, struct peer *p, uint64_t number, struct bytes payload);
void client_on_over(struct sim *s, struct peer *p);

/* ---- disk.c ---- */

struct record {
    uint64_t position; /* of its last fact */
    size_t n;
    char *bytes;       /* owned */
};

struct disk {
    bool on;
    struct record *records; /* owned */
    uint32_t n, room;
    uint32_t written, synced; /* records */
    uint32_t syncing;         /* of the sync under way */
    uint64_t write_at, sync_at;
    bool wanted;              /* a sync is waited for */
};

void disk_append(struct sim *s, struct bytes record, uint64_t position);
bool disk_is_safe(struct sim *s, uint64_t position, uint8_t class); /* and asks for a sync if that would help */
bool disk_is_synced(const struct sim *s, uint64_t position);
void disk_step(struct sim *s);
uint64_t disk_next(const struct sim *s);
void disk_crash(struct sim *s, bool node); /* what survives is then written and synced */
void disk_fini(struct sim *s);

/* ---- server.c ---- */

struct held {
    struct list link;
    uint64_t position;
    uint8_t class;
    size_t n;
    char bytes[];
};

struct unsafe {
    struct list link;
    uint64_t number, position;
    struct list ends; /* of struct result: what a worker may forget then */
};

struct server {
    struct core *core;    /* NULL: down */
    struct core *replica; /* owned: fed with the records alone */
    struct list sessions; /* of session_end */
    uint64_t epoch;
    uint64_t restart_at;  /* while down */
    uint64_t tick_at;
    uint64_t next_session;
    uint64_t utc_offset;
    struct arena mem;
    struct buf frame;
    struct alloc alloc;        /* of the core: fails now and then */
    bool starved;
    uint64_t retry_at;         /* for backlogs */
};

void server_init(struct sim *s);
void server_fini(struct sim *s);
void server_on_frame(struct sim *s, struct conn *c, struct bytes frame);
void server_on_drop(struct sim *s, struct conn *c);
void server_step(struct sim *s);
uint64_t server_next(const struct sim *s);
void server_crash(struct sim *s, bool node);
struct now server_now(const struct sim *s);
bool server_serves(const struct sim *s, uint32_t worker, uint64_t epoch); /* the session of that worker lives */

/* ---- helper.c ---- */

#define MAX_LABELS 16u
enum { CPUS, GPUS, MEM, RESOURCES }; /* MEM is a sum; the others have indices */

struct process {
    struct list link;
    uint64_t key, after;
    uint32_t job, task, instance;
    uint64_t limit_ms;
    bool running, told, unstaged; /* unstaged: only a note that says so */
    uint64_t start, end;
    uint16_t code;
    uint8_t labels[MEM][MAX_LABELS];
    uint32_t n_labels[MEM];
    uint64_t load[RESOURCES]; /* set by the judge */
};

#define PIPE_NS (300 * HQI_MS / 1000) /* a packet to or from a helper takes so long at most */
#define MAX_SPECS 64u
struct helper {
    struct list in, out;   /* parcels */
    struct list processes; /* staged and running */
    struct list notes;     /* of struct process: what is to be told, in order */
    struct { uint32_t number, job; uint64_t limit_ms; } specs[MAX_SPECS];
    uint32_t n_specs;
    bool dead, gone;       /* it died; and the worker knows */
    uint64_t up_at;        /* its successor's */
    uint64_t told_at;      /* news leave then; NEVER: none */
};

struct sim_worker;
void helper_init(struct helper *h);
void helper_fini(struct sim *s, struct sim_worker *w, struct helper *h); /* its processes die */
void helper_step(struct sim *s, struct sim_worker *w, uint32_t number);
uint64_t helper_next(const struct sim_worker *w, uint32_t number);
void helper_send(struct sim *s, struct helper *h, const struct to_helper *items, uint32_t n);
void helper_crash(struct sim *s, struct sim_worker *w, struct helper *h);

/* ---- worker.c ---- */

struct late { /* a message for a worker that has no memory for it, now or for the one before it */
    struct list link;
    uint64_t number;  /* of the server's frame */
    uint32_t done;    /* items that were taken */
    size_t n;
    char bytes[];
};

enum worker_state { WORKER_ALIVE, WORKER_ENDING, WORKER_DEAD };

struct result { /* of an attempt, kept until it is acknowledged */
    struct list link;
    uint32_t submit, ordinal, instance;
    uint16_t code;
};

struct sim_worker {
    struct peer peer;
    uint32_t number;
    enum worker_state state;
    struct worker_config *config; /* owned */
    struct tasks *tasks;          /* owned */
    struct helper helpers[2];
    uint32_t n_helpers;
    struct list late[3]; /* of struct late: from the server, from each helper */
    uint64_t retry_at;
    struct alloc alloc;  /* of its core: fails now and then */
    struct sim *sim;     /* borrowed */
    bool judged;         /* the judge looks at it, and has memory */
    uint32_t id;       /* 0: not registered */
    uint64_t epoch;    /* of the server that registered it */
    uint64_t ends_at;  /* its time limit; NEVER */
    uint64_t report_at;
    uint64_t dead_at;
    uint64_t window;   /* bytes that may be unacknowledged */
    bool holds, finishing;
    enum { LOST_ENDS, LOST_RESETS, LOST_RETURNS } when_lost; /* its server: it ends, begins as another, comes back as itself */
    bool attached;     /* its registration is on its way in this session; else reports are kept */
    char token[HQI_TOKEN_BYTES];
    struct list kept;  /* of struct late: frames that were not acknowledged in the session before */
    uint64_t kept_bytes, back_at;
    struct { uint64_t at; uint32_t submit, instance, first, count; } cancelled[256]; /* what it was told to kill in this session */
    uint32_t n_cancelled;
    uint64_t load[MEM][MAX_LABELS]; /* of each index, in units */
    uint64_t mem_load;
    uint32_t size[RESOURCES];       /* what it has */
};

struct sim_worker *worker_new(struct sim *s, bool big);
void worker_free(struct sim *s, struct sim_worker *w);
void worker_step(struct sim *s, struct sim_worker *w);
uint64_t worker_next(const struct sim_worker *w);
void worker_kill(struct sim *s, struct sim_worker *w);
void worker_end(struct sim *s, struct sim_worker *w, uint8_t reason);
void worker_from_helper(struct sim *s, struct sim_worker *w, uint32_t helper, struct bytes packet);
void worker_helper_lost(struct sim *s, struct sim_worker *w, uint32_t helper);

/* ---- client.c ---- */

struct asked { /* a command that waits for its reply */
    struct list link;
    uint64_t id, first_id; /* of what was sent last for it; of the command itself */
    uint8_t kind;
    uint64_t key;
    uint32_t job;          /* that it names; 0: none */
    bool counts;           /* a wait for the very end of the job */
    uint32_t parts, parts_left; /* of an upload */
    size_t n;
    char *bytes;           /* owned: to be sent again in another session */
};

struct sim_client {
    struct peer peer;
    struct list asked;
    uint64_t next_id;
    uint64_t act_at;
};

void client_init(struct sim *s, struct sim_client *c);
void client_fini(struct sim_client *c);
void client_step(struct sim *s, struct sim_client *c);
uint64_t client_next(const struct sim_client *c);
/* Closes open jobs, cancels what would never end. */
void client_finish(struct sim *s, struct sim_client *c);

/* ---- judge.c ---- */

struct known_submit { /* from the facts */
    uint32_t job;
    struct arena *mem; /* owned */
    uint64_t position;
    struct intset ids;
    uint64_t amount[RESOURCES];
    bool all[RESOURCES];
};

struct told_task {
    uint32_t job, task;
    uint8_t state;
};

struct judge {
    struct known_submit *submits; /* owned; by number */
    uint32_t n_submits;
    struct told_task *tasks;      /* owned: terminal states that somebody was told */
    uint32_t n_tasks, room_tasks;
    uint8_t *jobs;                /* owned; by id: JOB_* bits */
    uint32_t n_jobs;
    struct { uint64_t key; uint32_t job; } keys[512];
    uint32_t n_keys;
    struct map starts;            /* of attempts; owned */
    struct map spent;             /* attempts that may have started, as far as no server has forgotten them; owned */
    uint64_t lossy;               /* the last epoch that ended with its node */
    struct map voided;            /* attempts that their workers may still believe in; owned */
    uint64_t checks, facts[FACT_REFUSED + 1]; /* by kind */
    uint64_t resumed;             /* sessions */
    uint64_t back, kept, refused; /* workers that came back; attempts that they had, and that are not theirs any more */
};

enum { JOB_TOLD = 1, JOB_ENDED_TOLD = 2, JOB_MAY_BE_FORGOTTEN = 4, JOB_OPEN = 8 };

void judge_init(struct sim *s);
void judge_fini(struct sim *s);
void judge_fact(struct sim *s, const struct fact *f, uint64_t position);
void judge_state(struct sim *s);   /* after a tick */
void judge_worker(struct sim *s, struct sim_worker *w);
void judge_node_crashed(struct sim *s); /* hand-outs may be lost, which their workers have started */
void judge_restart(struct sim *s); /* what was told is still true */
void judge_told_job(struct sim *s, uint64_t key, uint32_t job);
void judge_told_ended(struct sim *s, uint32_t job);
void judge_told_task(struct sim *s, uint32_t job, uint32_t task, uint8_t state);
void judge_note_job(struct sim *s, uint32_t job, uint8_t bits);
bool judge_job_has(const struct sim *s, uint32_t job, uint8_t bit);
/* A worker may forget the outcome: it must have been taken. */
void judge_acknowledged(struct sim *s, uint32_t worker, const struct result *o);
/* After a worker came back: what the server does not believe it. */
void judge_came_back(struct sim *s, uint32_t worker, const struct attach *a);
/* It is told to kill: nothing that is its own. */
void judge_told_to_kill(struct sim *s, const struct sim_worker *w, const struct to_worker *m);
void judge_start(struct sim *s, struct sim_worker *w, struct process *p);
void judge_stop(struct sim *s, struct sim_worker *w, const struct process *p);
void judge_unstart(struct sim *s, struct sim_worker *w, const struct process *p); /* it died before anybody heard of it */
const struct known_submit *judge_submit_of(const struct sim *s, uint32_t job, uint32_t task, uint32_t *submit,
                                           uint32_t *ordinal);
bool judge_all_done(struct sim *s);
void judge_end(struct sim *s);      /* nothing is left behind */
void judge_complain(struct sim *s); /* what has not ended in time */

/* ---- chaos.c ---- */

struct params { /* of this seed */
    uint32_t n_workers, n_clients, n_jobs;
    bool faults, restarts, stormy, node_crashes, helper_crashes, clock_jumps, stalls;
    uint32_t starves;     /* allocations in 1000 that fail */
    uint32_t max_tasks;
    uint64_t task_ns;     /* usual duration */
    uint64_t act_ns;      /* between two commands of a client */
    uint32_t failing;     /* tasks in 1000 */
    uint64_t chaos_ns;    /* so long */
    uint64_t latency_ns, sync_ns;
    uint64_t fault_gap_ns;
    uint64_t window;
    uint32_t max_workers;
};

#define MAX_WORKERS 40u
#define MAX_CLIENTS 4u

struct sim {
    uint64_t seed, random, now;
    bool trace, failed, calm; /* calm: no more faults */
    uint64_t done_at;         /* all jobs have ended; some time later nothing is left of them */
    struct params p;
    struct list conns;
    struct disk disk;
    struct server server;
    struct sim_worker *workers[MAX_WORKERS]; /* owned */
    uint32_t n_workers;
    struct sim_client clients[MAX_CLIENTS];
    uint32_t n_clients;
    uint32_t jobs_asked;
    struct judge judge;
    uint64_t fault_at, calm_at, end_at;
    char why[400];
};

void chaos_init(struct sim *s);
void chaos_step(struct sim *s);
uint64_t chaos_next(const struct sim *s);

/* ---- sim.c ---- */

/* One line on standard output: "seed N: <invariant> at t=...". The first one counts. */
void sim_fail(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void sim_trace(struct sim *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool sim_run(uint64_t seed, bool trace); /* false: it failed, and said why */

#endif
