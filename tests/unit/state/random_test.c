/* SPDX-License-Identifier: MIT */
/* Random facts against a model that keeps an array entry per task and nothing clever. After each fact the state verifies;
 * every so often each task is compared; at the end the replay goes through the same digests. */
#include "world.h"

#define JOBS 40u
#define WORKERS 60u
#define SUBMITS 60u
#define MAX_NAMED 30u /* of what a give-up names: workers, and groups of each */
#define STRIDE 8u     /* ids of the k-th submit of an open job are k modulo this */

struct mtask {
    uint8_t state;
    bool held, started, booked, retracting;
    uint32_t worker;            /* that holds it, or ran it */
    uint32_t instance, crashes; /* of the next or current attempt */
    uint32_t shown;             /* instance of the last attempt */
    uint64_t start_ms, duration_ms;
    uint16_t code;
    uint8_t variant;
    bool text;
};

struct msubmit {
    uint32_t job, count, crash_limit, cpus;
    struct mtask *tasks;
};

struct mjob {
    bool known, open;
    uint32_t n_submits;
};

struct mworker {
    bool live;
    uint32_t total; /* cpus */
};

struct model {
    struct world w;
    uint64_t seed;
    struct mjob jobs[JOBS + 1];
    struct msubmit submits[SUBMITS + 1];
    struct mworker workers[WORKERS + 1];
    uint32_t n_jobs, n_submits, n_workers;
};

static uint32_t below(struct model *m, uint32_t n)
{
    m->seed = m->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)((m->seed >> 33) % n);
}

static bool chance(struct model *m, uint32_t percent)
{
    return below(m, 100) < percent;
}

/* ---- comparing ---- */

static void compare_task(const struct mtask *t, const struct submit *s, uint32_t ordinal, bool texts)
{
    struct task_view v = world_view(s, ordinal);
    bool ended = t->state != HQ_TASK_WAITING && t->state != HQ_TASK_RUNNING;
    assert_int_equal(v.state, t->state);
    assert_int_equal(v.started, t->started);
    assert_int_equal(v.instance, t->shown);
    assert_int_equal(v.worker, t->started ? t->worker : 0);
    assert_int_equal(v.start_ms, t->started ? t->start_ms : 0);
    assert_int_equal(v.variant, t->started ? t->variant : 0);
    assert_int_equal(v.code, ended ? t->code : 0);
    assert_int_equal(v.duration_ms, ended && t->started ? t->duration_ms : 0);
    if (texts)
        assert_int_equal(v.text != NULL, t->text);
}

static void compare_submit(const struct model *m, uint32_t id)
{
    const struct msubmit *ms = &m->submits[id];
    const struct submit *s = hqi_state_submit(m->w.st, id);
    uint32_t next[HQ_TASK_STATES];
    if (!m->jobs[ms->job].known) {
        assert_null(s);
        return;
    }
    for (uint32_t i = 0; i < HQ_TASK_STATES; i++)
        next[i] = s->spec->ids.count;
    for (uint32_t o = ms->count; o-- > 0;) {
        const struct mtask *t = &ms->tasks[o];
        const struct piece *p = hqi_state_attempt(m->w.st, id, o);
        uint32_t ordinal;
        compare_task(t, s, o, !m->w.hard);
        assert_int_equal(p != NULL, t->held);
        if (p) {
            assert_int_equal(p->worker->id.n, t->worker);
            assert_int_equal(p->instance, t->instance);
            assert_int_equal(p->crashes, t->crashes);
            assert_int_equal(p->booked, t->booked);
            assert_int_equal(p->retracting, t->retracting);
        }
        next[t->state] = o;
        for (uint32_t i = 0; i < HQ_TASK_STATES; i += 1 + o % 3)
            assert_int_equal(hqi_state_task_seek(s, o, 1u << i), next[i]);
        assert_ptr_equal(hqi_state_job_find(s->job, hqi_model_intset_select(&s->spec->ids, o), &ordinal), s);
        assert_int_equal(ordinal, o);
    }
}

