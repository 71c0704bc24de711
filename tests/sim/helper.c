/* SPDX-License-Identifier: MIT */
/* helper.c - a helper process that starts nothing: its processes have a duration and an end that chance gave them. It keeps
 * the rules of a real one: a staged task starts when the one before it ends, reports follow afterwards, a
 * start is told only while the task still runs. */
#include <stdlib.h>
#include <string.h>

#include "hqcore/types.h"
#include "sim.h"
#include "wire/helper.h"

#define COALESCE_NS (20 * HQI_MS)

void helper_init(struct helper *h)
{
    memset(h, 0, sizeof *h);
    list_init(&h->in);
    list_init(&h->out);
    list_init(&h->processes);
    list_init(&h->notes);
    h->told_at = NEVER;
    h->up_at = NEVER;
}

static struct process *process_of(struct list *l)
{
    return hqi_container(l, struct process, link);
}

static void drop_all(struct sim *s, struct sim_worker *w, struct helper *h)
{
    for (struct list *l; (l = list_pop_front(&h->processes));) {
        if (process_of(l)->running) {
            judge_stop(s, w, process_of(l));
            if (!process_of(l)->told)
                judge_unstart(s, w, process_of(l));
        }
        free(process_of(l));
    }
    for (struct list *l; (l = list_pop_front(&h->notes));) {
        if (!process_of(l)->told)
            judge_unstart(s, w, process_of(l));
        free(process_of(l));
    }
    sim_parcel_drop(&h->in);
    h->n_specs = 0;
    h->told_at = NEVER;
}

void helper_fini(struct sim *s, struct sim_worker *w, struct helper *h)
{
    drop_all(s, w, h);
    sim_parcel_drop(&h->out);
}

void helper_crash(struct sim *s, struct sim_worker *w, struct helper *h)
{
    if (h->dead)
        return;
    sim_trace(s, "worker %u: a helper crashes", w->number);
    drop_all(s, w, h); /* what it had told before still arrives */
    h->dead = true;
}

/* ---- processes ---- */

static void tell_soon(struct sim *s, struct helper *h)
{
    if (h->told_at == NEVER)
        h->told_at = s->now + sim_below(s, COALESCE_NS);
}

static void choose_fate(struct sim *s, struct process *p)
{
    static const uint16_t failures[] = {1, 2, 255, HQ_CODE_SIGNAL + 9, HQ_CODE_SIGNAL + 11, HQ_CODE_TEXT};
    p->end = s->now + sim_about(s, s->p.task_ns);
    if (sim_chance(s, s->p.failing))
        p->code = failures[sim_below(s, sizeof failures / sizeof *failures)];
    if (p->limit_ms && p->end > s->now + p->limit_ms * HQI_MS) {
        p->end = s->now + p->limit_ms * HQI_MS;
        p->code = HQ_CODE_TIME_LIMIT;
    }
}

static void note(struct sim *s, struct helper *h, struct process *p)
{
    list_unlink(&p->link);
    list_push_back(&h->notes, &p->link);
    tell_soon(s, h);
}

static void start_next(struct sim *s, struct sim_worker *w, struct helper *h, uint64_t after);

static void start(struct sim *s, struct sim_worker *w, struct helper *h, struct process *p)
{
    if (sim_chance(s, s->p.failing / 4)) { /* no such program, no such directory */
        p->code = HQ_CODE_LAUNCH;
        note(s, h, p);
        start_next(s, w, h, p->key);
        return;
    }
    p->running = true;
    p->start = s->now;
    choose_fate(s, p);
    judge_start(s, w, p);
    tell_soon(s, h);
}

static void start_next(struct sim *s, struct sim_worker *w, struct helper *h, uint64_t after)
{
    list_for(it, &h->processes)
        if (process_of(it)->after == after && !process_of(it)->running) {
            start(s, w, h, process_of(it));
            return;
        }
}

static void end(struct sim *s, struct sim_worker *w, struct helper *h, struct process *p)
{
    p->running = false;
    judge_stop(s, w, p);
    note(s, h, p);
    start_next(s, w, h, p->key);
}

static struct process *find(struct helper *h, uint64_t key)
{
    list_for(it, &h->processes)
        if (process_of(it)->key == key)
            return process_of(it);
    return NULL;
}

/* ---- from the worker ---- */

