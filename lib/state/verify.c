/* SPDX-License-Identifier: MIT */
/* verify.c - everything that has to be true of a state, counted again from the bottom.
 *
 * Promise: reads only, reports the first thing that is wrong, by name. Slow: for tests and the simulator. What it asks
 * is what the other files promise: each task in one place; sums that add up; books that agree with the attempts;
 * trees in order; an index entry for each thing, and for nothing else. */
#include <string.h>

#include "base/error.h"
#include "state/rclass.h"
#include "state/submit.h"

#define WHERE "state"
#define broken(err, ...) hqi_base_error_set(err, HQ_EINTERNAL, WHERE, __VA_ARGS__)

/* What was met of each submit, by id, to compare with what the submit says. */
struct tally {
    uint32_t active, running;
    uint64_t queued;
};

struct audit {
    const struct state *st;
    struct tally *tallies; /* owned, n_submits + 1 */
    hq_error *err;
};

/* ---- tasks ---- */

/* Counts of the columns of one chunk, added to `sum`. */
static int audit_chunk(struct audit *a, const struct submit *s, const struct chunk *c, uint32_t first,
                       uint64_t *sum)
{
    uint32_t counts[HQ_TASK_STATES] = {0};
    for (uint32_t i = 0; i < hqi_state_submit_chunk_tasks(s, first); i++) {
        const struct column *col = &c->tasks[i];
        if (col->state >= HQ_TASK_STATES)
            return broken(a->err, "task %u of submit %u has state %u", first + i, s->id,
                          (unsigned)col->state);
        if (col->worker > a->st->n_workers)
            return broken(a->err, "task %u of submit %u ran on worker %u", first + i, s->id, col->worker);
        if (col->state == HQ_TASK_WAITING &&
            (col->worker | col->duration_ms | col->start_ms | col->code) != 0)
            return broken(a->err, "task %u of submit %u waits, but has a past", first + i, s->id);
        counts[col->state]++;
    }
    if (memcmp(counts, c->counts, sizeof counts) != 0)
        return broken(a->err, "the chunk from task %u of submit %u miscounts", first, s->id);
    for (uint32_t i = 0; i < HQ_TASK_STATES; i++)
        sum[i] += counts[i];
    return HQ_OK;
}

static int audit_columns(struct audit *a, const struct submit *s, uint64_t *sum)
{
    uint64_t in_chunks = 0;
    for (uint32_t i = 0; i < s->n_pages; i++)
        for (uint32_t k = 0; s->pages[i] && k < hqi_state_submit_page_chunks(s, i); k++) {
            uint64_t first = ((uint64_t)i * CHUNK_FAN + k) * CHUNK_TASKS;
            const struct chunk *c = s->pages[i][k];
            int rc = c ? audit_chunk(a, s, c, (uint32_t)first, sum) : HQ_OK;
            if (rc < 0)
                return rc;
            in_chunks += c ? hqi_state_submit_chunk_tasks(s, (uint32_t)first) : 0;
        }
    uint64_t rest = sum[HQ_TASK_WAITING] + s->spec->ids.count - in_chunks;
    sum[HQ_TASK_WAITING] = 0;
    sum[s->rest_state] += rest;
    return HQ_OK;
}

struct exception_audit {
    const struct submit *s;
    uint64_t text_bytes, result_bytes;
    bool strange;
};

static void audit_exception(struct map_node *n, void *user)
{
    struct exception_audit *x = user;
    const struct exception *e = hqi_container(n, struct exception, by_ordinal);
    struct task_view v;
    x->strange |= n->key >= x->s->spec->ids.count || (e->text_len && !e->text) || (e->dropped && e->text);
    if (x->strange)
        return;
    hqi_state_task(x->s, (uint32_t)n->key, &v);
    bool is_result = end_text_is_result(v.code);
    *(is_result ? &x->result_bytes : &x->text_bytes) += e->text_len;
    x->strange |= e->text_len > (is_result ? HQI_MAX_RESULT : HQI_MAX_ERROR_TEXT);
    x->strange |= e->text && v.state != HQ_TASK_FAILED && v.state != HQ_TASK_FINISHED;
}

