/* SPDX-License-Identifier: MIT */
/* worker.c - a composition root around the worker's core: a session, helpers, a bounded window of unacknowledged bytes,
 * and the ways in which a worker ends. */
#include <stdlib.h>
#include <string.h>

#include "sim.h"
#include "wire/worker.h"

#define END_NS (5 * HQI_SEC) /* what tasks get to end */

/* ---- making ---- */

static void *allocate(void *user, void *ptr, size_t size)
{
    struct sim_worker *w = user;
    if (size == 0) {
        free(ptr);
        return NULL;
    }
    bool starved = w->tasks && !w->judged && w->sim->p.starves && !w->sim->calm;
    return starved && sim_chance(w->sim, w->sim->p.starves) ? NULL : realloc(ptr, size);
}

static struct worker_config *make_config(struct sim *s, struct sim_worker *w, bool big)
{
    struct worker_config *c = hqi_model_config_new(&hqi_base_alloc_libc);
    struct resource_def *d = hqi_base_arena_zero(c->mem, RESOURCES, sizeof *d);
    struct bytes *labels = hqi_base_arena_zero(c->mem, MAX_LABELS, sizeof *labels);
    uint32_t *sizes = hqi_base_arena_zero(c->mem, 2, sizeof *sizes);
    uint32_t n = 0;
    w->size[CPUS] = big ? 12 : (uint32_t)sim_between(s, 1, 8);
    w->size[GPUS] = big ? 4 : sim_chance(s, 500) ? (uint32_t)sim_between(s, 1, 4) : 0;
    w->size[MEM] = big ? 100 : sim_chance(s, 500) ? (uint32_t)sim_between(s, 5, 100) : 0;
    for (uint32_t i = 0; i < w->size[CPUS]; i++)
        labels[i] = bytes_of(hqi_base_arena_printf(c->mem, "%u", i));
    sizes[0] = w->size[CPUS] / 2;
    sizes[1] = w->size[CPUS] - sizes[0];
    d[n] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_RANGE, .end = w->size[CPUS] - 1};
    if (w->size[CPUS] > 1 && sim_chance(s, 300))
        d[n] = (struct resource_def){.name = bytes_of("cpus"), .kind = RESOURCE_GROUPS, .labels = labels,
                                     .n_labels = w->size[CPUS], .group_sizes = sizes, .n_groups = 2};
    n++;
    if (w->size[GPUS])
        d[n++] = (struct resource_def){.name = bytes_of("gpus"), .kind = RESOURCE_RANGE, .end = w->size[GPUS] - 1};
    if (w->size[MEM])
        d[n++] = (struct resource_def){.name = bytes_of("mem"), .kind = RESOURCE_SUM, .sum = w->size[MEM] * (uint64_t)HQ_UNITS};
    c->hostname = bytes_of("node");
    c->group = bytes_of("default");
    c->on_server_lost = LOST_STOP;
    c->heartbeat_ms = 400;
    if (!big && sim_chance(s, 150))
        c->time_limit_ms = sim_between(s, 3000, 30000);
    if (!big && sim_chance(s, 150))
        c->idle_timeout_ms = sim_between(s, 500, 5000);
    if (!big && sim_chance(s, 200))
        c->min_utilization = (uint32_t)sim_between(s, 1, HQ_UNITS);
    c->resources = (struct resources){d, n};
    return c;
}

static void make_tasks(struct sim *s, struct sim_worker *w)
{
    const struct tasks_options o = {.alloc = &w->alloc, .config = w->config, .n_helpers = w->n_helpers,
                                    .ends_mono_ns = w->ends_at == NEVER ? 0 : w->ends_at};
    hq_error err;
    if (hqi_tasks_tasks_new(&w->tasks, &o, &err) < 0)
        sim_fail(s, "a worker cannot be made: %s", err.text);
}

