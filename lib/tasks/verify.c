/* SPDX-License-Identifier: MIT */
/* verify.c - do the books agree with each other? For tests and the simulator. */
#include "base/error.h"
#include "tasks/book.h"

static const char where[] = "tasks";

struct sums {
    uint32_t slots, staged, running;
    uint64_t waiting;
};

static int broken(hq_error *err, const char *what)
{
    return hqi_base_error_set(err, HQ_EINTERNAL, where, "the worker's books are inconsistent: %s", what);
}

static bool is_attempt_sound(const struct tasks *t, const struct slot *s, const struct attempt *a)
{
    const struct map_node *key = hqi_base_map_get(&t->by_key, a->by_key.key);
    const struct map_node *task = hqi_base_map_get(&t->by_task, a->by_task.key);
    bool owns = task == &a->by_task;
    return a->slot == s && key == &a->by_key && owns == !a->silent && a->piece.work->lane->class == s->class;
}

static bool is_slot_sound(const struct tasks *t, struct slot *s, uint32_t *staged)
{
    uint32_t n = 0;
    list_for(link, &s->chain) {
        const struct attempt *a = attempt_of_chain(link);
        if (!is_attempt_sound(t, s, a))
            return false;
        n++;
    }
    *staged += n ? n - 1 : 0;
    return n == s->n_chain && n > 0;
}

static int check_class(const struct tasks *t, struct class *c, struct sums *all, hq_error *err)
{
    struct sums here = {0}, lanes = {0};
    list_for(link, &c->slots) {
        if (!is_slot_sound(t, slot_of_link(link), &here.staged))
            return broken(err, "a chain of tasks");
        here.slots++;
    }
    list_for(link, &c->lanes) {
        const struct lane *l = hqi_container(link, struct lane, link);
        lanes.running += l->n_running;
        lanes.staged += l->n_staged;
        all->waiting += l->n_waiting;
        if (l->n_unstaging > l->n_staged + l->n_running)
            return broken(err, "tasks that were asked back");
    }
    if (lanes.running != here.slots || lanes.staged != here.staged)
        return broken(err, "the numbers of running and staged tasks");
    all->slots += here.slots;
    all->staged += here.staged;
    return HQ_OK;
}

static int check_held(const struct tasks *t, hq_error *err)
{
    uint32_t n = 0;
    const struct allocation **held = hqi_base_alloc_zero(t->alloc, t->n_slots + 1ull, sizeof *held);
    if (!held)
        return hqi_base_error_nomem(err, where);
    list_for(c, &t->classes)
        list_for(link, &hqi_container(c, struct class, link)->slots)
            held[n++] = &slot_of_link(link)->allocation;
    int rc = hqi_tasks_pool_verify_held(t->pools, held, n, err);
    hqi_base_alloc_free(t->alloc, held);
    return rc;
}

int hqi_tasks_verify(const struct tasks *t, hq_error *err)
{
    struct sums all = {0};
    int rc = HQ_OK;
    list_for(link, &t->classes) {
        rc = check_class(t, hqi_container(link, struct class, link), &all, err);
        if (rc < 0)
            return rc;
    }
    if (all.slots != t->n_slots || all.staged != t->n_staged || all.waiting != t->n_waiting)
        return broken(err, "the totals");
    return check_held(t, err);
}
