/* SPDX-License-Identifier: MIT */
/* apply.c - from facts to what becomes of the state: the one table.
 *
 * Promise: what a fact does depends on the state and the fact and nothing else. What a fact says of tasks, jobs and
 * workers that are not there, or no longer, changes nothing; that new ids are new, check() has to vouch for. */
#include <string.h>

#include "state/attempt.h"
#include "state/cancel.h"
#include "state/job.h"
#include "state/remains.h"
#include "state/submit.h"
#include "state/worker.h"

static void apply_server_start(struct state *st, struct fact *f)
{
    struct bytes uid = f->u.server_start.uid;
    size_t n = uid.n < sizeof st->uid ? uid.n : sizeof st->uid - 1;
    st->epoch = f->u.server_start.epoch;
    memset(st->uid, 0, sizeof st->uid);
    if (n > 0)
        memcpy(st->uid, uid.p, n);
}

void hqi_state_apply(struct state *s, struct fact *f)
{
    static void (*const table[])(struct state *, struct fact *) = {
        [FACT_SERVER_START] = apply_server_start,
        [FACT_JOB_OPEN] = hqi_state_job_apply_open,
        [FACT_SUBMIT] = hqi_state_submit_apply,
        [FACT_JOB_CLOSE] = hqi_state_job_apply_close,
        [FACT_JOB_CANCEL] = hqi_state_cancel_apply_cancel,
        [FACT_JOB_ABORT] = hqi_state_cancel_apply_abort,
        [FACT_JOB_FORGET] = hqi_state_job_apply_forget,
        [FACT_WORKER_JOIN] = hqi_state_worker_apply_join,
        [FACT_WORKER_STOP] = hqi_state_worker_apply_stop,
        [FACT_WORKER_LOST] = hqi_state_attempt_apply_lost,
        [FACT_HANDOUT] = hqi_state_attempt_apply_handout,
        [FACT_RETRACT] = hqi_state_attempt_apply_retract,
        [FACT_RETURN] = hqi_state_attempt_apply_return,
        [FACT_STARTED] = hqi_state_attempt_apply_started,
        [FACT_ENDED] = hqi_state_attempt_apply_ended,
        [FACT_CRASHED] = hqi_state_attempt_apply_crashed,
        [FACT_CLASS] = hqi_state_remains_apply_class,
        [FACT_REMAINS] = hqi_state_remains_apply,
        [FACT_WORKER_BACK] = hqi_state_worker_apply_back,
        [FACT_ADOPT] = hqi_state_attempt_apply_adopt,
        [FACT_REFUSED] = hqi_state_attempt_apply_refused,
    };
    s->position++; /* what an overview tells is nothing that the state has */
    if (f->kind < sizeof table / sizeof *table && table[f->kind])
        table[f->kind](s, f);
}