static void compare_worker(const struct model *m, uint32_t id)
{
    const struct worker *w = hqi_state_worker(m->w.st, worker_id(id));
    int64_t free = (int64_t)m->workers[id].total * HQ_UNITS;
    uint32_t held = 0;
    for (uint32_t i = 1; i <= m->n_submits; i++)
        for (uint32_t o = 0; m->submits[i].tasks && o < m->submits[i].count; o++) {
            const struct mtask *t = &m->submits[i].tasks[o];
            if (!t->held || t->worker != id)
                continue;
            held++;
            free -= t->booked ? (int64_t)m->submits[i].cpus * HQ_UNITS : 0;
        }
    assert_int_equal(w->n_active, held);
    assert_int_equal(w->free[0], free);
    assert_int_equal(w->end == HQ_WORKER_RUNNING, m->workers[id].live);
}

static void compare(const struct model *m)
{
    for (uint32_t i = 1; i <= m->n_submits; i++)
        compare_submit(m, i);
    for (uint32_t i = 1; i <= m->n_workers; i++)
        compare_worker(m, i);
}

/* ---- jobs ---- */

static void do_submit(struct model *m)
{
    static const uint32_t counts[] = {1, 2, 7, 60, 300, 1500};
    static const uint32_t limits[] = {CRASH_NEVER_RESTART, 1, 2, CRASH_DEFAULT, CRASH_UNLIMITED};
    uint32_t job = 0;
    if (m->n_submits == SUBMITS)
        return;
    for (uint32_t i = 1; i <= m->n_jobs; i++)
        if (m->jobs[i].open && m->jobs[i].n_submits < STRIDE && chance(m, 60))
            job = i;
    if (job == 0 && m->n_jobs == JOBS)
        return;
    struct msubmit *s = &m->submits[++m->n_submits];
    struct spec_options o = {.cpus = 1 + below(m, 3), .priority = (int32_t)below(m, 3) - 1};
    o.crash_limit = limits[below(m, 5)];
    o.gpus = chance(m, 10);
    s->count = 1 + below(m, counts[below(m, 6)]);
    s->cpus = o.cpus;
    s->crash_limit = o.crash_limit;
    s->job = job ? job : ++m->n_jobs;
    m->jobs[s->job].known = true;
    s->tasks = calloc(s->count, sizeof *s->tasks);
    hq_range r[2] = {{m->jobs[s->job].n_submits, s->count, STRIDE}};
    if (s->count > 2) { /* with a hole */
        r[0].count = s->count / 2;
        r[1] = (hq_range){r[0].first + STRIDE * (r[0].count + 5), s->count - r[0].count, STRIDE};
    }
    m->jobs[s->job].n_submits++;
    world_submit_ranges(&m->w, job, r, s->count > 2 ? 2 : 1, o);
}

static void do_open(struct model *m)
{
    if (m->n_jobs == JOBS)
        return;
    m->jobs[++m->n_jobs] = (struct mjob){.known = true, .open = true};
    world_open_job(&m->w);
}

static void do_close(struct model *m)
{
    for (uint32_t i = 1; i <= m->n_jobs; i++)
        if (m->jobs[i].open && chance(m, 30)) {
            m->jobs[i].open = false;
            world_job(&m->w, FACT_JOB_CLOSE, i);
            return;
        }
}

static void do_forget(struct model *m)
{
    uint32_t id = 1 + below(m, m->n_jobs ? m->n_jobs : 1);
    const struct job *j = hqi_state_job(m->w.st, job_id(id));
    if (!j || !hqi_state_job_ended(j))
        return;
    m->jobs[id].known = false;
    world_job(&m->w, FACT_JOB_FORGET, id);
}

