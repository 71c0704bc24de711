/* SPDX-License-Identifier: MIT */
/* history.c - see history.h. Each fact goes through four stages: what it says of tasks is looked up before it is applied (what
 * was running, what will be given up), and which jobs it ended afterwards. */
#include "journal/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "journal/event.h"
#include "journal/recall.h"
#include "state/state.h"
#include "text/task_error.h"
#include "wire/record.h"

static const char where[] = "journal";

enum stage { STAGE_LOOK, STAGE_TELL, STAGE_GIVE_UP, STAGE_APPLY, STAGE_COMPLETED };

/* One event to be told, of a task unless `job_level`. */
struct told {
    enum { TOLD_FACT, TOLD_STARTED, TOLD_ENDED } what;
    uint8_t variant;
    uint16_t code;
    uint32_t instance, ordinal;
    const struct submit *submit; /* borrowed from the replica */
    hq_worker_id worker;
    uint64_t ms;
    struct bytes text;
};

struct history {
    const struct alloc *alloc;
    struct state *replica; /* owned */
    struct arena record;   /* facts, and what is to be told of one */
    struct arena event;
    struct buf text;       /* of the event */
    struct fact *facts;
    uint32_t n, at;
    uint64_t position;     /* of the last fact of the record */
    enum stage stage;
    struct told *told;     /* in `record` */
    uint32_t n_told, room_told, at_told;
    uint32_t *jobs;        /* in `record`: those that may end by this fact; ascending in STAGE_COMPLETED */
    uint32_t n_jobs, room_jobs, at_job;
    struct list *giving_up; /* link of the submit whose tasks are being told */
    uint32_t ordinal;      /* of the next one */
    uint64_t started_ms;   /* the server, as far as that was learnt */
    struct recall *recall; /* owned: what was learnt and is to be told first; NULL: nothing */
};

/* ---- life ---- */

int hqi_journal_history_new(struct history **ret, const struct alloc *a, hq_error *err)
{
    struct history *h = hqi_base_alloc_zero(a, 1, sizeof *h);
    if (!h)
        return hqi_base_error_nomem(err, where);
    h->alloc = a;
    hqi_base_arena_init(&h->record, a);
    hqi_base_arena_init(&h->event, a);
    hqi_base_buf_init(&h->text, a);
    int r = hqi_state_state_new(&h->replica, a, err);
    if (r < 0) {
        hqi_journal_history_free(h);
        return r;
    }
    *ret = h;
    return HQ_OK;
}

void hqi_journal_history_free(struct history *h)
{
    if (!h)
        return;
    hqi_wire_record_drop(h->facts, h->n);
    hqi_journal_recall_free(h->recall);
    hqi_state_state_free(h->replica);
    hqi_base_buf_fini(&h->text);
    hqi_base_arena_fini(&h->event);
    hqi_base_arena_fini(&h->record);
    hqi_base_alloc_free(h->alloc, h);
}

int hqi_journal_history_feed(struct history *h, uint64_t position, struct bytes record, hq_error *err)
{
    hqi_wire_record_drop(h->facts, h->n);
    hqi_base_arena_clear(&h->record);
    h->at = 0;
    h->stage = STAGE_LOOK;
    h->position = position;
    return hqi_wire_record_decode(&h->facts, &h->n, record, h->alloc, &h->record, err);
}

int hqi_journal_history_learn(struct history *h, uint64_t position, struct bytes record, hq_error *err)
{
    int r = hqi_journal_history_feed(h, position, record, err);
    if (r < 0)
        return r;
    for (uint32_t i = 0; i < h->n; i++)
        if (h->facts[i].kind == FACT_SERVER_START)
            h->started_ms = h->facts[i].utc_ms;
    r = hqi_state_replay(h->replica, position, h->facts, h->n, err);
    h->at = h->n; /* nothing to be told one by one */
    return r;
}

int hqi_journal_history_recall(struct history *h, hq_error *err)
{
    return hqi_journal_recall_new(&h->recall, h->replica, h->started_ms, h->alloc, err);
}

bool hqi_journal_history_restates(const struct history *h)
{
    for (uint32_t i = 0; i < h->n; i++)
        if (h->facts[i].kind == FACT_REMAINS)
            return true;
    return false;
}

uint64_t hqi_journal_history_position(const struct history *h)
{
    return h->replica->position;
}

/* ---- looking ---- */

static void *grow(struct arena *mem, void *v, uint32_t n, uint32_t *room, size_t size)
{
    if (n < *room)
        return v;
    uint32_t more = *room ? 2 * *room : 16;
    char *p = hqi_base_arena_get(mem, more * size);
    if (p && n)
        memcpy(p, v, n * size);
    *room = p ? more : *room;
    return p;
}