struct sim_worker *worker_new(struct sim *s, bool big)
{
    struct sim_worker *w = calloc(1, sizeof *w);
    w->number = s->n_workers;
    w->sim = s;
    w->alloc = (struct alloc){allocate, w};
    for (uint32_t i = 0; i < 3; i++)
        list_init(&w->late[i]);
    w->retry_at = NEVER;
    w->n_helpers = (uint32_t)sim_between(s, 1, 2);
    for (uint32_t i = 0; i < w->n_helpers; i++)
        helper_init(&w->helpers[i]);
    w->config = make_config(s, w, big);
    w->ends_at = w->config->time_limit_ms ? s->now + w->config->time_limit_ms * HQI_MS : NEVER;
    w->window = s->p.window;
    w->report_at = w->dead_at = NEVER;
    w->finishing = sim_chance(s, 300);
    w->when_lost = sim_chance(s, 600) ? LOST_RETURNS : big || sim_chance(s, 500) ? LOST_RESETS : LOST_ENDS;
    list_init(&w->kept);
    w->back_at = NEVER;
    make_tasks(s, w);
    link_init(s, &w->peer, true, w);
    sim_trace(s, "worker %u: %u cpus, %u gpus, mem %u", w->number, w->size[CPUS], w->size[GPUS], w->size[MEM]);
    return w;
}

static void drop_late(struct list *q)
{
    for (struct list *l; (l = list_pop_front(q));)
        free(hqi_container(l, struct late, link));
}

void worker_free(struct sim *s, struct sim_worker *w)
{
    for (uint32_t i = 0; i < 3; i++)
        drop_late(&w->late[i]);
    drop_late(&w->kept);
    for (uint32_t i = 0; i < w->n_helpers; i++)
        helper_fini(s, w, &w->helpers[i]);
    hqi_tasks_tasks_free(w->tasks);
    hqi_model_config_free(w->config);
    link_fini(&w->peer);
    free(w);
}

/* ---- ends ---- */

static void die(struct sim *s, struct sim_worker *w)
{
    sim_trace(s, "worker %u: gone", w->number);
    for (uint32_t i = 0; i < w->n_helpers; i++)
        helper_fini(s, w, &w->helpers[i]);
    w->peer.state = LINK_OVER;
    link_fini(&w->peer);
    w->state = WORKER_DEAD;
    w->dead_at = NEVER;
}

void worker_kill(struct sim *s, struct sim_worker *w)
{
    if (w->state == WORKER_DEAD)
        return;
    sim_trace(s, "worker %u: kill -9", w->number);
    if (w->peer.end.conn)
        net_cut(s, w->peer.end.conn, sim_about(s, 5 * HQI_MS), NEVER);
    die(s, w);
}

static void begin_end(struct sim *s, struct sim_worker *w, bool may_finish)
{
    if (w->state != WORKER_ALIVE)
        return;
    w->state = WORKER_ENDING;
    w->dead_at = s->now + (may_finish ? 60 * HQI_SEC : END_NS);
    if (may_finish)
        hqi_tasks_hold(w->tasks, true);
    else
        hqi_tasks_end(w->tasks);
}