/* One more group, for the worker named last if it is the same. */
static void name_active(struct world *w, struct fact *f, struct worker_tasks *active, uint32_t submit,
                        uint32_t ordinal, const struct mtask *t)
{
    uint32_t n = f->u.job_cancel.n_active;
    struct worker_tasks *last = n ? &active[n - 1] : NULL;
    if (!last || last->worker.n != t->worker || last->n_groups == MAX_NAMED) {
        if (n == MAX_NAMED)
            return;
        last = &active[f->u.job_cancel.n_active++];
        last->worker = worker_id(t->worker);
        last->groups = hqi_base_arena_zero(&w->facts, MAX_NAMED, sizeof *last->groups);
    }
    struct task_group *g = (struct task_group *)&last->groups[last->n_groups++];
    *g = (struct task_group){.submit = submit, .instance = t->instance, .n_ranges = 1};
    g->ranges = world_copy(w, &(struct ord_range){ordinal, 1}, sizeof(struct ord_range));
}

static void do_give_up(struct model *m)
{
    uint32_t id = 1 + below(m, m->n_jobs ? m->n_jobs : 1);
    if (!m->jobs[id].known || chance(m, 50))
        return;
    bool cancel = chance(m, 50);
    struct world *w = &m->w;
    struct fact f = {.kind = cancel ? FACT_JOB_CANCEL : FACT_JOB_ABORT};
    struct worker_tasks *active = hqi_base_arena_zero(&w->facts, MAX_NAMED, sizeof *active);
    f.u.job_cancel.job = job_id(id);
    f.u.job_cancel.reason = bytes_of(cancel && chance(m, 50) ? "because" : "");
    f.u.job_cancel.active = active;
    for (uint32_t i = 1; i <= m->n_submits; i++)
        for (uint32_t o = 0; m->submits[i].job == id && o < m->submits[i].count; o++) {
            struct mtask *t = &m->submits[i].tasks[o];
            if (t->state != HQ_TASK_WAITING && t->state != HQ_TASK_RUNNING)
                continue;
            if (t->held && chance(m, 70)) /* the others are left to the search */
                name_active(w, &f, active, i, o, t);
            t->duration_ms = t->started ? w->now - t->start_ms : 0;
            t->state = cancel ? HQ_TASK_CANCELED : HQ_TASK_ABORTED;
            t->held = t->booked = t->retracting = false;
        }
    world_do(w, f);
}

/* ---- workers ---- */

static void do_join(struct model *m)
{
    if (m->n_workers == WORKERS)
        return;
    struct mworker *k = &m->workers[++m->n_workers];
    *k = (struct mworker){true, 1 + below(m, 16)};
    world_join(&m->w, k->total, chance(m, 20));
}

static uint32_t any_worker(struct model *m) /* 0: none is there */
{
    for (uint32_t tries = 0; m->n_workers && tries < 10; tries++) {
        uint32_t id = 1 + below(m, m->n_workers);
        if (m->workers[id].live)
            return id;
    }
    return 0;
}

static void do_stop(struct model *m)
{
    uint32_t k = any_worker(m);
    if (k && chance(m, 20))
        world_end_worker(&m->w, FACT_WORKER_STOP, k, HQ_WORKER_STOPPED);
}

static bool model_crash_fails(const struct mtask *t, uint32_t limit, bool failure)
{
    if (!t->started)
        return false;
    return limit == CRASH_NEVER_RESTART || (failure && limit != CRASH_UNLIMITED && t->crashes + 1 >= limit);
}

static void tell_lost(struct mtask *t, uint32_t limit, bool failure)
{
    bool fails = model_crash_fails(t, limit, failure);
    t->crashes += t->started && failure;
    t->instance++;
    t->state = fails ? HQ_TASK_FAILED : HQ_TASK_WAITING;
    t->code = fails ? HQ_CODE_CRASH_LIMIT : 0;
    t->held = t->started = t->booked = t->retracting = false;
}

static void do_lose(struct model *m)
{
    uint32_t k = any_worker(m);
    uint8_t reason = (uint8_t)(HQ_WORKER_STOPPED + below(m, 5));
    bool failure = reason == HQ_WORKER_CONNECTION_LOST || reason == HQ_WORKER_HEARTBEAT_LOST;
    if (!k)
        return;
    m->workers[k].live = false;
    for (uint32_t i = 1; i <= m->n_submits; i++)
        for (uint32_t o = 0; m->submits[i].tasks && o < m->submits[i].count; o++)
            if (m->submits[i].tasks[o].held && m->submits[i].tasks[o].worker == k)
                tell_lost(&m->submits[i].tasks[o], m->submits[i].crash_limit, failure);
    world_end_worker(&m->w, FACT_WORKER_LOST, k, reason);
}

