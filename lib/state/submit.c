/* SPDX-License-Identifier: MIT */
/* submit.c - what is known of each task of a submit.
 *
 * Promise: a submit costs memory per chunk of tasks that were ever handed out, 16 bytes a task, and per exception;
 * nothing per task that only waits, or waited and was given up. The counts of chunk, submit and job change with
 * each column, in one place. */
#include "state/submit.h"

#include "state/array.h"
#include "state/job.h"
#include "state/queue.h"
#include "state/rclass.h"

_Static_assert(sizeof(struct column) == 16, "what is kept of a finished task");
_Static_assert(sizeof(struct exception) <= sizeof(struct piece), "an exception takes the place of a piece");

struct submit *hqi_state_submit(const struct state *s, uint32_t submit)
{
    return submit > 0 && submit <= s->n_submits ? s->submits[submit] : NULL;
}

/* ---- making, freeing ---- */

struct submit *hqi_state_submit_new(struct state *st, uint32_t id)
{
    struct submit **submits =
        hqi_state_array_grown(st->alloc, st->submits, &st->room_submits, (uint64_t)id + 1, sizeof *submits);
    if (!submits)
        return NULL;
    st->submits = submits;
    struct submit *s = hqi_base_alloc_zero(st->alloc, 1, sizeof *s);
    if (!s)
        return NULL;
    s->id = id;
    s->rest_state = HQ_TASK_WAITING;
    list_init(&s->in_job);
    hqi_base_map_init(&s->exceptions, st->alloc);
    return s;
}

static void free_exception(struct map_node *node, void *user)
{
    const struct alloc *a = user;
    struct exception *e = hqi_container(node, struct exception, by_ordinal);
    hqi_base_alloc_free(a, e->text);
    hqi_base_alloc_free(a, e);
}

static void free_chunks(const struct alloc *a, struct submit *s)
{
    for (uint32_t i = 0; i < s->n_pages; i++) {
        for (uint32_t k = 0; s->pages[i] && k < hqi_state_submit_page_chunks(s, i); k++)
            hqi_base_alloc_free(a, s->pages[i][k]);
        hqi_base_alloc_free(a, s->pages[i]);
    }
    hqi_base_alloc_free(a, s->pages);
}

void hqi_state_submit_free(struct state *st, struct submit *s)
{
    if (!s)
        return;
    hqi_state_job_unlink_key(st, s);
    if (st->submits[s->id] == s)
        st->submits[s->id] = NULL;
    free_chunks(st->alloc, s);
    hqi_base_map_each(&s->exceptions, free_exception, (void *)st->alloc);
    hqi_base_map_fini(&s->exceptions);
    hqi_base_alloc_free(st->alloc, s->known);
    hqi_model_spec_free(s->spec);
    hqi_base_alloc_free(st->alloc, s);
}

/* ---- chunks and columns ---- */

static bool reserve_page(const struct state *st, struct submit *s, uint32_t page)
{
    if (!s->pages) {
        uint32_t n = (s->spec->ids.count - 1) / PAGE_TASKS + 1;
        s->pages = hqi_base_alloc_zero(st->alloc, n, sizeof *s->pages);
        s->n_pages = s->pages ? n : 0;
    }
    if (s->pages && !s->pages[page])
        s->pages[page] = hqi_base_alloc_zero(st->alloc, hqi_state_submit_page_chunks(s, page), sizeof **s->pages);
    return s->pages && s->pages[page];
}

static bool reserve_chunk(const struct state *st, struct submit *s, uint32_t ordinal)
{
    if (hqi_state_submit_chunk(s, ordinal))
        return true;
    if (!reserve_page(st, s, ordinal / PAGE_TASKS))
        return false;
    uint32_t n = hqi_state_submit_chunk_tasks(s, ordinal);
    struct chunk *c = hqi_base_alloc_zero(st->alloc, 1, sizeof *c + n * sizeof *c->tasks);
    if (!c)
        return false;
    c->counts[HQ_TASK_WAITING] = n;
    s->pages[ordinal / PAGE_TASKS][ordinal / CHUNK_TASKS % CHUNK_FAN] = c;
    return true;
}

