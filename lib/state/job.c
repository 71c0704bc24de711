/* SPDX-License-Identifier: MIT */
/* job.c - jobs: finding their tasks by id, their derived state, their end.
 *
 * Promise: ended_ms is set exactly while a job is closed and idle; that never changes back. A task id is found by one
 * binary search as long as the submits' ranges do not run through one another. */
#include "state/job.h"

#include "state/array.h"
#include "state/submit.h"

/* The lowest bit of a key in state->keys tells what holds the node: jobs and submits share the map. */
enum key_holder { HOLDER_JOB = 0, HOLDER_SUBMIT = 1 };

struct job *hqi_state_job(const struct state *s, hq_job_id id)
{
    return id.n > 0 && id.n <= s->n_jobs ? s->jobs[id.n] : NULL;
}

/* ---- keys ---- */

static uint64_t key_of(struct key key, enum key_holder holder)
{
    return (hqi_base_map_hash(&key, sizeof key) & ~1ull) | holder;
}

static bool key_equal(struct key x, struct key y)
{
    return x.a == y.a && x.b == y.b;
}

/* Should two different keys have one hash, the earlier holder keeps the place and the later key is not remembered. */
static void link_key(struct state *st, struct map_node *node, struct key key, enum key_holder holder)
{
    if ((key.a | key.b) != 0 && !hqi_base_map_get(&st->keys, key_of(key, holder)))
        hqi_base_map_put(&st->keys, node, key_of(key, holder));
}

static void unlink_key(struct state *st, const struct map_node *node, struct key key, enum key_holder holder)
{
    if ((key.a | key.b) != 0 && hqi_base_map_get(&st->keys, key_of(key, holder)) == node)
        hqi_base_map_take(&st->keys, key_of(key, holder));
}

void hqi_state_job_link_key(struct state *st, struct submit *s)
{
    link_key(st, &s->by_key, s->key, HOLDER_SUBMIT);
}

void hqi_state_job_unlink_key(struct state *st, struct submit *s)
{
    unlink_key(st, &s->by_key, s->key, HOLDER_SUBMIT);
}

struct job *hqi_state_job_by_key(const struct state *s, struct key key)
{
    if ((key.a | key.b) == 0)
        return NULL;
    struct map_node *n = hqi_base_map_get(&s->keys, key_of(key, HOLDER_JOB));
    struct job *j = n ? hqi_container(n, struct job, by_key) : NULL;
    if (j && key_equal(j->key, key))
        return j;
    n = hqi_base_map_get(&s->keys, key_of(key, HOLDER_SUBMIT));
    struct submit *submit = n ? hqi_container(n, struct submit, by_key) : NULL;
    return submit && key_equal(submit->key, key) ? submit->job : NULL;
}

/* ---- making, freeing ---- */

struct job *hqi_state_job_new(struct state *st, hq_job_id id, struct bytes name)
{
    struct job **jobs =
        hqi_state_array_grown(st->alloc, st->jobs, &st->room_jobs, (uint64_t)id.n + 1, sizeof *jobs);
    if (!jobs)
        return NULL;
    st->jobs = jobs;
    struct job *j = hqi_base_alloc_zero(st->alloc, 1, sizeof *j);
    if (!j)
        return NULL;
    j->id = id;
    list_init(&j->submits);
    j->name = hqi_base_alloc_strdup(st->alloc, name.p, name.n);
    j->name_len = (uint32_t)name.n;
    if (!j->name) {
        hqi_state_job_free(st, j);
        return NULL;
    }
    return j;
}

void hqi_state_job_free(struct state *st, struct job *j)
{
    if (!j)
        return;
    for (struct list *n; (n = list_pop_front(&j->submits));)
        hqi_state_submit_free(st, hqi_container(n, struct submit, in_job));
    unlink_key(st, &j->by_key, j->key, HOLDER_JOB);
    hqi_base_alloc_free(st->alloc, j->name);
    hqi_base_alloc_free(st->alloc, j->cancel_reason);
    hqi_base_alloc_free(st->alloc, j->spans);
    hqi_base_alloc_free(st->alloc, j);
}

void hqi_state_job_link(struct state *st, struct job *j, uint64_t utc_ms)
{
    j->submitted_ms = utc_ms;
    st->jobs[j->id.n] = j;
    st->n_jobs = j->id.n;
    st->live_jobs++;
}

/* ---- ids ---- */

static uint32_t last_id(const hq_range *r)
{
    return r->first + (r->count - 1) * r->step;
}

static bool range_holds(const hq_range *r, uint32_t id)
{
    return id >= r->first && id <= last_id(r) && (id - r->first) % r->step == 0;
}

bool hqi_state_job_reserve_spans(const struct state *st, struct job *j, uint32_t more)
{
    uint64_t need = (uint64_t)j->n_spans + more;
    struct span *spans = hqi_state_array_grown(st->alloc, j->spans, &j->room_spans, need, sizeof *spans);
    if (!spans && need > 0)
        return false;
    j->spans = spans;
    return true;
}