static void send_ending(struct sim *s, struct sim_worker *w, uint8_t reason)
{
    const struct from_worker m = {.kind = FROM_WORKER_ENDING, .u.ending = reason};
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_from(&m, &out);
    link_send(s, &w->peer, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

void worker_end(struct sim *s, struct sim_worker *w, uint8_t reason)
{
    if (w->state != WORKER_ALIVE || w->id == 0)
        return;
    sim_trace(s, "worker %u: ends (%u)", w->number, reason);
    send_ending(s, w, reason);
    link_bye(s, &w->peer);
    begin_end(s, w, false);
}

/* ---- losing the server, and coming back ---- */

static void keep(void *user, struct bytes payload)
{
    struct sim_worker *w = user;
    struct late *l = malloc(sizeof *l + payload.n);
    *l = (struct late){.n = payload.n};
    memcpy(l->bytes, payload.p, payload.n);
    list_push_back(&w->kept, &l->link);
    w->kept_bytes += payload.n;
}

static void drop_kept(struct sim_worker *w)
{
    drop_late(&w->kept);
    w->kept_bytes = 0;
}

/* Another session, of the same process. */
static void look_again(struct sim *s, struct sim_worker *w)
{
    uint64_t uid = w->peer.uid;
    hqi_net_session_each(&w->peer.end.session, keep, w);
    link_fini(&w->peer);
    link_init(s, &w->peer, true, w);
    w->peer.uid = uid;
}

/* The server has no session for it any more: it ends, begins as another worker, or looks for it. */
void worker_on_over(struct sim *s, struct peer *p)
{
    struct sim_worker *w = p->owner;
    sim_trace(s, "worker %u: has lost its server", w->number);
    w->attached = false;
    w->back_at = NEVER;
    if (w->state != WORKER_ALIVE)
        return;
    w->n_cancelled = 0;
    drop_late(&w->late[0]);
    if (w->when_lost == LOST_RETURNS && w->id) {
        look_again(s, w);
        return;
    }
    if (w->when_lost == LOST_ENDS) {
        begin_end(s, w, w->finishing);
        return;
    }
    hqi_tasks_reset(w->tasks);
    link_fini(p);
    link_init(s, p, true, w);
    w->id = 0;
}

static void take_reports(struct sim *s, struct sim_worker *w);

static int fill_attach(struct sim *s, struct sim_worker *w, struct arena *mem, struct attach *a, hq_error *err)
{
    const struct now now = {s->now, 0};
    int r = HQ_OK;
    take_reports(s, w); /* they are kept */
    *a = (struct attach){.worker = {w->id}, .token = {w->token, sizeof w->token}, .server_uid = bytes_of("simsim"),
                         .epoch = w->epoch};
    list_for(it, &w->kept) {
        const struct late *l = hqi_container(it, struct late, link);
        if (r >= 0)
            r = hqi_tasks_held_frame((struct bytes){l->bytes, l->n}, &hqi_base_alloc_libc, mem, a, err);
    }
    return r < 0 ? r : hqi_tasks_held(w->tasks, &now, mem, a, err);
}

static void say_register(struct sim *s, struct sim_worker *w)
{
    struct from_worker m = {.kind = FROM_WORKER_REGISTER, .u.hello = {.config = w->config}};
    struct attach a;
    struct arena mem;
    struct buf out;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    w->back_at = NEVER;
    if (w->id && fill_attach(s, w, &mem, &a, &err) < 0) {
        if (err.code != HQ_ENOMEM || !s->p.starves)
            sim_fail(s, "worker %u cannot say what it has: %s", w->number, err.text);
        w->back_at = s->now + 10 * HQI_MS;
    } else {
        m.u.hello.attach = w->id ? &a : NULL;
        hqi_wire_worker_encode_from(&m, &out);
        link_send(s, &w->peer, hqi_base_buf_bytes(&out));
        w->attached = true;
        drop_kept(w);
    }
    hqi_base_buf_fini(&out);
    hqi_base_arena_fini(&mem);
}

void worker_on_open(struct sim *s, struct peer *p)
{
    say_register(s, p->owner);
}

/* ---- the server's words ---- */

static void note_cancelled(const struct sim *s, struct sim_worker *w, const struct to_worker *m)
{
    for (uint32_t i = 0; i < m->u.tasks.n_groups; i++)
        for (uint32_t k = 0; k < m->u.tasks.groups[i].n_ranges && w->n_cancelled < 256; k++) {
            const uint32_t at = w->n_cancelled++;
            w->cancelled[at].at = s->now;
            w->cancelled[at].submit = m->u.tasks.groups[i].submit;
            w->cancelled[at].instance = m->u.tasks.groups[i].instance;
            w->cancelled[at].first = m->u.tasks.groups[i].ranges[k].first;
            w->cancelled[at].count = m->u.tasks.groups[i].ranges[k].count;
        }
}

static int on_item(struct sim *s, struct sim_worker *w, const struct now *now, struct to_worker *m)
{
    hq_error err;
    if (m->kind == TO_WORKER_STOP) {
        sim_trace(s, "worker %u: told to stop", w->number);
        link_bye(s, &w->peer);
        begin_end(s, w, false);
        return HQ_OK;
    }
    if (m->kind == TO_WORKER_CANCEL)
        judge_told_to_kill(s, w, m);
    int r = hqi_tasks_on_server(w->tasks, now, m, &err);
    if (r < 0 && !(r == HQ_ENOMEM && s->p.starves))
        sim_fail(s, "worker %u refuses what its server says: %s", w->number, err.text);
    if (r >= 0 && m->kind == TO_WORKER_CANCEL)
        note_cancelled(s, w, m);
    return r;
}

/* Returns how many items are done. */
static uint32_t take_items(struct sim *s, struct sim_worker *w, const struct to_worker_batch *b, uint32_t done)
{
    const struct now now = {s->now, 0};
    bool lacking = false;
    for (uint32_t i = 0; i < b->n; i++) {
        struct to_worker *m = (struct to_worker *)&b->items[i];
        if (i == done && w->state == WORKER_ALIVE && !lacking)
            lacking = on_item(s, w, &now, m) == HQ_ENOMEM;
        done += i == done && !lacking;
        if (m->kind == TO_WORKER_SPEC)
            hqi_model_spec_free((struct spec *)m->u.spec.spec);
    }
    return done;
}

/* False: memory was short; *done items were taken. */
static bool take_frame(struct sim *s, struct sim_worker *w, uint64_t number, struct bytes payload, uint32_t *done)
{
    struct to_worker_batch batch = {0};
    struct arena mem;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_worker_decode_to(&batch, payload, &hqi_base_alloc_libc, &mem, &err) < 0)
        sim_fail(s, "worker %u cannot read its server: %s", w->number, err.text);
    if (batch.has_registered) {
        w->id = batch.registered.worker.n;
        memcpy(w->token, batch.registered.token.p, sizeof w->token);
        w->epoch = w->peer.server_epoch;
    }
    *done = take_items(s, w, &batch, *done);
    bool all = *done >= batch.n;
    hqi_base_arena_fini(&mem);
    if (all)
        hqi_net_session_set_safe(&w->peer.end.session, number);
    return all;
}

static void keep_late(struct sim *s, struct sim_worker *w, uint32_t from, uint64_t number, uint32_t done, struct bytes b)
{
    struct late *l = malloc(sizeof *l + b.n);
    l->number = number;
    l->done = done;
    l->n = b.n;
    memcpy(l->bytes, b.p, b.n);
    list_push_back(&w->late[from], &l->link);
    w->retry_at = sim_least(w->retry_at, s->now + 10 * HQI_MS);
}

void worker_on_data(struct sim *s, struct peer *p, uint64_t number, struct bytes payload)
{
    struct sim_worker *w = p->owner;
    uint32_t done = 0;
    if (!list_empty(&w->late[0]) || !take_frame(s, w, number, payload, &done))
        keep_late(s, w, 0, number, done, payload);
}

/* ---- the helpers' words ---- */

static bool take_packet(struct sim *s, struct sim_worker *w, uint32_t helper, struct bytes packet, uint32_t *done)
{
    const struct now now = {s->now, 0};
    struct from_helper *items;
    struct arena mem;
    uint32_t n = 0;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_helper_decode_from(&items, &n, packet, &mem, &err) < 0)
        sim_fail(s, "worker %u cannot read its helper: %s", w->number, err.text);
    while (*done < n && hqi_tasks_on_helper(w->tasks, &now, helper, &items[*done], &err) >= 0)
        ++*done;
    if (*done < n && !s->p.starves)
        sim_fail(s, "worker %u refuses what its helper says: %s", w->number, err.text);
    hqi_base_arena_fini(&mem);
    return *done == n;
}