static struct told *tell(struct history *h)
{
    struct told *v = grow(&h->record, h->told, h->n_told, &h->room_told, sizeof *v);
    if (!v)
        return NULL;
    h->told = v;
    v += h->n_told++;
    *v = (struct told){.what = TOLD_FACT};
    return v;
}

static bool note_job(struct history *h, hq_job_id id)
{
    if (h->n_jobs > 0 && h->jobs[h->n_jobs - 1] == id.n)
        return true;
    uint32_t *v = grow(&h->record, h->jobs, h->n_jobs, &h->room_jobs, sizeof *v);
    if (!v)
        return false;
    h->jobs = v;
    v[h->n_jobs++] = id.n;
    return true;
}

static bool may_end(struct history *h, const struct job *j)
{
    return !j || hqi_state_job_ended(j) || note_job(h, j->id);
}

static bool tell_start(struct history *h, const struct submit *s, uint32_t ordinal, uint32_t instance, hq_worker_id w,
                       uint64_t start_ms, uint8_t variant)
{
    struct told *t = tell(h);
    uint64_t now = h->facts[h->at].utc_ms;
    if (!t)
        return false;
    *t = (struct told){.what = TOLD_STARTED, .variant = variant, .instance = instance, .ordinal = ordinal, .submit = s,
                       .worker = w, .ms = start_ms > now ? now : start_ms};
    if (t->ms < s->at_ms)
        t->ms = s->at_ms;
    return true;
}

static bool look_started(struct history *h, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.started.n_groups; i++) {
        const struct start_group *g = &f->u.started.groups[i];
        const struct submit *s = hqi_state_submit(h->replica, g->submit);
        for (uint32_t k = 0; k < g->n; k++)
            if (!tell_start(h, s, g->ordinals[k], g->instance, f->u.started.worker, g->start_ms[k],
                            g->variant ? g->variant[k] : 0))
                return false;
    }
    return true;
}

static struct bytes text_of(const struct end_group *g, uint32_t row, uint32_t *at)
{
    while (*at < g->n_texts && g->texts[*at].row < row)
        ++*at;
    return *at < g->n_texts && g->texts[*at].row == row ? g->texts[*at].text : (struct bytes){NULL, 0};
}

/* A task that was not told to have started is told now. */
static bool look_end_row(struct history *h, const struct fact *f, const struct end_group *g, uint32_t k, struct bytes text)
{
    const struct submit *s = hqi_state_submit(h->replica, g->submit);
    const struct piece *p = hqi_state_attempt(h->replica, g->submit, g->ordinals[k]);
    uint64_t start = p->started ? p->start_ms : g->start_ms[k];
    if (!p->started && g->code[k] != HQ_CODE_LAUNCH &&
        !tell_start(h, s, g->ordinals[k], g->instance, f->u.ended.worker, start, g->variant ? g->variant[k] : 0))
        return false;
    struct told *t = tell(h);
    if (!t)
        return false;
    uint64_t end = start + g->duration_ms[k];
    bool known = g->code[k] != HQ_CODE_LAUNCH && end >= start && end < f->utc_ms;
    *t = (struct told){.what = TOLD_ENDED, .code = g->code[k], .ordinal = g->ordinals[k], .submit = s,
                       .ms = known ? end : f->utc_ms, .text = text};
    return true;
}

static bool look_ended(struct history *h, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.ended.n_groups; i++) {
        const struct end_group *g = &f->u.ended.groups[i];
        const struct submit *s = hqi_state_submit(h->replica, g->submit);
        uint32_t text = 0;
        for (uint32_t k = 0; k < g->n; k++)
            if (!look_end_row(h, f, g, k, text_of(g, k, &text)))
                return false;
        if (s && !may_end(h, s->job))
            return false;
    }
    return true;
}

/* The attempt is lost: does the task fail with it? */
static bool look_lost(struct history *h, const struct piece *p, uint8_t reason)
{
    struct told *t;
    if (!hqi_state_crash_fails(p, reason))
        return true;
    if (!(t = tell(h)) || !may_end(h, p->submit->job))
        return false;
    *t = (struct told){.what = TOLD_ENDED, .code = HQ_CODE_CRASH_LIMIT, .ordinal = p->first, .submit = p->submit,
                       .ms = h->facts[h->at].utc_ms};
    return true;
}

static bool look_worker_lost(struct history *h, const struct fact *f)
{
    const struct worker *w = hqi_state_worker(h->replica, f->u.worker_lost.worker);
    if (!tell(h))
        return false;
    list_for(n, &w->active) {
        if (!look_lost(h, hqi_container(n, struct piece, in_worker), f->u.worker_lost.reason))
            return false;
    }
    return true;
}

