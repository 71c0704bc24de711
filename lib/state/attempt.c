/* SPDX-License-Identifier: MIT */
/* attempt.c - what happens to a task between the queue and its end.
 *
 *     waiting -HANDOUT-> handed out -STARTED-> running -ENDED-> finished, failed
 *        ^                   |   \_________________________^       ^
 *        |__RETURN, LOST,____|____LOST, CRASHED_|__(too often)_____|
 *               CRASHED
 *
 * ADOPT hands out what a worker says that it has: from the queue, or away from whoever else is known to have it. REFUSED
 * does not: the task stays where it is, and only its later attempts change.
 *
 * Promise: nothing here fails or allocates, but for error texts, which are then lost. An attempt is a piece of one task,
 * cut out of the queue's; when the task comes back that same piece goes back into the queue, and when something of
 * the task has to be kept that its column does not hold, the piece's memory becomes the exception. News of attempts
 * that are not (no longer, not on this worker, not with this instance) change nothing. */
#include "state/attempt.h"

#include "state/job.h"
#include "state/queue.h"
#include "state/submit.h"
#include "state/worker.h"

/* What the rows of one group have in common. */
struct group {
    struct state *st;
    struct worker *worker;
    struct submit *submit;
    struct wclass *wc;
    uint32_t instance;
    uint64_t utc_ms;
    struct attempt_walk walk; /* of the worker's attempts, where rows are news of them */
};

static uint64_t task_key(const struct submit *s, uint32_t ordinal)
{
    return (uint64_t)s->id << 32 | ordinal;
}

struct piece *hqi_state_attempt(const struct state *s, uint32_t submit, uint32_t ordinal)
{
    struct map_node *n = hqi_base_map_get(&s->attempts, (uint64_t)submit << 32 | ordinal);
    return n ? hqi_container(n, struct piece, by_task) : NULL;
}

/* false: nothing of this group can concern the worker. */
static bool group_init(struct group *g, struct state *st, struct worker *w, uint32_t submit,
                       uint32_t instance, uint64_t utc_ms)
{
    struct submit *s = hqi_state_submit(st, submit);
    *g = (struct group){
        .st = st, .worker = w, .submit = s, .instance = instance, .utc_ms = utc_ms, .walk = hqi_state_walk(w)};
    if (s)
        g->wc = hqi_state_wclass(w, s->class);
    return g->wc != NULL;
}

static struct piece *attempt_of(struct group *g, uint32_t ordinal)
{
    struct piece *p = hqi_state_walk_to(g->st, &g->walk, g->submit->id, ordinal);
    return p && p->instance == g->instance ? p : NULL;
}

static struct worker *live_worker(const struct state *st, hq_worker_id id)
{
    struct worker *w = hqi_state_worker(st, id);
    return w && w->end == HQ_WORKER_RUNNING ? w : NULL;
}

static uint64_t clamp(uint64_t v, uint64_t low, uint64_t high)
{
    if (v > high)
        v = high;
    return v < low ? low : v; /* a clock that went back: low wins */
}

/* ---- handing out ---- */

static void book(struct group *g, struct piece *p)
{
    hqi_state_worker_book(g->worker, g->submit->class);
    p->booked = true;
    g->wc->booked++;
}

/* What views of a running task need of a second attempt; the first needs nothing. */
static void note_instance(struct group *g, uint32_t ordinal)
{
    struct exception *e = hqi_state_submit_exception(g->submit, ordinal);
    if (!e)
        e = hqi_state_submit_except(g->submit, ordinal, hqi_state_queue_take(g->st));
    e->instance = g->instance;
}