void worker_from_helper(struct sim *s, struct sim_worker *w, uint32_t helper, struct bytes packet)
{
    uint32_t done = 0;
    if (!list_empty(&w->late[1 + helper]) || !take_packet(s, w, helper, packet, &done))
        keep_late(s, w, 1 + helper, 0, done, packet);
}

static bool take_late(struct sim *s, struct sim_worker *w, uint32_t from)
{
    while (!list_empty(&w->late[from])) {
        struct late *l = hqi_container(w->late[from].next, struct late, link);
        const struct bytes b = {l->bytes, l->n};
        if (from ? !take_packet(s, w, from - 1, b, &l->done) : !take_frame(s, w, l->number, b, &l->done))
            return false;
        list_unlink(&l->link);
        free(l);
    }
    return true;
}

static void retry(struct sim *s, struct sim_worker *w)
{
    w->retry_at = NEVER;
    for (uint32_t i = 0; i < 1 + w->n_helpers; i++)
        if (!take_late(s, w, i))
            w->retry_at = s->now + 10 * HQI_MS;
}

void worker_helper_lost(struct sim *s, struct sim_worker *w, uint32_t helper)
{
    const struct now now = {s->now, 0};
    hqi_tasks_on_helper_lost(w->tasks, &now, helper);
}

/* ---- effects ---- */

