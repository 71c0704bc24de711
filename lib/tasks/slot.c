/* SPDX-License-Identifier: MIT */
/* slot.c - who uses an allocation, now and next.
 *
 * A helper starts the next of a chain by itself, so here the first of a chain counts as running. Everything that is
 * taken back is taken back from the end of its chain: whatever the helper has started meanwhile, nothing can
 * start behind a task that is still there. Must never happen: an allocation given back while a process may use it. */
#include "tasks/slot.h"

#include "hqcore/types.h"
#include "tasks/launch.h"
#include "tasks/news.h"
#include "tasks/queue.h"
#include "tasks/work.h"

struct attempt *hqi_tasks_slot_last(const struct slot *s)
{
    return attempt_of_chain(s->chain.prev);
}

static struct lane *lane_of(const struct attempt *a)
{
    return a->piece.work->lane;
}

/* ---- opening and closing ---- */

/* The host, for its functions; else the helper with the fewest slots. n_posts: none is up. */
static uint32_t choose_post(const struct tasks *t, const struct variant *v)
{
    uint32_t best = t->n_posts;
    if (v->for_host)
        return host_post(t);
    for (uint32_t i = 0; i < host_post(t); i++)
        if (!t->posts[i].down && (best == t->n_posts || t->posts[i].n_slots < t->posts[best].n_slots))
            best = i;
    return best;
}

int hqi_tasks_slot_open(struct tasks *t, struct class *c, uint32_t variant, struct slot **ret)
{
    uint32_t post = choose_post(t, &c->variants[variant]);
    if (post == t->n_posts)
        return 0;
    struct slot *s = hqi_base_alloc_zero(t->alloc, 1, sizeof *s);
    if (!s)
        return HQ_ENOMEM;
    int rc = hqi_tasks_pool_claim(t->pools, c->variants[variant].request, &s->allocation, NULL);
    if (rc <= 0) {
        hqi_base_alloc_free(t->alloc, s);
        return rc;
    }
    s->class = c;
    s->variant = variant;
    s->post = post;
    list_init(&s->chain);
    list_push_back(&c->slots, &s->link);
    hqi_base_arena_init(&s->mem, t->alloc);
    t->posts[post].n_slots++;
    t->n_slots++;
    if (!hqi_tasks_launch_describe(t, s)) {
        hqi_tasks_slot_close(t, s);
        return HQ_ENOMEM;
    }
    *ret = s;
    return 1;
}

void hqi_tasks_slot_close(struct tasks *t, struct slot *s)
{
    t->posts[s->post].n_slots--;
    t->n_slots--;
    t->changed = true;
    list_unlink(&s->link);
    hqi_tasks_pool_release(t->pools, &s->allocation);
    hqi_base_arena_fini(&s->mem);
    hqi_base_alloc_free(t->alloc, s);
}

/* ---- chains ---- */

static void post_mail(struct tasks *t, struct attempt *a, uint8_t what)
{
    if (!a->due)
        list_push_back(&t->posts[a->slot->post].mail, &a->mail);
    a->due |= what;
}

static void count_place(struct tasks *t, const struct attempt *a, int by)
{
    struct lane *l = lane_of(a);
    if (attempt_is_first(a)) {
        l->n_running += (uint32_t)by;
        return;
    }
    l->n_staged += (uint32_t)by;
    t->n_staged += (uint32_t)by;
}

void hqi_tasks_slot_append(struct tasks *t, struct slot *s, struct attempt *a)
{
    struct work *w = a->piece.work;
    list_init(&a->news);
    list_init(&a->mail);
    a->slot = s;
    a->sent = a->started = a->unstaging = a->returning = false;
    a->due = 0;
    a->variant = (uint8_t)s->variant;
    list_push_back(&s->chain, &a->chain);
    s->n_chain++;
    count_place(t, a, 1);
    list_push_back(&w->live, &a->live);
    w->n_live++;
    w->n_slotted++;
    /* A table that could not grow is slower, nothing else. */
    hqi_base_map_reserve(&t->by_key, 1);
    hqi_base_map_reserve(&t->by_task, 1);
    hqi_base_map_put(&t->by_key, &a->by_key, ++t->next_key);
    hqi_base_map_put(&t->by_task, &a->by_task, (uint64_t)w->number << 32 | a->piece.ord);
    post_mail(t, a, MAIL_LAUNCH);
}

/* It no longer stands for its task. */
static void disown(struct tasks *t, struct attempt *a)
{
    if (a->silent)
        return;
    list_unlink(&a->news);
    list_unlink(&a->live);
    a->piece.work->n_live--;
    hqi_base_map_take(&t->by_task, a->by_task.key);
}

