/* SPDX-License-Identifier: MIT */
/* restate.c - see restate.h.
 *
 * First the server and all workers, as if none had left; then all jobs, open; then the submits in the order of their ids, each with what
 * has ended of it, and given up by its job where it was; then what is under way; at last the jobs close and the workers leave. The
 * attempts of a task are not told one by one: it is adopted with its last instance (FACT_ADOPT), whatever was before. */
#include "state/restate.h"

#include <stdlib.h>
#include <string.h>

#include "state/queue.h"
#include "state/submit.h"

#define WINDOW 2048u /* tasks told together, sorted by worker: some 100 kB */

enum row_end { ROW_HANDED_OUT, ROW_RUNS, ROW_ENDED, ROW_NEVER_STARTED };

/* One task that somebody has, or had. */
struct row {
    uint32_t ordinal, worker, instance;
    enum row_end end;
    uint64_t start_ms, duration_ms;
    uint16_t code;
    uint8_t variant;
    struct bytes text;
};

struct pen {
    const struct state *s;
    const struct restate *r;
    struct arena mem;           /* of one record */
    struct row *rows;           /* owned: WINDOW of them */
    uint32_t n_rows;
    const struct submit *submit; /* theirs */
};

static int put(struct pen *p, struct fact *facts, uint32_t n)
{
    int r = p->r->put(p->r->user, facts, n);
    hqi_base_arena_clear(&p->mem);
    return r;
}

/* ---- less of it ---- */

static struct spec *lean_spec(const struct spec *from, struct arena *mem)
{
    struct spec *s = hqi_base_arena_get(mem, sizeof *s);
    if (!s)
        return NULL;
    *s = *from;
    s->n_argv = 1;
    s->n_env = 0;
    s->cwd = (struct bytes){NULL, 0};
    s->out = s->err = (struct stdio_spec){.kind = STDIO_NONE};
    s->stdin_data = (struct bytes){NULL, 0};
    s->entries = (struct entries){.n = 0};
    return s;
}

static bool lean_ended(struct fact *f, struct arena *mem)
{
    struct end_group *v = hqi_base_arena_get(mem, (f->u.ended.n_groups + 1u) * sizeof *v);
    for (uint32_t i = 0; v && i < f->u.ended.n_groups; i++) {
        v[i] = f->u.ended.groups[i];
        struct end_text *kept = hqi_base_arena_get(mem, (v[i].n_texts + 1u) * sizeof *kept);
        uint32_t n = 0;
        if (!kept)
            return false;
        for (uint32_t k = 0; k < v[i].n_texts; k++)
            if (!end_text_is_result(v[i].code[v[i].texts[k].row]))
                kept[n++] = v[i].texts[k];
        v[i].texts = kept;
        v[i].n_texts = n;
    }
    f->u.ended.groups = v;
    return v;
}

static bool lean(struct fact *f, struct arena *mem)
{
    if (f->kind == FACT_SUBMIT)
        return (f->u.submit.spec = lean_spec(f->u.submit.spec, mem));
    if (f->kind == FACT_ENDED)
        return lean_ended(f, mem);
    if (f->kind == FACT_WORKER_JOIN)
        f->u.worker_join.token = (struct bytes){NULL, 0};
    return true;
}

const struct fact *hqi_state_restate_lean(const struct fact *facts, uint32_t n, struct arena *mem)
{
    struct fact *v = hqi_base_arena_get(mem, (n + 1u) * sizeof *v);
    bool ok = v;
    if (ok && n > 0)
        memcpy(v, facts, n * sizeof *v);
    for (uint32_t i = 0; ok && i < n; i++)
        ok = lean(&v[i], mem);
    return ok ? v : NULL;
}

/* ---- rows ---- */

