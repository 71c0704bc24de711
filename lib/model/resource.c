/* SPDX-License-Identifier: MIT */
/* resource.c - what a worker has: totals, checks, copies.
 *
 * Promise, to the server and the worker: a set that passed check() has unique sorted names, `cpus` with
 * identity, no empty pool and no label twice, so that nothing behind it looks again. A copy lives in
 * one arena and shares nothing with its source. */
#include "model/resource.h"

#include "base/error.h"
#include "base/limits.h"
#include "hqcore/types.h"
#include "model/name.h"
#include "model/unique.h"

#define WHERE "model"
#define CPUS "cpus"

bool hqi_model_resource_name_ok(struct bytes name)
{
    if (name.n == 0 || name.n > HQI_MAX_RESOURCE_NAME)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !((c >= '0' && c <= '9') || c == '/')))
            return false;
    }
    return true;
}

bool hqi_model_resource_function(struct bytes resource, struct bytes *name)
{
    const size_t n = sizeof HQI_FUNCTION_PREFIX - 1;
    if (resource.n <= n || memcmp(resource.p, HQI_FUNCTION_PREFIX, n) != 0)
        return false;
    *name = (struct bytes){resource.p + n, resource.n - n};
    return true;
}

uint64_t hqi_model_resource_total(const struct resource_def *def)
{
    switch (def->kind) {
    case RESOURCE_LIST:
    case RESOURCE_GROUPS:
        return (uint64_t)def->n_labels * HQ_UNITS;
    case RESOURCE_RANGE:
        return def->end < def->start ? 0 : ((uint64_t)def->end - def->start + 1) * HQ_UNITS;
    case RESOURCE_SUM:
        return def->sum;
    }
    return 0;
}

const struct resource_def *hqi_model_resource_find(const struct resources *r, struct bytes name)
{
    for (uint32_t i = 0; i < r->n; i++)
        if (bytes_equal(r->items[i].name, name))
            return &r->items[i];
    return NULL;
}

static void swap_down(struct resource_def *items, uint32_t i)
{
    for (; i > 0 && bytes_compare(items[i].name, items[i - 1].name) < 0; i--) {
        struct resource_def t = items[i];
        items[i] = items[i - 1];
        items[i - 1] = t;
    }
}

void hqi_model_resource_sort(struct resource_def *items, uint32_t n)
{
    for (uint32_t i = 1; i < n; i++)
        swap_down(items, i);
}

static int check_groups(const struct resource_def *d, hq_error *err)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < d->n_groups; i++) {
        if (d->group_sizes[i] == 0)
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Invalid resource definition for %.*s: group %u is empty",
                                      (int)d->name.n, d->name.p, i);
        sum += d->group_sizes[i];
    }
    if (sum != d->n_labels)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE,
                                  "Invalid resource definition for %.*s: groups of %llu indices, but %u labels",
                                  (int)d->name.n, d->name.p, (unsigned long long)sum, d->n_labels);
    return HQ_OK;
}

static int check_labels(const struct resource_def *d, hq_error *err)
{
    struct bytes twice;
    if (d->n_labels > HQI_MAX_UNIQUE)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "Resource %.*s has %u labels, at most %u are allowed",
                                  (int)d->name.n, d->name.p, d->n_labels, HQI_MAX_UNIQUE);
    for (uint32_t i = 0; i < d->n_labels; i++) {
        int rc = hqi_model_name_check(d->labels[i], "resource label", err);
        if (rc < 0)
            return rc;
    }
    int rc = hqi_model_unique_check(d->labels, sizeof *d->labels, d->n_labels, &twice);
    if (rc == HQ_EINVAL)
        return hqi_base_error_set(err, rc, WHERE, "Invalid resource definition for %.*s: Non unique indices",
                                  (int)d->name.n, d->name.p);
    if (rc < 0)
        return hqi_base_error_set(err, rc, WHERE, "Resource %.*s has too many labels that are alike", (int)d->name.n,
                                  d->name.p);
    return d->kind == RESOURCE_GROUPS ? check_groups(d, err) : HQ_OK;
}

