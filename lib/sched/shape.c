/* SPDX-License-Identifier: MIT */
/* shape.c - see shape.h. Few shapes serve many workers where nodes are equal; in a cluster where no two have the same
 * memory each worker is a shape, and a class is still measured against each only once. */
#include "sched/shape.h"

#include <string.h>

#define FIRST_ROOM 16u

void hqi_sched_shape_init(struct shapes *all, const struct alloc *a)
{
    *all = (struct shapes){.alloc = a};
    hqi_base_map_init(&all->by_totals, a);
}

static void free_shape(struct map_node *node, void *user)
{
    const struct alloc *a = user;
    struct shape *s = hqi_container(node, struct shape, by_totals);
    hqi_base_alloc_free(a, s->slots);
    hqi_base_alloc_free(a, s);
}

void hqi_sched_shape_fini(struct shapes *all)
{
    hqi_base_map_each(&all->by_totals, free_shape, (void *)all->alloc);
    hqi_base_map_fini(&all->by_totals);
    hqi_base_alloc_free(all->alloc, all->of_worker);
}

/* ---- slots ---- */

static bool fill(const struct shapes *all, struct shape *shape, const struct state *s)
{
    if (shape->n_slots == s->n_classes)
        return true;
    if (shape->room < s->n_classes) {
        uint32_t room = s->n_classes * 2;
        uint32_t *v = hqi_base_alloc_resize(all->alloc, shape->slots, room, sizeof *v);
        if (!v)
            return false;
        shape->slots = v;
        shape->room = room;
    }
    for (; shape->n_slots < s->n_classes; shape->n_slots++)
        shape->slots[shape->n_slots] = hqi_state_class_slots(s->classes[shape->n_slots], shape->like);
    return true;
}

/* ---- shapes ---- */

static bool same_totals(const struct worker *a, const struct worker *b)
{
    return a->n_resources == b->n_resources && memcmp(a->total, b->total, a->n_resources * sizeof *a->total) == 0;
}

/* Totals that differ and have one hash get the keys behind it. */
static struct shape *find(const struct shapes *all, const struct worker *w, uint64_t *key)
{
    *key = hqi_base_map_hash(w->total, w->n_resources * sizeof *w->total);
    for (struct map_node *n; (n = hqi_base_map_get(&all->by_totals, *key)); ++*key) {
        struct shape *s = hqi_container(n, struct shape, by_totals);
        if (same_totals(s->like, w))
            return s;
    }
    return NULL;
}

static bool make_room(struct shapes *all, uint32_t id)
{
    if (id < all->room)
        return true;
    uint32_t room = all->room ? all->room * 2 : FIRST_ROOM;
    while (room <= id)
        room *= 2;
    struct shape **v = hqi_base_alloc_resize(all->alloc, all->of_worker, room, sizeof *v);
    if (!v)
        return false;
    memset(v + all->room, 0, (room - all->room) * sizeof *v);
    all->of_worker = v;
    all->room = room;
    return true;
}

static struct shape *classify(struct shapes *all, const struct worker *w)
{
    uint64_t key;
    struct shape *s = find(all, w, &key);
    if (s)
        return s;
    s = hqi_base_map_reserve(&all->by_totals, 1) ? hqi_base_alloc_zero(all->alloc, 1, sizeof *s) : NULL;
    if (!s)
        return NULL;
    s->like = w;
    hqi_base_map_put(&all->by_totals, &s->by_totals, key);
    return s;
}

struct shape *hqi_sched_shape_get(struct shapes *all, const struct state *s, const struct worker *w)
{
    if (!make_room(all, w->id.n))
        return NULL;
    struct shape **of = &all->of_worker[w->id.n];
    if (!*of)
        *of = classify(all, w);
    return *of && fill(all, *of, s) ? *of : NULL;
}
