/* SPDX-License-Identifier: MIT */
/* pool.c - claims of several resources at once: all of them or none.
 *
 * Promise, to the worker: a claim that fits_now() said yes to succeeds unless memory fails, and memory is asked for before
 * anything is taken. What a request does not name is not touched. Without coupling the resources of a request do not
 * depend on each other, so each is decided alone. */
#include "tasks/pool.h"

#include "base/error.h"
#include "base/limits.h"
#include "hqcore/types.h"
#include "tasks/groups.h"

static const char where[] = "tasks";

struct pools {
    const struct alloc *alloc; /* borrowed */
    uint32_t n;
    struct pool v[]; /* sorted by name, as the resources are */
};

static bool is_indexed(const struct pool *p)
{
    return p->def->kind != RESOURCE_SUM;
}

int hqi_tasks_pool_new(struct pools **ret, const struct alloc *a, const struct resources *r, hq_error *err)
{
    struct pools *p = hqi_base_alloc_zero(a, 1, sizeof *p + r->n * sizeof *p->v);
    if (!p)
        return hqi_base_error_nomem(err, where);
    p->alloc = a;
    p->n = r->n;
    for (uint32_t i = 0; i < r->n; i++) {
        struct pool *pool = &p->v[i];
        pool->def = &r->items[i];
        pool->total = pool->unused = hqi_model_resource_total(pool->def);
        if (is_indexed(pool) && hqi_tasks_groups_init(pool, a) < 0) {
            hqi_tasks_pool_free(p);
            return hqi_base_error_nomem(err, where);
        }
    }
    *ret = p;
    return HQ_OK;
}

void hqi_tasks_pool_free(struct pools *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < p->n; i++)
        hqi_tasks_groups_fini(&p->v[i], p->alloc);
    hqi_base_alloc_free(p->alloc, p);
}

uint32_t hqi_tasks_pool_count(const struct pools *p)
{
    return p->n;
}

uint32_t hqi_tasks_pool_find(const struct pools *p, struct bytes name)
{
    uint32_t low = 0, high = p->n;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = bytes_compare(p->v[middle].def->name, name);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return POOL_NONE;
}

uint64_t hqi_tasks_pool_total(const struct pools *p, uint32_t pool)
{
    return p->v[pool].total;
}

uint64_t hqi_tasks_pool_unused(const struct pools *p, uint32_t pool)
{
    return p->v[pool].unused;
}

/* ---- does it fit? ---- */

static struct need need_of(const struct request_entry *e)
{
    return (struct need){(uint32_t)(e->amount / HQ_UNITS), (uint32_t)(e->amount % HQ_UNITS)};
}

static bool is_forced(const struct request_entry *e)
{
    return e->policy == POLICY_COMPACT_FORCED || e->policy == POLICY_TIGHT_FORCED;
}

bool hqi_tasks_pool_fits_total(const struct pools *p, const struct request_variant *v)
{
    for (uint32_t i = 0; i < v->n_entries; i++) {
        uint32_t pool = hqi_tasks_pool_find(p, v->entries[i].name);
        if (pool == POOL_NONE || v->entries[i].amount > p->v[pool].total)
            return false;
    }
    return v->n_nodes == 0;
}

/* A forced policy waits until it needs no more groups than it would on an empty worker. */
static bool entry_fits(struct pool *p, const struct request_entry *e)
{
    if (e->policy == POLICY_ALL)
        return p->unused == p->total;
    if (!is_indexed(p))
        return e->amount <= p->unused;
    if (e->amount > hqi_tasks_groups_available(p))
        return false;
    if (p->def->kind != RESOURCE_GROUPS || !is_forced(e))
        return true;
    return hqi_tasks_groups_select(p, need_of(e)) <= hqi_tasks_groups_fewest(p, need_of(e));
}

bool hqi_tasks_pool_fits_now(struct pools *p, const struct request_variant *v)
{
    for (uint32_t i = 0; i < v->n_entries; i++) {
        uint32_t pool = hqi_tasks_pool_find(p, v->entries[i].name);
        if (pool == POOL_NONE || !entry_fits(&p->v[pool], &v->entries[i]))
            return false;
    }
    return v->n_nodes == 0;
}

/* ---- claims ---- */

static uint64_t amount_of(const struct pool *p, const struct request_entry *e)
{
    return e->policy == POLICY_ALL ? p->total : e->amount;
}

static uint64_t room_for_held(const struct pool *p, const struct request_entry *e)
{
    return is_indexed(p) ? (amount_of(p, e) + HQ_UNITS - 1) / HQ_UNITS : 0;
}

/* One block: the entries, and behind them the indices of each. */
static bool reserve_block(const struct pools *p, const struct request_variant *v, struct allocation *ret)
{
    uint64_t n_held = 0;
    for (uint32_t i = 0; i < v->n_entries; i++)
        n_held += room_for_held(&p->v[hqi_tasks_pool_find(p, v->entries[i].name)], &v->entries[i]);
    struct allocated *entries =
        hqi_base_alloc_zero(p->alloc, 1, v->n_entries * sizeof *entries + n_held * sizeof(struct held));
    if (!entries)
        return false;
    *ret = (struct allocation){v->n_entries, entries};
    return true;
}