/* ---- tasks ---- */

/* Tasks of one submit that share an instance and pass `wanted`, as ranges with random holes. */
struct pick {
    uint32_t submit, instance;
    struct ord_range ranges[64];
    uint32_t n_ranges, n;
};

static bool waits(const struct mtask *t, uint32_t worker)
{
    return !t->held && t->state == HQ_TASK_WAITING;
}

static bool unstarted(const struct mtask *t, uint32_t worker)
{
    return t->held && t->worker == worker && !t->started;
}

static bool held(const struct mtask *t, uint32_t worker)
{
    return t->held && t->worker == worker;
}

static void pick_add(struct pick *p, uint32_t o)
{
    struct ord_range *last = p->n_ranges ? &p->ranges[p->n_ranges - 1] : NULL;
    if (last && last->first + last->count == o)
        last->count++;
    else
        p->ranges[p->n_ranges++] = (struct ord_range){o, 1};
    p->n++;
}

static bool pick(struct model *m, struct pick *p, uint32_t worker, uint32_t max,
                 bool (*wanted)(const struct mtask *, uint32_t))
{
    *p = (struct pick){.submit = 1 + below(m, m->n_submits ? m->n_submits : 1)};
    const struct msubmit *s = &m->submits[p->submit];
    if (!s->tasks || !m->jobs[s->job].known)
        return false;
    uint32_t keep = 10 + below(m, 91), from = chance(m, 50) ? below(m, s->count) : 0;
    bool holes = chance(m, 50);
    for (uint32_t o = from; o < s->count && p->n < max && p->n_ranges < 64; o++) {
        const struct mtask *t = &s->tasks[o];
        if (!wanted(t, worker) || (p->n > 0 && t->instance != p->instance) || (holes && !chance(m, keep)))
            continue;
        p->instance = t->instance;
        pick_add(p, o);
    }
    return p->n > 0;
}

#define each_picked(o, p)                           \
    for (uint32_t r_ = 0; r_ < (p)->n_ranges; r_++) \
        for (uint32_t o = (p)->ranges[r_].first; o < (p)->ranges[r_].first + (p)->ranges[r_].count; o++)

#define MAX_GROUPS 3u

/* A fact of some groups, each made by `add`, which also tells the model. */
static bool tasks_fact(struct model *m, struct fact *f, uint8_t kind,
                       bool (*wanted)(const struct mtask *, uint32_t),
                       void (*tell)(struct model *, struct mtask *, struct task_group *))
{
    uint32_t k = any_worker(m), want = 1 + below(m, MAX_GROUPS);
    struct task_group *groups = hqi_base_arena_zero(&m->w.facts, MAX_GROUPS, sizeof *groups);
    struct pick p;
    *f = (struct fact){.kind = kind};
    f->u.tasks.worker = worker_id(k);
    f->u.tasks.groups = groups;
    while (k && f->u.tasks.n_groups < want &&
           pick(m, &p, k, 1 + below(m, kind == FACT_HANDOUT && chance(m, 20) ? 2000 : 20), wanted)) {
        struct task_group *g = &groups[f->u.tasks.n_groups++];
        *g = (struct task_group){.submit = p.submit, .instance = p.instance, .n_ranges = p.n_ranges};
        g->ranges = world_copy(&m->w, p.ranges, p.n_ranges * sizeof *p.ranges);
        g->booked = kind == FACT_HANDOUT && chance(m, 50);
        each_picked(o, &p)
        {
            m->submits[p.submit].tasks[o].worker = k;
            tell(m, &m->submits[p.submit].tasks[o], g);
        }
    }
    return f->u.tasks.n_groups > 0;
}

