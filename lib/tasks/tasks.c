/* SPDX-License-Identifier: MIT */
/* tasks.c - the inputs of the worker's core. Each asks for the memory that it needs, then changes the books; what follows
 * from the change is left to dispatch, which looks when effects are asked for, so once per batch of inputs.
 *
 * Must never happen: an input that failed having changed anything. */
#include "tasks/tasks.h"

#include <string.h>

#include "base/error.h"
#include "hqcore/types.h"
#include "model/spec.h"
#include "tasks/book.h"
#include "tasks/dispatch.h"
#include "tasks/host.h"
#include "tasks/news.h"
#include "tasks/queue.h"
#include "tasks/slot.h"
#include "tasks/work.h"

#define RETRY_NS (10 * HQI_MS) /* memory was short: somebody may have freed some */

static const char where[] = "tasks";

int hqi_tasks_tasks_new(struct tasks **ret, const struct tasks_options *o, hq_error *err)
{
    uint32_t n_posts = o->n_helpers + 1;
    if (o->n_helpers < 1 || n_posts > TASKS_MAX_POSTS)
        return hqi_base_error_set(err, HQ_ELIMIT, where, "%u helpers, 1 to %u are possible", o->n_helpers,
                                  TASKS_MAX_POSTS - 1);
    struct tasks *t = hqi_base_alloc_zero(o->alloc, 1, sizeof *t);
    if (!t)
        return hqi_base_error_nomem(err, where);
    t->alloc = o->alloc;
    t->config = o->config;
    t->hq_path = o->hq_path;
    t->ends_mono_ns = o->ends_mono_ns;
    t->expire_ns = UINT64_MAX;
    list_init(&t->news);
    list_init(&t->spare);
    list_init(&t->handed);
    list_init(&t->doubted);
    hqi_base_map_init(&t->by_key, o->alloc);
    hqi_base_map_init(&t->by_task, o->alloc);
    hqi_base_arena_init(&t->report_mem, o->alloc);
    hqi_tasks_work_init(t);
    t->posts = hqi_base_alloc_zero(o->alloc, n_posts, sizeof *t->posts);
    for (; t->posts && t->n_posts < n_posts; t->n_posts++) {
        list_init(&t->posts[t->n_posts].mail);
        hqi_base_arena_init(&t->posts[t->n_posts].mem, o->alloc);
    }
    int rc = t->posts ? hqi_tasks_pool_new(&t->pools, o->alloc, &o->config->resources, err)
                      : hqi_base_error_nomem(err, where);
    if (rc < 0) {
        hqi_tasks_tasks_free(t);
        return rc;
    }
    *ret = t;
    return HQ_OK;
}

void hqi_tasks_tasks_free(struct tasks *t)
{
    if (!t)
        return;
    hqi_tasks_work_fini(t);
    hqi_tasks_queue_drop_list(t, &t->spare);
    hqi_base_map_fini(&t->by_key);
    hqi_base_map_fini(&t->by_task);
    hqi_base_arena_fini(&t->report_mem);
    for (uint32_t i = 0; i < t->n_posts; i++)
        hqi_base_arena_fini(&t->posts[i].mem);
    hqi_base_alloc_free(t->alloc, t->posts);
    hqi_tasks_pool_free(t->pools);
    hqi_base_alloc_free(t->alloc, t);
}

/* ---- ASSIGN ---- */

/* Walks ordinals and ids of a group side by side, in stretches that are even in both. */
struct walk {
    const struct assign_group *group; /* borrowed */
    uint32_t range, id;               /* the ones that it is in */
    uint32_t in_range, in_id;         /* how far */
};

static bool step(struct walk *w, struct piece *ret)
{
    const struct assign_group *g = w->group;
    if (w->range == g->n_ranges)
        return false;
    const struct ord_range *r = &g->ranges[w->range];
    const hq_range *id = &g->ids[w->id];
    uint32_t a = r->count - w->in_range, b = id->count - w->in_id, n = a < b ? a : b;
    *ret = (struct piece){.instance = g->instance, .ord = r->first + w->in_range, .count = n,
                          .id = id->first + w->in_id * id->step, .step = id->step};
    w->in_range += n;
    w->in_id += n;
    if (w->in_range == r->count) {
        w->range++;
        w->in_range = 0;
    }
    if (w->in_id == id->count) {
        w->id++;
        w->in_id = 0;
    }
    return true;
}

