/* SPDX-License-Identifier: MIT */
/* announce.c - the messages without which a fact must not be: to workers what to run, give back and kill, and when to end.
 *
 * Promise, to commit: made from the fact and the state before it, so that a fact for whose messages there is no memory
 * is not applied at all. A hand-out that its worker never hears of would be a task that never runs. Idempotent
 * for the workers: a message may be repeated. */
#include <string.h>

#include "base/limits.h"
#include "core/inner.h"

/* What must be true of an entry's position before it leaves. A worker learns of a submit when that is safe, and kills tasks
 * when nobody can forget their end any more. The rest it may learn earlier: what it did not tell yet it still has. */
static const uint8_t classes[] = {
    [TO_WORKER_SPEC] = OUT_SYNCED,    [TO_WORKER_ASSIGN] = OUT_WRITTEN, [TO_WORKER_RETRACT] = OUT_WRITTEN,
    [TO_WORKER_CANCEL] = OUT_SYNCED,  [TO_WORKER_DROP] = OUT_WRITTEN,   [TO_WORKER_STOP] = OUT_WRITTEN,
};

struct to_worker *hqi_core_to_worker(struct core *c, hq_worker_id w, uint8_t kind)
{
    struct out *o = hqi_core_put(c, OUT_WORKER, classes[kind]);
    if (!o)
        return NULL;
    o->worker = w;
    o->u.to_worker.kind = kind;
    return &o->u.to_worker;
}

/* ---- hand-outs ---- */

/* Its submit must be safe: what a crash could take back must not run. */
static bool tell_spec(struct core *c, hq_worker_id w, const struct submit *s)
{
    struct to_worker *m = hqi_core_to_worker(c, w, TO_WORKER_SPEC);
    if (!m)
        return false;
    hqi_container(m, struct out, u.to_worker)->position = s->position;
    m->u.spec.submit = s->id;
    m->u.spec.job = s->job->id;
    m->u.spec.server_uid = bytes_of(c->uid);
    m->u.spec.spec = s->spec;
    return true;
}

static uint32_t count_tasks(const struct task_group *g)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n_ranges; i++)
        n += g->ranges[i].count;
    return n;
}

static bool fill_ids(struct core *c, const struct submit *s, const struct task_group *g, struct assign_group *a)
{
    uint32_t room = g->n_ranges + s->spec->ids.n_ranges + 1, n = 0;
    hq_range *ids = hqi_base_arena_get(&c->mem, room * sizeof *ids);
    for (uint32_t i = 0; ids && i < g->n_ranges; i++) {
        uint32_t at = g->ranges[i].first, end = at + g->ranges[i].count;
        while (at < end) {
            if (n == room) { /* intervals that visit ranges more than once */
                hq_range *more = hqi_base_arena_get(&c->mem, room * 2 * sizeof *ids);
                if (!more)
                    return false;
                memcpy(more, ids, n * sizeof *ids);
                ids = more;
                room *= 2;
            }
            hqi_model_intset_slice(&s->spec->ids, &at, end, &ids[n++]);
        }
    }
    a->ids = ids;
    a->n_ids = n;
    return ids != NULL;
}

static bool fill_entries(struct core *c, const struct submit *s, const struct task_group *g, struct assign_group *a)
{
    if (s->spec->entries.n == 0)
        return true;
    struct bytes *v = hqi_base_arena_get(&c->mem, (count_tasks(g) + 1u) * sizeof *v);
    uint32_t n = 0;
    if (!v)
        return false;
    for (uint32_t i = 0; i < g->n_ranges; i++)
        for (uint32_t k = 0; k < g->ranges[i].count; k++)
            v[n++] = spec_entry(s->spec, g->ranges[i].first + k);
    a->entries = v;
    a->n_entries = n;
    return true;
}

static struct ord_range *copy_ranges(struct core *c, const struct task_group *g)
{
    struct ord_range *v = hqi_base_arena_get(&c->mem, (g->n_ranges + 1u) * sizeof *v);
    if (v && g->n_ranges)
        memcpy(v, g->ranges, g->n_ranges * sizeof *v);
    return v;
}