static void tell_handed(struct model *m, struct mtask *t, struct task_group *g)
{
    t->held = true;
    t->booked = g->booked;
    t->shown = t->instance;
}

static void tell_asked_back(struct model *m, struct mtask *t, struct task_group *g)
{
    t->retracting = true;
}

static void tell_returned(struct model *m, struct mtask *t, struct task_group *g)
{
    t->held = t->booked = t->retracting = false;
}

static void do_hand(struct model *m)
{
    struct fact f;
    if (!tasks_fact(m, &f, FACT_HANDOUT, waits, tell_handed))
        return;
    for (uint32_t i = 0; i < f.u.tasks.n_groups; i++) {
        struct task_group *g = (struct task_group *)&f.u.tasks.groups[i];
        g->with_spec = !hqi_state_knows(m->w.st->submits[g->submit], f.u.tasks.worker);
    }
    world_do(&m->w, f);
    for (uint32_t i = 0; i < f.u.tasks.n_groups; i++)
        assert_true(hqi_state_knows(m->w.st->submits[f.u.tasks.groups[i].submit], f.u.tasks.worker));
}

static void do_retract(struct model *m)
{
    struct fact f;
    if (tasks_fact(m, &f, FACT_RETRACT, unstarted, tell_asked_back))
        world_do(&m->w, f);
}

static void tell_crashed(struct model *m, struct mtask *t, struct task_group *g)
{
    tell_lost(t, m->submits[g->submit].crash_limit, true);
}

static void do_crash(struct model *m)
{
    struct fact f;
    if (tasks_fact(m, &f, FACT_CRASHED, held, tell_crashed))
        world_do(&m->w, f);
}

static void do_return(struct model *m)
{
    struct fact f;
    if (!tasks_fact(m, &f, FACT_RETURN, unstarted, tell_returned))
        return;
    f.u.tasks.block = chance(m, 20);
    world_do(&m->w, f);
}

static uint64_t some_start(struct model *m)
{
    return m->w.now - below(m, 3000);
}

static uint64_t clamped_start(const struct model *m, uint32_t submit, uint64_t start_ms)
{
    uint64_t at = m->w.st->submits[submit]->at_ms;
    return start_ms < at ? at : start_ms;
}

static void add_starts(struct model *m, struct start_group *g, const struct pick *p)
{
    uint32_t *ordinals = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *ordinals), row = 0;
    uint64_t *start = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *start);
    uint8_t *variant = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *variant);
    each_picked(o, p)
    {
        struct mtask *t = &m->submits[p->submit].tasks[o];
        ordinals[row] = o;
        start[row] = some_start(m);
        variant[row] = (uint8_t)below(m, 32);
        t->start_ms = clamped_start(m, p->submit, start[row]);
        t->variant = variant[row++];
        t->state = HQ_TASK_RUNNING;
        t->started = t->booked = true;
        t->retracting = false;
    }
    *g = (struct start_group){p->submit, p->instance, p->n, ordinals, start, variant};
}

static void do_start(struct model *m)
{
    uint32_t k = any_worker(m), want = 1 + below(m, MAX_GROUPS);
    struct start_group *groups = hqi_base_arena_zero(&m->w.facts, MAX_GROUPS, sizeof *groups);
    struct fact f = {.kind = FACT_STARTED};
    struct pick p;
    f.u.started.worker = worker_id(k);
    f.u.started.groups = groups;
    while (k && f.u.started.n_groups < want && pick(m, &p, k, 1 + below(m, 20), unstarted))
        add_starts(m, &groups[f.u.started.n_groups++], &p);
    if (f.u.started.n_groups > 0)
        world_do(&m->w, f);
}

static uint16_t some_code(struct model *m)
{
    static const uint16_t codes[] = {0, 0, 0, 1, HQ_CODE_SIGNAL + 15, HQ_CODE_TEXT, HQ_CODE_LAUNCH};
    return codes[below(m, 7)];
}

