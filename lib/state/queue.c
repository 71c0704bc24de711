/* SPDX-License-Identifier: MIT */
/* queue.c - waiting tasks, as intervals of ordinals.
 *
 * Promise: what waits costs memory per interval, never per task; taking from the head of an interval, or giving back
 * beside one, moves no tree node. Pieces of one submit never overlap, so that shrinking and growing them at their
 * ends keeps the order of the tree. A level hangs in state->levels exactly while it is not empty.
 *
 * Pieces come from a list of spare ones, which reserve fills and apply uses up; apply never allocates. What
 * comes back beyond QUEUE_SPARE_KEPT is freed. */
#include "state/queue.h"

static struct piece *piece_at(const struct tree_node *n)
{
    return n ? hqi_container(n, struct piece, in_level) : NULL;
}

static int compare_pieces(const struct tree_node *x, const struct tree_node *y)
{
    const struct piece *a = piece_at(x), *b = piece_at(y);
    if (a->submit == b->submit)
        return (a->first > b->first) - (a->first < b->first);
    uint32_t ja = a->submit->job->id.n, jb = b->submit->job->id.n;
    if (ja != jb)
        return ja < jb ? -1 : 1;
    return a->submit->id < b->submit->id ? -1 : 1;
}

static int compare_levels(const struct tree_node *x, const struct tree_node *y)
{
    const struct level *a = hqi_container(x, struct level, by_rank),
                       *b = hqi_container(y, struct level, by_rank);
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    return (a->class->id > b->class->id) - (a->class->id < b->class->id);
}

void hqi_state_queue_init(struct state *st)
{
    hqi_base_tree_init(&st->levels, compare_levels);
    hqi_base_map_init(&st->level_map, st->alloc);
    list_init(&st->all_levels);
    list_init(&st->spare);
}

/* ---- spare pieces ---- */

bool hqi_state_queue_reserve(struct state *st, uint64_t pieces)
{
    while (st->n_spare < pieces) {
        struct piece *p = hqi_base_alloc_get(st->alloc, sizeof *p);
        if (!p)
            return false;
        list_push_front(&st->spare, &p->in_worker);
        st->n_spare++;
    }
    return true;
}

void hqi_state_queue_trim(struct state *st, uint32_t keep)
{
    while (st->n_spare > keep)
        hqi_base_alloc_free(st->alloc, hqi_state_queue_take(st));
}

/* ---- levels ---- */

static uint64_t level_key(const struct rclass *c, int32_t priority)
{
    return (uint64_t)c->id << 32 | (uint32_t)priority;
}

struct level *hqi_state_queue_level(const struct state *st, const struct rclass *c, int32_t priority)
{
    struct map_node *n = hqi_base_map_get(&st->level_map, level_key(c, priority));
    return n ? hqi_container(n, struct level, by_key) : NULL;
}

struct level *hqi_state_queue_level_new(const struct state *st, struct rclass *c, int32_t priority)
{
    struct level *l = hqi_base_alloc_zero(st->alloc, 1, sizeof *l);
    if (!l)
        return NULL;
    l->class = c;
    l->priority = priority;
    hqi_base_tree_init(&l->pieces, compare_pieces);
    list_init(&l->in_state);
    return l;
}

void hqi_state_queue_level_link(struct state *st, struct level *l)
{
    hqi_base_map_put(&st->level_map, &l->by_key, level_key(l->class, l->priority));
    list_push_back(&st->all_levels, &l->in_state);
}

static void count_in(struct state *st, struct level *l, uint32_t n)
{
    if (l->waiting == 0)
        hqi_base_tree_insert(&st->levels, &l->by_rank);
    l->waiting += n;
    l->class->waiting += n;
}

static void count_out(struct state *st, struct level *l, uint32_t n)
{
    l->waiting -= n;
    l->class->waiting -= n;
    if (l->waiting == 0)
        hqi_base_tree_remove(&st->levels, &l->by_rank);
}

/* ---- waiting tasks ---- */

