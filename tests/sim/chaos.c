/* SPDX-License-Identifier: MIT */
/* chaos.c - what this seed is like, and what goes wrong in it. When the time of faults is over, everything works, and one
 * worker comes that could run any task: from then on all jobs must end. */
#include "sim.h"

static uint64_t pick(struct sim *s, const uint64_t *v, uint32_t n)
{
    return v[sim_below(s, n)];
}

void chaos_init(struct sim *s)
{
    static const uint64_t durations[] = {2 * HQI_MS, 20 * HQI_MS, 100 * HQI_MS, 600 * HQI_MS};
    static const uint64_t latencies[] = {HQI_MS / 2, HQI_MS, 5 * HQI_MS, 40 * HQI_MS};
    static const uint64_t gaps[] = {100 * HQI_MS, 300 * HQI_MS, HQI_SEC, 4 * HQI_SEC};
    static const uint64_t pauses[] = {40 * HQI_MS, 150 * HQI_MS, 500 * HQI_MS};
    static const uint64_t syncs[] = {HQI_MS, 10 * HQI_MS, 100 * HQI_MS};
    static const uint64_t shortages[] = {5, 50, 300};
    static const uint64_t windows[] = {200, 2000, 1 << 20};
    struct params *p = &s->p;
    p->n_workers = (uint32_t)sim_between(s, 1, 6);
    p->max_workers = p->n_workers + 12;
    p->n_clients = (uint32_t)sim_between(s, 1, 3);
    p->n_jobs = (uint32_t)sim_between(s, 2, 60);
    p->act_ns = pick(s, pauses, 3);
    p->task_ns = pick(s, durations, 4);
    p->max_tasks = sim_chance(s, 100) ? 3000 : (uint32_t)sim_between(s, 5, 300);
    if (p->task_ns >= 100 * HQI_MS)
        p->max_tasks = p->max_tasks / 10 + 1;
    p->latency_ns = pick(s, latencies, 4);
    p->sync_ns = pick(s, syncs, 3);
    p->fault_gap_ns = pick(s, gaps, 4);
    p->window = pick(s, windows, 3);
    p->failing = sim_chance(s, 400) ? 0 : (uint32_t)sim_below(s, 200);
    p->faults = sim_chance(s, 850);
    s->disk.on = sim_chance(s, 500);
    s->disk.write_at = s->disk.sync_at = NEVER;
    p->restarts = s->disk.on && sim_chance(s, 700);
    p->stormy = sim_chance(s, 300);
    p->node_crashes = sim_chance(s, 500);
    p->helper_crashes = sim_chance(s, 500);
    p->clock_jumps = sim_chance(s, 400);
    p->stalls = sim_chance(s, 300);
    p->starves = sim_chance(s, 200) ? (uint32_t)pick(s, shortages, 3) : 0;
    p->chaos_ns = sim_between(s, 5, 20) * HQI_SEC;
    s->calm_at = s->now + p->chaos_ns;
    s->end_at = NEVER;
    s->fault_at = p->faults ? s->now + sim_about(s, p->fault_gap_ns) : NEVER;
}

static struct conn *some_conn(struct sim *s)
{
    uint32_t n = 0;
    list_for(it, &s->conns)
        n++;
    uint64_t at = n ? sim_below(s, n) : 0;
    list_for(it, &s->conns)
        if (at-- == 0)
            return hqi_container(it, struct conn, link);
    return NULL;
}

static void break_conn(struct sim *s)
{
    struct conn *c = some_conn(s);
    if (!c)
        return;
    uint64_t server = sim_chance(s, 200) ? NEVER : sim_about(s, 20 * HQI_MS);
    uint64_t peer = sim_chance(s, 200) ? NEVER : sim_about(s, 20 * HQI_MS);
    sim_trace(s, "chaos: a connection breaks");
    net_cut(s, c, server, peer);
}

static void freeze_conn(struct sim *s)
{
    struct conn *c = some_conn(s);
    if (!c)
        return;
    c->frozen_until = s->now + sim_about(s, 300 * HQI_MS);
    sim_trace(s, "chaos: a connection freezes");
}

static struct sim_worker *some_worker(struct sim *s)
{
    struct sim_worker *w = s->n_workers ? s->workers[sim_below(s, s->n_workers)] : NULL;
    return w && w->state == WORKER_ALIVE ? w : NULL;
}

static void add_worker(struct sim *s, bool big)
{
    if (s->n_workers < (big ? MAX_WORKERS : s->p.max_workers)) {
        s->workers[s->n_workers] = worker_new(s, big);
        s->n_workers++;
    }
}