static int check_group(const struct tasks *t, const struct assign_group *g, hq_error *err)
{
    uint64_t tasks = 0, ids = 0;
    bool any_empty = false;
    if (!hqi_tasks_work_get(t, g->submit))
        return hqi_base_error_set(err, HQ_EPROTO, where, "tasks of submit %u came before the submit", g->submit);
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        tasks += g->ranges[i].count;
        any_empty = any_empty || g->ranges[i].count == 0;
    }
    for (uint32_t i = 0; i < g->n_ids; i++) {
        ids += g->ids[i].count;
        any_empty = any_empty || g->ids[i].count == 0;
    }
    if (any_empty || tasks != ids || (g->entries && g->n_entries != tasks))
        return hqi_base_error_set(err, HQ_EPROTO, where,
                                  "submit %u: %llu tasks with %llu ids and %u entries were handed out", g->submit,
                                  (unsigned long long)tasks, (unsigned long long)ids, g->entries ? g->n_entries : 0);
    return HQ_OK;
}

static struct piece *entry_piece(struct tasks *t, const struct piece *from, uint32_t nth, struct bytes entry)
{
    struct attempt *a = hqi_base_alloc_zero(t->alloc, 1, sizeof *a + entry.n + 1);
    if (!a)
        return NULL;
    char *p = (char *)(a + 1);
    if (entry.n > 0)
        memcpy(p, entry.p, entry.n);
    a->entry = (struct bytes){p, entry.n};
    a->piece = *from;
    a->piece.attempt = a;
    a->piece.ord += nth;
    a->piece.id += nth * from->step;
    a->piece.count = a->piece.step = 1;
    return &a->piece;
}

static bool add_piece(struct list *out, struct piece *p)
{
    if (p)
        list_push_back(out, &p->link);
    return p != NULL;
}

static struct piece *range_piece(struct tasks *t, const struct piece *from)
{
    struct piece *p = hqi_base_alloc_get(t->alloc, sizeof *p);
    if (p)
        *p = *from;
    return p;
}

/* Entries make tasks differ: each is a record of its own at once. */
static bool make_pieces(struct tasks *t, const struct assign_group *g, struct list *out)
{
    struct walk w = {.group = g};
    struct piece p;
    uint32_t row = 0;
    bool ok = true;
    while (ok && step(&w, &p)) {
        p.work = hqi_tasks_work_get(t, g->submit);
        if (!g->entries)
            ok = add_piece(out, range_piece(t, &p));
        for (uint32_t i = 0; g->entries && ok && i < p.count; i++)
            ok = add_piece(out, entry_piece(t, &p, i, g->entries[row++]));
    }
    return ok;
}

static int on_assign(struct tasks *t, const struct to_worker *item, hq_error *err)
{
    struct list pieces;
    bool ok = true;
    list_init(&pieces);
    for (uint32_t i = 0; i < item->u.assign.n_groups; i++) {
        int rc = check_group(t, &item->u.assign.groups[i], err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; ok && i < item->u.assign.n_groups; i++)
        ok = make_pieces(t, &item->u.assign.groups[i], &pieces);
    if (!ok) {
        hqi_tasks_queue_drop_list(t, &pieces);
        return hqi_base_error_nomem(err, where);
    }
    for (struct list *link; (link = list_pop_front(&pieces));)
        hqi_tasks_queue_put(t, hqi_container(link, struct piece, link));
    return HQ_OK;
}

/* ---- RETRACT, CANCEL ---- */

typedef void live_fn(struct tasks *t, struct attempt *a);

static struct attempt *find_live(const struct tasks *t, const struct work *w, uint32_t ord)
{
    struct map_node *n = hqi_base_map_get(&t->by_task, (uint64_t)w->number << 32 | ord);
    return n ? hqi_container(n, struct attempt, by_task) : NULL;
}

/* Collects first: what is done to one task may move others. Then the last first, as in the chains. */
static void collect_live(struct tasks *t, struct work *w, struct ord_range r, struct list *out)
{
    if (r.count <= w->n_live) {
        for (uint32_t i = 0; i < r.count; i++) {
            struct attempt *a = find_live(t, w, r.first + i);
            if (!a)
                continue;
            list_unlink(&a->live);
            list_push_back(out, &a->live);
        }
        return;
    }
    list_for_safe(link, next, &w->live) {
        struct attempt *a = hqi_container(link, struct attempt, live);
        if (a->piece.ord - r.first >= r.count)
            continue;
        list_unlink(link);
        list_push_back(out, link);
    }
}

static void each_live(struct tasks *t, struct work *w, struct ord_range r, const uint32_t *instance, live_fn *fn)
{
    struct list found;
    list_init(&found);
    collect_live(t, w, r, &found);
    while (!list_empty(&found)) {
        struct list *link = found.prev;
        struct attempt *a = hqi_container(link, struct attempt, live);
        list_unlink(link);
        list_push_front(&w->live, link);
        if (!instance || a->piece.instance == *instance)
            fn(t, a);
    }
}

static bool reserve_cuts(struct tasks *t, const struct to_worker *item)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < item->u.tasks.n_groups; i++)
        n += 2ull * item->u.tasks.groups[i].n_ranges;
    return hqi_tasks_queue_reserve(t, n);
}

