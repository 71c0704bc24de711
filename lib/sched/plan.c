/* SPDX-License-Identifier: MIT */
/* plan.c - one planning call: priorities from high to low, then what is to be taken back. See plan.h. */
#include "sched/plan.h"

#include "base/error.h"
#include "sched/draft.h"

/* A pass that was cut gets twice the steps next time, up to 2^6 times the budget, so that every class is visited
 * within seven calls however many there are; a pass that was not cut resets it. */
#define MAX_ESCALATION 6u

struct scratch {
    const struct alloc *alloc; /* borrowed */
    struct shapes shapes;
    uint32_t escalation;
};

struct scratch *hqi_sched_scratch_new(const struct alloc *a)
{
    struct scratch *s = hqi_base_alloc_zero(a, 1, sizeof *s);
    if (!s)
        return NULL;
    s->alloc = a;
    hqi_sched_shape_init(&s->shapes, a);
    return s;
}

void hqi_sched_scratch_free(struct scratch *s)
{
    if (!s)
        return;
    hqi_sched_shape_fini(&s->shapes);
    hqi_base_alloc_free(s->alloc, s);
}

static uint32_t same_priority(const struct draft *d, uint32_t first)
{
    uint32_t last = first + 1;
    while (last < d->n_levels && d->levels[last].level->priority == d->levels[first].level->priority)
        last++;
    return last;
}

static void pass(struct draft *d)
{
    uint32_t last;
    for (uint32_t first = 0; first < d->n_levels && !d->cut && !d->nomem; first = last) {
        last = same_priority(d, first);
        hqi_sched_reserve_prefilled(d, d->levels[first].level->priority);
        hqi_sched_place(d, first, last);
        if (!d->cut && !d->nomem)
            hqi_sched_reserve(d, first, last);
        if (!d->cut && !d->nomem)
            hqi_sched_prefill(d, first, last);
        hqi_sched_draft_compact(d);
    }
    if (!d->cut && !d->nomem)
        hqi_sched_retract(d);
}

int hqi_sched_plan(struct plan_result *ret, const struct state *s, struct scratch *scratch,
                   const struct plan_input *in, struct arena *mem, hq_error *err)
{
    struct draft_bars bars = {0};
    struct draft d;
    bool short_of_steps = false;
    do {
        if (!hqi_sched_draft_init(&d, s, &scratch->shapes, in, (uint64_t)in->steps << scratch->escalation, &bars, mem))
            return hqi_base_error_nomem(err, "sched");
        pass(&d);
        short_of_steps = short_of_steps || (d.cut && d.steps > d.budget);
    } while (hqi_sched_utilization_again(&d));
    int r = hqi_sched_draft_facts(&d, ret, err);
    if (r < 0)
        return r;
    bool escalates = short_of_steps && scratch->escalation < MAX_ESCALATION;
    if (escalates)
        scratch->escalation++;
    else if (!d.cut)
        scratch->escalation = 0;
    /* Who was barred may reach its limit now that others have got theirs; where nobody got anything, nothing will change. */
    ret->more = d.cut || escalates || (bars.passes > 0 && d.handed > 0);
    return HQ_OK;
}
