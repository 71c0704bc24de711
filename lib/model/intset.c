/* SPDX-License-Identifier: MIT */
/* intset.c - sorting, checking and counting in id sets.
 *
 * Promise, to everything that names tasks: a set that make() returned is disjoint, exactly, strides
 * included, and neither make() nor the queries do unbounded work on hostile input: overlap is decided
 * by arithmetic on pairs of ranges, never by walking ids, and make() counts the pairs. */
#include "model/intset.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

#define WHERE "model"

/* Pairs of ranges with intersecting intervals that make() looks at: about 0.2 s. Only sets of
 * thousands of strides that all run through one another come near. */
#define MAX_PAIRS 10000000u

static uint64_t range_last(const hq_range *r)
{
    return (uint64_t)r->first + (uint64_t)(r->count - 1) * r->step;
}

static bool range_holds(const hq_range *r, uint32_t id)
{
    return id >= r->first && id <= range_last(r) && (id - r->first) % r->step == 0;
}

/* ---- the first common id of two ranges ---- */

/* x with a * x = 1 modulo m; a and m have no common divisor. */
static uint64_t inverse(uint64_t a, uint64_t m)
{
    int64_t r0 = (int64_t)m, r1 = (int64_t)(a % m), x0 = 0, x1 = 1;
    while (r1 != 0) {
        int64_t q = r0 / r1, r2 = r0 - q * r1, x2 = x0 - q * x1;
        r0 = r1;
        r1 = r2;
        x0 = x1;
        x1 = x2;
    }
    return (uint64_t)(x0 < 0 ? x0 + (int64_t)m : x0);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t c = a % b;
        a = b;
        b = c;
    }
    return a;
}

/* The smallest id >= b->first in both progressions as if they were endless; a->first <= b->first.
 * All steps are below 2^32, so that no product leaves 64 bits. */
static bool progressions_meet(const hq_range *a, const hq_range *b, uint64_t *at)
{
    uint64_t g = gcd(a->step, b->step), gap = b->first - a->first;
    if (gap % g != 0)
        return false;
    uint64_t m = b->step / g;
    uint64_t k = m == 1 ? 0 : (gap / g % m) * inverse(a->step / g, m) % m;
    uint64_t x = a->first + k * a->step, period = (uint64_t)a->step * m;
    if (x < b->first)
        x += (b->first - x + period - 1) / period * period;
    *at = x;
    return true;
}

static bool ranges_meet(const hq_range *a, const hq_range *b, uint64_t *at)
{
    if (a->first > b->first) {
        const hq_range *t = a;
        a = b;
        b = t;
    }
    uint64_t end_a = range_last(a), end_b = range_last(b);
    if (b->first > end_a)
        return false;
    if (b->count == 1) {
        *at = b->first;
        return range_holds(a, b->first);
    }
    return progressions_meet(a, b, at) && *at <= end_a && *at <= end_b;
}

/* ---- making ---- */

static bool range_before(const hq_range *a, const hq_range *b)
{
    return a->first != b->first ? a->first < b->first : range_last(a) < range_last(b);
}

static void sift_down(hq_range *v, uint32_t at, uint32_t n)
{
    hq_range moving = v[at];
    for (uint32_t child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && range_before(&v[child], &v[child + 1]))
            child++;
        if (!range_before(&moving, &v[child]))
            break;
        v[at] = v[child];
    }
    v[at] = moving;
}

/* Heapsort: qsort(3) may call malloc, behind the host's back. */
static void sort_ranges(hq_range *v, uint32_t n)
{
    uint32_t i = 1;
    while (i < n && !range_before(&v[i], &v[i - 1]))
        i++;
    if (i >= n)
        return;
    for (i = n / 2; i-- > 0;)
        sift_down(v, i, n);
    for (i = n; i-- > 1;) {
        hq_range top = v[0];
        v[0] = v[i];
        v[i] = top;
        sift_down(v, 0, i);
    }
}