static void retract_group(struct tasks *t, struct work *w, const struct task_group *g)
{
    struct list back;
    list_init(&back);
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        hqi_tasks_queue_cut(t, w, g->ranges[i], &g->instance, &back);
        each_live(t, w, g->ranges[i], &g->instance, hqi_tasks_slot_retract);
    }
    hqi_tasks_news_add_pieces(t, &back, NEWS_RETURNED);
}

/* Whatever attempt of a cancelled task is here, it has to go. */
static void cancel_group(struct tasks *t, struct work *w, const struct task_group *g)
{
    struct list dropped;
    list_init(&dropped);
    for (uint32_t i = 0; i < g->n_ranges; i++) {
        hqi_tasks_queue_cut(t, w, g->ranges[i], NULL, &dropped);
        each_live(t, w, g->ranges[i], NULL, hqi_tasks_slot_silence);
    }
    hqi_tasks_queue_drop_list(t, &dropped);
}

static int on_groups(struct tasks *t, const struct to_worker *item, hq_error *err)
{
    if (!reserve_cuts(t, item))
        return hqi_base_error_nomem(err, where);
    for (uint32_t i = 0; i < item->u.tasks.n_groups; i++) {
        const struct task_group *g = &item->u.tasks.groups[i];
        struct work *w = hqi_tasks_work_get(t, g->submit);
        if (!w)
            continue; /* forgotten before */
        if (item->kind == TO_WORKER_RETRACT)
            retract_group(t, w, g);
        else
            cancel_group(t, w, g);
    }
    t->changed = true;
    return HQ_OK;
}

/* ---- from the server ---- */

static int on_spec(struct tasks *t, struct to_worker *item, hq_error *err)
{
    struct work *known = hqi_tasks_work_get(t, item->u.spec.submit);
    if (!t->ending && !known)
        return hqi_tasks_work_add(t, item->u.spec.submit, item->u.spec.job, item->u.spec.server_uid,
                                  &item->u.spec.spec, err);
    hqi_model_spec_free((struct spec *)item->u.spec.spec); /* taken, though of no use */
    item->u.spec.spec = NULL;
    return HQ_OK;
}

static int on_drop(struct tasks *t, const struct to_worker *item)
{
    struct work *w = hqi_tasks_work_get(t, item->u.drop.submit);
    if (w)
        hqi_tasks_work_drop(t, w);
    t->changed = true;
    return HQ_OK;
}

int hqi_tasks_on_server(struct tasks *t, const struct now *now, struct to_worker *item, hq_error *err)
{
    t->now = *now;
    if (item->kind == TO_WORKER_SPEC)
        return on_spec(t, item, err);
    if (t->ending)
        return HQ_OK;
    switch (item->kind) {
    case TO_WORKER_ASSIGN:
        return on_assign(t, item, err);
    case TO_WORKER_RETRACT:
    case TO_WORKER_CANCEL:
        return on_groups(t, item, err);
    case TO_WORKER_DROP:
        return on_drop(t, item);
    default:
        return hqi_base_error_set(err, HQ_EPROTO, where, "a message of the unknown kind %u from the server", item->kind);
    }
}

/* ---- from the helpers ---- */