static uint32_t number_in(const struct env_var *env, uint32_t n, const char *name)
{
    for (uint32_t i = 0; i < n; i++)
        if (bytes_is(env[i].name, name))
            return (uint32_t)strtoul(env[i].value.p, NULL, 10);
    return UINT32_MAX;
}

static void read_labels(struct process *p, uint32_t resource, struct bytes text)
{
    const char *at = text.p, *last = text.p + text.n;
    while (at < last && p->n_labels[resource] < MAX_LABELS) {
        char *next;
        p->labels[resource][p->n_labels[resource]++] = (uint8_t)strtoul(at, &next, 10);
        at = next + 1;
    }
}

static void on_launch(struct sim *s, struct sim_worker *w, struct helper *h, const struct helper_launch *l)
{
    struct process *p = calloc(1, sizeof *p);
    p->key = l->key;
    p->after = l->after;
    for (uint32_t i = 0; i < h->n_specs; i++)
        if (h->specs[i].number == l->spec) {
            p->job = h->specs[i].job;
            p->limit_ms = h->specs[i].limit_ms;
        }
    p->task = number_in(l->env, l->n_env, "HQ_TASK_ID");
    p->instance = number_in(l->env, l->n_env, "HQ_INSTANCE_ID");
    for (uint32_t i = 0; i < l->n_env; i++)
        if (bytes_is(l->env[i].name, "HQ_RESOURCE_VALUES_cpus"))
            read_labels(p, CPUS, l->env[i].value);
        else if (bytes_is(l->env[i].name, "HQ_RESOURCE_VALUES_gpus"))
            read_labels(p, GPUS, l->env[i].value);
    if (p->job == 0)
        sim_fail(s, "worker %u launches a task of a spec that its helper was not told", w->number);
    list_push_back(&h->processes, &p->link);
    if (p->after == 0 || !find(h, p->after))
        start(s, w, h, p);
}

static void on_spec(struct sim *s, struct helper *h, const struct helper_spec *spec)
{
    if (h->n_specs == MAX_SPECS) {
        sim_fail(s, "a helper was told %u specs and to forget none", MAX_SPECS);
        return;
    }
    h->specs[h->n_specs].number = spec->spec;
    h->specs[h->n_specs].job = number_in(spec->env, spec->n_env, "HQ_JOB_ID");
    h->specs[h->n_specs++].limit_ms = spec->time_limit_ms;
}

static void on_unstage(struct sim *s, struct helper *h, uint64_t key)
{
    struct process *p = find(h, key);
    if (!p || p->running)
        return;
    p->unstaged = true;
    note(s, h, p);
}

static void on_kill(struct sim *s, struct helper *h, uint64_t key)
{
    struct process *p = find(h, key);
    if (!p || !p->running)
        return;
    uint64_t end_at = s->now + sim_below(s, HQI_SEC);
    if (end_at >= p->end)
        return;
    p->end = end_at;
    p->code = sim_chance(s, 200) ? 0 : HQ_CODE_SIGNAL + 2;
}

static void on_item(struct sim *s, struct sim_worker *w, struct helper *h, const struct to_helper *m)
{
    switch (m->kind) {
    case TO_HELPER_SPEC:
        on_spec(s, h, &m->u.spec);
        break;
    case TO_HELPER_DROP:
        for (uint32_t i = 0; i < h->n_specs; i++)
            if (h->specs[i].number == m->u.drop)
                h->specs[i] = h->specs[--h->n_specs];
        break;
    case TO_HELPER_LAUNCH:
        on_launch(s, w, h, &m->u.launch);
        break;
    case TO_HELPER_UNSTAGE:
        on_unstage(s, h, m->u.key);
        break;
    case TO_HELPER_KILL:
        on_kill(s, h, m->u.key);
        break;
    }
}