static int check_ranges(const hq_range *ranges, uint32_t n, hq_error *err)
{
    uint64_t count = 0;
    if (n > HQI_MAX_RANGES)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u ranges of ids, at most %u are allowed", n, HQI_MAX_RANGES);
    for (uint32_t i = 0; i < n; i++) {
        const hq_range *r = &ranges[i];
        if (r->count == 0 || r->step == 0 || range_last(r) > UINT32_MAX)
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Invalid range: %u ids from %u with step %u", r->count,
                                      r->first, r->step);
        count += r->count;
    }
    if (count > UINT32_MAX)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%llu ids, at most %u are allowed", (unsigned long long)count,
                                  UINT32_MAX);
    return HQ_OK;
}

/* `v` is sorted. Every pair whose intervals intersect is looked at once, from its earlier range. */
static int check_disjoint(const hq_range *v, uint32_t n, bool *apart, hq_error *err)
{
    uint32_t pairs = 0;
    uint64_t at;
    *apart = true;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t last = range_last(&v[i]);
        for (uint32_t j = i + 1; j < n && v[j].first <= last; j++) {
            *apart = false;
            if (ranges_meet(&v[i], &v[j], &at))
                return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Ranges overlap: id %llu is named twice",
                                          (unsigned long long)at);
            if (++pairs > MAX_PAIRS)
                return hqi_base_error_set(err, HQ_ELIMIT, WHERE,
                                          "too many interleaved ranges of ids: more than %u pairs to compare", MAX_PAIRS);
        }
    }
    return HQ_OK;
}

int hqi_model_intset_make(struct intset *ret, struct arena *mem, const hq_range *ranges, uint32_t n, hq_error *err)
{
    bool apart;
    int rc = check_ranges(ranges, n, err);
    if (rc < 0)
        return rc;
    if (n == 0) {
        *ret = (struct intset){.apart = true};
        return HQ_OK;
    }
    hq_range *v = hqi_base_arena_get(mem, n * sizeof *v);
    uint32_t *before = hqi_base_arena_get(mem, n * sizeof *before);
    if (!v || !before)
        return hqi_base_error_nomem(err, WHERE);
    memcpy(v, ranges, n * sizeof *v);
    sort_ranges(v, n);
    rc = check_disjoint(v, n, &apart, err);
    if (rc < 0)
        return rc;
    uint32_t count = 0;
    for (uint32_t i = 0; i < n; i++) {
        before[i] = count;
        count += v[i].count;
        if (v[i].count == 1)
            v[i].step = 1; /* of no meaning: one form for equal sets */
    }
    *ret = (struct intset){.ranges = v, .before = before, .n_ranges = n, .count = count, .apart = apart};
    return HQ_OK;
}

int hqi_model_intset_copy(struct intset *ret, struct arena *mem, const struct intset *from)
{
    uint32_t n = from->n_ranges;
    if (n == 0) {
        *ret = (struct intset){.apart = true};
        return HQ_OK;
    }
    hq_range *v = hqi_base_arena_get(mem, n * sizeof *v);
    uint32_t *before = hqi_base_arena_get(mem, n * sizeof *before);
    if (!v || !before)
        return HQ_ENOMEM;
    memcpy(v, from->ranges, n * sizeof *v);
    memcpy(before, from->before, n * sizeof *before);
    *ret = *from;
    ret->ranges = v;
    ret->before = before;
    return HQ_OK;
}

/* ---- queries ---- */