static int by_worker(const void *a, const void *b)
{
    const struct row *x = a, *y = b;
    if (x->worker != y->worker)
        return x->worker < y->worker ? -1 : 1;
    if (x->instance != y->instance)
        return x->instance < y->instance ? -1 : 1;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static struct fact tasks_fact(const struct pen *p, uint8_t kind, uint32_t worker, uint32_t submit, uint32_t instance,
                              const struct ord_range *ranges, uint32_t n, struct task_group *g)
{
    struct fact f = {.kind = kind, .utc_ms = p->r->now_ms};
    *g = (struct task_group){.submit = submit, .instance = instance, .ranges = ranges, .n_ranges = n};
    f.u.tasks.worker.n = worker;
    f.u.tasks.groups = g;
    f.u.tasks.n_groups = 1;
    return f;
}

static bool adopted(struct pen *p, const struct row *v, uint32_t n, struct fact *ret)
{
    struct ord_range *ranges = hqi_base_arena_get(&p->mem, n * sizeof *ranges);
    struct task_group *g = hqi_base_arena_get(&p->mem, sizeof *g);
    uint32_t k = 0;
    if (!ranges || !g)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        if (k > 0 && ranges[k - 1].first + ranges[k - 1].count == v[i].ordinal)
            ranges[k - 1].count++;
        else
            ranges[k++] = (struct ord_range){v[i].ordinal, 1};
    }
    *ret = tasks_fact(p, FACT_ADOPT, v->worker, p->submit->id, v->instance, ranges, k, g);
    return true;
}

/* n 0: there is none that has to be told by itself. */
static bool started(struct pen *p, const struct row *v, uint32_t n, struct fact *ret)
{
    struct start_group *g = hqi_base_arena_zero(&p->mem, 1, sizeof *g);
    uint32_t *ordinals = hqi_base_arena_get(&p->mem, n * sizeof *ordinals);
    uint64_t *start = hqi_base_arena_get(&p->mem, n * sizeof *start);
    uint8_t *variant = hqi_base_arena_get(&p->mem, n);
    if (!g || !ordinals || !start || !variant)
        return false;
    *g = (struct start_group){.submit = p->submit->id, .instance = v->instance, .ordinals = ordinals, .start_ms = start,
                              .variant = variant};
    for (uint32_t i = 0; i < n; i++) {
        if (v[i].end != ROW_RUNS && v[i].end != ROW_NEVER_STARTED)
            continue;
        ordinals[g->n] = v[i].ordinal;
        start[g->n] = v[i].start_ms;
        variant[g->n++] = v[i].variant;
    }
    *ret = (struct fact){.kind = FACT_STARTED, .utc_ms = p->r->now_ms};
    ret->u.started.worker.n = v->worker;
    ret->u.started.groups = g;
    ret->u.started.n_groups = g->n > 0;
    return true;
}

static void add_end(struct end_group *g, const struct row *v, uint32_t *ordinals, uint64_t *start, uint64_t *duration, uint16_t *code,
                    uint8_t *variant, struct end_text *texts)
{
    uint32_t i = g->n++;
    ordinals[i] = v->ordinal;
    start[i] = v->start_ms;
    duration[i] = v->duration_ms;
    code[i] = v->code;
    variant[i] = v->variant;
    if (v->text.n > 0 && !end_text_is_result(v->code))
        texts[g->n_texts++] = (struct end_text){i, v->text};
}

static bool ended(struct pen *p, const struct row *v, uint32_t n, struct fact *ret)
{
    struct end_group *g = hqi_base_arena_zero(&p->mem, 1, sizeof *g);
    uint32_t *ordinals = hqi_base_arena_get(&p->mem, n * sizeof *ordinals);
    uint64_t *start = hqi_base_arena_get(&p->mem, n * sizeof *start);
    uint64_t *duration = hqi_base_arena_get(&p->mem, n * sizeof *duration);
    uint16_t *code = hqi_base_arena_get(&p->mem, n * sizeof *code);
    uint8_t *variant = hqi_base_arena_get(&p->mem, n);
    struct end_text *texts = hqi_base_arena_get(&p->mem, n * sizeof *texts);
    if (!g || !ordinals || !start || !duration || !code || !variant || !texts)
        return false;
    *g = (struct end_group){.submit = p->submit->id, .instance = v->instance, .ordinals = ordinals, .start_ms = start,
                            .duration_ms = duration, .code = code, .variant = variant, .texts = texts};
    for (uint32_t i = 0; i < n; i++)
        if (v[i].end == ROW_ENDED || v[i].end == ROW_NEVER_STARTED)
            add_end(g, &v[i], ordinals, start, duration, code, variant, texts);
    *ret = (struct fact){.kind = FACT_ENDED, .utc_ms = p->r->now_ms};
    ret->u.ended.worker.n = v->worker;
    ret->u.ended.groups = g;
    ret->u.ended.n_groups = g->n > 0;
    return true;
}