void helper_send(struct sim *s, struct helper *h, const struct to_helper *items, uint32_t n)
{
    struct buf out;
    if (h->dead)
        return;
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_helper_encode_to(items, n, &out);
    sim_parcel_push(&h->in, s->now + sim_below(s, PIPE_NS), hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void take_packet(struct sim *s, struct sim_worker *w, struct helper *h, struct bytes packet)
{
    struct arena mem;
    struct to_helper *items;
    uint32_t n;
    hq_error err;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    if (hqi_wire_helper_decode_to(&items, &n, packet, &mem, &err) < 0)
        sim_fail(s, "a helper cannot read its worker: %s", err.text);
    else
        for (uint32_t i = 0; i < n; i++)
            on_item(s, w, h, &items[i]);
    hqi_base_arena_fini(&mem);
}

/* ---- to the worker ---- */

static uint64_t age_ms(const struct sim *s, uint64_t since)
{
    return (s->now - since) / HQI_MS;
}

static struct from_helper item_of(const struct sim *s, const struct process *p)
{
    struct from_helper m = {.kind = FROM_HELPER_ENDED};
    if (p->unstaged) {
        m.kind = FROM_HELPER_UNSTAGED;
        m.u.key = p->key;
        return m;
    }
    m.u.ended.key = p->key;
    m.u.ended.code = p->code;
    if (p->code == HQ_CODE_LAUNCH) {
        m.u.ended.text = bytes_of("No such file or directory");
        return m;
    }
    if (p->code == HQ_CODE_TEXT)
        m.u.ended.text = bytes_of("the task wrote this into its error file");
    m.u.ended.age_ms = age_ms(s, p->start);
    m.u.ended.duration_ms = (p->end - p->start) / HQI_MS;
    return m;
}

static void tell(struct sim *s, struct helper *h)
{
    struct from_helper items[256];
    uint32_t n = 0;
    struct buf out;
    h->told_at = NEVER;
    list_for(it, &h->processes) {
        struct process *p = process_of(it);
        if (!p->running || p->told || n == 128)
            continue;
        p->told = true;
        items[n] = (struct from_helper){.kind = FROM_HELPER_STARTED};
        items[n].u.started.key = p->key;
        items[n].u.started.pid = 1;
        items[n++].u.started.age_ms = age_ms(s, p->start);
    }
    while (!list_empty(&h->notes) && n < 256) {
        struct process *p = process_of(list_pop_front(&h->notes));
        items[n++] = item_of(s, p);
        free(p);
    }
    if (!list_empty(&h->notes))
        tell_soon(s, h);
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_helper_encode_from(items, n, &out);
    sim_parcel_push(&h->out, s->now + sim_below(s, PIPE_NS), hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

static void say_hello(struct sim *s, struct helper *h)
{
    struct from_helper m = {.kind = FROM_HELPER_HELLO};
    struct buf out;
    h->dead = h->gone = false;
    h->up_at = NEVER;
    m.u.hello.build = bytes_of("sim");
    hqi_base_buf_init(&out, &hqi_base_alloc_libc);
    hqi_wire_helper_encode_from(&m, 1, &out);
    sim_parcel_push(&h->out, s->now, hqi_base_buf_bytes(&out));
    hqi_base_buf_fini(&out);
}

/* It died, and all that it said was taken. */
static bool is_over(const struct sim_worker *w, uint32_t number)
{
    const struct helper *h = &w->helpers[number];
    return h->dead && !h->gone && list_empty(&h->out) && list_empty(&w->late[1 + number]);
}

void helper_step(struct sim *s, struct sim_worker *w, uint32_t number)
{
    struct helper *h = &w->helpers[number];
    struct parcel *p;
    if (h->up_at <= s->now)
        say_hello(s, h);
    while ((p = sim_parcel_due(&h->in, s->now))) {
        take_packet(s, w, h, (struct bytes){p->bytes, p->n});
        free(p);
    }
    for (bool again = true; again;) {
        again = false;
        list_for(it, &h->processes)
            if (process_of(it)->running && process_of(it)->end <= s->now) {
                end(s, w, h, process_of(it));
                again = true;
                break;
            }
    }
    if (h->told_at <= s->now)
        tell(s, h);
    while ((p = sim_parcel_due(&h->out, s->now))) {
        worker_from_helper(s, w, number, (struct bytes){p->bytes, p->n});
        free(p);
    }
    if (is_over(w, number)) {
        h->gone = true;
        h->up_at = s->now + sim_about(s, 20 * HQI_MS);
        worker_helper_lost(s, w, number);
    }
}

uint64_t helper_next(const struct sim_worker *w, uint32_t number)
{
    const struct helper *h = &w->helpers[number];
    uint64_t at = sim_least(sim_least(h->told_at, h->up_at), sim_least(sim_parcel_next(&h->in), sim_parcel_next(&h->out)));
    if (is_over(w, number))
        return 0;
    list_for(it, &h->processes)
        if (process_of(it)->running)
            at = sim_least(at, process_of(it)->end);
    return at;
}
