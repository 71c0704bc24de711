/* SPDX-License-Identifier: MIT */
/* back.c - workers that come back, to a server that was restarted, or that had given them up.
 *
 * An attempt is known by its task, its instance, and the worker that has it; a worker by its process and the token that it
 * was given, which is recorded before it is told. So the epoch of a hand-out need not be kept with it: a hand-out whose
 * record was lost is one that its worker names, or that nobody has.
 *
 * What the worker says that it has, against what is known:
 *
 *     the same attempt            kept
 *     the task waits              adopted
 *     terminal, or unknown        killed
 *     another attempt             not started yet: that one is killed, this one adopted; started: this one is killed;
 *                                 but one that has ended wins over both
 *
 * One that is to be killed may have started, or start before the worker hears of it: that it was refused is recorded, and
 * its instance is never given out again. Neither is that of one that has crashed, although its hand-out was lost: where the
 * task waits, it is adopted, and then has crashed.
 *
 * What is known to be with the worker, and it does not name, it does not have: its hand-out never arrived, or it was given back
 * unheard. What had started and is not named has crashed.
 *
 * Then the duties that the server has towards it are repeated: what was asked back, that it shall stop. Nothing else needs to
 * be resumed: that a job failed too often is recorded together with the failure that was too many.
 *
 * Promise: all of it may be repeated, after want of memory or another restart, and comes to the same. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "core/inner.h"

static const char where[] = "core";

/* Attempts that one worker may name: some times what it can hold, and what its window of unacknowledged outcomes can. No
 * fact may be larger. */
#define MAX_NAMED (1u << 20)

/* ---- waiting for them ---- */

int hqi_core_await_workers(struct core *c, const struct now *now, hq_error *err)
{
    const struct state *s = c->state;
    if (!hqi_core_reserve_peer(c, (hq_worker_id){s->n_workers}))
        return hqi_base_error_nomem(err, where);
    for (uint32_t id = 1; id <= s->n_workers; id++) {
        const struct worker *w = hqi_state_worker(s, (hq_worker_id){id});
        if (!w || w->end != HQ_WORKER_RUNNING)
            continue;
        c->peers[id].away = true;
        c->return_ns = now->mono_ns + RETURN_NS;
    }
    return HQ_OK;
}

void hqi_core_lose_awaited(struct core *c, const struct now *now)
{
    c->return_ns = UINT64_MAX;
    for (uint32_t id = 1; id < c->n_peers; id++) {
        if (!c->peers[id].away)
            continue;
        c->peers[id].away = false;
        hqi_base_log_write(c->log, LOG_INFO, where, "Worker %u did not come back after the restart", id);
        hqi_core_lose_worker(c, now, (hq_worker_id){id}, HQ_WORKER_CONNECTION_LOST, true);
    }
}

void hqi_core_lose_later(struct core *c, const struct now *now, hq_worker_id w)
{
    if (w.n < c->n_peers || hqi_core_reserve_peer(c, w))
        c->peers[w.n].away = true;
    if (c->return_ns == UINT64_MAX)
        c->return_ns = now->mono_ns + RETURN_NS;
}

/* ---- who it is ---- */

/* Takes the same time whatever is wrong. */
static bool knows_token(const struct worker *w, struct bytes token)
{
    uint8_t differs = 0;
    if (!w->has_token || token.n != sizeof w->token)
        return false;
    for (size_t i = 0; i < token.n; i++)
        differs |= w->token[i] ^ (uint8_t)token.p[i];
    return differs == 0;
}

static int check_server(const struct core *c, const struct attach *a, hq_error *err)
{
    if (!bytes_is(a->server_uid, c->uid))
        return hqi_base_error_set(err, HQ_ESTATE, where, "the worker belongs to server %.*s, and this is server %s",
                                  (int)a->server_uid.n, a->server_uid.p, c->uid);
    if (a->epoch > c->state->epoch)
        return hqi_base_error_set(err, HQ_ESTATE, where,
                                  "the worker was with start %llu of server %s, and this is start %llu: its journal is an "
                                  "older copy",
                                  (unsigned long long)a->epoch, c->uid, (unsigned long long)c->state->epoch);
    if (c->stopping)
        return hqi_base_error_set(err, HQ_ESTATE, where, "the server is stopping and takes no more workers");
    return HQ_OK;
}