/* The first piece of the level that begins at or behind `ordinal` of `s`, whosever it is. */
static struct tree_node *lower(const struct submit *s, uint32_t ordinal)
{
    const struct piece key = {.submit = (struct submit *)s, .first = ordinal};
    return hqi_base_tree_lower(&s->level->pieces, &key.in_level);
}

static struct piece *own_piece(const struct submit *s, const struct tree_node *n)
{
    struct piece *p = piece_at(n);
    return p && p->submit == s ? p : NULL;
}

/* The neighbour before the place of `behind` (NULL: before the end), if it is of the same submit. */
static struct piece *piece_before(const struct submit *s, const struct tree_node *behind)
{
    return own_piece(s, behind ? hqi_base_tree_prev(behind) : hqi_base_tree_last(&s->level->pieces));
}

struct piece *hqi_state_queue_find(const struct submit *s, uint32_t ordinal)
{
    struct tree_node *n = lower(s, ordinal);
    struct piece *behind = own_piece(s, n);
    if (behind && behind->first == ordinal)
        return behind;
    struct piece *before = piece_before(s, n);
    return before && ordinal - before->first < before->count ? before : behind;
}

struct piece *hqi_state_waiting(const struct submit *s, uint32_t ordinal)
{
    struct piece *p = hqi_state_queue_find(s, ordinal);
    return p && p->first <= ordinal ? p : NULL;
}

struct piece *hqi_state_queue_next(const struct piece *p)
{
    return own_piece(p->submit, hqi_base_tree_next(&p->in_level));
}

static bool joins(const struct piece *a, const struct piece *b)
{
    return a->first + a->count == b->first && a->instance == b->instance && a->crashes == b->crashes;
}

void hqi_state_queue_put(struct state *st, struct piece *p)
{
    struct submit *s = p->submit;
    struct tree_node *n = lower(s, p->first);
    struct piece *behind = own_piece(s, n), *before = piece_before(s, n);
    bool join_before = before && joins(before, p), join_behind = behind && joins(p, behind);
    count_in(st, s->level, p->count);
    if (join_before && join_behind) {
        before->count += p->count + behind->count;
        hqi_base_tree_remove(&s->level->pieces, &behind->in_level);
        hqi_state_queue_give(st, behind);
    } else if (join_before) {
        before->count += p->count;
    } else if (join_behind) {
        behind->first = p->first;
        behind->count += p->count;
    } else {
        p->worker = NULL;
        p->booked = p->started = p->retracting = false;
        hqi_base_tree_insert(&s->level->pieces, &p->in_level);
        return;
    }
    hqi_state_queue_give(st, p);
}

static void split(struct state *st, struct piece *p, uint32_t at, uint32_t n)
{
    struct piece *tail = hqi_state_queue_take(st);
    uint32_t head = at - p->first;
    *tail = (struct piece){
        .submit = p->submit,
        .first = at + n,
        .count = p->count - head - n,
        .instance = p->instance,
        .crashes = p->crashes,
    };
    p->count = head;
    hqi_base_tree_insert(&p->submit->level->pieces, &tail->in_level);
}

struct piece *hqi_state_queue_cut(struct state *st, struct piece *p, uint32_t at, uint32_t n)
{
    struct level *l = p->submit->level;
    struct piece *rest = NULL;
    count_out(st, l, n);
    if (n == p->count) {
        hqi_base_tree_remove(&l->pieces, &p->in_level);
        rest = p;
    } else if (at == p->first) {
        p->first += n;
        p->count -= n;
    } else if (at - p->first + n == p->count) {
        p->count -= n;
    } else {
        split(st, p, at, n);
    }
    return rest;
}

void hqi_state_queue_drop(struct state *st, struct submit *s)
{
    for (struct piece *p = hqi_state_queue_find(s, 0), *next; p; p = next) {
        next = hqi_state_queue_next(p);
        hqi_base_tree_remove(&s->level->pieces, &p->in_level);
        count_out(st, s->level, p->count);
        hqi_state_queue_give(st, p);
    }
}