bool hqi_state_submit_reserve_chunks(const struct state *st, struct submit *s, struct ord_range r)
{
    uint64_t end = (uint64_t)r.first + r.count;
    if (end > s->spec->ids.count)
        end = s->spec->ids.count;
    for (uint64_t at = r.first; at < end; at = (at / CHUNK_TASKS + 1) * CHUNK_TASKS)
        if (!reserve_chunk(st, s, (uint32_t)at))
            return false;
    return true;
}

/* ---- exceptions ---- */

struct exception *hqi_state_submit_exception(const struct submit *s, uint32_t ordinal)
{
    struct map_node *n = s->exceptions.count ? hqi_base_map_get(&s->exceptions, ordinal) : NULL;
    return n ? hqi_container(n, struct exception, by_ordinal) : NULL;
}

struct exception *hqi_state_submit_except(struct submit *s, uint32_t ordinal, struct piece *memory)
{
    struct exception *e = (struct exception *)memory;
    *e = (struct exception){.text = NULL};
    hqi_base_map_put(&s->exceptions, &e->by_ordinal, ordinal);
    return e;
}

/* ---- who knows it ---- */

bool hqi_state_submit_reserve_known(const struct state *st, struct submit *s, hq_worker_id w)
{
    uint8_t *known = hqi_state_array_grown(st->alloc, s->known, &s->known_bytes, (uint64_t)w.n / 8 + 1, 1);
    if (!known)
        return false;
    s->known = known;
    return true;
}

void hqi_state_submit_mark_known(struct submit *s, hq_worker_id w)
{
    if (w.n / 8 < s->known_bytes)
        s->known[w.n / 8] |= (uint8_t)(1u << w.n % 8);
}

void hqi_state_submit_mark_unknown(struct submit *s, hq_worker_id w)
{
    if (w.n / 8 < s->known_bytes)
        s->known[w.n / 8] &= (uint8_t)~(1u << w.n % 8);
}

bool hqi_state_knows(const struct submit *s, hq_worker_id w)
{
    return w.n / 8 < s->known_bytes && s->known[w.n / 8] & 1u << w.n % 8;
}

/* ---- reading ---- */

static void view_times(const struct submit *s, const struct column *col, const struct exception *e,
                       struct task_view *ret)
{
    ret->started = true;
    ret->start_ms = s->at_ms + col->start_ms;
    ret->duration_ms = col->duration_ms;
    if (e && col->start_ms == COLUMN_START_MAX && col->state != HQ_TASK_RUNNING)
        ret->start_ms = e->start_ms;
    if (e && col->duration_ms == COLUMN_DURATION_MAX)
        ret->duration_ms = e->duration_ms;
}

void hqi_state_task(const struct submit *s, uint32_t ordinal, struct task_view *ret)
{
    const struct exception *e = hqi_state_submit_exception(s, ordinal);
    const struct chunk *c = hqi_state_submit_chunk(s, ordinal);
    *ret = (struct task_view){.state = s->rest_state};
    if (e) {
        ret->instance = e->instance;
        ret->text = e->text;
        ret->text_len = e->text_len;
        ret->dropped = e->dropped;
    }
    if (!c || c->tasks[ordinal % CHUNK_TASKS].state == HQ_TASK_WAITING)
        return;
    const struct column *col = &c->tasks[ordinal % CHUNK_TASKS];
    ret->state = col->state;
    ret->code = col->code;
    ret->variant = col->variant;
    ret->worker = col->worker;
    if (col->worker != 0)
        view_times(s, col, e, ret);
}

uint64_t hqi_state_task_ended_ms(const struct submit *s, uint32_t ordinal, const struct task_view *t)
{
    const struct chunk *c = hqi_state_submit_chunk(s, ordinal);
    if (t->started)
        return t->start_ms + t->duration_ms;
    if (!c || c->tasks[ordinal % CHUNK_TASKS].state == HQ_TASK_WAITING)
        return s->rest_ms;
    return s->at_ms + c->tasks[ordinal % CHUNK_TASKS].start_ms;
}

/* The states in columns and chunk counts that stand for `states` in this submit. */
static uint32_t column_states(const struct submit *s, uint32_t states)
{
    bool rest = states >> s->rest_state & 1;
    return (states & ~(1u << HQ_TASK_WAITING)) | (uint32_t)rest << HQ_TASK_WAITING;
}