static void end_task(struct mtask *t, uint16_t code, uint64_t start_ms, uint64_t duration_ms)
{
    if (!t->started && code != HQ_CODE_LAUNCH) {
        t->started = true;
        t->start_ms = start_ms;
        t->variant = 0;
    }
    t->state = code ? HQ_TASK_FAILED : HQ_TASK_FINISHED;
    t->code = code;
    t->duration_ms = duration_ms;
    t->text = code == HQ_CODE_TEXT || code == HQ_CODE_LAUNCH;
    t->held = t->booked = t->retracting = false;
}

static void add_ends(struct model *m, struct end_group *g, const struct pick *p)
{
    uint32_t *ordinals = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *ordinals), row = 0;
    uint64_t *start = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *start);
    uint64_t *duration = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *duration);
    uint16_t *code = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *code);
    struct end_text *texts = hqi_base_arena_zero(&m->w.facts, p->n, sizeof *texts);
    *g = (struct end_group){.submit = p->submit,
                            .instance = p->instance,
                            .n = p->n,
                            .ordinals = ordinals,
                            .start_ms = start,
                            .duration_ms = duration,
                            .code = code,
                            .texts = texts};
    each_picked(o, p)
    {
        ordinals[row] = o;
        start[row] = some_start(m);
        duration[row] = chance(m, 3) ? (1ull << 33) + o : below(m, 100000);
        code[row] = some_code(m);
        end_task(&m->submits[p->submit].tasks[o], code[row], clamped_start(m, p->submit, start[row]),
                 duration[row]);
        if (code[row] == HQ_CODE_TEXT || code[row] == HQ_CODE_LAUNCH)
            texts[g->n_texts++] = (struct end_text){row, bytes_of("went wrong")};
        row++;
    }
}

static void do_end(struct model *m)
{
    uint32_t k = any_worker(m), want = 1 + below(m, MAX_GROUPS);
    struct end_group *groups = hqi_base_arena_zero(&m->w.facts, MAX_GROUPS, sizeof *groups);
    struct fact f = {.kind = FACT_ENDED};
    struct pick p;
    f.u.ended.worker = worker_id(k);
    f.u.ended.groups = groups;
    while (k && f.u.ended.n_groups < want && pick(m, &p, k, 1 + below(m, 40), held))
        add_ends(m, &groups[f.u.ended.n_groups++], &p);
    if (f.u.ended.n_groups > 0)
        world_do(&m->w, f);
}

/* ---- running ---- */

static void step(struct model *m)
{
    static const struct {
        uint32_t weight;
        void (*act)(struct model *);
    } acts[] = {
        {6, do_submit},  {2, do_open},  {2, do_close},  {3, do_forget}, {2, do_give_up},
        {5, do_join},    {2, do_stop},  {2, do_lose},   {30, do_hand},  {5, do_return},
        {5, do_retract}, {3, do_crash}, {20, do_start}, {25, do_end},
    };
    uint32_t total = 0;
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        total += acts[i].weight;
    uint32_t at = below(m, total);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (at < acts[i].weight) {
            acts[i].act(m);
            return;
        }
        at -= acts[i].weight;
    }
}

static void run(uint64_t seed, uint32_t steps, bool hard)
{
    static struct model m;
    memset(&m, 0, sizeof m);
    m.seed = seed * 2654435761u + 99;
    world_open(&m.w);
    m.w.hard = hard;
    for (uint32_t i = 0; i < steps; i++) {
        m.w.now += below(&m, 200);
        step(&m);
        if (i % 16 == 0)
            compare(&m);
    }
    compare(&m);
    world_close(&m.w);
    for (uint32_t i = 1; i <= m.n_submits; i++)
        free(m.submits[i].tasks);
}

static void facts_do_what_the_model_does(void **unused)
{
    for (uint64_t seed = 1; seed <= 20; seed++)
        run(seed, 600, false);
}

static void no_reservation_fails_half_way(void **unused)
{
    for (uint64_t seed = 1001; seed <= 1006; seed++)
        run(seed, 250, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_do_what_the_model_does),
        cmocka_unit_test(no_reservation_fails_half_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
