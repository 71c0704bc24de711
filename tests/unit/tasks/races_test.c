/* SPDX-License-Identifier: MIT */
/* Everything at once, in random order: a server that hands out, retracts, cancels and forgets, helpers that start and end
 * tasks on their own, and messages that are on their way for a while in both directions.
 *
 * At every step: the books agree; no cpu is used by two processes; nothing starts that was given back, or whose end was
 * told to the helper; every hand-out has exactly one outcome, and a cancelled one none. */
#include "rig.h"

#define SUBMITS 5u
#define TASKS 200u /* of each submit */
#define HELPERS 2u
#define QUEUE 8192u
#define LIVE 512u
#define STEPS 6000

enum task_state { FRESH, OUT, DONE, GONE }; /* GONE: cancelled */

struct task {
    uint8_t state;
    bool started;
    uint32_t instance;
};

struct process { /* or a staged task */
    uint64_t key, after;
    uint32_t number, submit, ord, instance;
    uint64_t cpus;
    bool runs, told;
};

struct message {
    uint8_t kind;
    uint64_t key;
    struct process launch;
};

struct helper {
    struct message in[QUEUE];
    struct from_helper out[QUEUE];
    uint32_t in_first, in_end, out_first, out_end;
    struct process live[LIVE];
    uint32_t n_live;
    bool down;
};

struct world {
    struct rig rig;
    struct task tasks[SUBMITS + 1][TASKS];
    uint32_t generation[RIG_SPECS]; /* by spec number: of its submit */
    uint32_t current[SUBMITS + 1];  /* generation of each submit */
    uint32_t next[SUBMITS + 1];     /* first ordinal never handed out */
    struct helper helpers[HELPERS];
    uint64_t busy; /* cpus */
    uint64_t seed;
    bool hold;
    uint32_t n_ended, n_returned, n_crashed, n_unstaged;
};

static uint32_t pick(struct world *w, uint32_t n)
{
    w->seed = w->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(w->seed >> 33) % n;
}

static struct task *task_at(struct world *w, uint32_t submit, uint32_t ord)
{
    assert_in_range(submit, 1, SUBMITS);
    assert_in_range(ord, 0, TASKS - 1);
    return &w->tasks[submit][ord];
}

/* ---- the helpers ---- */

static void say(struct helper *h, struct from_helper item)
{
    assert_true(h->out_end < QUEUE);
    h->out[h->out_end++] = item;
}

static uint32_t find(const struct helper *h, uint64_t key)
{
    uint32_t i = 0;
    while (i < h->n_live && h->live[i].key != key)
        i++;
    return i;
}

static void start(struct world *w, struct process *p)
{
    struct task *t = task_at(w, p->submit, p->ord);
    assert_int_equal(w->busy & p->cpus, 0);
    assert_true(p->cpus != 0);
    w->busy |= p->cpus;
    p->runs = true;
    if (w->generation[p->number] != w->current[p->submit])
        return; /* of a submit that was dropped meanwhile: it will be killed */
    assert_true(t->state == OUT || t->state == GONE);
    assert_int_equal(t->instance, p->instance);
    assert_false(t->started);
}

static void take_away(struct helper *h, uint32_t at)
{
    h->live[at] = h->live[--h->n_live];
}

static void unstage(struct world *w, struct helper *h, uint32_t at)
{
    struct from_helper item = {.kind = FROM_HELPER_UNSTAGED, .u.key = h->live[at].key};
    for (uint32_t i = 0; i < h->n_live; i++)
        assert_true(h->live[i].runs || h->live[i].after != h->live[at].key); /* from the end only */
    take_away(h, at);
    say(h, item);
    w->n_unstaged++;
}

static void obey_launch(struct world *w, struct helper *h, const struct message *m)
{
    struct process *p = &h->live[h->n_live++];
    assert_true(h->n_live < LIVE);
    *p = m->launch;
    for (uint32_t i = 0; i + 1 < h->n_live; i++)
        assert_true(!p->after || h->live[i].runs || h->live[i].after != p->after);
    if (find(h, p->after) == h->n_live)
        start(w, p);
}

