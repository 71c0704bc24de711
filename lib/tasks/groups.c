/* SPDX-License-Identifier: MIT */
/* groups.c - taking indices from the groups of a pool, and giving them back.
 *
 * Promise, to pool.c: take() gives exactly what available() and select() said could be given, never allocates, and gives
 * the same indices for the same history. Selecting groups is exact where there are few of them, as on every real
 * node; beyond that the largest groups are emptied and the last one fits best. */
#include "tasks/groups.h"

#include <string.h>

#include "base/error.h"
#include "hqcore/types.h"

#define FEW_GROUPS 12u /* at most 924 combinations of one size */

/* What makes a selection better, by its groups: 1/32 less for each index left free in them, 1/625 more for each
 * 1/10000 of a broken index that the fraction may use. Times 20000, so that it is whole. */
#define FREE_COST 625
#define BROKEN_GAIN 32

/* ---- sorting: by falling heap, in place ---- */

static void sift(uint64_t *v, uint32_t at, uint32_t n)
{
    for (uint64_t child = 2ull * at + 1; child < n; child = 2ull * at + 1) {
        if (child + 1 < n && v[child + 1] > v[child])
            child++;
        if (v[at] >= v[child])
            return;
        uint64_t swap = v[at];
        v[at] = v[child];
        v[child] = swap;
        at = (uint32_t)child;
    }
}

static void sort(uint64_t *v, uint32_t n)
{
    for (uint32_t i = n / 2; i-- > 0;)
        sift(v, i, n);
    for (uint32_t i = n; i-- > 1;) {
        uint64_t swap = v[0];
        v[0] = v[i];
        v[i] = swap;
        sift(v, 0, i);
    }
}

/* Largest first, then lowest group: the key's low half is the group. */
static uint64_t key_of(uint32_t size, uint32_t group)
{
    return (uint64_t)(UINT32_MAX - size) << 32 | group;
}

static uint32_t group_of_key(uint64_t key)
{
    return (uint32_t)key;
}

/* ---- making ---- */

static uint32_t size_of_group(const struct resource_def *d, uint32_t g, uint32_t n_indices)
{
    return d->kind == RESOURCE_GROUPS ? d->group_sizes[g] : n_indices;
}

static void fill_group(struct pool *p, uint32_t g, uint32_t first, uint32_t size)
{
    uint32_t *stack = p->stacks + 2ull * first;
    p->groups[g] = (struct group){.first = first, .size = size, .whole = stack, .broken = stack + size, .n_whole = size};
    for (uint32_t i = 0; i < size; i++) {
        stack[i] = first + i;
        p->left[first + i] = HQ_UNITS;
    }
    p->keys[g] = key_of(size, g);
}

int hqi_tasks_groups_init(struct pool *p, const struct alloc *a)
{
    const struct resource_def *d = p->def;
    p->n_indices = (uint32_t)(p->total / HQ_UNITS);
    p->n_groups = d->kind == RESOURCE_GROUPS ? d->n_groups : 1;
    p->left = hqi_base_alloc_zero(a, p->n_indices, sizeof *p->left);
    p->stacks = hqi_base_alloc_zero(a, 2ull * p->n_indices, sizeof *p->stacks);
    p->groups = hqi_base_alloc_zero(a, p->n_groups, sizeof *p->groups);
    p->chosen = hqi_base_alloc_zero(a, p->n_groups, sizeof *p->chosen);
    p->keys = hqi_base_alloc_zero(a, p->n_indices, sizeof *p->keys); /* no group is empty: room for them as well */
    p->best = hqi_base_alloc_zero(a, p->n_groups, sizeof *p->best);
    if (!p->left || !p->stacks || !p->groups || !p->chosen || !p->keys || !p->best)
        return HQ_ENOMEM;
    for (uint32_t g = 0, first = 0; g < p->n_groups; g++) {
        uint32_t size = size_of_group(d, g, p->n_indices);
        fill_group(p, g, first, size);
        first += size;
    }
    sort(p->keys, p->n_groups);
    for (uint32_t g = 0, sum = 0; g < p->n_groups; g++)
        p->best[g] = sum += p->groups[group_of_key(p->keys[g])].size;
    return HQ_OK;
}

void hqi_tasks_groups_fini(struct pool *p, const struct alloc *a)
{
    void *const blocks[] = {p->left, p->stacks, p->groups, p->chosen, p->keys, p->best};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        hqi_base_alloc_free(a, blocks[i]);
}

/* ---- what there is ---- */

