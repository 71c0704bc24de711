/* SPDX-License-Identifier: MIT */
/* effects.c - what a fact that was just applied makes the server say, and nothing hangs on: workers may forget submits
 * that have ended. When memory is short that gets lost: a worker then keeps a submit until its session ends. */
#include "core/inner.h"

/* Nothing of the submit will run any more: its workers may forget it. */
void hqi_core_drop_if_ended(struct core *c, const struct submit *s)
{
    if (s && s->counts[HQ_TASK_WAITING] + s->counts[HQ_TASK_RUNNING] == 0 && !hqi_core_tell_drop(c, s))
        hqi_base_log_write(c->log, LOG_ERROR, "core", "out of memory: not all workers are told to forget submit %u", s->id);
}

static void on_ended(struct core *c, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.ended.n_groups; i++)
        hqi_core_drop_if_ended(c, hqi_state_submit(c->state, f->u.ended.groups[i].submit));
}

static void on_crashed(struct core *c, const struct fact *f)
{
    for (uint32_t i = 0; i < f->u.tasks.n_groups; i++)
        hqi_core_drop_if_ended(c, hqi_state_submit(c->state, f->u.tasks.groups[i].submit));
}

typedef void effect(struct core *c, const struct fact *f);

static effect *const effects[] = {
    [FACT_ENDED] = on_ended,
    [FACT_CRASHED] = on_crashed,
};

void hqi_core_effects(struct core *c, const struct fact *f)
{
    if (f->kind < sizeof effects / sizeof *effects && effects[f->kind])
        effects[f->kind](c, f);
}