static void obey(struct world *w, struct helper *h)
{
    const struct message *m = &h->in[h->in_first++];
    uint32_t at = find(h, m->key);
    if (m->kind == TO_HELPER_LAUNCH)
        obey_launch(w, h, m);
    else if (m->kind == TO_HELPER_DROP)
        for (uint32_t i = 0; i < h->n_live; i++)
            assert_int_not_equal(h->live[i].number, m->key);
    else if (at < h->n_live && !h->live[at].runs)
        unstage(w, h, at);
}

static void end_one(struct world *w, struct helper *h, uint32_t at)
{
    struct process p = h->live[at];
    struct from_helper item = {.kind = FROM_HELPER_ENDED};
    item.u.ended.key = p.key;
    item.u.ended.duration_ms = pick(w, 3) ? pick(w, 10) : 100;
    item.u.ended.code = pick(w, 5) ? 0 : HQ_CODE_TEXT;
    item.u.ended.text = bytes_of("text");
    w->busy &= ~p.cpus;
    take_away(h, at);
    say(h, item);
    for (uint32_t i = 0; i < h->n_live; i++)
        if (!h->live[i].runs && h->live[i].after == p.key)
            start(w, &h->live[i]);
}

static void act(struct world *w, struct helper *h)
{
    uint32_t at = h->n_live ? pick(w, h->n_live) : 0;
    if (at == h->n_live || !h->live[at].runs)
        return;
    if (pick(w, 3)) {
        end_one(w, h, at);
    } else if (!h->live[at].told) {
        struct from_helper item = {.kind = FROM_HELPER_STARTED};
        item.u.started.key = h->live[at].key;
        h->live[at].told = true;
        say(h, item);
    }
}

/* ---- between worker and helpers ---- */

static uint64_t cpus_of(const struct helper_launch *l)
{
    struct bytes b = rig_var(l, "HQ_CPUS");
    uint64_t set = 0;
    for (size_t i = 0, n = 0; i <= b.n; i++) {
        if (i < b.n && b.p[i] != ',') {
            n = n * 10 + (size_t)(b.p[i] - '0');
            continue;
        }
        set |= 1ull << n;
        n = 0;
    }
    return set;
}

static void post(struct world *w, uint32_t helper, const struct to_helper *item)
{
    struct helper *h = &w->helpers[helper];
    struct message *m = &h->in[h->in_end];
    const struct helper_launch *l = &item->u.launch;
    if (item->kind == TO_HELPER_SPEC && !w->generation[item->u.spec.spec])
        w->generation[item->u.spec.spec] = w->current[rig_number(item->u.spec.argv[0])];
    rig_note(&w->rig, helper, item);
    if (item->kind == TO_HELPER_SPEC)
        return;
    assert_true(h->in_end++ < QUEUE);
    *m = (struct message){.kind = item->kind, .key = item->u.key};
    if (item->kind == TO_HELPER_DROP)
        m->key = item->u.drop;
    if (item->kind != TO_HELPER_LAUNCH)
        return;
    const struct rig_key *key = &w->rig.keys[l->key];
    m->key = l->key;
    m->launch = (struct process){.key = l->key, .after = l->after, .number = l->spec, .submit = key->submit,
                                 .ord = key->ord, .instance = rig_number(rig_var(l, "HQ_INSTANCE_ID")),
                                 .cpus = cpus_of(l)};
}

static void take_mail(struct world *w)
{
    for (uint32_t i = 0; i < HELPERS; i++) {
        const struct to_helper *items;
        for (uint32_t n; (n = hqi_tasks_take_helper(w->rig.tasks, i, &items)) > 0;)
            for (uint32_t j = 0; j < n; j++)
                post(w, i, &items[j]);
    }
}

static void hear(struct world *w, uint32_t helper)
{
    struct helper *h = &w->helpers[helper];
    if (h->out_first < h->out_end)
        assert_int_equal(hqi_tasks_on_helper(w->rig.tasks, &w->rig.now, helper, &h->out[h->out_first++], NULL), 0);
}

static void lose(struct world *w, uint32_t helper)
{
    struct helper *h = &w->helpers[helper];
    if (h->down)
        return;
    for (uint32_t i = 0; i < h->n_live; i++)
        if (h->live[i].runs)
            w->busy &= ~h->live[i].cpus;
    h->n_live = 0;
    h->in_first = h->in_end = h->out_first = h->out_end = 0;
    h->down = true;
    hqi_tasks_on_helper_lost(w->rig.tasks, &w->rig.now, helper);
}