/* Of one worker and instance. */
static int put_run(struct pen *p, const struct row *v, uint32_t n)
{
    struct fact f[3];
    uint32_t k = 1;
    if (!adopted(p, v, n, &f[0]) || !started(p, v, n, &f[k]))
        return HQ_ENOMEM;
    k += f[k].u.started.n_groups;
    if (!ended(p, v, n, &f[k]))
        return HQ_ENOMEM;
    k += f[k].u.ended.n_groups;
    return put(p, f, k);
}

static int put_rows(struct pen *p)
{
    int r = HQ_OK;
    if (p->n_rows > 1)
        qsort(p->rows, p->n_rows, sizeof *p->rows, by_worker);
    for (uint32_t i = 0, n; r >= 0 && i < p->n_rows; i += n) {
        const struct row *first = &p->rows[i];
        for (n = 1; i + n < p->n_rows && first[n].worker == first->worker && first[n].instance == first->instance; n++)
            ;
        r = put_run(p, first, n);
    }
    p->n_rows = 0;
    return r;
}

static int add_row(struct pen *p, const struct submit *s, const struct row *v)
{
    int r = p->n_rows == WINDOW || p->submit != s ? put_rows(p) : HQ_OK;
    p->submit = s;
    p->rows[p->n_rows++] = *v;
    return r;
}

/* ---- the past of tasks that wait, or are handed out again ---- */

/* A worker that may have had what nobody is known to have had. */
static uint32_t anybody(const struct pen *p)
{
    for (uint32_t id = 1; id <= p->s->n_workers; id++)
        if (p->s->workers[id])
            return id;
    return 0;
}

static int crash(struct pen *p, const struct submit *s, struct ord_range range, uint32_t instance)
{
    const uint32_t w = anybody(p);
    struct task_group g[2];
    struct start_group starts = {.submit = s->id, .instance = instance, .n = range.count};
    uint32_t *ordinals = hqi_base_arena_get(&p->mem, range.count * sizeof *ordinals);
    uint64_t *start = hqi_base_arena_get(&p->mem, range.count * sizeof *start);
    if (!ordinals || !start)
        return HQ_ENOMEM;
    for (uint32_t i = 0; i < range.count; i++) {
        ordinals[i] = range.first + i;
        start[i] = s->at_ms;
    }
    starts.ordinals = ordinals;
    starts.start_ms = start;
    struct fact f[3] = {tasks_fact(p, FACT_ADOPT, w, s->id, instance, &range, 1, &g[0]), {.kind = FACT_STARTED, .utc_ms = p->r->now_ms},
                        tasks_fact(p, FACT_CRASHED, w, s->id, instance, &range, 1, &g[1])};
    f[1].u.started.worker.n = w;
    f[1].u.started.groups = &starts;
    f[1].u.started.n_groups = 1;
    return put(p, f, 3);
}

/* Makes tasks that are new such that wait for this instance after so many crashes. There may be more crashes than instances: an attempt
 * that came back to a server which had given it up may crash without a new one. */
static int age_range(struct pen *p, const struct submit *s, struct ord_range range, uint32_t instance, uint32_t crashes)
{
    const uint32_t w = anybody(p);
    struct task_group g[2];
    int r = HQ_OK;
    for (uint32_t i = 0; r >= 0 && i < crashes; i++)
        r = crash(p, s, range, (uint64_t)instance + i >= crashes ? instance + i - crashes : 0);
    if (crashes > 0 || instance == 0)
        return r;
    struct fact f[2] = {tasks_fact(p, FACT_ADOPT, w, s->id, instance, &range, 1, &g[0]),
                        tasks_fact(p, FACT_RETURN, w, s->id, instance, &range, 1, &g[1])};
    return put(p, f, 2);
}