static struct attempt *find_attempt(const struct tasks *t, uint32_t post, uint64_t key)
{
    struct map_node *n = hqi_base_map_get(&t->by_key, key);
    struct attempt *a = n ? hqi_container(n, struct attempt, by_key) : NULL;
    return a && a->sent && a->slot->post == post ? a : NULL;
}

static uint64_t start_of(const struct tasks *t, uint64_t age_ms)
{
    uint64_t now = t->now.mono_ns;
    return age_ms < now / HQI_MS ? now - age_ms * HQI_MS : 1;
}

static int on_started(struct tasks *t, struct attempt *a, const struct helper_started *s)
{
    hqi_tasks_slot_answered(a);
    a->start_ns = start_of(t, s->age_ms);
    a->pid = s->pid;
    a->start_ticks = s->start_ticks;
    if (!a->started && !a->silent)
        hqi_tasks_news_add_started(t, a);
    a->started = true;
    return HQ_OK;
}

/* At most what the server keeps; what was cut says so, and not in the middle of a character. */
static char *copy_text(struct tasks *t, struct bytes text, size_t *n)
{
    static const char mark[] = "\n[The message was truncated]";
    size_t kept = text.n <= HQI_MAX_ERROR_TEXT ? text.n : HQI_MAX_ERROR_TEXT - (sizeof mark - 1);
    while (kept < text.n && kept > 0 && ((unsigned char)text.p[kept] & 0xc0) == 0x80)
        kept--;
    *n = kept < text.n ? kept + sizeof mark - 1 : kept;
    char *p = hqi_base_alloc_get(t->alloc, *n + 1);
    if (!p)
        return NULL;
    memcpy(p, text.p, kept);
    memcpy(p + kept, mark, *n - kept);
    p[*n] = '\0';
    return p;
}

/* Whoever ends an allocation signals all processes in it, in no order. A task that dies of it, or fails since a part of it
 * did, has not failed: it is lost with its worker, which hears of the end a moment later. */
static bool may_be_the_end(const struct tasks *t, uint32_t post, uint16_t code)
{
    bool failed = (code > 0 && code < HQ_CODE_TIME_LIMIT) || code == HQ_CODE_TEXT;
    return failed && t->config->manager != MANAGER_NONE && post != host_post(t);
}

static int on_ended(struct tasks *t, struct attempt *a, const struct helper_ended *e, hq_error *err)
{
    struct work *w = a->piece.work;
    uint32_t post = a->slot->post;
    size_t n = e->text.n;
    bool has_text = !a->silent && n > 0 && (e->code == HQ_CODE_TEXT || e->code == HQ_CODE_LAUNCH);
    bool has_result = !a->silent && n > 0 && end_text_is_result(e->code);
    char *text = has_text ? copy_text(t, e->text, &n) : has_result ? hqi_base_alloc_strdup(t->alloc, e->text.p, n) : NULL;
    if ((has_text || has_result) && !text)
        return hqi_base_error_nomem(err, where);
    hqi_tasks_work_measure(w, e->duration_ms);
    hqi_tasks_slot_remove(t, a);
    if (a->silent) {
        hqi_tasks_queue_drop(t, &a->piece);
        hqi_tasks_work_settle(t, w);
        return HQ_OK;
    }
    a->text = text;
    a->n_text = text ? n : 0;
    a->code = e->code;
    a->start_ns = e->code == HQ_CODE_LAUNCH ? 0 : start_of(t, e->age_ms);
    a->duration_ms = e->duration_ms;
    if (may_be_the_end(t, post, e->code))
        hqi_tasks_news_doubt(t, a);
    else
        hqi_tasks_news_add_ended(t, a);
    return HQ_OK;
}

static uint64_t key_of(const struct from_helper *item)
{
    switch (item->kind) {
    case FROM_HELPER_STARTED:
        return item->u.started.key;
    case FROM_HELPER_ENDED:
        return item->u.ended.key;
    case FROM_HELPER_UNSTAGED:
        return item->u.key;
    default:
        return 0;
    }
}

int hqi_tasks_on_helper(struct tasks *t, const struct now *now, uint32_t helper, const struct from_helper *item,
                        hq_error *err)
{
    t->now = *now;
    if (item->kind == FROM_HELPER_HELLO) {
        t->posts[helper].down = false;
        t->changed = true;
        return HQ_OK;
    }
    struct attempt *a = find_attempt(t, helper, key_of(item));
    if (!a)
        return HQ_OK;
    t->changed = true;
    if (item->kind == FROM_HELPER_STARTED)
        return on_started(t, a, &item->u.started);
    if (item->kind == FROM_HELPER_ENDED)
        return on_ended(t, a, &item->u.ended, err);
    hqi_tasks_slot_come_back(t, a);
    return HQ_OK;
}