static void revive(struct world *w, uint32_t helper)
{
    struct from_helper hello = {.kind = FROM_HELPER_HELLO};
    if (!w->helpers[helper].down)
        return;
    w->helpers[helper].down = false;
    assert_int_equal(hqi_tasks_on_helper(w->rig.tasks, &w->rig.now, helper, &hello, NULL), 0);
}

static void take_report(struct world *w);

/* ---- the server ---- */

static void introduce(struct world *w, uint32_t submit)
{
    static const char *const requests[] = {"cpus=1", "cpus=1", "cpus=2", "cpus=3 scatter", "cpus=2 compact!"};
    static const int32_t priorities[] = {0, 3, 3, 5, 0};
    w->current[submit]++;
    rig_submit(&w->rig, submit, requests[submit - 1], priorities[submit - 1]);
}

static void assign(struct world *w, uint32_t submit)
{
    uint32_t n = 1 + pick(w, 6);
    if (pick(w, 4) == 0) { /* something that came back */
        uint32_t ord = w->next[submit] ? pick(w, w->next[submit]) : 0;
        struct task *t = task_at(w, submit, ord);
        if (t->state != FRESH || ord >= w->next[submit])
            return;
        *t = (struct task){.state = OUT, .instance = t->instance + 1};
        assert_int_equal(rig_try_assign(&w->rig, submit, ord, 1, t->instance), 0);
        return;
    }
    if (w->next[submit] + n > TASKS)
        return;
    for (uint32_t i = 0; i < n; i++)
        *task_at(w, submit, w->next[submit] + i) = (struct task){.state = OUT};
    rig_assign(&w->rig, submit, w->next[submit], n);
    w->next[submit] += n;
}

static void take_back(struct world *w, uint32_t submit, uint8_t kind)
{
    uint32_t n = 1 + pick(w, 8), first = w->next[submit] ? pick(w, w->next[submit]) : 0;
    n = first + n > TASKS ? 1 : n;
    take_report(w); /* what was over before is still told */
    for (uint32_t i = first; kind == TO_WORKER_CANCEL && i < first + n && i < w->next[submit]; i++) {
        struct task *t = task_at(w, submit, i);
        t->state = t->state == OUT || t->state == FRESH ? GONE : t->state;
    }
    rig_take(&w->rig, kind, submit, first, n);
}

static void forget_submit(struct world *w, uint32_t submit)
{
    for (uint32_t i = 0; i < TASKS; i++)
        w->tasks[submit][i] = (struct task){0};
    w->next[submit] = 0;
}

static void drop(struct world *w, uint32_t submit)
{
    rig_drop(&w->rig, submit);
    forget_submit(w, submit);
    introduce(w, submit);
}

static void reset(struct world *w)
{
    hqi_tasks_reset(w->rig.tasks);
    for (uint32_t i = 1; i <= SUBMITS; i++) {
        forget_submit(w, i);
        introduce(w, i);
    }
}

static void hear_started(struct world *w, const struct report_start *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        struct task *t = task_at(w, s->submit, s->ordinals[i]);
        assert_int_equal(t->state, OUT);
        assert_int_equal(t->instance, s->instance);
        assert_false(t->started);
        t->started = true;
    }
}

static void hear_ended(struct world *w, const struct report_end *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        struct task *t = task_at(w, e->submit, e->ordinals[i]);
        assert_int_equal(t->state, OUT);
        assert_int_equal(t->instance, e->instance);
        t->state = DONE;
        w->n_ended++;
    }
}

static void hear_back(struct world *w, const struct task_group *g, bool crashed)
{
    for (uint32_t i = 0; i < g->n_ranges; i++)
        for (uint32_t j = 0; j < g->ranges[i].count; j++) {
            struct task *t = task_at(w, g->submit, g->ranges[i].first + j);
            assert_int_equal(t->state, OUT);
            assert_int_equal(t->instance, g->instance);
            assert_true(crashed || !t->started);
            t->state = FRESH;
            *(crashed ? &w->n_crashed : &w->n_returned) += 1;
        }
}

