/* SPDX-License-Identifier: MIT */
/* rclass.c - interning: equal requests are one class, equal names one resource id.
 *
 * Promise, to the scheduler: ids are dense and in order of appearance, and two submits share a class exactly when
 * their requests are equal. Neither is ever forgotten: both are few, however many tasks there are. */
#include "state/rclass.h"

#include "state/array.h"

/* ---- names of resources ---- */

static bool is_name(const char *known, struct bytes name)
{
    return bytes_equal(bytes_of(known), name);
}

uint32_t hqi_state_rclass_resource(const struct state *st, struct bytes name)
{
    for (uint32_t i = 0; i < st->n_resources; i++)
        if (is_name(st->resources[i], name))
            return i;
    return RESOURCE_UNKNOWN;
}

static char **pending_name(struct state *st, struct bytes name)
{
    struct pending *p = &st->pending;
    for (uint32_t i = 0; i < p->n_names; i++)
        if (p->names[i] && is_name(p->names[i], name))
            return &p->names[i];
    return NULL;
}

bool hqi_state_rclass_resource_reserve(struct state *st, struct bytes name)
{
    struct pending *p = &st->pending;
    if (hqi_state_rclass_resource(st, name) != RESOURCE_UNKNOWN || pending_name(st, name))
        return true;
    if (p->n_names == HQI_MAX_RESOURCES) /* no checked fact names so many: the rest stays unknown */
        return true;
    char **names = hqi_state_array_grown(st->alloc, st->resources, &st->room_resources,
                                         (uint64_t)st->n_resources + p->n_names + 1, sizeof *names);
    if (!names)
        return false;
    st->resources = names;
    p->names[p->n_names] = hqi_base_alloc_strdup(st->alloc, name.p, name.n);
    if (!p->names[p->n_names])
        return false;
    p->n_names++;
    return true;
}

uint32_t hqi_state_rclass_resource_link(struct state *st, struct bytes name)
{
    uint32_t id = hqi_state_rclass_resource(st, name);
    char **made = id == RESOURCE_UNKNOWN ? pending_name(st, name) : NULL;
    if (!made)
        return id;
    st->resources[st->n_resources] = *made;
    *made = NULL;
    return st->n_resources++;
}

/* ---- classes ---- */

/* Of the class equal to `r`, or else the first free one: two requests with one hash take neighbouring keys. */
static uint64_t class_key(const struct state *st, const struct resource_request *r, struct rclass **found)
{
    uint64_t key = hqi_model_request_hash(r);
    for (struct map_node *n; (n = hqi_base_map_get(&st->class_map, key)); key++) {
        struct rclass *c = hqi_container(n, struct rclass, by_hash);
        if (hqi_model_request_equal(c->request, r)) {
            *found = c;
            return key;
        }
    }
    *found = NULL;
    return key;
}

struct rclass *hqi_state_rclass_find(const struct state *st, const struct resource_request *r)
{
    struct rclass *found;
    class_key(st, r, &found);
    return found;
}

static bool copy_request(struct rclass *c, const struct resource_request *from)
{
    struct resource_request *r = hqi_base_arena_get(c->copy, sizeof *r);
    if (!r || hqi_model_request_copy(r, c->copy, from) < 0)
        return false;
    c->request = r;
    return true;
}

struct rclass *hqi_state_rclass_new(struct state *st, const struct resource_request *r)
{
    struct rclass *c = hqi_base_alloc_zero(st->alloc, 1, sizeof *c);
    if (!c)
        return NULL;
    const struct request_variant *v = &r->variants[0];
    c->n_entries = v->n_entries;
    c->resource = hqi_base_alloc_zero(st->alloc, v->n_entries, sizeof *c->resource);
    c->copy = hqi_base_arena_new(st->alloc);
    if (!c->resource || !c->copy || !copy_request(c, r))
        goto fail;
    struct rclass **classes = hqi_state_array_grown(st->alloc, st->classes, &st->room_classes,
                                                    (uint64_t)st->n_classes + 1, sizeof *classes);
    if (!classes)
        goto fail;
    st->classes = classes;
    for (uint32_t i = 0; i < v->n_entries; i++)
        if (!hqi_state_rclass_resource_reserve(st, v->entries[i].name))
            goto fail;
    return c;
fail:
    hqi_state_rclass_free(st, c);
    return NULL;
}

void hqi_state_rclass_link(struct state *st, struct rclass *c)
{
    struct rclass *same;
    for (uint32_t i = 0; i < c->n_entries; i++)
        c->resource[i] = hqi_state_rclass_resource_link(st, c->request->variants[0].entries[i].name);
    hqi_base_map_put(&st->class_map, &c->by_hash, class_key(st, c->request, &same));
    c->id = st->n_classes;
    st->classes[st->n_classes++] = c;
}

void hqi_state_rclass_free(const struct state *st, struct rclass *c)
{
    if (!c)
        return;
    hqi_base_arena_free(c->copy);
    hqi_base_alloc_free(st->alloc, c->resource);
    hqi_base_alloc_free(st->alloc, c);
}

/* ---- amounts ---- */

uint64_t hqi_state_class_amount(const struct rclass *c, uint32_t entry, const struct worker *w)
{
    const struct request_entry *e = &c->request->variants[0].entries[entry];
    if (e->policy != POLICY_ALL)
        return e->amount;
    return c->resource[entry] < w->n_resources ? w->total[c->resource[entry]] : 0;
}

uint32_t hqi_state_class_slots(const struct rclass *c, const struct worker *w)
{
    uint64_t n = UINT32_MAX;
    if (c->request->variants[0].n_nodes > 0) /* no single worker is several nodes */
        return 0;
    for (uint32_t i = 0; i < c->n_entries; i++) {
        uint64_t amount = hqi_state_class_amount(c, i, w);
        uint64_t total = c->resource[i] < w->n_resources ? w->total[c->resource[i]] : 0;
        uint64_t k = amount ? total / amount : 0;
        n = k < n ? k : n;
    }
    return (uint32_t)n;
}