static int age_waiting(struct pen *p, const struct submit *s)
{
    int r = HQ_OK;
    if (s->rest_state != HQ_TASK_WAITING)
        return r;
    for (const struct piece *w = hqi_state_queue_find(s, 0); r >= 0 && w; w = hqi_state_queue_next(w))
        for (uint32_t at = 0; r >= 0 && (w->instance > 0 || w->crashes > 0) && at < w->count; at += WINDOW) {
            uint32_t n = w->count - at < WINDOW ? w->count - at : WINDOW;
            r = age_range(p, s, (struct ord_range){w->first + at, n}, w->instance, w->crashes);
        }
    return r;
}

/* ---- what is under way ---- */

static int put_active(struct pen *p, const struct piece *a)
{
    const struct row row = {.ordinal = a->first, .worker = a->worker->id.n, .instance = a->instance,
                            .end = a->started ? ROW_RUNS : ROW_HANDED_OUT, .start_ms = a->start_ms, .variant = a->variant};
    uint32_t before = a->least > a->instance ? a->least : a->crashes > 0 ? a->instance : 0;
    int r = before > 0 ? age_range(p, a->submit, (struct ord_range){a->first, 1}, before, a->crashes) : HQ_OK;
    return r < 0 ? r : add_row(p, a->submit, &row);
}

static int put_all_active(struct pen *p)
{
    int r = HQ_OK;
    for (uint32_t id = 1; r >= 0 && id <= p->s->n_workers; id++) {
        const struct worker *w = p->s->workers[id];
        for (struct list *n = w ? w->active.next : NULL; r >= 0 && n && n != &w->active; n = n->next)
            r = put_active(p, hqi_container(n, struct piece, in_worker));
    }
    return r < 0 ? r : put_rows(p);
}

/* ---- what has ended ---- */

static bool is_given_up(uint8_t state)
{
    return state == HQ_TASK_CANCELED || state == HQ_TASK_ABORTED;
}

static int put_ended(struct pen *p, const struct submit *s, uint32_t ordinal, const struct task_view *t)
{
    struct row row = {.ordinal = ordinal, .worker = t->worker, .instance = t->instance, .end = ROW_ENDED,
                      .start_ms = t->start_ms, .duration_ms = t->duration_ms, .code = t->code, .variant = t->variant,
                      .text = {t->text, t->text_len}};
    if (is_given_up(t->state)) {
        row.end = ROW_RUNS; /* until its job is */
    } else if (!t->started) {
        row.end = ROW_NEVER_STARTED;
        row.worker = anybody(p);
        row.start_ms = hqi_state_task_ended_ms(s, ordinal, t);
        row.duration_ms = 0;
    }
    return add_row(p, s, &row);
}

static int give_up(struct pen *p, const struct submit *s, uint64_t at_ms)
{
    struct fact f = {.kind = s->counts[HQ_TASK_CANCELED] > 0 ? FACT_JOB_CANCEL : FACT_JOB_ABORT, .utc_ms = at_ms};
    f.u.job_cancel.job = s->job->id;
    if (f.kind == FACT_JOB_CANCEL && s->job->reason_len > 0)
        f.u.job_cancel.reason = (struct bytes){s->job->cancel_reason, s->job->reason_len};
    return put(p, &f, 1);
}

/* All that was given up of a submit was so at once. */
static int put_all_ended(struct pen *p, const struct submit *s)
{
    uint64_t given_up_ms = s->rest_ms;
    int r = HQ_OK;
    for (uint32_t o = hqi_state_task_touched(s, 0); r >= 0 && o < s->spec->ids.count; o = hqi_state_task_touched(s, (uint64_t)o + 1)) {
        struct task_view t;
        hqi_state_task(s, o, &t);
        if (t.state == HQ_TASK_RUNNING)
            continue;
        if (is_given_up(t.state) && s->rest_state == HQ_TASK_WAITING)
            given_up_ms = hqi_state_task_ended_ms(s, o, &t);
        if (t.started || !is_given_up(t.state))
            r = put_ended(p, s, o, &t);
    }
    if (r >= 0)
        r = put_rows(p);
    if (r >= 0 && s->counts[HQ_TASK_CANCELED] + s->counts[HQ_TASK_ABORTED] > 0)
        r = give_up(p, s, given_up_ms);
    return r;
}

/* ---- jobs and submits ---- */