static void take_report(struct world *w)
{
    struct report r;
    while (hqi_tasks_take_report(w->rig.tasks, &w->rig.now, &r)) {
        assert_int_equal(r.n_rejected, 0);
        for (uint32_t i = 0; i < r.n_started; i++)
            hear_started(w, &r.started[i]);
        for (uint32_t i = 0; i < r.n_ended; i++)
            hear_ended(w, &r.ended[i]);
        for (uint32_t i = 0; i < r.n_returned; i++)
            hear_back(w, &r.returned[i], false);
        for (uint32_t i = 0; i < r.n_crashed; i++)
            hear_back(w, &r.crashed[i], true);
    }
}

/* ---- the play ---- */

static void serve(struct world *w)
{
    uint32_t submit = 1 + pick(w, SUBMITS), what = pick(w, 400);
    if (what < 200)
        assign(w, submit);
    else if (what < 300)
        take_back(w, submit, TO_WORKER_RETRACT);
    else if (what < 370)
        take_back(w, submit, TO_WORKER_CANCEL);
    else if (what < 376)
        hqi_tasks_hold(w->rig.tasks, w->hold = !w->hold);
    else if (what < 380)
        drop(w, submit);
    else if (what < 381)
        reset(w);
    else if (what < 385)
        lose(w, pick(w, HELPERS));
    else
        revive(w, pick(w, HELPERS));
}

static void move_messages(struct world *w)
{
    uint32_t helper = pick(w, HELPERS);
    struct helper *h = &w->helpers[helper];
    switch (pick(w, 3)) {
    case 0:
        if (h->in_first < h->in_end)
            obey(w, h);
        break;
    case 1:
        act(w, h);
        break;
    default:
        hear(w, helper);
    }
}

static void step(struct world *w)
{
    if (pick(w, 12) == 0)
        serve(w);
    move_messages(w);
    if (pick(w, 4) == 0)
        take_mail(w);
    if (pick(w, 6) == 0)
        take_report(w);
    w->rig.now.mono_ns += HQI_MS;
    rig_verify(&w->rig);
}

static bool is_quiet(const struct world *w)
{
    for (uint32_t i = 0; i < HELPERS; i++) {
        const struct helper *h = &w->helpers[i];
        if (h->in_first < h->in_end || h->out_first < h->out_end || h->n_live > 0)
            return false;
    }
    return true;
}

/* Nothing new comes: everything that is out has an outcome, and nobody is left. */
static void drain(struct world *w)
{
    hqi_tasks_hold(w->rig.tasks, false);
    for (uint32_t i = 0; i < HELPERS; i++)
        revive(w, i);
    for (int i = 0; i < 200000; i++) {
        take_mail(w);
        take_report(w);
        if (is_quiet(w))
            break;
        move_messages(w);
    }
    assert_true(is_quiet(w));
    assert_int_equal(hqi_tasks_n_running(w->rig.tasks), 0);
    assert_int_equal(hqi_tasks_n_waiting(w->rig.tasks), 0);
    assert_int_equal(hqi_tasks_deadline(w->rig.tasks), UINT64_MAX);
    for (uint32_t s = 1; s <= SUBMITS; s++)
        for (uint32_t i = 0; i < TASKS; i++)
            assert_int_not_equal(w->tasks[s][i].state, OUT);
}

static void play(uint64_t seed, const char *node, uint32_t seen[4])
{
    static struct world w;
    memset(&w, 0, sizeof w);
    rig_init(&w.rig, node, HELPERS);
    w.seed = seed;
    for (uint32_t i = 1; i <= SUBMITS; i++)
        introduce(&w, i);
    for (int i = 0; i < STEPS; i++)
        step(&w);
    drain(&w);
    rig_fini(&w.rig);
    seen[0] += w.n_ended;
    seen[1] += w.n_returned;
    seen[2] += w.n_crashed;
    seen[3] += w.n_unstaged;
}

static void nothing_is_lost_or_doubled(void **state)
{
    static const char *const nodes[] = {"cpus=4", "cpus=2x3", "cpus=3x2", "cpus=3"};
    uint32_t seen[4] = {0};
    for (uint64_t seed = 1; seed <= 40; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        play(seed, nodes[seed % 4], seen);
    }
    for (int i = 0; i < 4; i++) /* the play has shown all of it */
        assert_true(seen[i] > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_lost_or_doubled)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