static bool fill_group(struct core *c, hq_worker_id w, const struct task_group *g, struct assign_group *a)
{
    const struct submit *s = hqi_state_submit(c->state, g->submit);
    *a = (struct assign_group){.submit = g->submit, .instance = g->instance, .ranges = copy_ranges(c, g),
                               .n_ranges = g->n_ranges};
    return a->ranges && (!g->with_spec || tell_spec(c, w, s)) && fill_ids(c, s, g, a) && fill_entries(c, s, g, a);
}

static bool assign(struct core *c, hq_worker_id w, const struct task_group *groups, uint32_t n, uint64_t position)
{
    struct assign_group *v = hqi_base_arena_zero(&c->mem, n + 1u, sizeof *v);
    for (uint32_t i = 0; v && i < n; i++)
        if (!fill_group(c, w, &groups[i], &v[i]))
            return false;
    struct to_worker *m = v ? hqi_core_to_worker(c, w, TO_WORKER_ASSIGN) : NULL;
    if (!m)
        return false;
    hqi_container(m, struct out, u.to_worker)->position = position;
    m->u.assign.groups = v;
    m->u.assign.n_groups = n;
    return true;
}

/* Of the entries of these tasks: the first ordinal whose entry goes beyond `room`, or the end. */
static uint32_t fitting(const struct submit *s, uint32_t from, uint32_t end, size_t *room)
{
    for (; from < end && spec_entry(s->spec, from).n <= *room; from++)
        *room -= spec_entry(s->spec, from).n;
    return from;
}

/* Each range, and what is left of it, in messages of their own. An entry may be longer than a batch. */
static bool assign_in_parts(struct core *c, hq_worker_id w, const struct task_group *g, uint64_t position)
{
    const struct submit *s = hqi_state_submit(c->state, g->submit);
    struct task_group part = *g;
    part.n_ranges = 1;
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        uint32_t at = g->ranges[i].first, end = at + g->ranges[i].count;
        while (at < end) {
            size_t room = HQI_BATCH_BYTES;
            uint32_t to = fitting(s, at, end, &room);
            struct ord_range range = {at, (to > at ? to : at + 1) - at};
            part.ranges = &range;
            if (!assign(c, w, &part, 1, position))
                return false;
            part.with_spec = false;
            at += range.count;
        }
    }
    return true;
}

static bool fits_one_message(const struct core *c, const struct fact *f)
{
    size_t room = HQI_BATCH_BYTES;
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        const struct submit *s = hqi_state_submit(c->state, g->submit);
        for (uint32_t k = 0; s->spec->entries.n > 0 && k < g->n_ranges; k++) {
            uint32_t end = g->ranges[k].first + g->ranges[k].count;
            if (fitting(s, g->ranges[k].first, end, &room) < end)
                return false;
        }
    }
    return true;
}

static bool on_handout(struct core *c, const struct fact *f, uint64_t position)
{
    hq_worker_id w = f->u.tasks.worker;
    if (fits_one_message(c, f))
        return assign(c, w, f->u.tasks.groups, f->u.tasks.n_groups, position);
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++)
        if (!assign_in_parts(c, w, &f->u.tasks.groups[i], position))
            return false;
    return true;
}

/* ---- taking back and killing ---- */

bool hqi_core_tell_tasks(struct core *c, hq_worker_id w, uint8_t kind, uint64_t position,
                         const struct task_group *groups, uint32_t n)
{
    const struct worker *to = hqi_state_worker(c->state, w);
    if (!to || to->end != HQ_WORKER_RUNNING)
        return true;
    struct task_group *v = hqi_base_arena_get(&c->mem, (n + 1u) * sizeof *v);
    for (uint32_t i = 0; v && i < n; i++) {
        v[i] = groups[i];
        v[i].ranges = copy_ranges(c, &groups[i]);
        if (!v[i].ranges)
            return false;
    }
    struct to_worker *m = v ? hqi_core_to_worker(c, w, kind) : NULL;
    if (!m)
        return false;
    hqi_container(m, struct out, u.to_worker)->position = position;
    m->u.tasks.groups = v;
    m->u.tasks.n_groups = n;
    return true;
}

