/* SPDX-License-Identifier: MIT */
/* dispatch.c - one pass over the lanes, from high priorities to low.
 *
 * Rules. Of one priority whatever fits starts, lowest (job, id) first. What does not fit is staged behind running
 * tasks of equal requests. Before the pass descends, it reserves for each class that still waits as much as
 * an empty worker could run of it at once; lower priorities start, are staged, and stay staged, only in what is left then.
 * So they never delay a higher one, and may use gaps that it could not use. Where a class waits although the
 * amounts would do (fractions, groups), its pools are closed to lower priorities.
 *
 * Must never happen: a core idle while a task that could use it is staged elsewhere: then that is asked back. */
#include "tasks/dispatch.h"

#include "hqcore/types.h"
#include "tasks/launch.h"
#include "tasks/news.h"
#include "tasks/queue.h"
#include "tasks/slot.h"
#include "tasks/work.h"

#define NEVER UINT64_MAX
#define MAX_PASSES 4 /* two are enough as a rule; more are for the next call */
#define CLOSED (UINT64_MAX / 4) /* reserved: the whole pool, and sums do not overflow */

struct pass {
    struct tasks *tasks;
    uint64_t reserved[HQI_MAX_RESOURCES]; /* for higher priorities than the one looked at */
};

static struct lane *lane_of(struct tree_node *n)
{
    return n ? hqi_container(n, struct lane, node) : NULL;
}

static struct lane *next_lane(const struct lane *l)
{
    return lane_of(hqi_base_tree_next(&l->node));
}

/* The lanes from `l` to the last of its priority. */
#define for_level(it, l) \
    for (struct lane *it = (l); it && it->priority == (l)->priority; it = next_lane(it))

/* ---- what may run ---- */

/* The last moment at which a task of this variant may start. */
static uint64_t latest_start(const struct tasks *t, const struct variant *v)
{
    uint64_t need_ns = v->request->min_time_ms * HQI_MS;
    if (!v->possible)
        return 0;
    if (t->ends_mono_ns == 0 || v->request->min_time_ms == 0)
        return NEVER;
    return need_ns < t->ends_mono_ns ? t->ends_mono_ns - need_ns : 0;
}

static bool is_usable(const struct tasks *t, const struct variant *v)
{
    uint64_t latest = latest_start(t, v);
    return latest > 0 && t->now.mono_ns <= latest;
}

static bool fits_amounts(const struct pass *p, const struct variant *v)
{
    for (uint64_t left = v->pools; left; left &= left - 1) {
        uint32_t pool = (uint32_t)__builtin_ctzll(left);
        if (v->amount[pool] + p->reserved[pool] > hqi_tasks_pool_unused(p->tasks->pools, pool))
            return false;
    }
    return true;
}

/* May the allocation of a task that ends pass on to one of this level, rather than to a higher one? */
static bool may_inherit(const struct pass *p, const struct variant *v)
{
    for (uint64_t left = v->pools; left; left &= left - 1) {
        uint32_t pool = (uint32_t)__builtin_ctzll(left);
        if (p->reserved[pool] > hqi_tasks_pool_unused(p->tasks->pools, pool))
            return false;
    }
    return is_usable(p->tasks, v);
}

/* ---- refusing ---- */

void hqi_tasks_dispatch_fail(struct tasks *t, struct attempt *a, const char *reason)
{
    a->code = HQ_CODE_LAUNCH;
    a->reason = reason;
    a->start_ns = a->duration_ms = 0;
    list_init(&a->news);
    hqi_tasks_news_add_ended(t, a);
}

static void reject(struct tasks *t, struct lane *l)
{
    for (struct piece *p; (p = hqi_tasks_queue_first(l));) {
        struct list out;
        list_init(&out);
        hqi_tasks_queue_empty(t, p->work, &out);
        hqi_tasks_news_add_pieces(t, &out, NEWS_REJECTED);
    }
}

/* Rejects what can no longer run here; notes when that may come. */
static void check_time(struct tasks *t, struct lane *l)
{
    const struct class *c = l->class;
    uint64_t latest = 0;
    if (l->n_waiting + l->n_staged == 0)
        return;
    for (uint32_t i = 0; i < c->request.n_variants; i++) {
        uint64_t at = latest_start(t, &c->variants[i]);
        latest = at > latest ? at : latest;
        if (at >= t->now.mono_ns && at < t->expire_ns)
            t->expire_ns = at;
    }
    if (latest == 0 || latest < t->now.mono_ns)
        reject(t, l);
}

/* ---- starting ---- */

/* Takes the first task of the lane; whatever comes instead is dealt with. NULL: none. */
static struct attempt *pop(struct tasks *t, struct lane *l)
{
    while (l->n_waiting > 0) {
        bool again;
        struct attempt *a = hqi_tasks_queue_pop(t, l, &again);
        if (a)
            return a;
        if (!again) {
            t->starved = true;
            return NULL;
        }
    }
    return NULL;
}

