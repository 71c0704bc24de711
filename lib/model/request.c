/* SPDX-License-Identifier: MIT */
/* request.c - what a task asks for: checks, copies, equality and texts.
 *
 * Promise, to the scheduler: a request that passed check() has at least one variant, each with sorted
 * unique names and positive amounts; equal() and hash() agree, so that requests can be classes. */
#include "base/error.h"
#include "base/limits.h"
#include "base/map.h"
#include "hqcore/types.h"
#include "model/resource.h"

#define WHERE "model"

static const char *const policy_names[] = {
    [POLICY_COMPACT] = "compact", [POLICY_COMPACT_FORCED] = "compact!", [POLICY_TIGHT] = "tight",
    [POLICY_TIGHT_FORCED] = "tight!", [POLICY_SCATTER] = "scatter", [POLICY_ALL] = "all",
};

const char *hqi_model_request_policy_name(uint8_t policy)
{
    return policy >= POLICY_COMPACT && policy <= POLICY_ALL ? policy_names[policy] : "?";
}

void hqi_model_amount_text(uint64_t amount, struct buf *out)
{
    uint32_t fraction = (uint32_t)(amount % HQ_UNITS);
    int digits = 4; /* HQ_UNITS is 10^4 */
    hqi_base_buf_addf(out, "%llu", (unsigned long long)(amount / HQ_UNITS));
    if (fraction == 0)
        return;
    for (; fraction % 10 == 0; fraction /= 10)
        digits--;
    hqi_base_buf_addf(out, ".%0*u", digits, fraction);
}

void hqi_model_request_entry_text(const struct request_entry *e, struct buf *out)
{
    if (e->policy != POLICY_ALL) {
        hqi_model_amount_text(e->amount, out);
        hqi_base_buf_addc(out, ' ');
    }
    hqi_base_buf_adds(out, hqi_model_request_policy_name(e->policy));
}

/* ---- checks ---- */

static int check_entry(const struct request_entry *e, hq_error *err)
{
    int name_n = (int)e->name.n;
    if (!hqi_model_resource_name_ok(e->name))
        return hqi_base_error_set(err, HQ_EINVAL, WHERE,
                                  "Invalid name of a requested resource: expected a letter, then letters, digits or "
                                  "`/`, at most %u bytes",
                                  HQI_MAX_RESOURCE_NAME);
    if (e->policy < POLICY_COMPACT || e->policy > POLICY_ALL)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource '%.*s' is requested with the unknown policy %u", name_n,
                                  e->name.p, e->policy);
    if (e->policy == POLICY_ALL && e->amount != 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource '%.*s': `all` takes no amount", name_n, e->name.p);
    if (e->policy != POLICY_ALL && e->amount == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Zero resources cannot be requested (resource '%.*s')", name_n,
                                  e->name.p);
    if (e->amount / HQ_UNITS > UINT32_MAX)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "Resource '%.*s': amounts above %u cannot be requested", name_n,
                                  e->name.p, UINT32_MAX);
    return HQ_OK;
}

static int check_entries(const struct request_variant *v, hq_error *err)
{
    for (uint32_t i = 0; i < v->n_entries; i++) {
        const struct request_entry *e = &v->entries[i];
        int rc = check_entry(e, err);
        if (rc < 0)
            return rc;
        int order = i ? bytes_compare(v->entries[i - 1].name, e->name) : -1;
        if (order == 0)
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource '%.*s' defined more than once", (int)e->name.n,
                                      e->name.p);
        if (order > 0)
            return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Requested resources are not sorted by name: '%.*s'",
                                      (int)e->name.n, e->name.p);
    }
    return HQ_OK;
}

