/* SPDX-License-Identifier: MIT */
/* intset_test.c - lib/model/intset.c against plain walks over every id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../failing_alloc.h"
#include "base/limits.h"
#include "model/intset.h"

#define MAX_R 8

static uint32_t next_random(uint64_t *seed) /* xorshift*: the same cases in every run */
{
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    return (uint32_t)((*seed * 2685821657736338717ull) >> 32);
}

static const struct {
    const char *label;
    hq_range r[MAX_R];
    uint32_t n;
    int rc;
    uint32_t count;
    bool apart;
    const char *text;
} made[] = {
    {"empty", {{0}}, 0, HQ_OK, 0, true, ""},
    {"one", {{7, 1, 5}}, 1, HQ_OK, 1, true, "7"},
    {"sorted, not merged", {{3, 2, 1}, {1, 2, 1}}, 2, HQ_OK, 4, true, "1-2,3-4"},
    {"strides", {{1, 2, 1}, {10, 3, 5}}, 2, HQ_OK, 5, true, "1-2,10-20:5"},
    {"odd and even", {{0, 10, 2}, {1, 10, 2}}, 2, HQ_OK, 20, false, "0-18:2,1-19:2"},
    {"one inside a stride", {{0, 3, 2}, {1, 1, 1}}, 2, HQ_OK, 4, false, "0-4:2,1"},
    {"coprime steps that miss by length", {{0, 3, 7}, {1, 3, 5}}, 2, HQ_OK, 6, false, "0-14:7,1-11:5"},
    {"coprime steps that meet", {{0, 4, 7}, {1, 5, 5}}, 2, HQ_EINVAL, 0, false, NULL}, /* 21 */
    {"same id twice", {{1, 1, 1}, {1, 1, 1}}, 2, HQ_EINVAL, 0, false, NULL},
    {"overlap", {{1, 3, 1}, {2, 4, 1}}, 2, HQ_EINVAL, 0, false, NULL},
    {"stride hits id", {{0, 6, 2}, {10, 1, 1}}, 2, HQ_EINVAL, 0, false, NULL},
    {"all but one id", {{0, UINT32_MAX, 1}}, 1, HQ_OK, UINT32_MAX, true, "0-4294967294"},
    {"last id", {{UINT32_MAX, 1, 1}}, 1, HQ_OK, 1, true, "4294967295"},
    {"too many ids", {{0, UINT32_MAX, 1}, {UINT32_MAX, 1, 1}}, 2, HQ_ELIMIT, 0, false, NULL},
    {"beyond the last id", {{UINT32_MAX, 2, 1}}, 1, HQ_EINVAL, 0, false, NULL},
    {"huge steps that meet", {{0, 2, 4294967294u}, {4294967294u, 1, 1}}, 2, HQ_EINVAL, 0, false, NULL},
    {"huge steps that miss", {{0, 2, 4294967295u}, {1, 2, 4294967293u}}, 2, HQ_OK, 4, false,
     "0-4294967295:4294967295,1-4294967294:4294967293"},
    {"no ids", {{1, 0, 1}}, 1, HQ_EINVAL, 0, false, NULL},
    {"no step", {{1, 2, 0}}, 1, HQ_EINVAL, 0, false, NULL},
};

static void makes_sets(void **state)
{
    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        struct arena mem;
        struct buf out;
        struct intset s;
        hq_error err;
        hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
        hqi_base_buf_init(&out, &hqi_base_alloc_libc);
        int rc = hqi_model_intset_make(&s, &mem, made[i].r, made[i].n, &err);
        if (rc != made[i].rc)
            fail_msg("%s: rc %d", made[i].label, rc);
        if (rc == HQ_OK) {
            hqi_model_intset_text(&s, &out);
            if (strcmp(out.p ? out.p : "", made[i].text) != 0)
                fail_msg("%s: text %s", made[i].label, out.p);
            assert_int_equal(s.count, made[i].count);
            assert_int_equal(s.apart, made[i].apart);
        }
        hqi_base_buf_fini(&out);
        hqi_base_arena_fini(&mem);
    }
}