static void attach(struct group *g, struct piece *p, uint32_t ordinal, uint32_t crashes, bool booked)
{
    p->submit = g->submit;
    p->worker = g->worker;
    p->first = ordinal;
    p->count = 1;
    p->instance = g->instance;
    p->least = 0;
    p->crashes = crashes;
    p->start_ms = 0;
    p->variant = 0;
    p->booked = p->started = p->retracting = false;
    hqi_base_map_put(&g->st->attempts, &p->by_task, task_key(g->submit, ordinal));
    list_push_back(&g->worker->active, &p->in_worker);
    bool first = !hqi_state_wclass_has_tasks(g->wc);
    if (booked)
        book(g, p);
    else
        g->wc->prefilled++;
    if (first)
        hqi_state_worker_class_sort(g->worker, g->wc);
    if (g->instance > 0)
        note_instance(g, ordinal);
}

/* The instance with which an attempt that never started goes back to the queue. */
static uint32_t same_instance(const struct piece *p)
{
    return p->least > p->instance ? p->least : p->instance;
}

/* The one after an attempt that may have started. */
static uint32_t next_instance(const struct piece *p)
{
    return p->least > p->instance ? p->least : p->instance + 1;
}

static void hand_out(struct group *g, struct piece *from, uint32_t at, uint32_t n, bool booked)
{
    uint32_t crashes = from->crashes;
    struct piece *rest = hqi_state_queue_cut(g->st, from, at, n);
    for (uint32_t i = 0; i < n; i++) {
        bool last = rest && i + 1 == n;
        attach(g, last ? rest : hqi_state_queue_take(g->st), at + i, crashes, booked);
    }
    g->worker->n_active += n;
    g->submit->active += n;
}

/* Whatever of the range waits, with the instance of the group. */
static void hand_out_range(struct group *g, struct ord_range r, bool booked)
{
    uint64_t at = r.first, end = at + r.count;
    while (at < end && at < UINT32_MAX) {
        struct piece *p = hqi_state_queue_find(g->submit, (uint32_t)at);
        if (!p || p->first >= end)
            return;
        if (at < p->first)
            at = p->first;
        uint64_t piece_end = (uint64_t)p->first + p->count, stop = piece_end < end ? piece_end : end;
        if (p->instance == g->instance)
            hand_out(g, p, (uint32_t)at, (uint32_t)(stop - at), booked);
        at = stop;
    }
}

void hqi_state_attempt_apply_handout(struct state *st, struct fact *f)
{
    struct worker *w = live_worker(st, f->u.tasks.worker);
    for (uint32_t i = 0; w && i < f->u.tasks.n_groups; i++) {
        const struct task_group *tasks = &f->u.tasks.groups[i];
        struct submit *s = hqi_state_submit(st, tasks->submit);
        struct group g = {
            .st = st, .worker = w, .submit = s, .instance = tasks->instance, .utc_ms = f->utc_ms};
        if (s)
            g.wc = hqi_state_worker_class_link(st, w, s->class, f->utc_ms);
        if (!g.wc)
            continue;
        for (uint32_t k = 0; k < tasks->n_ranges; k++)
            hand_out_range(&g, tasks->ranges[k], tasks->booked);
        if (tasks->with_spec)
            hqi_state_submit_mark_known(s, w->id);
    }
}

/* ---- taking away ---- */

/* Undoes attach; the piece is the caller's, unlinked. */
static inline void detach(struct state *st, struct piece *p, struct wclass *wc, uint64_t utc_ms)
{
    struct worker *w = p->worker;
    hqi_base_map_take(&st->attempts, p->by_task.key);
    list_unlink(&p->in_worker);
    if (p->booked) {
        hqi_state_worker_unbook(w, p->submit->class);
        wc->booked--;
    } else {
        wc->prefilled--;
    }
    if (!hqi_state_wclass_has_tasks(wc))
        hqi_state_worker_class_sort(w, wc);
    wc->retracting -= p->retracting;
    w->n_running -= p->started;
    p->submit->active--;
    if (--w->n_active == 0)
        w->idle_since_ms = utc_ms;
}

static void put_back(struct state *st, struct piece *p, struct wclass *wc, uint64_t utc_ms)
{
    static const struct column untouched = {.state = HQ_TASK_WAITING};
    detach(st, p, wc, utc_ms);
    if (p->started)
        hqi_state_submit_write(p->submit, p->first, HQ_TASK_RUNNING, &untouched);
    hqi_state_queue_put(st, p);
}