static uint32_t largest_broken(const struct pool *p, const struct group *g)
{
    uint32_t most = 0;
    for (uint32_t i = 0; i < g->n_broken; i++)
        if (p->left[g->broken[i]] > most)
            most = p->left[g->broken[i]];
    return most;
}

uint64_t hqi_tasks_groups_available(const struct pool *p)
{
    uint64_t whole = 0;
    uint32_t most = 0;
    for (uint32_t i = 0; i < p->n_groups; i++) {
        uint32_t broken = largest_broken(p, &p->groups[i]);
        whole += p->groups[i].n_whole;
        most = broken > most ? broken : most;
    }
    return whole * HQ_UNITS + most;
}

uint32_t hqi_tasks_groups_fewest(const struct pool *p, struct need need)
{
    uint64_t indices = (uint64_t)need.whole + (need.fraction > 0);
    for (uint32_t i = 0; i < p->n_groups; i++)
        if (p->best[i] >= indices)
            return i + 1;
    return 0;
}

/* ---- selecting groups ---- */

/* A selection serves when its whole indices, and one more if one of them has a broken index that is large enough, cover
 * the need. */
struct selection {
    struct pool *pool; /* borrowed */
    struct need need;
    uint32_t size;                           /* groups in it */
    uint32_t order[FEW_GROUPS], n;           /* of the search: what is in it now */
    uint32_t found[FEW_GROUPS];
    int64_t score;
    bool any;
};

static bool has_broken(const struct pool *p, const struct group *g, struct need need)
{
    return need.fraction > 0 && largest_broken(p, g) >= need.fraction;
}

static bool covers(struct need need, uint64_t whole, bool broken)
{
    return whole + broken >= (uint64_t)need.whole + (need.fraction > 0) && whole >= need.whole;
}

static int64_t score_of(const struct pool *p, const struct group *g, struct need need)
{
    int64_t gain = has_broken(p, g, need) ? (int64_t)largest_broken(p, g) * BROKEN_GAIN : 0;
    return gain - (int64_t)g->n_whole * FREE_COST;
}

static void keep_if_better(struct selection *s, uint64_t whole, bool broken, int64_t score)
{
    if (!covers(s->need, whole, broken) || (s->any && score <= s->score))
        return;
    s->any = true;
    s->score = score;
    memcpy(s->found, s->order, sizeof s->found);
}

static void search(struct selection *s, uint32_t from, uint64_t whole, bool broken, int64_t score)
{
    const struct pool *p = s->pool;
    if (s->n == s->size) {
        keep_if_better(s, whole, broken, score);
        return;
    }
    for (uint32_t i = from; i < p->n_groups; i++) {
        const struct group *g = &p->groups[i];
        s->order[s->n++] = i;
        search(s, i + 1, whole + g->n_whole, broken || has_broken(p, g, s->need), score + score_of(p, g, s->need));
        s->n--;
    }
}

/* Of all selections of `size` groups the best. */
static bool select_exactly(struct pool *p, struct need need, uint32_t size)
{
    struct selection s = {.pool = p, .need = need, .size = size};
    search(&s, 0, 0, false, 0);
    if (!s.any)
        return false;
    memcpy(p->chosen, s.found, size * sizeof *s.found);
    p->n_chosen = size;
    return true;
}

/* The one group that does best, for any number of them. */
static bool select_one(struct pool *p, struct need need)
{
    int64_t best = 0;
    p->n_chosen = 0;
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct group *g = &p->groups[i];
        int64_t score = score_of(p, g, need);
        if (!covers(need, g->n_whole, has_broken(p, g, need)) || (p->n_chosen && score <= best))
            continue;
        best = score;
        p->chosen[0] = i;
        p->n_chosen = 1;
    }
    return p->n_chosen > 0;
}

static void sort_by_free(struct pool *p)
{
    for (uint32_t i = 0; i < p->n_groups; i++)
        p->keys[i] = key_of(p->groups[i].n_whole, i);
    sort(p->keys, p->n_groups);
}

