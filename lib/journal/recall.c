/* SPDX-License-Identifier: MIT */
/* recall.c - see recall.h: one small entry per event, sorted; the events themselves are made when they are asked for. */
#include "journal/recall.h"

#include <stdlib.h>

#include "base/error.h"
#include "journal/event.h"
#include "journal/history.h"
#include "text/task_error.h"

static const char where[] = "journal";

#define FIRST_ROOM 256u

/* At the same time the server comes first, then workers, then job after job, each in this order, then the loss of workers. */
enum entry_kind { SERVER_START, WORKER_CONNECTED, JOB_OPEN, JOB_CREATED, TASK_STARTED, TASK_ENDED, TASKS_GIVEN_UP, JOB_COMPLETED,
                  WORKER_LOST };

struct entry {
    uint64_t ms;
    uint32_t id; /* of the job, or worker */
    uint32_t submit;
    uint32_t ordinal;
    uint8_t kind;
};

struct recall {
    const struct alloc *alloc;
    const struct state *s; /* borrowed */
    struct entry *entries; /* owned */
    uint32_t ordinal;      /* of the next task, while those of an entry are given up */
    size_t n, room, at;
};

/* ---- gathering ---- */

static bool add(struct recall *r, uint8_t kind, uint64_t ms, uint32_t id, uint32_t submit, uint32_t ordinal)
{
    if (r->n == r->room) {
        size_t room = r->room ? 2 * r->room : FIRST_ROOM;
        struct entry *v = hqi_base_alloc_resize(r->alloc, r->entries, room, sizeof *v);
        if (!v)
            return false;
        r->entries = v;
        r->room = room;
    }
    r->entries[r->n++] = (struct entry){ms, id, submit, ordinal, kind};
    return true;
}

/* With these codes a start is not known, or there was none. */
static bool knows_start(const struct task_view *t)
{
    return t->started && t->code != HQ_CODE_LAUNCH && t->code != HQ_CODE_CRASH_LIMIT;
}

static bool add_task(struct recall *r, const struct submit *s, uint32_t ordinal)
{
    struct task_view t;
    const uint32_t job = s->job->id.n;
    hqi_state_task(s, ordinal, &t);
    if (knows_start(&t) && !add(r, TASK_STARTED, t.start_ms, job, s->id, ordinal))
        return false;
    return (t.state != HQ_TASK_FINISHED && t.state != HQ_TASK_FAILED) ||
           add(r, TASK_ENDED, hqi_state_task_ended_ms(s, ordinal, &t), job, s->id, ordinal);
}

/* The state of tasks of the submit that were given up, which were so at one time; WAITING: there are none. */
static uint8_t given_up(const struct submit *s)
{
    return s->counts[HQ_TASK_CANCELED] ? HQ_TASK_CANCELED : s->counts[HQ_TASK_ABORTED] ? HQ_TASK_ABORTED : HQ_TASK_WAITING;
}

/* Those that had started and were given up: the others of their state are a range that may be huge. */
static bool add_given_up(struct recall *r, const struct submit *s)
{
    const uint8_t state = given_up(s);
    uint64_t ms = s->rest_ms;
    for (uint32_t o = hqi_state_task_touched(s, 0); state != HQ_TASK_WAITING && o < s->spec->ids.count;
         o = hqi_state_task_touched(s, (uint64_t)o + 1)) {
        struct task_view t;
        hqi_state_task(s, o, &t);
        if (t.state != state)
            continue;
        ms = hqi_state_task_ended_ms(s, o, &t);
        if (t.started && !add(r, TASK_STARTED, t.start_ms, s->job->id.n, s->id, o))
            return false;
    }
    return state == HQ_TASK_WAITING || add(r, TASKS_GIVEN_UP, ms, s->job->id.n, s->id, 0);
}

static bool add_submit(struct recall *r, const struct submit *s)
{
    const uint32_t states = 1u << HQ_TASK_RUNNING | 1u << HQ_TASK_FINISHED | 1u << HQ_TASK_FAILED;
    if (!add(r, JOB_CREATED, s->at_ms, s->job->id.n, s->id, 0))
        return false;
    for (uint32_t o = hqi_state_task_seek(s, 0, states); o < s->spec->ids.count; o = hqi_state_task_seek(s, o + 1, states))
        if (!add_task(r, s, o))
            return false;
    return add_given_up(r, s);
}

static bool add_job(struct recall *r, const struct job *j)
{
    if (!add(r, JOB_OPEN, j->submitted_ms, j->id.n, 0, 0))
        return false;
    list_for(n, &j->submits)
        if (!add_submit(r, hqi_container(n, struct submit, in_job)))
            return false;
    return !hqi_state_job_ended(j) || add(r, JOB_COMPLETED, j->ended_ms, j->id.n, 0, 0);
}

static bool add_worker(struct recall *r, const struct worker *w)
{
    return add(r, WORKER_CONNECTED, w->joined_ms, w->id.n, 0, 0) &&
           (w->end == HQ_WORKER_RUNNING || add(r, WORKER_LOST, w->ended_ms, w->id.n, 0, 0));
}

static bool add_all(struct recall *r, uint64_t start_ms)
{
    bool ok = add(r, SERVER_START, start_ms, 0, 0, 0);
    for (uint32_t id = 1; ok && id <= r->s->n_workers; id++)
        ok = !r->s->workers[id] || add_worker(r, r->s->workers[id]);
    for (uint32_t id = 1; ok && id <= r->s->n_jobs; id++)
        ok = !r->s->jobs[id] || add_job(r, r->s->jobs[id]);
    return ok;
}

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static unsigned group(uint8_t kind)
{
    return kind < JOB_OPEN || kind == WORKER_LOST ? kind : JOB_OPEN;
}