/* ---- adopting ---- */

/* An attempt that the worker does not have, wherever: it may have started, so that its instance is spent. */
static void void_other(struct group *g, uint32_t ordinal)
{
    struct piece *p = hqi_state_attempt(g->st, g->submit->id, ordinal);
    if (!p || (p->worker == g->worker && p->instance == g->instance))
        return;
    p->instance = next_instance(p);
    put_back(g->st, p, hqi_state_wclass(p->worker, g->submit->class), g->utc_ms);
}

/* The instance may be lower than the next one was: the server had given the worker up. */
static void adopt(struct group *g, uint32_t ordinal, bool booked)
{
    void_other(g, ordinal);
    struct piece *from = hqi_state_queue_find(g->submit, ordinal);
    if (!from || from->first > ordinal)
        return;
    uint32_t least = from->instance;
    hand_out(g, from, ordinal, 1, booked);
    struct piece *p = hqi_state_attempt(g->st, g->submit->id, ordinal);
    struct exception *e = hqi_state_submit_exception(g->submit, ordinal);
    p->least = least;
    if (e)
        e->instance = g->instance;
}

static void adopt_group(struct group *g, const struct task_group *tasks)
{
    for (uint32_t k = 0; k < tasks->n_ranges; k++) {
        const struct ord_range r = tasks->ranges[k];
        for (uint32_t o = 0; o < r.count && r.first + o >= r.first; o++) /* memory was reserved for no more */
            adopt(g, r.first + o, tasks->booked);
    }
}

void hqi_state_attempt_apply_adopt(struct state *st, struct fact *f)
{
    struct worker *w = live_worker(st, f->u.tasks.worker);
    for (uint32_t i = 0; w && i < f->u.tasks.n_groups; i++) {
        const struct task_group *tasks = &f->u.tasks.groups[i];
        struct submit *s = hqi_state_submit(st, tasks->submit);
        struct group g = {.st = st, .worker = w, .submit = s, .instance = tasks->instance, .utc_ms = f->utc_ms};
        if (s)
            g.wc = hqi_state_worker_class_link(st, w, s->class, f->utc_ms);
        if (g.wc)
            adopt_group(&g, tasks);
    }
}

/* ---- refusing ---- */

static void spend(struct piece *p, uint32_t instance)
{
    if (p && p->least <= instance)
        p->least = instance + 1;
}

void hqi_state_attempt_apply_refused(struct state *st, struct fact *f)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++) {
        const struct task_group *g = &f->u.tasks.groups[i];
        for (uint32_t k = 0; k < g->n_ranges; k++)
            for (uint32_t o = 0; o < g->ranges[k].count; o++)
                spend(hqi_state_attempt(st, g->submit, g->ranges[k].first + o), g->instance);
    }
}

/* ---- taking back ---- */

static bool not_running(struct group *g, uint32_t ordinal, struct piece **p)
{
    *p = attempt_of(g, ordinal);
    return *p && !(*p)->started;
}

static void ask_back(struct group *g, struct piece *p)
{
    g->wc->retracting += !p->retracting;
    p->retracting = true;
}

static void give_back(struct group *g, struct piece *p)
{
    p->instance = same_instance(p);
    put_back(g->st, p, g->wc, g->utc_ms);
}

/* Calls `act` for each task that the groups name and that has not started. */
static void each_not_started(struct state *st, struct fact *f, void (*act)(struct group *, struct piece *))
{
    struct worker *w = live_worker(st, f->u.tasks.worker);
    for (uint32_t i = 0; w && i < f->u.tasks.n_groups; i++) {
        const struct task_group *tasks = &f->u.tasks.groups[i];
        struct group g;
        struct piece *p;
        if (!group_init(&g, st, w, tasks->submit, tasks->instance, f->utc_ms))
            continue;
        for (uint32_t k = 0; k < tasks->n_ranges; k++)
            for (uint32_t o = 0; o < tasks->ranges[k].count; o++)
                if (not_running(&g, tasks->ranges[k].first + o, &p))
                    act(&g, p);
        g.wc->blocked |= f->kind == FACT_RETURN && f->u.tasks.block;
        w->blocks |= g.wc->blocked;
    }
}