/* How many ranges begin at or below `id`. */
static uint32_t ranges_from(const struct intset *s, uint32_t id)
{
    uint32_t low = 0, high = s->n_ranges;
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (s->ranges[mid].first <= id)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

uint32_t hqi_model_intset_rank(const struct intset *s, uint32_t id)
{
    for (uint32_t i = ranges_from(s, id); i-- > 0;) {
        const hq_range *r = &s->ranges[i];
        if (range_holds(r, id))
            return s->before[i] + (id - r->first) / r->step;
        if (s->apart)
            break;
    }
    return INTSET_NONE;
}

static uint32_t range_of(const struct intset *s, uint32_t ordinal)
{
    uint32_t low = 0, high = s->n_ranges;
    while (high - low > 1) {
        uint32_t mid = low + (high - low) / 2;
        if (s->before[mid] <= ordinal)
            low = mid;
        else
            high = mid;
    }
    return low;
}

uint32_t hqi_model_intset_select(const struct intset *s, uint32_t ordinal)
{
    uint32_t i = range_of(s, ordinal);
    return s->ranges[i].first + (ordinal - s->before[i]) * s->ranges[i].step;
}

bool hqi_model_intset_contains(const struct intset *s, uint32_t id)
{
    return hqi_model_intset_rank(s, id) != INTSET_NONE;
}

uint32_t hqi_model_intset_max(const struct intset *s)
{
    uint64_t max = range_last(&s->ranges[s->n_ranges - 1]);
    if (!s->apart)
        for (uint32_t i = 0; i < s->n_ranges; i++)
            if (range_last(&s->ranges[i]) > max)
                max = range_last(&s->ranges[i]);
    return (uint32_t)max;
}

void hqi_model_intset_slice(const struct intset *s, uint32_t *at, uint32_t end, hq_range *ret)
{
    uint32_t i = range_of(s, *at);
    const hq_range *r = &s->ranges[i];
    uint32_t skip = *at - s->before[i], count = r->count - skip;
    if (count > end - *at)
        count = end - *at;
    *ret = (hq_range){.first = r->first + skip * r->step, .count = count, .step = count > 1 ? r->step : 1};
    *at += count;
}

void hqi_model_intset_text(const struct intset *s, struct buf *out)
{
    for (uint32_t i = 0; i < s->n_ranges; i++) {
        const hq_range *r = &s->ranges[i];
        hqi_base_buf_addf(out, i ? ",%u" : "%u", r->first);
        if (r->count > 1)
            hqi_base_buf_addf(out, "-%u", (uint32_t)range_last(r));
        if (r->count > 1 && r->step > 1)
            hqi_base_buf_addf(out, ":%u", r->step);
    }
}

/* Costs the ranges of both sets and the pairs of ranges whose intervals intersect: linear for sets that
 * are apart. Pairs of which the range of `a` begins first, or both at once when `ties`. Lowers *best. */
static void meet_from(const struct intset *a, const struct intset *b, bool ties, uint64_t *best)
{
    uint32_t from = 0;
    uint64_t at;
    for (uint32_t i = 0; i < a->n_ranges && a->ranges[i].first < *best; i++) {
        const hq_range *r = &a->ranges[i];
        while (from < b->n_ranges && (b->ranges[from].first < r->first || (!ties && b->ranges[from].first == r->first)))
            from++;
        uint64_t last = range_last(r);
        for (uint32_t j = from; j < b->n_ranges && b->ranges[j].first <= last && b->ranges[j].first < *best; j++)
            if (ranges_meet(r, &b->ranges[j], &at) && at < *best)
                *best = at;
    }
}

bool hqi_model_intset_meets(const struct intset *a, const struct intset *b, uint32_t *first_common)
{
    const uint64_t none = (uint64_t)UINT32_MAX + 1;
    uint64_t best = none;
    meet_from(a, b, true, &best);
    meet_from(b, a, false, &best);
    if (best == none)
        return false;
    *first_common = (uint32_t)best;
    return true;
}

/* ---- gathering ---- */

bool hqi_model_intset_gather(struct id_ranges *r, uint32_t id)
{
    if (r->n > 0) {
        hq_range *last = &r->v[r->n - 1];
        if (id > last->first && id - last->first == last->count) {
            last->count++;
            return true;
        }
    }
    if (r->n == r->room) {
        if (r->room > UINT32_MAX / 2)
            return false;
        uint32_t room = r->room ? 2 * r->room : 16;
        hq_range *v = hqi_base_arena_get(r->mem, room * sizeof *v);
        if (!v)
            return false;
        if (r->n > 0)
            memcpy(v, r->v, r->n * sizeof *v);
        r->v = v;
        r->room = room;
    }
    r->v[r->n++] = (hq_range){.first = id, .count = 1, .step = 1};
    return true;
}