/* ---- from the host ---- */

int hqi_tasks_on_host(struct tasks *t, const struct now *now, const struct helper_ended *e, hq_error *err)
{
    t->now = *now;
    struct attempt *a = find_attempt(t, host_post(t), e->key);
    if (!a)
        return HQ_OK;
    t->changed = true;
    return on_ended(t, a, e, err);
}

bool hqi_tasks_host_wants(const struct tasks *t, uint64_t key)
{
    const struct attempt *a = find_attempt(t, host_post(t), key);
    return a && !a->silent;
}

bool hqi_tasks_host_variable(const struct tasks *t, uint64_t key, const char *name, struct bytes *ret)
{
    const struct attempt *a = find_attempt(t, host_post(t), key);
    for (uint32_t i = 0; a && i < a->slot->n_env; i++)
        if (bytes_is(a->slot->env[i].name, name)) {
            *ret = a->slot->env[i].value;
            return true;
        }
    return false;
}

/* ---- a helper died ---- */

static struct slot *find_slot(const struct tasks *t, uint32_t post)
{
    list_for(c, &t->classes)
        list_for(link, &hqi_container(c, struct class, link)->slots)
            if (slot_of_link(link)->post == post)
                return slot_of_link(link);
    return NULL;
}

void hqi_tasks_each_process(const struct tasks *t, uint32_t helper, hqi_tasks_process_fn *fn, void *user)
{
    list_for(c, &t->classes)
        list_for(link, &hqi_container(c, struct class, link)->slots) {
            const struct slot *s = slot_of_link(link);
            const struct attempt *a = attempt_of_chain(s->chain.next);
            if (s->post == helper && a->started && a->pid > 0)
                fn(user, a->pid, a->start_ticks);
        }
}

static void forget_told(struct tasks *t, uint32_t helper)
{
    list_for(link, &t->known)
        hqi_container(link, struct work, link)->told &= ~(1ull << helper);
    list_for_safe(link, next, &t->gone) {
        struct work *w = hqi_container(link, struct work, link);
        w->told &= ~(1ull << helper);
        hqi_tasks_work_settle(t, w);
    }
}

void hqi_tasks_on_helper_lost(struct tasks *t, const struct now *now, uint32_t helper)
{
    struct slot *s;
    t->now = *now;
    t->posts[helper].down = true;
    while ((s = find_slot(t, helper)))
        hqi_tasks_slot_lose(t, s);
    forget_told(t, helper);
    t->changed = true;
}

/* ---- stopping ---- */

void hqi_tasks_hold(struct tasks *t, bool on)
{
    t->changed = t->changed || t->hold != on;
    t->hold = on;
}

void hqi_tasks_end(struct tasks *t)
{
    t->ending = true;
    list_for(link, &t->known)
        hqi_tasks_work_silence(t, hqi_container(link, struct work, link));
}

void hqi_tasks_reset(struct tasks *t)
{
    while (!list_empty(&t->known))
        hqi_tasks_work_drop(t, hqi_container(t->known.next, struct work, link));
    t->changed = true;
}

/* ---- reading ---- */

uint64_t hqi_tasks_deadline(const struct tasks *t)
{
    uint64_t retry = t->starved ? t->now.mono_ns + RETRY_NS : UINT64_MAX;
    uint64_t expire = t->expire_ns < UINT64_MAX ? t->expire_ns + 1 : UINT64_MAX;
    uint64_t started = hqi_tasks_host_tell_ns(t), trusted = hqi_tasks_news_trust_ns(t);
    if (t->changed || (!list_empty(&t->news) && !t->starved))
        return t->now.mono_ns;
    if (started < retry)
        retry = started;
    if (trusted < retry)
        retry = trusted;
    return retry < expire ? retry : expire;
}

uint32_t hqi_tasks_n_running(const struct tasks *t)
{
    return t->n_slots;
}

uint32_t hqi_tasks_n_waiting(const struct tasks *t)
{
    uint64_t n = t->n_waiting + t->n_staged;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}