/* The largest groups until they cover the need, the last one replaced by the smallest that does. */
static bool select_largest(struct pool *p, struct need need)
{
    uint64_t whole = 0;
    uint32_t n = 0;
    bool broken = false;
    sort_by_free(p);
    while (n < p->n_groups && !covers(need, whole, broken)) {
        const struct group *g = &p->groups[group_of_key(p->keys[n++])];
        whole += g->n_whole;
        broken = broken || has_broken(p, g, need);
    }
    if (!covers(need, whole, broken))
        return false;
    uint32_t last = n - 1;
    whole -= p->groups[group_of_key(p->keys[last])].n_whole;
    uint32_t best = last;
    for (uint32_t i = n; i < p->n_groups; i++) {
        const struct group *g = &p->groups[group_of_key(p->keys[i])];
        bool smaller = g->n_whole < p->groups[group_of_key(p->keys[best])].n_whole;
        if (smaller && covers(need, whole + g->n_whole, has_broken(p, g, need)))
            best = i;
    }
    p->keys[last] = p->keys[best];
    for (uint32_t i = 0; i < n; i++)
        p->keys[i] = group_of_key(p->keys[i]);
    sort(p->keys, n);
    for (uint32_t i = 0; i < n; i++)
        p->chosen[i] = (uint32_t)p->keys[i];
    p->n_chosen = n;
    return true;
}

uint32_t hqi_tasks_groups_select(struct pool *p, struct need need)
{
    if (select_one(p, need))
        return 1;
    if (p->n_groups > FEW_GROUPS)
        return select_largest(p, need) ? p->n_chosen : 0;
    for (uint32_t size = 2; size <= p->n_groups; size++)
        if (select_exactly(p, need, size))
            return size;
    return 0;
}

/* ---- taking ---- */

static uint32_t pop_whole(struct pool *p, struct group *g)
{
    uint32_t index = g->whole[--g->n_whole];
    p->left[index] = 0;
    p->unused -= HQ_UNITS;
    return index;
}

/* The position of the broken index with the least left that has enough; n_broken: none. */
static uint32_t find_broken(const struct pool *p, const struct group *g, uint32_t fraction)
{
    uint32_t best = g->n_broken;
    for (uint32_t i = 0; i < g->n_broken; i++) {
        uint32_t left = p->left[g->broken[i]];
        if (left >= fraction && (best == g->n_broken || left < p->left[g->broken[best]]))
            best = i;
    }
    return best;
}

static void drop_broken(struct group *g, uint32_t at)
{
    memmove(g->broken + at, g->broken + at + 1, (g->n_broken - at - 1) * sizeof *g->broken);
    g->n_broken--;
}

static bool take_fraction(struct pool *p, struct group *g, uint32_t fraction, struct held *out)
{
    uint32_t at = find_broken(p, g, fraction), index;
    if (at < g->n_broken) {
        index = g->broken[at];
        p->left[index] -= fraction;
        if (p->left[index] == 0)
            drop_broken(g, at);
    } else {
        if (g->n_whole == 0)
            return false;
        index = g->whole[--g->n_whole];
        p->left[index] = HQ_UNITS - fraction;
        g->broken[g->n_broken++] = index;
    }
    p->unused -= fraction;
    *out = (struct held){index, fraction};
    return true;
}

static void sort_held(struct pool *p, struct held *held, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        p->keys[i] = held[i].index;
    sort(p->keys, n);
    for (uint32_t i = 0; i < n; i++)
        held[i].index = (uint32_t)p->keys[i];
}

/* One index from each chosen group in turn; the fraction from whichever comes next and can. */
static uint32_t take_in_turn(struct pool *p, struct need need, struct held *out)
{
    uint32_t n = 0, turn = 0;
    while (n < need.whole) {
        struct group *g = &p->groups[p->chosen[turn]];
        turn = (turn + 1) % p->n_chosen;
        if (g->n_whole > 0)
            out[n++] = (struct held){pop_whole(p, g), 0};
    }
    sort_held(p, out, n);
    for (uint32_t i = 0; need.fraction && i < p->n_chosen; i++)
        if (take_fraction(p, &p->groups[p->chosen[(turn + i) % p->n_chosen]], need.fraction, &out[n]))
            return n + 1;
    return n;
}

static uint64_t room_of(const struct pool *p, uint32_t group)
{
    const struct group *g = &p->groups[group];
    return (uint64_t)g->n_whole * HQ_UNITS + largest_broken(p, g);
}

/* The smallest chosen group that has room for `amount`, else the largest. */
static struct group *next_tight(struct pool *p, uint64_t amount)
{
    uint32_t fit = POOL_NONE, largest = p->chosen[0];
    for (uint32_t i = 0; i < p->n_chosen; i++) {
        uint32_t g = p->chosen[i];
        uint64_t room = room_of(p, g);
        if (room >= amount && (fit == POOL_NONE || room < room_of(p, fit)))
            fit = g;
        if (room > room_of(p, largest))
            largest = g;
    }
    return &p->groups[fit != POOL_NONE ? fit : largest];
}