static void names_the_overlap(void **state)
{
    struct arena mem;
    struct intset s;
    hq_error err;
    const hq_range r[] = {{0, 4, 7}, {1, 5, 5}};
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    assert_int_equal(hqi_model_intset_make(&s, &mem, r, 2, &err), HQ_EINVAL);
    assert_string_equal(err.text, "Ranges overlap: id 21 is named twice");
    hqi_base_arena_fini(&mem);
}

/* ---- random sets against a bitmap ---- */

#define IDS 400u

static uint32_t random_ranges(uint64_t *seed, hq_range *r)
{
    uint32_t n = next_random(seed) % 6;
    for (uint32_t i = 0; i < n; i++) {
        r[i].first = next_random(seed) % 100;
        r[i].step = 1 + next_random(seed) % 12;
        r[i].count = 1 + next_random(seed) % 12;
    }
    return n;
}

static bool fill(const hq_range *r, uint32_t n, bool *has)
{
    bool disjoint = true;
    memset(has, 0, IDS);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < r[i].count; k++) {
            bool *at = &has[r[i].first + k * r[i].step];
            disjoint = disjoint && !*at;
            *at = true;
        }
    return disjoint;
}

static void check_queries(const struct intset *s, const bool *has)
{
    uint32_t known = 0, max = 0;
    for (uint32_t id = 0; id < IDS; id++) {
        uint32_t rank = hqi_model_intset_rank(s, id);
        assert_int_equal(hqi_model_intset_contains(s, id), has[id]);
        assert_int_equal(rank != INTSET_NONE, has[id]);
        if (!has[id])
            continue;
        known++;
        max = id;
        assert_true(rank < s->count);
        assert_int_equal(hqi_model_intset_select(s, rank), id);
    }
    assert_int_equal(known, s->count);
    if (known > 0)
        assert_int_equal(hqi_model_intset_max(s), max);
}

static void check_slices(const struct intset *s, uint64_t *seed)
{
    if (s->count == 0)
        return;
    uint32_t first = next_random(seed) % s->count, end = first + 1 + next_random(seed) % (s->count - first);
    uint32_t at = first, ordinal = first;
    hq_range r;
    while (at != end) {
        hqi_model_intset_slice(s, &at, end, &r);
        assert_true(r.count >= 1 && at <= end);
        for (uint32_t k = 0; k < r.count; k++)
            assert_int_equal(r.first + k * r.step, hqi_model_intset_select(s, ordinal++));
        assert_int_equal(ordinal, at);
    }
}

static void check_copy(const struct intset *s, struct arena *mem)
{
    struct intset copy;
    assert_int_equal(hqi_model_intset_copy(&copy, mem, s), HQ_OK);
    assert_int_equal(copy.count, s->count);
    assert_int_equal(copy.n_ranges, s->n_ranges);
    assert_int_equal(copy.apart, s->apart);
    if (s->n_ranges == 0)
        return;
    assert_ptr_not_equal(copy.ranges, s->ranges);
    assert_memory_equal(copy.ranges, s->ranges, s->n_ranges * sizeof *s->ranges);
    assert_memory_equal(copy.before, s->before, s->n_ranges * sizeof *s->before);
}

static void agrees_with_a_walk(void **state)
{
    uint64_t seed = 42;
    uint32_t good = 0, interleaved = 0, meeting = 0;
    struct arena mem;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (int round = 0; round < 20000; round++) {
        hq_range r[2][MAX_R];
        bool has[2][IDS];
        struct intset s[2];
        bool ok = true;
        hqi_base_arena_clear(&mem);
        for (int k = 0; k < 2; k++) {
            uint32_t n = random_ranges(&seed, r[k]);
            bool disjoint = fill(r[k], n, has[k]);
            int rc = hqi_model_intset_make(&s[k], &mem, r[k], n, NULL);
            assert_int_equal(rc, disjoint ? HQ_OK : HQ_EINVAL);
            ok = ok && disjoint;
            if (!disjoint)
                continue;
            good++;
            interleaved += !s[k].apart;
            check_queries(&s[k], has[k]);
            check_slices(&s[k], &seed);
            check_copy(&s[k], &mem);
        }
        if (!ok)
            continue;
        uint32_t expected = IDS, found = IDS;
        for (uint32_t id = 0; id < IDS && expected == IDS; id++)
            if (has[0][id] && has[1][id])
                expected = id;
        assert_int_equal(hqi_model_intset_meets(&s[0], &s[1], &found), expected < IDS);
        assert_int_equal(found, expected);
        meeting += expected < IDS;
    }
    assert_true(good > 1000 && interleaved > 500 && meeting > 500);
    hqi_base_arena_fini(&mem);
}