static int audit_submit(struct audit *a, const struct job *j, const struct submit *s, uint64_t *text_bytes,
                        uint64_t *result_bytes)
{
    uint64_t sum[HQ_TASK_STATES] = {0};
    struct exception_audit x = {.s = s};
    struct map map = s->exceptions; /* each() wants one that may change; this one does not */
    const struct tally *t = &a->tallies[s->id];
    int rc = audit_columns(a, s, sum);
    if (rc < 0)
        return rc;
    if (s->job != j || hqi_state_submit(a->st, s->id) != s)
        return broken(a->err, "submit %u is not where it belongs", s->id);
    if (memcmp(sum, s->counts, sizeof sum) != 0)
        return broken(a->err, "submit %u miscounts its tasks", s->id);
    if (t->active != s->active || t->running != s->counts[HQ_TASK_RUNNING])
        return broken(a->err, "submit %u has %u tasks handed out and %llu running, workers hold %u and %u",
                      s->id, s->active, (unsigned long long)s->counts[HQ_TASK_RUNNING], t->active,
                      t->running);
    if (t->queued + t->active - t->running != s->counts[HQ_TASK_WAITING])
        return broken(a->err, "of submit %u %llu tasks wait, %llu are queued and %u handed out", s->id,
                      (unsigned long long)s->counts[HQ_TASK_WAITING], (unsigned long long)t->queued,
                      t->active - t->running);
    hqi_base_map_each(&map, audit_exception, &x);
    if (x.strange)
        return broken(a->err, "submit %u has an exception that does not fit its task", s->id);
    *text_bytes += x.text_bytes;
    *result_bytes += x.result_bytes;
    return HQ_OK;
}

/* ---- jobs ---- */

static int audit_spans(struct audit *a, const struct job *j, uint64_t tasks)
{
    uint32_t reach = 0;
    for (uint32_t i = 0; i < j->n_spans; i++) {
        const struct span *s = &j->spans[i];
        uint32_t last = s->ids.first + (s->ids.count - 1) * s->ids.step, ordinal;
        reach = last > reach ? last : reach;
        if (s->reach != reach || s->submit->job != j || (i > 0 && j->spans[i - 1].ids.first >= s->ids.first))
            return broken(a->err, "span %u of job %u is out of order", i, j->id.n);
        if (hqi_state_job_find(j, last, &ordinal) != s->submit ||
            hqi_model_intset_select(&s->submit->spec->ids, ordinal) != last)
            return broken(a->err, "task %u of job %u is not found", last, j->id.n);
        tasks -= s->ids.count;
    }
    return tasks == 0 ? HQ_OK : broken(a->err, "the spans of job %u do not hold its tasks", j->id.n);
}

static int audit_key(struct audit *a, const struct job *j, struct key key)
{
    if ((key.a | key.b) != 0 && hqi_state_job_by_key(a->st, key) != j)
        return broken(a->err, "job %u is not found by its key", j->id.n);
    return HQ_OK;
}

static int audit_job(struct audit *a, const struct job *j)
{
    uint64_t sum[HQ_TASK_STATES] = {0}, text_bytes = 0, result_bytes = 0;
    uint32_t n_submits = 0;
    int rc = audit_key(a, j, j->key);
    list_for(n, &j->submits) {
        const struct submit *s = hqi_container(n, struct submit, in_job);
        if (rc == HQ_OK)
            rc = audit_submit(a, j, s, &text_bytes, &result_bytes);
        if (rc == HQ_OK)
            rc = audit_key(a, j, s->key);
        for (uint32_t i = 0; i < HQ_TASK_STATES; i++)
            sum[i] += s->counts[i];
        n_submits++;
    }
    if (rc < 0)
        return rc;
    if (n_submits != j->n_submits || memcmp(sum, j->counts, sizeof sum) != 0)
        return broken(a->err, "job %u miscounts its submits or tasks", j->id.n);
    if ((j->ended_ms != 0) != hqi_state_job_ended(j))
        return broken(a->err, "job %u has ended at %llu, which does not fit its tasks", j->id.n,
                      (unsigned long long)j->ended_ms);
    if (text_bytes > j->text_bytes || j->text_bytes > HQI_MAX_ERROR_BYTES || result_bytes > j->result_bytes ||
        j->result_bytes > HQI_MAX_RESULT_BYTES || j->change > a->st->position)
        return broken(a->err, "job %u miscounts its texts or changes", j->id.n);
    return audit_spans(a, j, hqi_state_job_total(j));
}