int hqi_core_on_worker_back(struct core *c, const struct now *now, struct worker_config **config, uint64_t uid,
                            const struct attach *a, hq_worker_id *ret, hq_error *err)
{
    const struct worker *w = hqi_state_worker_by_uid(c->state, uid);
    hqi_base_arena_clear(&c->tick);
    int r = check_server(c, a, err);
    if (r < 0)
        return r;
    if (!w)
        return hqi_base_error_set(err, HQ_ENOENT, where,
                                  "worker %u of server %s is not known here: the server was started without its journal",
                                  a->worker.n, c->uid);
    if (!knows_token(w, a->token))
        return hqi_base_error_set(err, HQ_EAUTH, where, "the worker is not worker %u: it does not know what that was told",
                                  w->id.n);
    *ret = w->id;
    if (!hqi_core_reserve_peer(c, (hq_worker_id){c->state->n_workers + 1}))
        return hqi_base_error_nomem(err, where);
    if (w->end != HQ_WORKER_RUNNING)
        r = hqi_core_join(c, now, config, uid, a->token, ret, err);
    if (r >= 0)
        c->peers[ret->n].away = true;
    return r;
}

/* ---- what it has ---- */

enum { NAMED_WAITING, NAMED_STARTED, NAMED_ENDED, NAMED_CRASHED };

struct named {
    uint32_t submit, instance, ordinal;
    uint8_t how;
};

struct names {
    struct named *v;
    uint32_t n;
};

static int by_attempt(const void *x, const void *y)
{
    const struct named *a = x, *b = y;
    if (a->submit != b->submit)
        return a->submit < b->submit ? -1 : 1;
    if (a->instance != b->instance)
        return a->instance < b->instance ? -1 : 1;
    return (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static uint64_t count_groups(const struct task_group *v, uint32_t n)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < v[i].n_ranges; k++)
            count += v[i].ranges[k].count;
    return count;
}

static uint64_t count_names(const struct attach *a)
{
    uint64_t n = count_groups(a->waiting, a->n_waiting) + count_groups(a->news.crashed, a->news.n_crashed);
    for (uint32_t i = 0; i < a->news.n_started; i++)
        n += a->news.started[i].n;
    for (uint32_t i = 0; i < a->news.n_ended; i++)
        n += a->news.ended[i].n;
    return n;
}

static void name_groups(struct names *s, const struct task_group *v, uint32_t n, uint8_t how)
{
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < v[i].n_ranges; k++)
            for (uint32_t o = 0; o < v[i].ranges[k].count; o++)
                s->v[s->n++] = (struct named){v[i].submit, v[i].instance, v[i].ranges[k].first + o, how};
}

static int name_all(struct core *c, const struct attach *a, struct names *s, hq_error *err)
{
    uint64_t n = count_names(a);
    if (n > MAX_NAMED)
        return hqi_base_error_set(err, HQ_EPROTO, where, "the worker names %llu tasks, at most %u are possible",
                                  (unsigned long long)n, MAX_NAMED);
    *s = (struct names){hqi_base_arena_get(&c->tick, (n + 1) * sizeof *s->v), 0};
    if (!s->v)
        return hqi_base_error_nomem(err, where);
    name_groups(s, a->waiting, a->n_waiting, NAMED_WAITING);
    name_groups(s, a->news.crashed, a->news.n_crashed, NAMED_CRASHED);
    for (uint32_t i = 0; i < a->news.n_started; i++)
        for (uint32_t k = 0; k < a->news.started[i].n; k++)
            s->v[s->n++] = (struct named){a->news.started[i].submit, a->news.started[i].instance,
                                          a->news.started[i].ordinals[k], NAMED_STARTED};
    for (uint32_t i = 0; i < a->news.n_ended; i++)
        for (uint32_t k = 0; k < a->news.ended[i].n; k++)
            s->v[s->n++] = (struct named){a->news.ended[i].submit, a->news.ended[i].instance, a->news.ended[i].ordinals[k],
                                          NAMED_ENDED};
    qsort(s->v, s->n, sizeof *s->v, by_attempt);
    return HQ_OK;
}

/* Sorted names as groups. False: no memory. */
static bool group_names(struct core *c, const struct names *s, bool booked, struct task_group **ret, uint32_t *n)
{
    struct task_group *v = hqi_base_arena_get(&c->tick, (s->n + 1u) * sizeof *v);
    struct ord_range *ranges = hqi_base_arena_get(&c->tick, (s->n + 1u) * sizeof *ranges), *last = NULL;
    *ret = v;
    *n = 0;
    for (uint32_t i = 0; v && ranges && i < s->n; i++) {
        const struct named *t = &s->v[i];
        struct task_group *g = *n ? &v[*n - 1] : NULL;
        if (!g || g->submit != t->submit || g->instance != t->instance) {
            g = &v[(*n)++];
            last = last ? last + 1 : ranges;
            *g = (struct task_group){t->submit, t->instance, last, 1, booked, false};
            *last = (struct ord_range){t->ordinal, 1};
        } else if (last->first + last->count == t->ordinal) {
            last->count++;
        } else if (last->first + last->count < t->ordinal) { /* else it is named twice */
            *++last = (struct ord_range){t->ordinal, 1};
            g->n_ranges++;
        }
    }
    return v && ranges;
}