static int check_def(const struct resource_def *d, hq_error *err)
{
    int name_n = (int)d->name.n;
    if (d->kind < RESOURCE_LIST || d->kind > RESOURCE_SUM)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource %.*s has the unknown kind %u", name_n, d->name.p,
                                  d->kind);
    if (d->kind == RESOURCE_SUM && bytes_is(d->name, CPUS))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE,
                                  "Resource kind `sum` cannot be used with CPUs. CPUs must have identity");
    uint64_t total = hqi_model_resource_total(d);
    if (total == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource %.*s is empty", name_n, d->name.p);
    if (d->kind == RESOURCE_SUM && total / HQ_UNITS > UINT32_MAX)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "Resource %.*s: the sum is above %u", name_n, d->name.p,
                                  UINT32_MAX);
    if (d->kind != RESOURCE_SUM && total / HQ_UNITS > HQI_MAX_INDICES)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "Resource %.*s has %llu indices, at most %u are allowed", name_n,
                                  d->name.p, (unsigned long long)(total / HQ_UNITS), HQI_MAX_INDICES);
    return d->kind == RESOURCE_LIST || d->kind == RESOURCE_GROUPS ? check_labels(d, err) : HQ_OK;
}

static int check_name(const struct resources *r, uint32_t at, hq_error *err)
{
    struct bytes name = r->items[at].name;
    if (!hqi_model_resource_name_ok(name))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE,
                                  "Invalid name of resource %u: expected a letter, then letters, digits or `/`, at most "
                                  "%u bytes",
                                  at, HQI_MAX_RESOURCE_NAME);
    for (uint32_t i = 0; i < at; i++)
        if (bytes_equal(r->items[i].name, name))
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource %.*s defined twice", (int)name.n, name.p);
    return HQ_OK;
}

int hqi_model_resource_check(const struct resources *r, hq_error *err)
{
    int rc;
    if (r->n > HQI_MAX_RESOURCES)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u resources, at most %u are allowed", r->n,
                                  HQI_MAX_RESOURCES);
    for (uint32_t i = 0; i < r->n; i++) {
        rc = check_name(r, i, err);
        if (rc < 0)
            return rc;
    }
    for (uint32_t i = 0; i < r->n; i++) {
        rc = check_def(&r->items[i], err);
        if (rc < 0)
            return rc;
        if (i > 0 && bytes_compare(r->items[i - 1].name, r->items[i].name) > 0)
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resources are not sorted by name: %.*s comes too late",
                                      (int)r->items[i].name.n, r->items[i].name.p);
    }
    if (!hqi_model_resource_find(r, bytes_of(CPUS)))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource 'cpus' is missing");
    return HQ_OK;
}

static bool copy_labels(struct resource_def *to, struct arena *mem, const struct resource_def *from)
{
    bool ok = true;
    struct bytes *labels = hqi_base_arena_zero(mem, from->n_labels, sizeof *labels);
    uint32_t *sizes = hqi_base_arena_zero(mem, from->n_groups, sizeof *sizes);
    if (!labels || !sizes)
        return false;
    for (uint32_t i = 0; i < from->n_labels; i++)
        labels[i] = hqi_base_arena_bytes(mem, from->labels[i], &ok);
    for (uint32_t i = 0; i < from->n_groups; i++)
        sizes[i] = from->group_sizes[i];
    to->labels = labels;
    to->group_sizes = sizes;
    return ok;
}

int hqi_model_resource_copy(struct resources *ret, struct arena *mem, const struct resources *from)
{
    bool ok = true;
    struct resource_def *items = hqi_base_arena_zero(mem, from->n, sizeof *items);
    if (!items)
        return HQ_ENOMEM;
    for (uint32_t i = 0; i < from->n; i++) {
        items[i] = from->items[i];
        items[i].name = hqi_base_arena_bytes(mem, from->items[i].name, &ok);
        items[i].labels = NULL;
        items[i].group_sizes = NULL;
        if ((from->items[i].n_labels || from->items[i].n_groups) && !copy_labels(&items[i], mem, &from->items[i]))
            return HQ_ENOMEM;
    }
    if (!ok)
        return HQ_ENOMEM;
    *ret = (struct resources){items, from->n};
    return HQ_OK;
}