static int audit_jobs(struct audit *a)
{
    const struct state *st = a->st;
    uint32_t jobs = 0, submits = 0, held = 0;
    for (uint32_t i = 1; i <= st->n_jobs; i++) {
        const struct job *j = st->jobs[i];
        if (!j)
            continue;
        int rc = j->id.n == i ? audit_job(a, j) : broken(a->err, "job %u is in place %u", j->id.n, i);
        if (rc < 0)
            return rc;
        jobs++;
        submits += j->n_submits;
    }
    for (uint32_t i = 1; i <= st->n_submits; i++)
        held += st->submits[i] != NULL;
    if (jobs != st->live_jobs || submits != held)
        return broken(a->err, "%u jobs with %u submits, but %u and %u are counted", jobs, submits,
                      st->live_jobs, held);
    return HQ_OK;
}

/* ---- queues ---- */

/* Nothing that waits has a column of its own, or is handed out. */
static int audit_queued(struct audit *a, const struct piece *p)
{
    const struct submit *s = p->submit;
    for (uint64_t at = p->first, end = at + p->count; at < end; at = (at / CHUNK_TASKS + 1) * CHUNK_TASKS) {
        const struct chunk *c = hqi_state_submit_chunk(s, (uint32_t)at);
        uint64_t stop = (at / CHUNK_TASKS + 1) * CHUNK_TASKS;
        for (uint64_t o = at; c && o < end && o < stop; o++)
            if (c->tasks[o % CHUNK_TASKS].state != HQ_TASK_WAITING ||
                hqi_state_attempt(a->st, s->id, (uint32_t)o))
                return broken(a->err, "task %llu of submit %u is queued, but does not wait",
                              (unsigned long long)o, s->id);
    }
    return HQ_OK;
}

static int audit_piece(struct audit *a, const struct level *l, const struct piece *p,
                       const struct piece *before)
{
    const struct submit *s = p->submit;
    if (s->level != l || p->worker || p->booked || p->started || p->retracting)
        return broken(a->err, "a piece of submit %u is in the wrong queue", s->id);
    if (p->count == 0 || (uint64_t)p->first + p->count > s->spec->ids.count ||
        s->rest_state != HQ_TASK_WAITING)
        return broken(a->err, "submit %u has no %u tasks from %u that wait", s->id, p->count, p->first);
    bool ordered = !before || before->submit->job->id.n < s->job->id.n ||
                   (before->submit->job == s->job && before->submit->id < s->id) ||
                   (before->submit == s && before->first + before->count <= p->first);
    if (!ordered)
        return broken(a->err, "the pieces of submit %u are out of order", s->id);
    a->tallies[s->id].queued += p->count;
    return audit_queued(a, p);
}

static int audit_level(struct audit *a, const struct level *l, uint64_t *waiting)
{
    const struct piece *before = NULL;
    for (struct tree_node *n = hqi_base_tree_first(&l->pieces); n; n = hqi_base_tree_next(n)) {
        const struct piece *p = hqi_container(n, struct piece, in_level);
        int rc = audit_piece(a, l, p, before);
        if (rc < 0)
            return rc;
        *waiting += p->count;
        before = p;
    }
    return *waiting == l->waiting
               ? HQ_OK
               : broken(a->err, "level %d of class %u miscounts", (int)l->priority, l->class->id);
}