/* What it may have started until it hears of this. */
static bool on_refused(struct core *c, const struct fact *f, uint64_t position)
{
    return hqi_core_tell_tasks(c, f->u.tasks.worker, TO_WORKER_CANCEL, position, f->u.tasks.groups, f->u.tasks.n_groups);
}

static bool on_retract(struct core *c, const struct fact *f, uint64_t position)
{
    return hqi_core_tell_tasks(c, f->u.tasks.worker, TO_WORKER_RETRACT, position, f->u.tasks.groups, f->u.tasks.n_groups);
}

bool hqi_core_tell_drop(struct core *c, const struct submit *s)
{
    for (uint32_t b = 0; b < s->known_bytes; b++)
        for (uint32_t bit = 0; s->known[b] && bit < 8; bit++) {
            hq_worker_id id = {b * 8 + bit};
            const struct worker *w = hqi_state_knows(s, id) ? hqi_state_worker(c->state, id) : NULL;
            if (!w || w->end != HQ_WORKER_RUNNING)
                continue;
            struct to_worker *m = hqi_core_to_worker(c, id, TO_WORKER_DROP);
            if (!m)
                return false;
            m->u.drop.submit = s->id;
        }
    return true;
}

/* Whoever else has one of these attempts is to kill it: its outcome would not count any more. */
static bool on_adopt(struct core *c, const struct fact *f, uint64_t position)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        for (uint32_t k = 0; k < g->n_ranges; k++)
            for (uint32_t o = 0; o < g->ranges[k].count; o++) {
                const struct piece *p = hqi_state_attempt(c->state, g->submit, g->ranges[k].first + o);
                const struct ord_range r = {g->ranges[k].first + o, 1};
                if (!p || p->worker->id.n == f->u.tasks.worker.n)
                    continue;
                const struct task_group one = {.submit = g->submit, .instance = p->instance, .ranges = &r, .n_ranges = 1};
                if (!hqi_core_tell_tasks(c, p->worker->id, TO_WORKER_CANCEL, position, &one, 1))
                    return false;
            }
    }
    return true;
}

/* What is left of the job ends with this fact; what ended before was dropped then. */
static bool drop_submits(struct core *c, const struct job *j)
{
    list_for(it, &j->submits) {
        const struct submit *s = hqi_container(it, struct submit, in_job);
        if (s->counts[HQ_TASK_WAITING] + s->counts[HQ_TASK_RUNNING] > 0 && !hqi_core_tell_drop(c, s))
            return false;
    }
    return true;
}

static bool on_job_end(struct core *c, const struct fact *f, uint64_t position)
{
    for (uint32_t i = 0; i < f->u.job_cancel.n_active; i++) {
        const struct worker_tasks *w = &f->u.job_cancel.active[i];
        if (!hqi_core_tell_tasks(c, w->worker, TO_WORKER_CANCEL, position, w->groups, w->n_groups))
            return false;
    }
    struct list *mark = hqi_core_mark(c);
    bool ok = drop_submits(c, hqi_state_job(c->state, f->u.job_cancel.job));
    for (struct list *it = mark->next; it != &c->outbox; it = it->next)
        hqi_container(it, struct out_node, link)->out.position = position;
    return ok;
}

static bool on_worker_stop(struct core *c, const struct fact *f, uint64_t position)
{
    struct to_worker *m = hqi_core_to_worker(c, f->u.worker_stop.worker, TO_WORKER_STOP);
    if (!m)
        return false;
    hqi_container(m, struct out, u.to_worker)->position = position;
    m->u.stop.reason = f->u.worker_stop.reason;
    return true;
}

typedef bool announce(struct core *c, const struct fact *f, uint64_t position);

static announce *const announces[] = {
    [FACT_HANDOUT] = on_handout, [FACT_RETRACT] = on_retract, [FACT_JOB_CANCEL] = on_job_end,
    [FACT_JOB_ABORT] = on_job_end, [FACT_WORKER_STOP] = on_worker_stop, [FACT_ADOPT] = on_adopt,
    [FACT_REFUSED] = on_refused,
};

bool hqi_core_announce(struct core *c, const struct fact *f, uint64_t position)
{
    if (f->kind < sizeof announces / sizeof *announces && announces[f->kind])
        return announces[f->kind](c, f, position);
    return true;
}