static void send_report(struct sim *s, struct sim_worker *w, const struct report *r)
{
    const struct from_worker m = {.kind = FROM_WORKER_REPORT, .u.report = *r};
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_from(&m, &out);
    if (w->attached)
        link_send(s, &w->peer, hqi_base_buf_bytes(&out));
    else
        keep(w, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void take_reports(struct sim *s, struct sim_worker *w)
{
    const struct now now = {s->now, 0};
    struct report r;
    while (hqi_tasks_take_report(w->tasks, &now, &r))
        if (w->id)
            send_report(s, w, &r);
        else
            sim_fail(s, "worker %u reports before it is registered", w->number);
}

/* Of what is not acknowledged when the server is lost, it is the one thing that nobody needs. */
static void send_overview(struct sim *s, struct sim_worker *w)
{
    const uint32_t cpus[] = {(uint32_t)sim_between(s, 0, HQI_LOAD_WHOLE), 0};
    const struct node_load load = {.utc_s = s->now / HQI_SEC, .cpus = cpus, .n_cpus = 2, .memory_total = 1u << 30};
    const struct from_worker m = {.kind = FROM_WORKER_OVERVIEW, .u.overview = &load};
    struct buf out;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_worker_encode_from(&m, &out);
    link_send(s, &w->peer, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void keep_window(struct sim_worker *w)
{
    uint64_t bytes = w->peer.end.session.bytes + w->kept_bytes;
    if (!w->holds && bytes > w->window)
        hqi_tasks_hold(w->tasks, w->holds = true);
    else if (w->holds && bytes <= w->window / 2)
        hqi_tasks_hold(w->tasks, w->holds = false);
}

static void pump(struct sim *s, struct sim_worker *w)
{
    const struct to_helper *items;
    if (w->state == WORKER_ALIVE)
        keep_window(w);
    for (uint32_t i = 0; i < w->n_helpers; i++)
        for (uint32_t n; (n = hqi_tasks_take_helper(w->tasks, i, &items));)
            helper_send(s, &w->helpers[i], items, n);
    w->report_at = hqi_tasks_deadline(w->tasks);
    if (w->report_at <= s->now || sim_chance(s, 300)) {
        take_reports(s, w);
        w->report_at = hqi_tasks_deadline(w->tasks);
        if (w->report_at <= s->now)
            w->report_at = s->now + HQI_MS;
    }
    if (w->state == WORKER_ALIVE && w->id && w->attached && sim_chance(s, 20))
        send_overview(s, w);
    s->judge.checks++;
    if ((s->judge.checks & 7) == 0)
        judge_worker(s, w);
}

void worker_step(struct sim *s, struct sim_worker *w)
{
    if (w->state == WORKER_DEAD)
        return;
    link_step(s, &w->peer);
    for (uint32_t i = 0; i < w->n_helpers && w->state != WORKER_DEAD; i++)
        helper_step(s, w, i);
    if (w->state != WORKER_DEAD && s->now >= w->retry_at)
        retry(s, w);
    if (w->state == WORKER_ALIVE && s->now >= w->back_at)
        say_register(s, w);
    if (w->state == WORKER_ALIVE && s->now >= w->ends_at)
        worker_end(s, w, HQ_WORKER_TIME_LIMIT);
    pump(s, w);
    if (w->peer.state == LINK_UP)
        end_flush(s, &w->peer.end, TO_SERVER);
    bool quiet = hqi_tasks_n_running(w->tasks) == 0;
    if (w->state == WORKER_ENDING && (quiet || s->now >= w->dead_at))
        die(s, w);
}

uint64_t worker_next(const struct sim_worker *w)
{
    if (w->state == WORKER_DEAD)
        return NEVER;
    uint64_t at = sim_least(sim_least(link_next(&w->peer), w->report_at), sim_least(w->dead_at, w->retry_at));
    at = sim_least(at, w->back_at);
    if (w->state == WORKER_ALIVE && w->id)
        at = sim_least(at, w->ends_at);
    for (uint32_t i = 0; i < w->n_helpers; i++)
        at = sim_least(at, helper_next(w, i));
    return at;
}
