/* SPDX-License-Identifier: MIT */
/* queue.h - waiting tasks: pieces in levels; and the spare pieces. */
#ifndef HQI_STATE_QUEUE_H
#define HQI_STATE_QUEUE_H

#include "state/state.h"

void hqi_state_queue_init(struct state *st); /* the lists and trees of an empty state */

/* ---- spare pieces ---- */

bool hqi_state_queue_reserve(struct state *st, uint64_t pieces); /* at least so many spare ones; false: no memory */
void hqi_state_queue_trim(struct state *st, uint32_t keep);      /* frees spare ones beyond `keep` */

/* About 1 MB: several ticks of hand-outs go round without malloc. */
#define QUEUE_SPARE_KEPT 12288u

/* A spare one, uninitialised but for nothing linked. */
static inline struct piece *hqi_state_queue_take(struct state *st)
{
    struct list *node = list_pop_front(&st->spare);
    st->n_spare--;
    return hqi_container(node, struct piece, in_worker);
}

/* Linked nowhere; becomes spare or is freed. */
static inline void hqi_state_queue_give(struct state *st, struct piece *p)
{
    if (st->n_spare >= QUEUE_SPARE_KEPT) {
        hqi_base_alloc_free(st->alloc, p);
        return;
    }
    list_push_front(&st->spare, &p->in_worker); /* the warmest is used first */
    st->n_spare++;
}

/* ---- levels ---- */

struct level *hqi_state_queue_level(const struct state *st, const struct rclass *c, int32_t priority); /* or NULL */
struct level *hqi_state_queue_level_new(const struct state *st, struct rclass *c, int32_t priority);   /* not linked */
void hqi_state_queue_level_link(struct state *st, struct level *l); /* takes it */

/* ---- waiting tasks ---- */

/* The piece of `s` that holds `ordinal`, else the first one behind it, else NULL. */
struct piece *hqi_state_queue_find(const struct submit *s, uint32_t ordinal);
struct piece *hqi_state_queue_next(const struct piece *p); /* of the same submit, or NULL */
/* Takes `p` (its submit, first, count, instance and crashes are set) into its submit's level; joins it with its
 * neighbours where they are alike. */
void hqi_state_queue_put(struct state *st, struct piece *p);
/* Takes n tasks from ordinal `at` on out of the waiting piece `p`. Returns the piece when nothing of it is left: then
 * it is the caller's, else NULL. May use one spare piece. */
struct piece *hqi_state_queue_cut(struct state *st, struct piece *p, uint32_t at, uint32_t n);
void hqi_state_queue_drop(struct state *st, struct submit *s); /* all that waits of it */

#endif