/* ---- specs ---- */

static bool is_over(const struct submit *s)
{
    return !s || s->counts[HQ_TASK_WAITING] + s->counts[HQ_TASK_RUNNING] == 0;
}

static bool tell_drop(struct core *c, hq_worker_id w, uint32_t submit)
{
    struct to_worker *m = hqi_core_to_worker(c, w, TO_WORKER_DROP);
    if (m)
        m->u.drop.submit = submit;
    return m != NULL;
}

/* It knows what it names; what of that is over it may forget, and kill what it has of it. */
static int take_specs(struct core *c, const struct now *now, hq_worker_id w, const struct attach *a, hq_error *err)
{
    struct fact f = {.kind = FACT_WORKER_BACK, .utc_ms = now->utc_ms};
    uint32_t *v = hqi_base_arena_get(&c->tick, (a->n_submits + 1u) * sizeof *v);
    for (uint32_t i = 0; v && i < a->n_submits; i++) {
        if (!is_over(hqi_state_submit(c->state, a->submits[i])))
            v[f.u.worker_back.n_submits++] = a->submits[i];
        else if (!tell_drop(c, w, a->submits[i]))
            v = NULL;
    }
    if (!v)
        return hqi_base_error_nomem(err, where);
    f.u.worker_back.worker = w;
    f.u.worker_back.submits = v;
    return hqi_core_commit(c, &f, 1, err);
}

/* ---- what it does not name ---- */

static bool is_named(const struct names *s, const struct piece *p)
{
    const struct named key = {p->submit->id, p->instance, p->first, 0};
    return s->n && bsearch(&key, s->v, s->n, sizeof key, by_attempt);
}

static int take_missing(struct core *c, const struct now *now, const struct worker *w, const struct names *all, hq_error *err)
{
    struct report r = {0};
    struct names lost[2] = {0}; /* what had not started, and what had */
    struct task_group *groups[2];
    uint32_t n[2];
    for (int i = 0; i < 2; i++)
        lost[i].v = hqi_base_arena_get(&c->tick, (w->n_active + 1u) * sizeof *lost[i].v);
    if (!lost[0].v || !lost[1].v)
        return hqi_base_error_nomem(err, where);
    list_for(it, &w->active) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        struct names *to = &lost[p->started];
        if (!is_named(all, p))
            to->v[to->n++] = (struct named){p->submit->id, p->instance, p->first, 0};
    }
    for (int i = 0; i < 2; i++) {
        qsort(lost[i].v, lost[i].n, sizeof *lost[i].v, by_attempt);
        if (!group_names(c, &lost[i], false, &groups[i], &n[i]))
            return hqi_base_error_nomem(err, where);
    }
    r.returned = groups[0];
    r.n_returned = n[0];
    r.crashed = groups[1];
    r.n_crashed = n[1];
    return hqi_core_take_report(c, now, w->id, &r, err);
}

/* ---- what it names ---- */

enum verdict { KEEP, ADOPT, REFUSE };

/* Not one that is known to be spent: that crash was heard of. */
static enum verdict judge_crashed(hq_worker_id w, const struct named *t, const struct piece *p, const struct piece *waits)
{
    if (p)
        return p->worker->id.n != w.n && p->instance <= t->instance && p->least <= t->instance ? REFUSE : KEEP;
    return waits && waits->instance <= t->instance ? ADOPT : KEEP;
}

static enum verdict judge(const struct core *c, hq_worker_id w, const struct named *t)
{
    const struct submit *s = hqi_state_submit(c->state, t->submit);
    if (is_over(s) || t->ordinal >= s->spec->ids.count)
        return KEEP; /* it is told to drop the whole submit */
    const struct piece *p = hqi_state_attempt(c->state, t->submit, t->ordinal);
    if (p && p->worker->id.n == w.n && p->instance == t->instance)
        return KEEP;
    const struct piece *waits = hqi_state_waiting(s, t->ordinal);
    if (t->how == NAMED_CRASHED)
        return judge_crashed(w, t, p, waits);
    if (!p && !waits)
        return t->how == NAMED_ENDED ? KEEP : REFUSE;
    if (!p || t->how == NAMED_ENDED)
        return ADOPT;
    return t->how == NAMED_STARTED && !p->started ? ADOPT : REFUSE;
}