/* ---- size ---- */

static void bounds_its_work(void **state)
{
    uint32_t n = 10000; /* 10,000 strides through one another: 5 * 10^7 pairs, none of which meets */
    hq_range *r = calloc(HQI_MAX_RANGES + 1u, sizeof *r);
    struct arena mem;
    struct intset s;
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (uint32_t i = 0; i < n; i++)
        r[i] = (hq_range){i, 1000, n};
    assert_int_equal(hqi_model_intset_make(&s, &mem, r, n, NULL), HQ_ELIMIT);
    assert_int_equal(hqi_model_intset_make(&s, &mem, r, 1000, NULL), HQ_OK);
    for (uint32_t i = 0; i <= HQI_MAX_RANGES; i++)
        r[i] = (hq_range){3 * (HQI_MAX_RANGES - i), 1, 1};
    assert_int_equal(hqi_model_intset_make(&s, &mem, r, HQI_MAX_RANGES + 1u, NULL), HQ_ELIMIT);
    assert_int_equal(hqi_model_intset_make(&s, &mem, r, HQI_MAX_RANGES, NULL), HQ_OK);
    assert_true(s.apart);
    for (uint32_t i = 0; i < HQI_MAX_RANGES; i += 1001)
        assert_int_equal(hqi_model_intset_rank(&s, 3 * (i + 1)), i);
    hqi_base_arena_fini(&mem);
    free(r);
}

static void gathers(void **state)
{
    static const uint32_t ids[] = {1, 2, 3, 7, 8, 5, 6, 6, 20};
    static const hq_range expected[] = {{1, 3, 1}, {7, 2, 1}, {5, 2, 1}, {6, 1, 1}, {20, 1, 1}};
    struct arena mem;
    struct id_ranges r = {.mem = &mem};
    hqi_base_arena_init(&mem, &hqi_base_alloc_libc);
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++)
        assert_true(hqi_model_intset_gather(&r, ids[i]));
    assert_int_equal(r.n, 5);
    assert_memory_equal(r.v, expected, sizeof expected);
    for (uint32_t i = 0; i < 1000; i++)
        assert_true(hqi_model_intset_gather(&r, 100 + 2 * i));
    assert_int_equal(r.n, 1005);
    assert_int_equal(r.v[1004].first, 100 + 2 * 999);
    assert_int_equal(r.v[4].first, 20);
    hqi_base_arena_fini(&mem);
}

static void survives_without_memory(void **state)
{
    struct failing f;
    struct arena mem;
    struct intset s;
    hq_range r[200];
    for (uint32_t i = 0; i < 200; i++)
        r[i] = (hq_range){2 * i, 1, 1};
    failing_init(&f, 1);
    f.forever = true;
    hqi_base_arena_init(&mem, &f.alloc);
    struct id_ranges gathered = {.mem = &mem};
    assert_int_equal(hqi_model_intset_make(&s, &mem, r, 200, NULL), HQ_ENOMEM);
    assert_false(hqi_model_intset_gather(&gathered, 1));
    assert_int_equal(gathered.n, 0);
    hqi_base_arena_fini(&mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes_sets),       cmocka_unit_test(names_the_overlap),
        cmocka_unit_test(agrees_with_a_walk), cmocka_unit_test(bounds_its_work),
        cmocka_unit_test(gathers),          cmocka_unit_test(survives_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