static void leave_chain(struct tasks *t, struct attempt *a)
{
    struct slot *s = a->slot;
    struct attempt *next = a->chain.next == &s->chain ? NULL : attempt_of_chain(a->chain.next);
    bool next_moves = next && attempt_is_first(a);
    if (next_moves)
        count_place(t, next, -1);
    count_place(t, a, -1);
    list_unlink(&a->chain);
    if (next_moves)
        count_place(t, next, 1);
    s->n_chain--;
    a->slot = NULL;
    if (s->n_chain == 0)
        hqi_tasks_slot_close(t, s);
}

void hqi_tasks_slot_remove(struct tasks *t, struct attempt *a)
{
    hqi_tasks_slot_answered(a);
    disown(t, a);
    list_unlink(&a->mail);
    a->due = 0;
    hqi_base_map_take(&t->by_key, a->by_key.key);
    leave_chain(t, a);
    a->piece.work->n_slotted--;
    t->changed = true;
}

/* ---- asking back ---- */

void hqi_tasks_slot_answered(struct attempt *a)
{
    if (a->unstaging)
        lane_of(a)->n_unstaging--;
    a->unstaging = false;
}

static void unstage_one(struct tasks *t, struct attempt *a)
{
    if (!a->sent) {
        hqi_tasks_slot_come_back(t, a);
        return;
    }
    if (a->unstaging || a->started || attempt_is_first(a))
        return;
    a->unstaging = true;
    lane_of(a)->n_unstaging++;
    post_mail(t, a, MAIL_UNSTAGE);
}

void hqi_tasks_slot_unstage(struct tasks *t, struct attempt *a)
{
    struct list *link = a->slot->chain.prev;
    for (bool done = false; !done;) {
        struct attempt *last = attempt_of_chain(link);
        done = last == a;
        link = link->prev;
        unstage_one(t, last);
    }
}

void hqi_tasks_slot_unstage_all(struct tasks *t)
{
    list_for(c, &t->classes) {
        struct class *class = hqi_container(c, struct class, link);
        list_for_safe(link, next, &class->slots) {
            struct slot *s = slot_of_link(link);
            struct attempt *first = attempt_of_chain(s->chain.next);
            if (!first->sent)
                hqi_tasks_slot_unstage(t, first);
            else if (s->n_chain > 1)
                hqi_tasks_slot_unstage(t, attempt_of_chain(first->chain.next));
        }
    }
}

void hqi_tasks_slot_come_back(struct tasks *t, struct attempt *a)
{
    struct work *w = a->piece.work;
    bool silent = a->silent, returning = a->returning;
    hqi_tasks_slot_remove(t, a);
    if (silent) {
        hqi_tasks_queue_drop(t, &a->piece);
        hqi_tasks_work_settle(t, w);
    } else if (returning) {
        hqi_tasks_news_add_piece(t, &a->piece, NEWS_RETURNED);
    } else {
        hqi_tasks_queue_put(t, &a->piece);
    }
}

void hqi_tasks_slot_silence(struct tasks *t, struct attempt *a)
{
    if (a->silent)
        return;
    disown(t, a);
    a->silent = true;
    if (!a->sent) {
        hqi_tasks_slot_come_back(t, a);
        return;
    }
    if (!attempt_is_first(a))
        hqi_tasks_slot_unstage(t, a);
    post_mail(t, a, MAIL_KILL); /* behind UNSTAGE: it may have started */
}

void hqi_tasks_slot_retract(struct tasks *t, struct attempt *a)
{
    bool runs = a->sent && (a->started || (attempt_is_first(a) && !a->unstaging));
    if (runs)
        return;
    a->returning = true;
    hqi_tasks_slot_unstage(t, a);
}

/* ---- a helper died ---- */

static void lose_attempt(struct tasks *t, struct attempt *a, bool ran)
{
    struct work *w = a->piece.work;
    if (!ran || a->silent) {
        hqi_tasks_slot_come_back(t, a);
        return;
    }
    hqi_tasks_slot_remove(t, a);
    hqi_tasks_news_add_piece(t, &a->piece, NEWS_CRASHED);
    hqi_tasks_work_settle(t, w);
}

void hqi_tasks_slot_lose(struct tasks *t, struct slot *s)
{
    for (uint32_t n = s->n_chain; n > 0; n--) {
        struct attempt *a = hqi_tasks_slot_last(s);
        lose_attempt(t, a, a->started || (a->sent && attempt_is_first(a)));
    }
}