/* Every level is audited by way of the list; the tree holds those that are not empty, in order. */
static int audit_levels(struct audit *a)
{
    const struct level *before = NULL;
    uint64_t in_tree = 0, filled = 0, waiting = 0, of_classes = 0;
    list_for(n, &a->st->all_levels) {
        uint64_t here = 0;
        int rc = audit_level(a, hqi_container(n, struct level, in_state), &here);
        if (rc < 0)
            return rc;
        filled += here > 0;
        waiting += here;
    }
    for (struct tree_node *n = hqi_base_tree_first(&a->st->levels); n; n = hqi_base_tree_next(n)) {
        const struct level *l = hqi_container(n, struct level, by_rank);
        if (before && (before->priority < l->priority ||
                       (before->priority == l->priority && before->class->id >= l->class->id)))
            return broken(a->err, "level %d of class %u is out of order", (int)l->priority, l->class->id);
        before = l;
        in_tree += l->waiting > 0;
    }
    for (uint32_t i = 0; i < a->st->n_classes; i++)
        of_classes += a->st->classes[i]->waiting;
    if (in_tree != filled || of_classes != waiting)
        return broken(a->err,
                      "%llu levels are filled, %llu of them found; %llu tasks wait, classes count %llu",
                      (unsigned long long)filled, (unsigned long long)in_tree, (unsigned long long)waiting,
                      (unsigned long long)of_classes);
    return HQ_OK;
}

static int audit_classes(struct audit *a)
{
    const struct state *st = a->st;
    for (uint32_t i = 0; i < st->n_classes; i++) {
        const struct rclass *c = st->classes[i];
        if (c->id != i || hqi_state_rclass_find(st, c->request) != c)
            return broken(a->err, "class %u is not found by its request", i);
        for (uint32_t k = 0; k < c->n_entries; k++)
            if (hqi_state_rclass_resource(st, c->request->variants[0].entries[k].name) != c->resource[k])
                return broken(a->err, "class %u mistakes its resource %u", i, k);
        uint64_t waiting = 0;
        list_for(n, &st->all_levels) {
            const struct level *l = hqi_container(n, struct level, in_state);
            waiting += l->class == c ? l->waiting : 0;
        }
        if (waiting != c->waiting)
            return broken(a->err, "class %u miscounts what waits", i);
    }
    return HQ_OK;
}

/* ---- workers ---- */

static int audit_attempt(struct audit *a, const struct worker *w, const struct piece *p)
{
    const struct submit *s = p->submit;
    struct tally *t = &a->tallies[s->id];
    struct task_view v;
    if (p->worker != w || p->count != 1 || hqi_state_attempt(a->st, s->id, p->first) != p)
        return broken(a->err, "worker %u holds task %u of submit %u, which is elsewhere", w->id.n, p->first,
                      s->id);
    if (hqi_state_submit(a->st, s->id) != s || s->rest_state != HQ_TASK_WAITING ||
        !hqi_state_wclass(w, s->class))
        return broken(a->err, "worker %u holds a task of submit %u, which has ended", w->id.n, s->id);
    hqi_state_task(s, p->first, &v);
    if (v.state != (p->started ? HQ_TASK_RUNNING : HQ_TASK_WAITING) || v.instance != p->instance ||
        (p->started && (v.worker != w->id.n || !p->booked || p->retracting)))
        return broken(a->err, "worker %u and submit %u disagree on task %u", w->id.n, s->id, p->first);
    t->active++;
    t->running += p->started;
    return HQ_OK;
}

static int audit_wclass(struct audit *a, const struct worker *w, const struct wclass *wc, uint64_t *tasks)
{
    uint32_t booked = 0, prefilled = 0, retracting = 0;
    list_for(n, &w->active) {
        const struct piece *p = hqi_container(n, struct piece, in_worker);
        if (p->submit->class != wc->class)
            continue;
        booked += p->booked;
        prefilled += !p->booked;
        retracting += p->retracting;
    }
    *tasks += (uint64_t)booked + prefilled;
    if (booked != wc->booked || prefilled != wc->prefilled || retracting != wc->retracting ||
        hqi_state_wclass(w, wc->class) != wc)
        return broken(a->err, "worker %u miscounts its tasks of class %u", w->id.n, wc->class->id);
    return HQ_OK;
}

static uint64_t amount_of(const struct worker *w, const struct piece *p, uint32_t resource)
{
    const struct rclass *c = p->submit->class;
    for (uint32_t i = 0; p->booked && i < c->n_entries; i++)
        if (c->resource[i] == resource)
            return hqi_state_class_amount(c, i, w);
    return 0;
}