static bool look_crashed(struct history *h, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        for (uint32_t k = 0; k < g->n_ranges; k++)
            for (uint32_t o = 0; o < g->ranges[k].count; o++)
                if (!look_lost(h, hqi_state_attempt(h->replica, g->submit, g->ranges[k].first + o),
                               HQ_WORKER_CONNECTION_LOST))
                    return false;
    }
    return true;
}

static bool look_job_stop(struct history *h, const struct fact *f)
{
    struct job *j = hqi_state_job(h->replica, f->u.job_cancel.job);
    h->giving_up = j->submits.next;
    h->ordinal = 0;
    return (f->kind == FACT_JOB_ABORT || tell(h)) && may_end(h, j);
}

static bool look(struct history *h, const struct fact *f)
{
    switch (f->kind) {
    case FACT_SERVER_START:
    case FACT_SERVER_STOP:
    case FACT_JOB_OPEN:
    case FACT_WORKER_JOIN:
    case FACT_OVERVIEW:
        return tell(h);
    case FACT_SUBMIT: /* a job without tasks ends when it is made */
        return tell(h) && (!f->u.submit.new_job || note_job(h, f->u.submit.job));
    case FACT_JOB_CLOSE:
        return tell(h) && may_end(h, hqi_state_job(h->replica, f->u.job_close.job));
    case FACT_JOB_CANCEL:
    case FACT_JOB_ABORT:
        return look_job_stop(h, f);
    case FACT_WORKER_LOST:
        return look_worker_lost(h, f);
    case FACT_STARTED:
        return look_started(h, f);
    case FACT_ENDED:
        return look_ended(h, f);
    case FACT_CRASHED:
        return look_crashed(h, f);
    default: /* hand-outs and what undoes them, and what only the server needs to know */
        return true;
    }
}

/* ---- telling ---- */

static const struct hq_doc *created_event(struct arena *mem, const struct fact *f)
{
    bool made = f->u.submit.new_job;
    const struct job_created c = {f->u.submit.job, made, f->u.submit.name, made ? f->u.submit.max_fails : UINT32_MAX,
                                  f->u.submit.spec};
    return hqi_journal_event_job_created(mem, f->utc_ms, &c);
}

static const struct hq_doc *fact_event(struct arena *mem, const struct fact *f)
{
    switch (f->kind) {
    case FACT_SERVER_START:
        return hqi_journal_event_server_start(mem, f->utc_ms, f->u.server_start.uid);
    case FACT_SERVER_STOP:
        return hqi_journal_event_server_stop(mem, f->utc_ms);
    case FACT_JOB_OPEN:
        return hqi_journal_event_job_open(mem, f->utc_ms, f->u.job_open.job, f->u.job_open.name, f->u.job_open.max_fails);
    case FACT_SUBMIT:
        return created_event(mem, f);
    case FACT_JOB_CLOSE:
        return hqi_journal_event_job_close(mem, f->utc_ms, f->u.job_close.job);
    case FACT_JOB_CANCEL:
        return hqi_journal_event_job_cancel(mem, f->utc_ms, f->u.job_cancel.job, f->u.job_cancel.reason);
    case FACT_WORKER_JOIN:
        return hqi_journal_event_worker_connected(mem, f->utc_ms, f->u.worker_join.worker, f->u.worker_join.config);
    case FACT_OVERVIEW:
        return hqi_journal_event_worker_overview(mem, f->utc_ms, f->u.overview.worker, f->u.overview.load);
    default:
        return hqi_journal_event_worker_lost(mem, f->utc_ms, f->u.worker_lost.worker, f->u.worker_lost.reason);
    }
}

static hq_task_id task_of(const struct submit *s, uint32_t ordinal)
{
    return (hq_task_id){s->job->id, hqi_model_intset_select(&s->spec->ids, ordinal)};
}

static const struct hq_doc *end_event(struct history *h, const struct told *t)
{
    hq_task_id task = task_of(t->submit, t->ordinal);
    if (t->code == 0)
        return hqi_journal_event_task_finished(&h->event, t->ms, task);
    hqi_base_buf_clear(&h->text);
    hqi_text_task_error_print(t->code, t->text, t->submit->spec->crash_limit, &h->text);
    return h->text.failed ? NULL
                          : hqi_journal_event_task_failed(&h->event, t->ms, task, hqi_base_buf_bytes(&h->text));
}

static const struct hq_doc *told_event(struct history *h, const struct told *t)
{
    switch (t->what) {
    case TOLD_STARTED:
        return hqi_journal_event_task_started(&h->event, t->ms, task_of(t->submit, t->ordinal), t->instance, t->worker,
                                              t->variant);
    case TOLD_ENDED:
        return end_event(h, t);
    default:
        return fact_event(&h->event, &h->facts[h->at]);
    }
}