static int open_job(struct pen *p, const struct job *j)
{
    struct fact f = {.kind = FACT_JOB_OPEN, .utc_ms = j->submitted_ms};
    f.u.job_open.job = j->id;
    f.u.job_open.name = (struct bytes){j->name, j->name_len};
    f.u.job_open.max_fails = j->max_fails;
    return put(p, &f, 1);
}

static int close_job(struct pen *p, const struct job *j)
{
    struct fact f = {.kind = FACT_JOB_CLOSE, .utc_ms = j->ended_ms ? j->ended_ms : p->r->now_ms};
    f.u.job_close.job = j->id;
    return j->open ? HQ_OK : put(p, &f, 1);
}

static int put_submit(struct pen *p, const struct submit *s)
{
    struct fact f = {.kind = FACT_SUBMIT, .utc_ms = s->at_ms};
    f.u.submit.job = s->job->id;
    f.u.submit.submit = s->id;
    f.u.submit.spec = lean_spec(s->spec, &p->mem);
    int r = f.u.submit.spec ? put(p, &f, 1) : HQ_ENOMEM;
    if (r >= 0)
        r = put_all_ended(p, s);
    return r < 0 ? r : age_waiting(p, s);
}

static int put_jobs(struct pen *p, int (*what)(struct pen *p, const struct job *j))
{
    int r = HQ_OK;
    for (uint32_t id = 1; r >= 0 && id <= p->s->n_jobs; id++)
        if (p->s->jobs[id])
            r = what(p, p->s->jobs[id]);
    return r;
}

static int put_submits(struct pen *p)
{
    int r = HQ_OK;
    for (uint32_t id = 1; r >= 0 && id <= p->s->n_submits; id++)
        if (p->s->submits[id])
            r = put_submit(p, p->s->submits[id]);
    return r;
}

/* ---- the server and its workers ---- */

static int put_server(struct pen *p)
{
    struct fact f = {.kind = FACT_SERVER_START, .utc_ms = p->r->start_ms};
    f.u.server_start.epoch = p->s->epoch;
    f.u.server_start.uid = bytes_of(p->s->uid);
    return put(p, &f, 1);
}

static int join_worker(struct pen *p, const struct worker *w)
{
    struct fact f = {.kind = FACT_WORKER_JOIN, .utc_ms = w->joined_ms};
    f.u.worker_join.worker = w->id;
    f.u.worker_join.config = w->config;
    f.u.worker_join.uid = w->uid;
    return put(p, &f, 1);
}

static int end_worker(struct pen *p, const struct worker *w)
{
    bool left = w->end != HQ_WORKER_RUNNING;
    struct fact f = {.kind = left ? FACT_WORKER_LOST : FACT_WORKER_STOP, .utc_ms = left ? w->ended_ms : p->r->now_ms};
    f.u.worker_stop.worker = w->id;
    f.u.worker_stop.reason = left ? w->end : w->stopping;
    return left || w->stopping ? put(p, &f, 1) : HQ_OK;
}

static int put_workers(struct pen *p, int (*what)(struct pen *p, const struct worker *w))
{
    int r = HQ_OK;
    for (uint32_t id = 1; r >= 0 && id <= p->s->n_workers; id++)
        if (p->s->workers[id])
            r = what(p, p->s->workers[id]);
    return r;
}

int hqi_state_restate(const struct state *s, const struct restate *restate)
{
    struct pen p = {.s = s, .r = restate};
    p.rows = hqi_base_alloc_zero(restate->alloc, WINDOW, sizeof *p.rows);
    hqi_base_arena_init(&p.mem, restate->alloc);
    int r = p.rows ? put_server(&p) : HQ_ENOMEM;
    if (r >= 0)
        r = put_workers(&p, join_worker);
    if (r >= 0)
        r = put_jobs(&p, open_job);
    if (r >= 0)
        r = put_submits(&p);
    if (r >= 0)
        r = put_all_active(&p);
    if (r >= 0)
        r = put_jobs(&p, close_job);
    if (r >= 0)
        r = put_workers(&p, end_worker);
    hqi_base_arena_fini(&p.mem);
    hqi_base_alloc_free(restate->alloc, p.rows);
    return r;
}