/* Merges from behind, in place: ids above all known ones, the usual case, move nothing. */
void hqi_state_job_add_spans(struct job *j, struct submit *s)
{
    const struct intset *ids = &s->spec->ids;
    uint32_t old = j->n_spans, more = ids->n_ranges, to = old + more;
    while (more > 0) {
        to--;
        if (old > 0 && j->spans[old - 1].ids.first > ids->ranges[more - 1].first)
            j->spans[to] = j->spans[--old];
        else
            j->spans[to] = (struct span){.ids = ids->ranges[--more], .submit = s};
    }
    j->n_spans += ids->n_ranges;
    for (uint32_t i = to; i < j->n_spans; i++) {
        uint32_t before = i > 0 ? j->spans[i - 1].reach : 0, last = last_id(&j->spans[i].ids);
        j->spans[i].reach = last > before ? last : before;
    }
}

uint32_t hqi_state_spans_begun(const struct span *spans, uint32_t n, uint32_t id)
{
    uint32_t low = 0, high = n;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (spans[mid].ids.first <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

struct submit *hqi_state_job_find(const struct job *j, uint32_t task, uint32_t *ordinal)
{
    uint32_t i = hqi_state_spans_begun(j->spans, j->n_spans, task);
    while (i-- > 0 && j->spans[i].reach >= task) {
        const struct span *span = &j->spans[i];
        if (!range_holds(&span->ids, task))
            continue;
        *ordinal = hqi_model_intset_rank(&span->submit->spec->ids, task);
        return span->submit;
    }
    return NULL;
}

bool hqi_state_job_meets(const struct job *j, const struct intset *ids, uint32_t *first)
{
    bool any, meets = false;
    uint32_t max = hqi_state_job_max_id(j, &any), at;
    if (!any || ids->n_ranges == 0 || ids->ranges[0].first > max)
        return false;
    uint32_t last = hqi_model_intset_max(ids);
    list_for(n, &j->submits) {
        const struct intset *own = &hqi_container(n, struct submit, in_job)->spec->ids;
        if (own->n_ranges == 0 || own->ranges[0].first > last || !hqi_model_intset_meets(own, ids, &at))
            continue;
        if (!meets || at < *first)
            *first = at;
        meets = true;
    }
    return meets;
}

uint32_t hqi_state_job_max_id(const struct job *j, bool *any)
{
    *any = j->n_spans > 0;
    return *any ? j->spans[j->n_spans - 1].reach : 0;
}

/* ---- what it amounts to ---- */

uint64_t hqi_state_job_total(const struct job *j)
{
    uint64_t total = 0;
    for (uint32_t i = 0; i < HQ_TASK_STATES; i++)
        total += j->counts[i];
    return total;
}

bool hqi_state_job_idle(const struct job *j)
{
    return j->counts[HQ_TASK_WAITING] == 0 && j->counts[HQ_TASK_RUNNING] == 0;
}

bool hqi_state_job_ended(const struct job *j)
{
    return !j->open && hqi_state_job_idle(j);
}

uint8_t hqi_state_job_derived(const struct job *j)
{
    static const uint8_t order[] = {HQ_TASK_RUNNING, HQ_TASK_WAITING, HQ_TASK_FAILED, HQ_TASK_ABORTED,
                                    HQ_TASK_CANCELED};
    for (uint32_t i = 0; i < sizeof order; i++)
        if (j->counts[order[i]] > 0)
            return order[i];
    return j->open ? HQ_JOB_OPENED : HQ_TASK_FINISHED;
}

void hqi_state_job_touch(struct state *st, struct job *j, uint64_t utc_ms)
{
    j->change = st->position;
    if (j->ended_ms == 0 && hqi_state_job_ended(j))
        j->ended_ms = utc_ms > 0 ? utc_ms : 1; /* 0 would say: not yet */
}

/* ---- facts ---- */

void hqi_state_job_apply_open(struct state *st, struct fact *f)
{
    struct job *j = st->pending.job;
    if (!j)
        return;
    st->pending.job = NULL;
    j->open = true;
    j->max_fails = f->u.job_open.max_fails;
    j->key = f->u.job_open.key;
    link_key(st, &j->by_key, j->key, HOLDER_JOB);
    hqi_state_job_link(st, j, f->utc_ms);
    hqi_state_job_touch(st, j, f->utc_ms);
}

void hqi_state_job_apply_close(struct state *st, struct fact *f)
{
    struct job *j = hqi_state_job(st, f->u.job_close.job);
    if (!j || !j->open)
        return;
    j->open = false;
    j->close_key = f->u.job_close.key;
    hqi_state_job_touch(st, j, f->utc_ms);
}

void hqi_state_job_apply_forget(struct state *st, struct fact *f)
{
    struct job *j = hqi_state_job(st, f->u.job_forget.job);
    if (!j || !hqi_state_job_ended(j))
        return;
    st->jobs[j->id.n] = NULL;
    st->live_jobs--;
    hqi_state_job_free(st, j);
}