void hqi_state_attempt_apply_retract(struct state *st, struct fact *f)
{
    each_not_started(st, f, ask_back);
}

void hqi_state_attempt_apply_return(struct state *st, struct fact *f)
{
    each_not_started(st, f, give_back);
}

/* ---- starting ---- */

/* The worker's last task is the one that started last. */
static void note_last(struct group *g, uint32_t ordinal, uint64_t start_ms)
{
    struct worker *w = g->worker;
    w->has_last = true;
    w->last_ms = start_ms;
    w->last_task = (hq_task_id){g->submit->job->id, hqi_model_intset_select(&g->submit->spec->ids, ordinal)};
}

static bool is_last(const struct worker *w, uint64_t start_ms)
{
    return !w->has_last || start_ms >= w->last_ms;
}

/* An attempt that was asked back and has started is no longer asked back; what was prefilled is booked now. */
static void start(struct group *g, struct piece *p, uint64_t start_ms, uint8_t variant)
{
    struct submit *s = g->submit;
    p->started = true;
    p->start_ms = clamp(start_ms, s->at_ms, g->utc_ms);
    p->variant = variant;
    g->wc->retracting -= p->retracting;
    p->retracting = false;
    if (!p->booked) {
        g->wc->prefilled--;
        book(g, p);
    }
    g->worker->n_running++;
    uint64_t since = p->start_ms - s->at_ms;
    const struct column col = {
        .state = HQ_TASK_RUNNING,
        .start_ms = since < COLUMN_START_MAX ? since : COLUMN_START_MAX,
        .variant = variant % COLUMN_VARIANTS,
        .worker = g->worker->id.n,
    };
    hqi_state_submit_write(s, p->first, HQ_TASK_WAITING, &col);
}

static void start_rows(struct group *g, const struct start_group *rows)
{
    struct piece *p, *last = NULL;
    bool started = false;
    for (uint32_t i = 0; i < rows->n; i++) {
        if (!not_running(g, rows->ordinals[i], &p))
            continue;
        started = true;
        start(g, p, rows->start_ms[i], rows->variant ? rows->variant[i] : 0);
        if (last ? p->start_ms >= last->start_ms : is_last(g->worker, p->start_ms))
            last = p;
    }
    if (last)
        note_last(g, last->first, last->start_ms);
    if (started)
        hqi_state_job_touch(g->st, g->submit->job, g->utc_ms);
}

void hqi_state_attempt_apply_started(struct state *st, struct fact *f)
{
    struct worker *w = live_worker(st, f->u.started.worker);
    for (uint32_t i = 0; w && i < f->u.started.n_groups; i++) {
        const struct start_group *rows = &f->u.started.groups[i];
        struct group g;
        if (group_init(&g, st, w, rows->submit, rows->instance, f->utc_ms))
            start_rows(&g, rows);
    }
}

/* ---- ending ---- */

/* Cut to what one text, and the job's texts together, may take; results are whole or not there. */
static uint32_t text_room(const struct job *j, struct bytes text, uint16_t code)
{
    if (end_text_is_result(code))
        return text.n <= HQI_MAX_RESULT && text.n <= HQI_MAX_RESULT_BYTES - j->result_bytes ? (uint32_t)text.n : 0;
    uint64_t room = HQI_MAX_ERROR_BYTES - j->text_bytes;
    if (room > HQI_MAX_ERROR_TEXT)
        room = HQI_MAX_ERROR_TEXT;
    return (uint32_t)(text.n < room ? text.n : room);
}

/* Counted even when there is no memory for it, so that a replay with memory comes to the same state. */
static void keep_text(struct state *st, struct job *j, struct exception *e, const char *text, uint32_t n, bool is_result)
{
    if (n == 0 || e->text)
        return;
    if (is_result)
        j->result_bytes += n;
    else
        j->text_bytes += n;
    e->text = hqi_base_alloc_strdup(st->alloc, text, n);
    e->text_len = e->text ? n : 0;
}