static int check_variant(const struct request_variant *v, hq_error *err)
{
    if (v->n_entries > HQI_MAX_RESOURCES)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u resources in one request, at most %u are allowed",
                                  v->n_entries, HQI_MAX_RESOURCES);
    if (v->n_nodes == 0 && v->n_entries == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "A request has to name at least one resource or node");
    if (v->n_nodes > 0 && v->n_entries > 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "A request for whole nodes cannot name resources as well");
    if (v->n_nodes > HQI_MAX_WORKERS)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u nodes requested, at most %u are allowed", v->n_nodes,
                                  HQI_MAX_WORKERS);
    if (v->weight == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "Resource weight has to be positive number");
    if (v->min_time_ms > HQI_MAX_DURATION_MS)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "A time request of %llu ms, at most %llu ms are allowed",
                                  (unsigned long long)v->min_time_ms, (unsigned long long)HQI_MAX_DURATION_MS);
    return check_entries(v, err);
}

int hqi_model_request_check(const struct resource_request *r, hq_error *err)
{
    if (r->n_variants == 0)
        return hqi_base_error_set(err, HQ_EINVAL, WHERE, "A resource request has to have at least one variant");
    if (r->n_variants > HQI_MAX_VARIANTS)
        return hqi_base_error_set(err, HQ_ELIMIT, WHERE, "%u variants of a resource request, at most %u are allowed",
                                  r->n_variants, HQI_MAX_VARIANTS);
    for (uint32_t i = 0; i < r->n_variants; i++) {
        int rc = check_variant(&r->variants[i], err);
        if (rc < 0)
            return rc;
        if ((r->variants[i].n_nodes > 0) != (r->variants[0].n_nodes > 0))
            return hqi_base_error_set(err, HQ_EINVAL, WHERE,
                                      "Variants for whole nodes and for parts of a node cannot be mixed");
    }
    return HQ_OK;
}

/* ---- copies and classes ---- */

static bool copy_variant(struct request_variant *to, struct arena *mem, const struct request_variant *from)
{
    bool ok = true;
    struct request_entry *entries = hqi_base_arena_zero(mem, from->n_entries, sizeof *entries);
    if (!entries)
        return false;
    for (uint32_t i = 0; i < from->n_entries; i++) {
        entries[i] = from->entries[i];
        entries[i].name = hqi_base_arena_bytes(mem, from->entries[i].name, &ok);
    }
    *to = *from;
    to->entries = entries;
    return ok;
}

int hqi_model_request_copy(struct resource_request *ret, struct arena *mem, const struct resource_request *from)
{
    struct request_variant *variants = hqi_base_arena_zero(mem, from->n_variants, sizeof *variants);
    if (!variants)
        return HQ_ENOMEM;
    for (uint32_t i = 0; i < from->n_variants; i++)
        if (!copy_variant(&variants[i], mem, &from->variants[i]))
            return HQ_ENOMEM;
    *ret = (struct resource_request){variants, from->n_variants};
    return HQ_OK;
}

static bool variant_equal(const struct request_variant *a, const struct request_variant *b)
{
    if (a->n_nodes != b->n_nodes || a->n_entries != b->n_entries || a->min_time_ms != b->min_time_ms ||
        a->weight != b->weight)
        return false;
    for (uint32_t i = 0; i < a->n_entries; i++) {
        const struct request_entry *x = &a->entries[i], *y = &b->entries[i];
        if (x->policy != y->policy || x->amount != y->amount || !bytes_equal(x->name, y->name))
            return false;
    }
    return true;
}

bool hqi_model_request_equal(const struct resource_request *a, const struct resource_request *b)
{
    if (a->n_variants != b->n_variants)
        return false;
    for (uint32_t i = 0; i < a->n_variants; i++)
        if (!variant_equal(&a->variants[i], &b->variants[i]))
            return false;
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    const uint64_t pair[2] = {hash, value};
    return hqi_base_map_hash(pair, sizeof pair);
}

uint64_t hqi_model_request_hash(const struct resource_request *r)
{
    uint64_t h = r->n_variants;
    for (uint32_t i = 0; i < r->n_variants; i++) {
        const struct request_variant *v = &r->variants[i];
        h = mix(mix(mix(mix(h, v->n_nodes), v->n_entries), v->min_time_ms), v->weight);
        for (uint32_t j = 0; j < v->n_entries; j++) {
            const struct request_entry *e = &v->entries[j];
            h = mix(mix(mix(h, e->policy), e->amount), hqi_base_map_hash(e->name.n ? e->name.p : "", e->name.n));
        }
    }
    return h;
}