/* The first variant that has room; request.n_variants: none. */
static uint32_t choose_variant(const struct pass *p, const struct class *c)
{
    uint32_t i = 0;
    for (; i < c->request.n_variants; i++) {
        const struct variant *v = &c->variants[i];
        if (is_usable(p->tasks, v) && fits_amounts(p, v) && hqi_tasks_pool_fits_now(p->tasks->pools, v->request))
            break;
    }
    return i;
}

/* The first task of the lane that can be started with this variant; those before it that cannot are ended. */
static struct attempt *pop_sound(struct tasks *t, struct lane *l, const struct variant *v)
{
    for (struct attempt *a; (a = pop(t, l));) {
        const char *obstacle = hqi_tasks_launch_obstacle(a->piece.work, v);
        if (!obstacle)
            return a;
        hqi_tasks_dispatch_fail(t, a, obstacle);
    }
    return NULL;
}

/* false: not now. */
static bool start_one(struct pass *p, struct lane *l)
{
    struct tasks *t = p->tasks;
    struct class *c = l->class;
    struct slot *s;
    uint32_t variant = choose_variant(p, c);
    struct attempt *a = variant < c->request.n_variants ? pop_sound(t, l, &c->variants[variant]) : NULL;
    if (!a)
        return false;
    int rc = hqi_tasks_slot_open(t, c, variant, &s);
    if (rc > 0) {
        hqi_tasks_slot_append(t, s, a);
        return true;
    }
    hqi_tasks_queue_unpop(t, a);
    t->starved = t->starved || rc < 0;
    return false;
}

static bool is_earlier(const struct lane *a, const struct lane *b)
{
    const struct piece *x = hqi_tasks_queue_first(a), *y = hqi_tasks_queue_first(b);
    if (x->work->job.n != y->work->job.n)
        return x->work->job.n < y->work->job.n;
    return x->id < y->id;
}

static void start_level(struct pass *p, struct lane *level)
{
    for (;;) {
        struct lane *first = NULL;
        for_level(l, level)
            if (l->n_waiting > 0 && !l->stuck && (!first || is_earlier(l, first)))
                first = l;
        if (!first)
            return;
        first->stuck = !start_one(p, first);
    }
}

/* ---- staging ---- */

/* Asks back what is staged of this lane in a slot, if the slot is needed otherwise; `lower`: what is staged of lower
 * priorities too, which stands in this lane's way. */
static void clear_slot(struct tasks *t, struct slot *s, const struct lane *lane, bool whole, bool lower)
{
    struct attempt *from = NULL;
    for (struct list *link = s->chain.prev; link != s->chain.next; link = link->prev) {
        struct attempt *a = attempt_of_chain(link);
        const struct lane *l = a->piece.work->lane;
        if ((whole && l == lane) || (lower && l->priority < lane->priority))
            from = a;
    }
    if (from)
        hqi_tasks_slot_unstage(t, from);
}

static void clear_slots(struct pass *p, struct lane *l)
{
    if (p->tasks->n_staged == 0)
        return;
    list_for(link, &l->class->slots) {
        struct slot *s = slot_of_link(link);
        bool whole = l->n_staged > 0 && !may_inherit(p, &l->class->variants[s->variant]);
        if (s->n_chain > 1 && (whole || l->n_waiting > 0))
            clear_slot(p->tasks, s, l, whole, l->n_waiting > 0);
    }
}

static bool can_take(const struct pass *p, const struct lane *l, const struct slot *s, uint32_t staged)
{
    const struct attempt *last = hqi_tasks_slot_last(s);
    return l->n_waiting > 0 && !l->class->waits_above && s->n_chain == staged + 1 && !last->unstaging && may_inherit(p, &s->class->variants[s->variant]);
}

/* Evenly: every slot gets its first follower before any gets a second one. */
static void stage(struct pass *p, struct lane *l)
{
    for (uint32_t depth = 0; l->n_waiting > 0; depth++) {
        if (depth >= hqi_tasks_work_depth(hqi_tasks_queue_first(l)->work))
            return;
        list_for(link, &l->class->slots) {
            struct slot *s = slot_of_link(link);
            struct attempt *a = can_take(p, l, s, depth) ? pop_sound(p->tasks, l, &l->class->variants[s->variant]) : NULL;
            if (a)
                hqi_tasks_slot_append(p->tasks, s, a);
        }
    }
}

/* ---- taking back what could start elsewhere ---- */

/* How many more of the variant the free amounts would hold. */
static uint64_t room_for(const struct pass *p, const struct variant *v)
{
    uint64_t room = UINT32_MAX;
    for (uint64_t left = v->pools; left; left &= left - 1) {
        uint32_t pool = (uint32_t)__builtin_ctzll(left);
        uint64_t here = (hqi_tasks_pool_unused(p->tasks->pools, pool) - p->reserved[pool]) / v->amount[pool];
        room = here < room ? here : room;
    }
    return room;
}