static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int c = compare(x->ms, y->ms);
    if (c == 0)
        c = compare(group(x->kind), group(y->kind));
    if (c == 0)
        c = compare(x->id, y->id);
    if (c == 0)
        c = compare(x->kind, y->kind);
    if (c == 0)
        c = compare(x->submit, y->submit);
    return c ? c : compare(x->ordinal, y->ordinal);
}

/* ---- life ---- */

int hqi_journal_recall_new(struct recall **ret, const struct state *s, uint64_t server_start_ms, const struct alloc *a, hq_error *err)
{
    struct recall *r = hqi_base_alloc_zero(a, 1, sizeof *r);
    if (!r)
        return hqi_base_error_nomem(err, where);
    r->alloc = a;
    r->s = s;
    if (!add_all(r, server_start_ms)) {
        hqi_journal_recall_free(r);
        return hqi_base_error_nomem(err, where);
    }
    qsort(r->entries, r->n, sizeof *r->entries, by_time);
    *ret = r;
    return HQ_OK;
}

void hqi_journal_recall_free(struct recall *r)
{
    if (!r)
        return;
    hqi_base_alloc_free(r->alloc, r->entries);
    hqi_base_alloc_free(r->alloc, r);
}

/* ---- telling ---- */

static const struct hq_doc *job_event(const struct recall *r, const struct entry *e, struct arena *mem)
{
    const struct job *j = hqi_state_job(r->s, (hq_job_id){e->id});
    const struct bytes name = {j->name, j->name_len};
    if (e->kind == JOB_OPEN)
        return hqi_journal_event_job_open(mem, e->ms, j->id, name, j->max_fails);
    if (e->kind == JOB_COMPLETED)
        return hqi_journal_event_job_completed(mem, e->ms, j->id);
    const struct job_created c = {j->id, false, name, j->max_fails, hqi_state_submit(r->s, e->submit)->spec};
    return hqi_journal_event_job_created(mem, e->ms, &c);
}

static const struct hq_doc *worker_event(const struct recall *r, const struct entry *e, struct arena *mem)
{
    const struct worker *w = hqi_state_worker(r->s, (hq_worker_id){e->id});
    return e->kind == WORKER_LOST ? hqi_journal_event_worker_lost(mem, e->ms, w->id, w->end)
                                  : hqi_journal_event_worker_connected(mem, e->ms, w->id, w->config);
}

static const struct hq_doc *task_event(const struct recall *r, const struct entry *e, struct arena *mem, struct buf *text)
{
    const struct submit *s = hqi_state_submit(r->s, e->submit);
    const hq_task_id task = {s->job->id, hqi_model_intset_select(&s->spec->ids, e->ordinal)};
    struct task_view t;
    hqi_state_task(s, e->ordinal, &t);
    if (e->kind == TASK_STARTED)
        return hqi_journal_event_task_started(mem, e->ms, task, t.instance, (hq_worker_id){t.worker}, t.variant);
    if (t.state == HQ_TASK_FINISHED)
        return hqi_journal_event_task_finished(mem, e->ms, task);
    hqi_base_buf_clear(text);
    struct bytes why = end_text_is_result(t.code) ? (struct bytes){NULL, 0} : (struct bytes){t.text, t.text_len};
    hqi_text_task_error_print(t.code, why, s->spec->crash_limit, text);
    return text->failed ? NULL : hqi_journal_event_task_failed(mem, e->ms, task, hqi_base_buf_bytes(text));
}

/* The next EVENT_TASKS of them. */
static const struct hq_doc *given_up_event(struct recall *r, const struct entry *e, struct arena *mem)
{
    const struct submit *s = hqi_state_submit(r->s, e->submit);
    const uint8_t state = given_up(s);
    uint32_t n = 0, most = s->counts[state] < EVENT_TASKS ? (uint32_t)s->counts[state] : EVENT_TASKS;
    uint32_t *ids = hqi_base_arena_get(mem, most * sizeof *ids);
    uint32_t o = hqi_state_task_seek(s, r->ordinal, 1u << state);
    if (!ids)
        return NULL;
    for (; n < most && o < s->spec->ids.count; o = hqi_state_task_seek(s, o + 1, 1u << state))
        ids[n++] = hqi_model_intset_select(&s->spec->ids, o);
    r->ordinal = o < s->spec->ids.count ? o : 0;
    return hqi_journal_event_tasks_given_up(mem, e->ms, state, s->job->id, ids, n);
}

static const struct hq_doc *event(struct recall *r, const struct entry *e, struct arena *mem, struct buf *text)
{
    switch (e->kind) {
    case SERVER_START:
        return hqi_journal_event_server_start(mem, e->ms, bytes_of(r->s->uid));
    case WORKER_CONNECTED:
    case WORKER_LOST:
        return worker_event(r, e, mem);
    case TASK_STARTED:
    case TASK_ENDED:
        return task_event(r, e, mem, text);
    case TASKS_GIVEN_UP:
        return given_up_event(r, e, mem);
    default:
        return job_event(r, e, mem);
    }
}

int hqi_journal_recall_next(struct recall *r, struct arena *mem, struct buf *text, const struct hq_doc **ret, hq_error *err)
{
    if (r->at == r->n)
        return 0;
    *ret = event(r, &r->entries[r->at], mem, text);
    r->at += r->ordinal == 0; /* else more of it are to be given up */
    return *ret ? 1 : hqi_base_error_nomem(err, where);
}