static bool chunk_has(const struct chunk *c, uint32_t wanted)
{
    for (uint32_t i = 0; i < HQ_TASK_STATES; i++)
        if (wanted >> i & 1 && c->counts[i] > 0)
            return true;
    return false;
}

/* Where the search goes on behind `at`: CHUNK_TASKS, or PAGE_TASKS of untouched tasks, further. */
static uint64_t skip_from(const struct submit *s, uint64_t at)
{
    bool page = s->pages && s->pages[at / PAGE_TASKS];
    uint64_t step = page ? CHUNK_TASKS : PAGE_TASKS;
    return (at / step + 1) * step;
}

uint32_t hqi_state_task_seek_in(const struct submit *s, uint32_t from, uint32_t to, uint32_t states)
{
    const uint32_t wanted = column_states(s, states);
    uint64_t at = from;
    while (at < to) {
        const struct chunk *c = hqi_state_submit_chunk(s, (uint32_t)at);
        if (!c && wanted >> HQ_TASK_WAITING & 1)
            return (uint32_t)at;
        uint64_t next = skip_from(s, at);
        for (; c && chunk_has(c, wanted) && at < next && at < to; at++)
            if (wanted >> c->tasks[at % CHUNK_TASKS].state & 1)
                return (uint32_t)at;
        at = next;
    }
    return to;
}

uint32_t hqi_state_task_seek(const struct submit *s, uint32_t from, uint32_t states)
{
    return hqi_state_task_seek_in(s, from, s->spec->ids.count, states);
}

uint32_t hqi_state_task_touched(const struct submit *s, uint64_t from)
{
    const uint64_t count = s->spec->ids.count;
    uint64_t at = from;
    while (at < count) {
        const struct chunk *c = hqi_state_submit_chunk(s, (uint32_t)at);
        uint64_t next = skip_from(s, at);
        for (; c && at < next && at < count; at++)
            if (c->tasks[at % CHUNK_TASKS].state != HQ_TASK_WAITING)
                return (uint32_t)at;
        at = next;
    }
    return (uint32_t)count;
}

/* ---- facts ---- */

/* One piece holds all its tasks, whatever their number. */
static void enqueue(struct state *st, struct submit *s)
{
    struct piece *p = hqi_state_queue_take(st);
    *p = (struct piece){.submit = s, .count = s->spec->ids.count};
    hqi_state_queue_put(st, p);
}

static struct job *job_of(struct state *st, const struct fact *f)
{
    if (!f->u.submit.new_job)
        return hqi_state_job(st, f->u.submit.job);
    struct job *j = st->pending.job;
    if (!j)
        return NULL;
    st->pending.job = NULL;
    j->max_fails = f->u.submit.max_fails;
    hqi_state_job_link(st, j, f->utc_ms);
    return j;
}

static void link_class(struct state *st)
{
    struct pending *p = &st->pending;
    if (p->class)
        hqi_state_rclass_link(st, p->class);
    if (p->level)
        hqi_state_queue_level_link(st, p->level);
    p->class = NULL;
    p->level = NULL;
}

void hqi_state_submit_apply(struct state *st, struct fact *f)
{
    struct submit *s = st->pending.submit;
    struct job *j = s ? job_of(st, f) : NULL;
    if (!j)
        return;
    st->pending.submit = NULL;
    link_class(st);
    s->spec = f->u.submit.spec;
    f->u.submit.spec = NULL;
    s->job = j;
    s->key = f->u.submit.key;
    s->position = st->position;
    s->at_ms = f->utc_ms;
    s->counts[HQ_TASK_WAITING] = s->spec->ids.count;
    j->counts[HQ_TASK_WAITING] += s->spec->ids.count;
    list_push_back(&j->submits, &s->in_job);
    j->n_submits++;
    st->submits[s->id] = s;
    st->n_submits = s->id;
    hqi_state_job_link_key(st, s);
    hqi_state_job_add_spans(j, s);
    if (s->spec->ids.count > 0)
        enqueue(st, s);
    hqi_state_job_touch(st, j, f->utc_ms);
}