/* Those that run take their resources at once, the others when they start. */
static int adopt(struct core *c, const struct now *now, hq_worker_id w, const struct names *s, bool started, hq_error *err)
{
    struct fact f = {.kind = FACT_ADOPT, .utc_ms = now->utc_ms};
    struct names some = {hqi_base_arena_get(&c->tick, (s->n + 1u) * sizeof *some.v), 0};
    struct task_group *groups;
    for (uint32_t i = 0; some.v && i < s->n; i++)
        if ((s->v[i].how == NAMED_STARTED) == started && judge(c, w, &s->v[i]) == ADOPT)
            some.v[some.n++] = s->v[i];
    if (!some.v || !group_names(c, &some, started, &groups, &f.u.tasks.n_groups))
        return hqi_base_error_nomem(err, where);
    f.u.tasks.worker = w;
    f.u.tasks.groups = groups;
    return some.n ? hqi_core_commit(c, &f, 1, err) : HQ_OK;
}

/* After the others were adopted: what is left over. */
static int refuse_rest(struct core *c, const struct now *now, hq_worker_id w, const struct names *s, hq_error *err)
{
    struct fact f = {.kind = FACT_REFUSED, .utc_ms = now->utc_ms};
    struct names some = {hqi_base_arena_get(&c->tick, (s->n + 1u) * sizeof *some.v), 0};
    struct task_group *groups;
    for (uint32_t i = 0; some.v && i < s->n; i++)
        if (judge(c, w, &s->v[i]) == REFUSE)
            some.v[some.n++] = s->v[i];
    if (!some.v || !group_names(c, &some, false, &groups, &f.u.tasks.n_groups))
        return hqi_base_error_nomem(err, where);
    f.u.tasks.worker = w;
    f.u.tasks.groups = groups;
    return some.n ? hqi_core_commit(c, &f, 1, err) : HQ_OK;
}

/* ---- duties ---- */

static int repeat_duties(struct core *c, const struct worker *w, hq_error *err)
{
    struct names back = {hqi_base_arena_get(&c->tick, (w->n_active + 1u) * sizeof *back.v), 0};
    struct task_group *groups;
    uint32_t n;
    if (!back.v)
        return hqi_base_error_nomem(err, where);
    list_for(it, &w->active) {
        const struct piece *p = hqi_container(it, struct piece, in_worker);
        if (p->retracting)
            back.v[back.n++] = (struct named){p->submit->id, p->instance, p->first, 0};
    }
    qsort(back.v, back.n, sizeof *back.v, by_attempt);
    bool ok = group_names(c, &back, false, &groups, &n) &&
              (n == 0 || hqi_core_tell_tasks(c, w->id, TO_WORKER_RETRACT, c->state->position, groups, n));
    struct to_worker *stop = ok && w->stopping ? hqi_core_to_worker(c, w->id, TO_WORKER_STOP) : NULL;
    if (stop)
        stop->u.stop.reason = w->stopping;
    return ok && (stop || !w->stopping) ? HQ_OK : hqi_base_error_nomem(err, where);
}

int hqi_core_on_worker_holds(struct core *c, const struct now *now, hq_worker_id id, const struct attach *a, hq_error *err)
{
    const struct worker *w = hqi_state_worker(c->state, id);
    const struct report news = {.started = a->news.started, .n_started = a->news.n_started, .ended = a->news.ended,
                                .n_ended = a->news.n_ended, .crashed = a->news.crashed, .n_crashed = a->news.n_crashed};
    struct names all;
    hqi_base_arena_clear(&c->tick);
    if (!w || w->end != HQ_WORKER_RUNNING)
        return hqi_base_error_set(err, HQ_ECLOSED, where, "the worker was lost meanwhile");
    int r = name_all(c, a, &all, err);
    if (r >= 0)
        r = take_specs(c, now, id, a, err);
    if (r >= 0)
        r = take_missing(c, now, w, &all, err);
    if (r >= 0)
        r = adopt(c, now, id, &all, true, err);
    if (r >= 0)
        r = adopt(c, now, id, &all, false, err);
    if (r >= 0)
        r = refuse_rest(c, now, id, &all, err);
    if (r >= 0)
        r = hqi_core_take_report(c, now, id, &news, err);
    if (r >= 0)
        r = repeat_duties(c, w, err);
    if (r < 0)
        return r;
    c->peers[id.n].away = false;
    c->dirty = true;
    return HQ_OK;
}