/* The next tasks of the job that have not ended; 0: all were told, UINT32_MAX: no memory. */
static uint32_t give_up(struct history *h, const struct job *j, uint32_t **ids)
{
    const uint32_t states = 1u << HQ_TASK_WAITING | 1u << HQ_TASK_RUNNING;
    uint64_t left = j->counts[HQ_TASK_WAITING] + j->counts[HQ_TASK_RUNNING];
    uint32_t n = 0, most = left < EVENT_TASKS ? (uint32_t)left : EVENT_TASKS;
    *ids = hqi_base_arena_get(&h->event, (most + 1) * sizeof **ids);
    if (!*ids)
        return UINT32_MAX;
    while (h->giving_up != &j->submits && n < most) {
        const struct submit *s = hqi_container(h->giving_up, struct submit, in_job);
        h->ordinal = hqi_state_task_seek(s, h->ordinal, states);
        if (h->ordinal < s->spec->ids.count) {
            (*ids)[n++] = hqi_model_intset_select(&s->spec->ids, h->ordinal++);
        } else {
            h->giving_up = h->giving_up->next;
            h->ordinal = 0;
        }
    }
    return n;
}

static int tell_given_up(struct history *h, const struct hq_doc **ret, hq_error *err)
{
    const struct fact *f = &h->facts[h->at];
    const struct job *j = hqi_state_job(h->replica, f->u.job_cancel.job);
    uint8_t state = f->kind == FACT_JOB_CANCEL ? HQ_TASK_CANCELED : HQ_TASK_ABORTED;
    uint32_t *ids, n = give_up(h, j, &ids);
    if (n == 0)
        return 0;
    *ret = n == UINT32_MAX ? NULL : hqi_journal_event_tasks_given_up(&h->event, f->utc_ms, state, j->id, ids, n);
    return *ret ? 1 : hqi_base_error_nomem(err, where);
}

/* ---- the stages of one fact ---- */

static int begin(struct history *h, hq_error *err)
{
    struct fact *f = &h->facts[h->at];
    h->told = NULL;
    h->jobs = NULL;
    h->n_told = h->room_told = h->at_told = h->n_jobs = h->room_jobs = h->at_job = 0;
    int r = hqi_state_check(h->replica, f, err); /* what it names is there to be looked at */
    if (r < 0)
        return r;
    return look(h, f) ? HQ_OK : hqi_base_error_nomem(err, where);
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int apply(struct history *h, hq_error *err)
{
    uint64_t position = h->position - (h->n - 1 - h->at);
    if (h->n_jobs > 1)
        qsort(h->jobs, h->n_jobs, sizeof *h->jobs, by_number);
    return hqi_state_replay(h->replica, position, &h->facts[h->at], 1, err);
}

/* The next job that the fact has ended; NULL: no more. */
static const struct job *next_completed(struct history *h)
{
    while (h->at_job < h->n_jobs) {
        uint32_t id = h->jobs[h->at_job++];
        const struct job *j = hqi_state_job(h->replica, (hq_job_id){id});
        if (j && hqi_state_job_ended(j) && (h->at_job < 2 || h->jobs[h->at_job - 2] != id))
            return j;
    }
    return NULL;
}

static int made(const struct hq_doc *d, const struct hq_doc **ret, hq_error *err)
{
    *ret = d;
    return d ? 1 : hqi_base_error_nomem(err, where);
}

/* What the stage has to say; 0: it is over. */
static int run_stage(struct history *h, const struct hq_doc **ret, hq_error *err)
{
    const struct fact *f = &h->facts[h->at];
    const struct job *j;
    switch (h->stage) {
    case STAGE_LOOK:
        return begin(h, err);
    case STAGE_TELL:
        return h->at_told < h->n_told ? made(told_event(h, &h->told[h->at_told++]), ret, err) : 0;
    case STAGE_GIVE_UP:
        return f->kind == FACT_JOB_CANCEL || f->kind == FACT_JOB_ABORT ? tell_given_up(h, ret, err) : 0;
    case STAGE_APPLY:
        return apply(h, err);
    default:
        j = next_completed(h);
        return j ? made(hqi_journal_event_job_completed(&h->event, j->ended_ms, j->id), ret, err) : 0;
    }
}

int hqi_journal_history_next(struct history *h, const struct hq_doc **ret, hq_error *err)
{
    hqi_base_arena_clear(&h->event);
    if (h->recall) {
        int r = hqi_journal_recall_next(h->recall, &h->event, &h->text, ret, err);
        if (r != 0)
            return r;
        hqi_journal_recall_free(h->recall);
        h->recall = NULL;
    }
    while (h->at < h->n) {
        int r = run_stage(h, ret, err);
        if (r != 0)
            return r;
        h->at += h->stage == STAGE_COMPLETED;
        h->stage = h->stage == STAGE_COMPLETED ? STAGE_LOOK : (enum stage)(h->stage + 1);
    }
    return 0;
}