static int audit_books(struct audit *a, const struct worker *w)
{
    const struct resources *own = &w->config->resources;
    for (uint32_t r = 0; r < w->n_resources; r++) {
        const struct resource_def *def = hqi_model_resource_find(own, bytes_of(a->st->resources[r]));
        uint64_t free = w->total[r];
        if (w->total[r] != (def ? hqi_model_resource_total(def) : 0))
            return broken(a->err, "worker %u mistakes its total of resource %u", w->id.n, r);
        list_for(n, &w->active) {
            free -= amount_of(w, hqi_container(n, struct piece, in_worker), r);
        }
        if (free != (uint64_t)w->free[r])
            return broken(a->err, "worker %u has %lld free of resource %u, its tasks leave %lld", w->id.n,
                          (long long)w->free[r], r, (long long)free);
    }
    return HQ_OK;
}

static int audit_worker(struct audit *a, const struct worker *w)
{
    uint32_t active = 0, running = 0, classes = 0;
    uint64_t of_classes = 0;
    bool idle = false, blocks = false;
    list_for(n, &w->active) {
        const struct piece *p = hqi_container(n, struct piece, in_worker);
        int rc = audit_attempt(a, w, p);
        if (rc < 0)
            return rc;
        active++;
        running += p->started;
    }
    list_for(n, &w->class_list) {
        const struct wclass *wc = hqi_container(n, struct wclass, in_worker);
        int rc = audit_wclass(a, w, wc, &of_classes);
        if (rc < 0)
            return rc;
        if (idle && hqi_state_wclass_has_tasks(wc))
            return broken(a->err, "worker %u lists class %u, which has tasks, behind one that has none", w->id.n,
                          wc->class->id);
        idle = !hqi_state_wclass_has_tasks(wc);
        blocks = blocks || wc->blocked;
        classes++;
    }
    if (w->end == HQ_WORKER_RUNNING && blocks != w->blocks)
        return broken(a->err, "worker %u mistakes whether it blocks a class", w->id.n);
    if (active != w->n_active || running != w->n_running || active != of_classes ||
        classes != w->classes.count)
        return broken(a->err, "worker %u miscounts what it holds", w->id.n);
    if (w->end != HQ_WORKER_RUNNING && (active > 0 || classes > 0))
        return broken(a->err, "worker %u has ended, but holds tasks", w->id.n);
    return audit_books(a, w);
}

static int audit_workers(struct audit *a)
{
    uint64_t active = 0;
    for (uint32_t i = 1; i <= a->st->n_workers; i++) {
        const struct worker *w = a->st->workers[i];
        if (!w)
            continue;
        int rc = w->id.n == i ? audit_worker(a, w) : broken(a->err, "worker %u is in place %u", w->id.n, i);
        if (rc < 0)
            return rc;
        active += w->n_active;
    }
    if (active != a->st->attempts.count)
        return broken(a->err, "workers hold %llu tasks, %u attempts are known", (unsigned long long)active,
                      a->st->attempts.count);
    return HQ_OK;
}

static int audit_spare(struct audit *a)
{
    uint32_t n_spare = 0;
    list_for(n, &a->st->spare) {
        n_spare++;
    }
    return n_spare == a->st->n_spare
               ? HQ_OK
               : broken(a->err, "%u spare pieces, %u are counted", n_spare, a->st->n_spare);
}

int hqi_state_verify(const struct state *s, hq_error *err)
{
    static int (*const audits[])(struct audit *) = {audit_levels, audit_classes, audit_workers, audit_jobs,
                                                    audit_spare};
    struct audit a = {.st = s, .err = err};
    int rc = HQ_OK;
    a.tallies = hqi_base_alloc_zero(s->alloc, (size_t)s->n_submits + 1, sizeof *a.tallies);
    if (!a.tallies)
        return hqi_base_error_nomem(err, WHERE);
    for (size_t i = 0; rc == HQ_OK && i < sizeof audits / sizeof *audits; i++)
        rc = audits[i](&a);
    hqi_base_alloc_free(s->alloc, a.tallies);
    return rc;
}