static void hurt_worker(struct sim *s)
{
    static const uint8_t reasons[] = {HQ_WORKER_STOPPED, HQ_WORKER_CONNECTION_LOST, HQ_WORKER_TIME_LIMIT};
    struct sim_worker *w = some_worker(s);
    if (!w)
        return;
    if (sim_chance(s, 500))
        worker_kill(s, w);
    else
        worker_end(s, w, reasons[sim_below(s, 3)]);
}

static void stall_worker(struct sim *s, bool stalled)
{
    struct sim_worker *w = some_worker(s);
    if (!w || !server_serves(s, w->id, w->epoch))
        return;
    const struct plan_peer is = {.rtt_ns = 2 * s->p.latency_ns, .stalled = stalled};
    hqi_core_set_peer(s->server.core, (hq_worker_id){w->id}, &is);
    s->server.tick_at = s->now;
}

static void jump_clock(struct sim *s)
{
    int64_t by = (int64_t)sim_below(s, 20000) - 10000;
    if ((int64_t)s->server.utc_offset + by > 0)
        s->server.utc_offset += (uint64_t)by;
    sim_trace(s, "chaos: the clock jumps by %lld ms", (long long)by);
}

/* Sometimes what takes the server takes some of its workers too. */
static void crash_server(struct sim *s)
{
    struct sim_worker *w = sim_chance(s, 200) ? some_worker(s) : NULL;
    server_crash(s, s->p.node_crashes && sim_chance(s, 500));
    if (w)
        worker_kill(s, w);
}

static void fault(struct sim *s)
{
    struct sim_worker *w;
    uint64_t dice = sim_below(s, 100);
    if (dice < 30)
        break_conn(s);
    else if (dice < 45)
        freeze_conn(s);
    else if (dice < 55)
        hurt_worker(s);
    else if (dice < 72)
        add_worker(s, false);
    else if (dice < (s->p.stormy ? 92 : 80) && s->p.restarts)
        crash_server(s);
    else if (dice < 88 && s->p.helper_crashes && (w = some_worker(s)))
        helper_crash(s, w, &w->helpers[sim_below(s, w->n_helpers)]);
    else if (dice < 94 && s->p.clock_jumps)
        jump_clock(s);
    else if (s->p.stalls)
        stall_worker(s, sim_chance(s, 500));
}

/* Long enough for all that is left, one after the other. */
static uint64_t enough(const struct sim *s)
{
    const struct state *st = s->server.core ? hqi_core_core_state(s->server.core) : NULL;
    uint64_t tasks = s->p.max_tasks;
    for (uint32_t i = 1; st && i <= st->n_jobs; i++) {
        const struct job *j = hqi_state_job(st, (hq_job_id){i});
        uint64_t n = j ? j->counts[HQ_TASK_WAITING] + j->counts[HQ_TASK_RUNNING] : 0;
        tasks += n < 1000000 ? n : 0; /* more will be cancelled */
    }
    return 100 * HQI_SEC + tasks * (2 * s->p.task_ns + 10 * s->p.latency_ns + 2 * s->p.sync_ns + 50 * HQI_MS);
}

static void become_calm(struct sim *s)
{
    sim_trace(s, "chaos: it is over");
    s->calm = true;
    s->server.starved = false;
    s->fault_at = s->calm_at = NEVER;
    s->end_at = s->now + enough(s);
    add_worker(s, true);
}

static void unstall_all(struct sim *s)
{
    const struct plan_peer fine = {.rtt_ns = 2 * s->p.latency_ns};
    for (uint32_t i = 0; i < s->n_workers; i++)
        if (server_serves(s, s->workers[i]->id, s->workers[i]->epoch))
            hqi_core_set_peer(s->server.core, (hq_worker_id){s->workers[i]->id}, &fine);
}

void chaos_step(struct sim *s)
{
    if (s->now >= s->fault_at) {
        fault(s);
        s->fault_at = s->now + sim_about(s, s->p.fault_gap_ns);
    }
    if (s->now >= s->calm_at) {
        become_calm(s);
        unstall_all(s);
    }
    if (s->calm && s->workers[s->n_workers - 1]->state == WORKER_DEAD)
        add_worker(s, true); /* somebody had asked for its end before */
    while (!s->calm && s->n_workers < s->p.n_workers)
        add_worker(s, false);
}

uint64_t chaos_next(const struct sim *s)
{
    return sim_least(s->fault_at, s->calm_at);
}