static struct column column_of(const struct piece *p, const struct outcome *o, uint64_t utc_ms)
{
    struct column col = {.state = o->state, .code = o->code};
    const uint64_t at_ms = p->submit->at_ms;
    if (!o->started) {
        col.start_ms = clamp(utc_ms, at_ms, at_ms + COLUMN_START_MAX - 1) - at_ms; /* no exception: 34 years */
        return col;
    }
    uint64_t since = o->start_ms - at_ms;
    col.start_ms = since < COLUMN_START_MAX ? since : COLUMN_START_MAX;
    col.duration_ms = o->duration_ms < COLUMN_DURATION_MAX ? (uint32_t)o->duration_ms : COLUMN_DURATION_MAX;
    col.variant = o->variant % COLUMN_VARIANTS;
    col.worker = p->worker->id.n;
    return col;
}

static bool overflows(const struct column *col)
{
    return col->start_ms == COLUMN_START_MAX || col->duration_ms == COLUMN_DURATION_MAX;
}

/* What the column does not hold; uses up the piece, which is linked nowhere any more. */
static void keep_rest(struct state *st, struct piece *p, const struct outcome *o, const struct column *col)
{
    struct submit *s = p->submit;
    uint32_t ordinal = p->first, text = text_room(s->job, o->text, o->code);
    bool is_result = o->text.n > 0 && end_text_is_result(o->code);
    if (text == 0 && !is_result && !overflows(col)) {
        hqi_state_queue_give(st, p);
        return;
    }
    struct exception *e = hqi_state_submit_exception(s, ordinal);
    if (e)
        hqi_state_queue_give(st, p);
    else
        e = hqi_state_submit_except(s, ordinal, p);
    e->start_ms = o->start_ms;
    e->duration_ms = o->duration_ms;
    keep_text(st, s->job, e, o->text.p, text, is_result);
    e->dropped = is_result && !e->text;
}

static inline void settle(struct state *st, struct piece *p, struct wclass *wc, const struct outcome *o, uint64_t utc_ms)
{
    const struct column col = column_of(p, o, utc_ms);
    detach(st, p, wc, utc_ms);
    hqi_state_submit_write(p->submit, p->first, p->started ? HQ_TASK_RUNNING : HQ_TASK_WAITING, &col);
    if (o->text.n == 0 && !overflows(&col))
        hqi_state_queue_give(st, p);
    else
        keep_rest(st, p, o, &col);
}

void hqi_state_attempt_settle(struct state *st, struct piece *p, struct wclass *wc, const struct outcome *o,
                              uint64_t utc_ms)
{
    settle(st, p, wc, o, utc_ms);
}

/* A start that was told before stays: it has been shown. A task that could not be launched never started. */
static struct outcome outcome_of(const struct group *g, const struct piece *p, const struct end_group *rows,
                                 uint32_t i)
{
    struct outcome o = {.code = rows->code[i], .duration_ms = rows->duration_ms[i]};
    o.state = o.code == 0 ? HQ_TASK_FINISHED : HQ_TASK_FAILED;
    o.started = p->started || o.code != HQ_CODE_LAUNCH;
    if (p->started) {
        o.start_ms = p->start_ms;
        o.variant = p->variant;
    } else if (o.started) {
        o.start_ms = clamp(rows->start_ms[i], g->submit->at_ms, g->utc_ms);
        o.variant = rows->variant ? rows->variant[i] : 0;
    }
    return o;
}