/* The end of the longest chain that ends with a staged task of this lane. */
static struct attempt *longest_tail(struct lane *l)
{
    struct attempt *best = NULL;
    list_for(link, &l->class->slots) {
        struct slot *s = slot_of_link(link);
        struct attempt *last = hqi_tasks_slot_last(s);
        if (s->n_chain > 1 && last->piece.work->lane == l && !last->unstaging && !last->started &&
            (!best || s->n_chain > best->slot->n_chain))
            best = last;
    }
    return best;
}

static void rebalance(struct pass *p, struct lane *l)
{
    if (l->n_waiting > 0 || l->n_staged == 0)
        return;
    uint32_t variant = choose_variant(p, l->class);
    if (variant == l->class->request.n_variants)
        return;
    uint64_t room = room_for(p, &l->class->variants[variant]);
    for (uint64_t asked = l->n_unstaging; asked < room; asked++) {
        struct attempt *a = longest_tail(l);
        if (!a)
            return;
        hqi_tasks_slot_unstage(p->tasks, a);
    }
}

/* ---- reserving ---- */

static uint64_t fits_empty(const struct tasks *t, const struct variant *v)
{
    uint64_t n = UINT32_MAX;
    for (uint64_t left = v->pools; left; left &= left - 1) {
        uint32_t pool = (uint32_t)__builtin_ctzll(left);
        uint64_t here = hqi_tasks_pool_total(t->pools, pool) / v->amount[pool];
        n = here < n ? here : n;
    }
    return n;
}

static void want(const struct pass *p, const struct lane *l, const struct variant *v, uint64_t *wanted)
{
    uint64_t above = l->class->n_above, n = above + l->n_waiting + l->n_staged, fit = fits_empty(p->tasks, v);
    uint64_t more = fit < n ? fit : n;
    bool closed = l->n_waiting > 0 && (v->forced || fits_amounts(p, v));
    more = more > above ? more - above : 0;
    for (uint64_t left = v->pools; left; left &= left - 1) {
        uint32_t pool = (uint32_t)__builtin_ctzll(left);
        uint64_t amount = closed ? CLOSED : more * v->amount[pool];
        wanted[pool] = amount > wanted[pool] ? amount : wanted[pool];
    }
}

static void reserve(struct pass *p, const struct lane *l, uint64_t *reserved)
{
    uint64_t wanted[HQI_MAX_RESOURCES] = {0};
    const struct class *c = l->class;
    if (l->n_waiting + l->n_staged == 0)
        return;
    for (uint32_t i = 0; i < c->request.n_variants; i++)
        if (is_usable(p->tasks, &c->variants[i]))
            want(p, l, &c->variants[i], wanted);
    for (uint32_t i = 0; i < hqi_tasks_pool_count(p->tasks->pools); i++)
        reserved[i] = reserved[i] + wanted[i] < CLOSED ? reserved[i] + wanted[i] : CLOSED;
}

/* ---- the pass ---- */

static void visit_level(struct pass *p, struct lane *level)
{
    uint64_t reserved[HQI_MAX_RESOURCES];
    for_level(l, level) {
        check_time(p->tasks, l);
        l->stuck = false;
    }
    start_level(p, level);
    for_level(l, level) {
        clear_slots(p, l);
        stage(p, l);
        rebalance(p, l);
        l->class->n_above += l->n_running;
    }
    memcpy(reserved, p->reserved, sizeof reserved);
    for_level(l, level) {
        reserve(p, l, reserved);
        l->class->waits_above = l->class->waits_above || l->n_waiting > 0;
    }
    memcpy(p->reserved, reserved, sizeof reserved);
}

static void visit_all(struct tasks *t)
{
    struct pass p = {.tasks = t};
    list_for(link, &t->classes) {
        struct class *c = hqi_container(link, struct class, link);
        c->n_above = 0;
        c->waits_above = false;
    }
    t->expire_ns = NEVER;
    t->starved = false;
    struct lane *level = lane_of(hqi_base_tree_first(&t->lanes));
    while (level) {
        int32_t priority = level->priority;
        visit_level(&p, level);
        while (level && level->priority == priority)
            level = next_lane(level);
    }
}

void hqi_tasks_dispatch_run(struct tasks *t)
{
    /* What a pass takes back before any helper has seen it is for the next one to place. */
    for (int i = 0; t->changed && i < MAX_PASSES; i++) {
        t->changed = false;
        if (t->ending)
            return;
        if (t->hold)
            hqi_tasks_slot_unstage_all(t);
        else
            visit_all(t);
    }
}

void hqi_tasks_dispatch_wake(struct tasks *t)
{
    if (t->starved || t->now.mono_ns > t->expire_ns)
        t->changed = true;
    t->starved = false;
}