static void take_entry(struct pool *p, const struct request_entry *e, struct allocated *ret)
{
    ret->amount = amount_of(p, e);
    if (!is_indexed(p))
        p->unused -= ret->amount;
    else if (e->policy == POLICY_ALL)
        ret->n_held = hqi_tasks_groups_take_all(p, ret->held);
    else
        ret->n_held = hqi_tasks_groups_take(p, e->policy, need_of(e), ret->held);
}

int hqi_tasks_pool_claim(struct pools *p, const struct request_variant *v, struct allocation *ret, hq_error *err)
{
    struct allocation a;
    if (!hqi_tasks_pool_fits_now(p, v))
        return 0;
    if (!reserve_block(p, v, &a))
        return hqi_base_error_nomem(err, where);
    struct held *held = (struct held *)(a.entries + a.n_entries);
    for (uint32_t i = 0; i < v->n_entries; i++) {
        a.entries[i].pool = hqi_tasks_pool_find(p, v->entries[i].name);
        a.entries[i].held = held;
        take_entry(&p->v[a.entries[i].pool], &v->entries[i], &a.entries[i]);
        held += a.entries[i].n_held;
    }
    *ret = a;
    return 1;
}

void hqi_tasks_pool_release(struct pools *p, struct allocation *a)
{
    for (uint32_t i = 0; i < a->n_entries; i++) {
        struct allocated *e = &a->entries[i];
        if (is_indexed(&p->v[e->pool]))
            hqi_tasks_groups_give(&p->v[e->pool], e->held, e->n_held);
        else
            p->v[e->pool].unused += e->amount;
    }
    hqi_base_alloc_free(p->alloc, a->entries);
    *a = (struct allocation){0};
}

void hqi_tasks_pool_labels(const struct pools *p, const struct allocation *a, uint32_t i, struct buf *out)
{
    const struct allocated *e = &a->entries[i];
    const struct resource_def *d = p->v[e->pool].def;
    for (uint32_t j = 0; j < e->n_held; j++) {
        if (j > 0)
            hqi_base_buf_addc(out, ',');
        if (d->kind == RESOURCE_RANGE)
            hqi_base_buf_addf(out, "%u", d->start + e->held[j].index);
        else
            hqi_base_buf_add(out, d->labels[e->held[j].index].p, d->labels[e->held[j].index].n);
    }
}

/* ---- checking ---- */

int hqi_tasks_pool_verify(const struct pools *p, hq_error *err)
{
    for (uint32_t i = 0; i < p->n; i++) {
        const struct pool *pool = &p->v[i];
        if (pool->unused > pool->total || (is_indexed(pool) && !hqi_tasks_groups_is_sound(pool)))
            return hqi_base_error_set(err, HQ_EINTERNAL, where, "the books of resource '%.*s' do not add up",
                                      (int)pool->def->name.n, pool->def->name.p);
    }
    return HQ_OK;
}

/* Adds what one allocation has of a pool, by index; returns the amount. */
static uint64_t add_held(const struct allocation *a, uint32_t pool, uint64_t *sums)
{
    uint64_t amount = 0;
    for (uint32_t i = 0; i < a->n_entries; i++) {
        const struct allocated *e = &a->entries[i];
        if (e->pool != pool)
            continue;
        amount += e->amount;
        for (uint32_t j = 0; j < e->n_held; j++)
            sums[e->held[j].index] += e->held[j].fraction ? e->held[j].fraction : HQ_UNITS;
    }
    return amount;
}

/* Every index must come to a whole, and all amounts to the total. */
static bool is_whole(const struct pool *p, uint32_t pool, const struct allocation *const *held, uint32_t n,
                     uint64_t *sums)
{
    uint64_t amount = p->unused;
    for (uint32_t i = 0; i < p->n_indices; i++)
        sums[i] = p->left[i];
    for (uint32_t i = 0; i < n; i++)
        amount += add_held(held[i], pool, sums);
    for (uint32_t i = 0; i < p->n_indices; i++)
        if (sums[i] != HQ_UNITS)
            return false;
    return amount == p->total;
}

int hqi_tasks_pool_verify_held(const struct pools *p, const struct allocation *const *held, uint32_t n, hq_error *err)
{
    int rc = hqi_tasks_pool_verify(p, err);
    for (uint32_t i = 0; rc == HQ_OK && i < p->n; i++) {
        uint64_t *sums = hqi_base_alloc_zero(p->alloc, p->v[i].n_indices + 1ull, sizeof *sums);
        if (!sums)
            return hqi_base_error_nomem(err, where);
        if (!is_whole(&p->v[i], i, held, n, sums))
            rc = hqi_base_error_set(err, HQ_EINTERNAL, where, "resource '%.*s' is held twice or was lost",
                                    (int)p->v[i].def->name.n, p->v[i].def->name.p);
        hqi_base_alloc_free(p->alloc, sums);
    }
    return rc;
}