static uint32_t take_tight(struct pool *p, struct need need, struct held *out)
{
    struct held part = {0};
    uint32_t n = 0;
    while (need.whole > 0 || need.fraction > 0) {
        struct group *g = next_tight(p, (uint64_t)need.whole * HQ_UNITS + need.fraction);
        for (; need.whole > 0 && g->n_whole > 0; need.whole--)
            out[n++] = (struct held){pop_whole(p, g), 0};
        if (need.fraction > 0 && take_fraction(p, g, need.fraction, &part))
            need.fraction = 0;
    }
    if (part.fraction > 0)
        out[n++] = part;
    return n;
}

static void choose_all(struct pool *p)
{
    for (uint32_t i = 0; i < p->n_groups; i++)
        p->chosen[i] = i;
    p->n_chosen = p->n_groups;
}

static uint32_t take_plain(struct pool *p, struct need need, struct held *out)
{
    struct group *g = &p->groups[0];
    uint32_t n = 0;
    while (n < need.whole)
        out[n++] = (struct held){pop_whole(p, g), 0};
    if (need.fraction > 0 && take_fraction(p, g, need.fraction, &out[n]))
        n++;
    return n;
}

uint32_t hqi_tasks_groups_take(struct pool *p, uint8_t policy, struct need need, struct held *out)
{
    if (p->def->kind != RESOURCE_GROUPS)
        return take_plain(p, need, out);
    if (policy == POLICY_SCATTER)
        choose_all(p);
    else
        hqi_tasks_groups_select(p, need);
    bool tight = policy == POLICY_TIGHT || policy == POLICY_TIGHT_FORCED;
    return tight ? take_tight(p, need, out) : take_in_turn(p, need, out);
}

uint32_t hqi_tasks_groups_take_all(struct pool *p, struct held *out)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->n_groups; i++)
        while (p->groups[i].n_whole > 0)
            out[n++] = (struct held){pop_whole(p, &p->groups[i]), 0};
    if (p->def->kind == RESOURCE_GROUPS)
        sort_held(p, out, n);
    return n;
}

/* ---- giving back ---- */

static struct group *group_of(struct pool *p, uint32_t index)
{
    uint32_t low = 0, high = p->n_groups - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (p->groups[middle].first <= index)
            low = middle;
        else
            high = middle - 1;
    }
    return &p->groups[low];
}

static void give_fraction(struct pool *p, struct group *g, struct held h)
{
    if (p->left[h.index] == 0)
        g->broken[g->n_broken++] = h.index;
    p->left[h.index] += h.fraction;
    if (p->left[h.index] < HQ_UNITS)
        return;
    for (uint32_t i = 0; i < g->n_broken; i++)
        if (g->broken[i] == h.index) {
            drop_broken(g, i);
            break;
        }
    g->whole[g->n_whole++] = h.index;
}

void hqi_tasks_groups_give(struct pool *p, const struct held *held, uint32_t n)
{
    for (uint32_t i = n; i-- > 0;) {
        struct group *g = group_of(p, held[i].index);
        p->unused += held[i].fraction ? held[i].fraction : HQ_UNITS;
        if (held[i].fraction) {
            give_fraction(p, g, held[i]);
            continue;
        }
        p->left[held[i].index] = HQ_UNITS;
        g->whole[g->n_whole++] = held[i].index;
    }
}

/* ---- checking ---- */

static bool is_group_sound(const struct pool *p, const struct group *g, uint64_t *unused)
{
    uint32_t whole = 0, broken = 0;
    for (uint32_t i = g->first; i < g->first + g->size; i++) {
        *unused += p->left[i];
        whole += p->left[i] == HQ_UNITS;
        broken += p->left[i] > 0 && p->left[i] < HQ_UNITS;
    }
    for (uint32_t i = 0; i < g->n_whole; i++)
        if (g->whole[i] - g->first >= g->size || p->left[g->whole[i]] != HQ_UNITS)
            return false;
    for (uint32_t i = 0; i < g->n_broken; i++)
        if (g->broken[i] - g->first >= g->size || p->left[g->broken[i]] % HQ_UNITS == 0)
            return false;
    return whole == g->n_whole && broken == g->n_broken;
}

bool hqi_tasks_groups_is_sound(const struct pool *p)
{
    uint64_t unused = 0;
    for (uint32_t i = 0; i < p->n_groups; i++)
        if (!is_group_sound(p, &p->groups[i], &unused))
            return false;
    return unused == p->unused;
}