static void end_rows(struct group *g, const struct end_group *rows)
{
    uint32_t ended = 0, text = 0, last = 0;
    uint64_t last_ms = 0;
    bool any = false;
    for (uint32_t i = 0; i < rows->n; i++) {
        struct piece *p = attempt_of(g, rows->ordinals[i]);
        while (text < rows->n_texts && rows->texts[text].row < i)
            text++;
        if (!p)
            continue;
        struct outcome o = outcome_of(g, p, rows, i);
        if (text < rows->n_texts && rows->texts[text].row == i)
            o.text = rows->texts[text].text;
        if (!p->started && o.started && (any ? o.start_ms >= last_ms : is_last(g->worker, o.start_ms))) {
            any = true;
            last = rows->ordinals[i];
            last_ms = o.start_ms;
        }
        settle(g->st, p, g->wc, &o, g->utc_ms);
        ended++;
    }
    if (any)
        note_last(g, last, last_ms);
    if (ended == 0)
        return;
    hqi_state_worker_class_ended(g->wc, ended, g->utc_ms);
    hqi_state_job_touch(g->st, g->submit->job, g->utc_ms);
}

void hqi_state_attempt_apply_ended(struct state *st, struct fact *f)
{
    struct worker *w = live_worker(st, f->u.ended.worker);
    for (uint32_t i = 0; w && i < f->u.ended.n_groups; i++) {
        const struct end_group *rows = &f->u.ended.groups[i];
        struct group g;
        if (group_init(&g, st, w, rows->submit, rows->instance, f->utc_ms))
            end_rows(&g, rows);
    }
}

/* ---- losing the worker ---- */

static bool is_failure(uint8_t reason)
{
    return reason == HQ_WORKER_CONNECTION_LOST || reason == HQ_WORKER_HEARTBEAT_LOST;
}

bool hqi_state_crash_fails(const struct piece *p, uint8_t reason)
{
    uint32_t limit = p->submit->spec->crash_limit;
    if (!p->started || limit == CRASH_UNLIMITED)
        return false;
    return limit == CRASH_NEVER_RESTART || (is_failure(reason) && p->crashes + 1 >= limit);
}

/* What had started counts as waiting again, its start forgotten; or it fails, as a task that waits. */
static void lose(struct state *st, struct piece *p, uint8_t reason, uint64_t utc_ms)
{
    static const struct outcome crashed = {.state = HQ_TASK_FAILED, .code = HQ_CODE_CRASH_LIMIT};
    struct job *j = p->submit->job;
    struct wclass *wc = hqi_state_wclass(p->worker, p->submit->class);
    bool started = p->started;
    if (hqi_state_crash_fails(p, reason)) {
        settle(st, p, wc, &crashed, utc_ms);
    } else {
        p->crashes += started && is_failure(reason);
        p->instance = next_instance(p);
        put_back(st, p, wc, utc_ms);
    }
    if (started)
        hqi_state_job_touch(st, j, utc_ms);
}

/* A helper process took them with it: to its tasks the same as if the worker had died. */
static void crash_range(struct group *g, struct ord_range r)
{
    for (uint32_t i = 0; i < r.count; i++) {
        struct piece *p = attempt_of(g, r.first + i);
        if (p)
            lose(g->st, p, HQ_WORKER_CONNECTION_LOST, g->utc_ms);
    }
}

void hqi_state_attempt_apply_crashed(struct state *st, struct fact *f)
{
    struct worker *w = live_worker(st, f->u.tasks.worker);
    for (uint32_t i = 0; w && i < f->u.tasks.n_groups; i++) {
        const struct task_group *tasks = &f->u.tasks.groups[i];
        struct group g;
        if (!group_init(&g, st, w, tasks->submit, tasks->instance, f->utc_ms))
            continue;
        for (uint32_t k = 0; k < tasks->n_ranges; k++)
            crash_range(&g, tasks->ranges[k]);
    }
}

void hqi_state_attempt_apply_lost(struct state *st, struct fact *f)
{
    struct worker *w = live_worker(st, f->u.worker_lost.worker);
    uint8_t reason = f->u.worker_lost.reason, counts_as = f->u.worker_lost.blameless ? HQ_WORKER_STOPPED : reason;
    if (!w || reason == HQ_WORKER_RUNNING)
        return;
    while (!list_empty(&w->active))
        lose(st, hqi_container(w->active.next, struct piece, in_worker), counts_as, f->utc_ms);
    hqi_state_worker_end(st, w, reason, f->utc_ms);
}
